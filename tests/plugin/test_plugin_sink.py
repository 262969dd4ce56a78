"""The sink by marker and ini file."""

from __future__ import annotations

import pytest

TEST = """
    import pytest

    {mark}
    def test_it(mailnet):
        with mailnet.sink.smtplib() as client:
            client.sendmail("", ["bob@customer.example"], "Subject: One\\r\\n\\r\\n")
        assert mailnet.messages.one().subject == "One"
"""


def test_the_marker_makes_a_sink(project: pytest.Pytester) -> None:
    project.makepyfile(TEST.format(mark="@pytest.mark.mailnet(sink=True)"))
    project.runpytest_inprocess().assert_outcomes(passed=1)


def test_the_ini_file_makes_one_for_all_tests_but_those_that_say_no(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\nmailnet_sink = true\n")
    project.makepyfile(
        test_one=TEST.format(mark=""), test_two=TEST.format(mark="@pytest.mark.mailnet(sink=False)")
    )
    run = project.runpytest_inprocess()
    run.assert_outcomes(passed=1, failed=1)
    run.stdout.fnmatch_lines("*has no sink; make it with MailNet(sink=True)*")
