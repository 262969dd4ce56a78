"""``mailnet_compat`` and ``--mailnet-compat``: fixtures of other plugins, for those who ask."""

from __future__ import annotations

import pytest

FIXTURES = """
    def test_fixtures({names}):
        pass
    """


def test_there_are_none_unless_asked_for(project: pytest.Pytester) -> None:
    project.makepyfile(FIXTURES.format(names="smtpd"))
    run = project.runpytest()
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines(["*fixture 'smtpd' not found*"])


def test_words_of_the_ini_file_and_of_the_command_line_add_up(project: pytest.Pytester) -> None:
    project.makeini(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\nmailnet_compat = smtpdfix localserver\n"
    )
    project.makepyfile(FIXTURES.format(names="smtpd, smtpserver, smtp_controller, mailoutbox"))
    run = project.runpytest("--mailnet-compat=aiosmtpd", "--mailnet-compat=django")
    run.assert_outcomes(passed=1)


def test_a_word_that_there_is_not(project: pytest.Pytester) -> None:
    run = project.runpytest("--mailnet-compat=smtpfix")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["*mailnet_compat: there is no 'smtpfix'; did you mean 'smtpdfix'?*"])


def test_it_wins_over_the_plugin_whose_fixture_it_is(project: pytest.Pytester) -> None:
    project.makepyfile(
        other="""
        import pytest

        @pytest.fixture
        def smtpd():
            return "the other one"
        """,
        test_it="""
        def test_smtpd(smtpd, mailnet):
            assert smtpd.mailnet is mailnet
        """,
    )
    project.syspathinsert()
    project.runpytest("-p", "other", "--mailnet-compat=smtpdfix").assert_outcomes(passed=1)


def test_a_project_may_have_its_own_all_the_same(project: pytest.Pytester) -> None:
    project.makeconftest(
        """
        import pytest

        @pytest.fixture
        def smtpd(smtpd):
            smtpd.config.enforce_auth = True
            return smtpd
        """
    )
    project.makepyfile("def test_smtpd(smtpd): assert smtpd.config.enforce_auth")
    project.runpytest("--mailnet-compat=smtpdfix").assert_outcomes(passed=1)


def test_a_failing_test_tells_the_journey(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import smtplib

        def test_mail(smtpd):
            with smtplib.SMTP(smtpd.hostname, smtpd.port) as client:
                client.sendmail("a@example.com", ["bob@example.org"], "Subject: Hi\\n\\nx")
            assert not smtpd.messages
        """
    )
    run = project.runpytest("--mailnet-compat=smtpdfix")
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(
        [
            "*fakemail journey*",
            "1 of 1: a@example.com to bob@example.org, 'Hi'",
            "Fate: delivered to bob@example.org, INBOX",
        ]
    )


def test_the_mark_mailnet_means_the_same_world(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.mailnet(accounts=["bob@example.org"], seed=7)
        def test_mail(smtpd):
            assert smtpd.mailnet.seed == 7
            assert [str(each.address) for each in smtpd.mailnet.accounts()] == ["bob@example.org"]
        """
    )
    project.runpytest("--mailnet-compat=smtpdfix").assert_outcomes(passed=1)
