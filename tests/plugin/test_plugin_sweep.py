"""The marker mailnet_sweep: each failure point is a test of its own in every report."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

_TEST = """
import smtplib
from contextlib import suppress

import pytest
import shop


@pytest.mark.mailnet_sweep(expected_errors=smtplib.SMTPException, hang_timeout=1)
def test_welcome(mailnet):
    bob = mailnet.account("bob@example.org")
    {call}
    mailnet.settle()
    assert bob.inbox.wait_for_one(timeout=0.05).subject == "Welcome, Bob"
"""
_SEND = 'shop.send(mailnet.account("hello@shop.test").submission, bob.address)'
CAREFUL = _TEST.format(call=_SEND)
CARELESS = _TEST.format(call=f"with suppress(smtplib.SMTPException):\n        {_SEND}")


def test_each_point_passes_or_fails_by_itself(project: pytest.Pytester) -> None:
    project.makepyfile(CARELESS)
    run = project.runpytest("--mailnet-sweep=smtp.[mq]*-[45]yz")
    run.assert_outcomes(passed=3, failed=2)
    run.stdout.fnmatch_lines(
        [
            "*_ test_welcome[[]smtp.mail-4yz[]] _*",
            "smtp.mail-4yz: mail lost, bob@example.org never got 'Welcome, Bob', and nobody was told (*",
            "again, alone: --mailnet-sweep=smtp.mail-4yz",
            "*= fakemail sweep of test_each_point_passes_or_fails_by_itself.py::test_welcome =*",
            "smtp.mail-4yz  MAIL LOST  *",
            "4 failure points, 2 mishandled",
        ]
    )


def test_a_careful_app_passes(project: pytest.Pytester) -> None:
    project.makepyfile(CAREFUL)
    run = project.runpytest("--mailnet-sweep=smtp.[mr]*-[45]yz")
    run.assert_outcomes(passed=5)
    run.stdout.fnmatch_lines(
        ["smtp.rcpt-5yz  reported  SMTPRecipientsRefused*", "4 failure points, none mishandled"]
    )


@pytest.mark.parametrize(
    ("expression", "passed", "deselected"),
    [
        ("smtp.mail and yz", 3, 1),
        ("test_welcome and smtp.mail and 4yz", 2, 1),
        ("test_welcome and not smtp and not tls", 2, 1),  # the first run, and connect-refuse
        ("test_other", 1, 1),
        ("smtp.mail-5yz or test_other", 3, 0),
        ("smtp.helo.2 and 5yz", 2, 1),
        ("no_such_thing", 0, 2),
    ],
)
def test_points_are_chosen_with_k(
    project: pytest.Pytester, expression: str, passed: int, deselected: int
) -> None:
    careful = CAREFUL.replace("expected_errors=smtplib.SMTPException", "expected_errors=OSError")
    project.makepyfile(careful=f"{careful}\ndef test_other():\n    pass\n")
    run = project.runpytest("careful.py", "-k", expression)
    run.assert_outcomes(passed=passed, deselected=deselected)


def test_nothing_but_the_first_run_where_no_point_is_wanted(project: pytest.Pytester) -> None:
    project.makepyfile(CAREFUL)
    project.runpytest("--mailnet-sweep=nothing").assert_outcomes(passed=1)


def test_a_test_that_fails_without_faults_is_not_swept(project: pytest.Pytester) -> None:
    project.makepyfile(CAREFUL + "    assert False\n")
    run = project.runpytest()
    run.assert_outcomes(failed=1)
    run.stdout.no_fnmatch_line("*was never reached while it was in force*")


def test_x_stops_at_the_first_point_that_fails(project: pytest.Pytester) -> None:
    project.makepyfile(CARELESS)
    project.runpytest("--mailnet-sweep=smtp.mail-*yz", "-x").assert_outcomes(passed=1, failed=1)


def test_lf_runs_the_points_that_failed(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:playwright -p no:fakefs")  # with the cache, for once
    project.makepyfile(f"{CARELESS}\n\ndef test_other():\n    assert False\n")
    run = project.runpytest("--mailnet-sweep=smtp.[mq]*-[45]yz")
    run.assert_outcomes(passed=3, failed=3)
    run = project.runpytest("--lf", "-v")
    run.assert_outcomes(passed=1, failed=3)
    run.stdout.fnmatch_lines(["smtp.mail-5yz  MAIL LOST *"])


def test_a_fault_of_the_test_need_not_fire_where_another_one_does(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest, smtplib
        from fakemail import Stage, faults

        @pytest.mark.mailnet_sweep
        def test_gives_up(mailnet):
            smtp = mailnet.mx(mailnet.domain("example.org").name)
            smtp.server.faults.add(Stage.SMTP_RCPT, faults.reply(550, "5.1.1", "no"), must_fire=True)
            with smtplib.SMTP(smtp.host, smtp.port, timeout=1) as client:
                client.ehlo()
                code, _ = client.docmd("MAIL FROM:<hello@shop.test>")
                if code == 250:
                    client.docmd("RCPT TO:<bob@example.org>")
                elif code < 500:
                    pytest.fail("no sender")
        """
    )
    run = project.runpytest("--mailnet-sweep=smtp.mail-[45]yz")
    run.assert_outcomes(passed=2, failed=1)
    run.stdout.fnmatch_lines(["smtp.mail-4yz: assertion failed, AssertionError: no sender"])


def test_points_have_names_in_junit(project: pytest.Pytester) -> None:
    project.makepyfile(CARELESS)
    project.runpytest("--mailnet-sweep=smtp.mail-*yz", "--junitxml=report.xml")
    cases = ElementTree.parse(project.path / "report.xml").getroot().iter("testcase")
    found = {case.get("name"): case.find("failure") is not None for case in cases}
    assert found == {
        "test_welcome": False,
        "test_welcome[smtp.mail-4yz]": True,
        "test_welcome[smtp.mail-5yz]": True,
    }


def test_points_come_back_from_xdist(project: pytest.Pytester) -> None:
    project.makepyfile(CARELESS)
    run = project.runpytest("-n1", "-v", "--mailnet-sweep=smtp.mail-*yz")
    run.assert_outcomes(passed=1, failed=2)
    run.stdout.fnmatch_lines(["*FAILED*::test_welcome[[]smtp.mail-5yz[]]*", "smtp.mail-5yz  MAIL LOST  *"])


def test_every_run_has_fixtures_of_its_own(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest, shop, smtplib

        made = []

        @pytest.fixture(scope="module")
        def once():
            made.append("module")
            yield
            made.append("module ends")

        @pytest.fixture
        def app(mailnet, once):
            made.append("app")
            yield mailnet.account("hello@shop.test").submission
            made.append("app ends")

        @pytest.mark.mailnet_sweep(expected_errors=smtplib.SMTPException)
        @pytest.mark.parametrize("subject", ["One", "Two"])
        def test_welcome(app, mailnet, subject):
            shop.send(app, mailnet.account("bob@example.org").address, subject)

        def test_after():
            assert made == ["module"] + ["app", "app ends"] * 4
        """
    )
    run = project.runpytest("--mailnet-sweep=smtp.mail-4yz", "-v")
    run.assert_outcomes(passed=5)
    run.stdout.fnmatch_lines(["*::test_welcome[[]One-smtp.mail-4yz[]] PASSED*"])


def test_a_fixture_of_the_module_that_fails_at_its_end_is_told_of(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="module")
        def once():
            yield
            raise ValueError("broken")

        @pytest.mark.mailnet_sweep
        def test_welcome(mailnet, once):
            pass
        """
    )
    run = project.runpytest("--mailnet-sweep=nothing")
    run.assert_outcomes(passed=1, errors=1)
    run.stdout.fnmatch_lines(["*ValueError: broken"])


def test_hanging_and_async(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import asyncio, pytest, shop, smtplib

        @pytest.mark.asyncio
        @pytest.mark.mailnet_sweep(expected_errors=smtplib.SMTPException, hang_timeout=0.3)
        async def test_welcome(async_mailnet):
            net = async_mailnet
            bob, smtp = net.account("bob@example.org"), net.account("hello@shop.test").submission
            await asyncio.to_thread(shop.send, smtp, bob.address)
        """
    )
    run = project.runpytest("--mailnet-sweep=smtp.mail-[4h]*")
    run.assert_outcomes(passed=2, failed=1)
    run.stdout.fnmatch_lines(["smtp.mail-hang: hung, *"])


def test_a_test_that_stands_still_or_goes_round_is_stopped(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import asyncio, pytest, queue, shop, smtplib

        @pytest.mark.mailnet_sweep(expected_errors=ValueError, hang_timeout=0.2)
        def test_waits(mailnet):
            bob, smtp = mailnet.account("bob@example.org"), mailnet.account("hello@shop.test").submission
            try:
                shop.send(smtp, bob.address)
            except smtplib.SMTPException:
                queue.Queue().get()

        @pytest.mark.asyncio
        @pytest.mark.mailnet_sweep(expected_errors=ValueError, hang_timeout=0.2)
        async def test_awaits(async_mailnet):
            net = async_mailnet
            bob, smtp = net.account("bob@example.org"), net.account("hello@shop.test").submission
            try:
                await asyncio.to_thread(shop.send, smtp, bob.address)
            except smtplib.SMTPException:
                await asyncio.Event().wait()

        def test_after():
            pass
        """
    )
    run = project.runpytest("--mailnet-sweep=smtp.mail-4yz")
    run.assert_outcomes(passed=3, failed=2)
    run.stdout.fnmatch_lines(
        [
            "smtp.mail-4yz: hung, nothing happened any more, until it was stopped in test_waits (*.py:9)",
            "smtp.mail-4yz: hung, nothing happened any more, until it was stopped in test_awaits (*.py:19)",
        ]
    )


def test_wrong_marks_say_what_is_right(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.mailnet_sweep
        def test_without():
            pass

        @pytest.mark.mailnet_sweep(expected_error=OSError)
        def test_handle(mailnet):
            pass
        """
    )
    run = project.runpytest()
    run.assert_outcomes(errors=2)
    run.stdout.fnmatch_lines(
        [
            "*::test_without: mailnet_sweep needs a test that takes the fixture mailnet or async_mailnet.",
            "*::test_handle: mailnet_sweep() has no option 'expected_error'; did you mean 'expected_errors'?",
        ]
    )
