"""The plugin costs nothing in a run that does not use it, and nothing keeps a run from ending."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_loading_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import pytest_fakemail; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pytest_fakemail", "pytest_fakemail.fixtures", "pytest_fakemail.stash"]


def test_a_run_without_a_fake_internet_loads_no_runtime(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import sys

        def test_other_things():
            heavy = {"fakemail", "fakemail.runtime", "cryptography", "aiosmtpd", "dnslib", "dns", "trustme"}
            assert not heavy & set(sys.modules)
        """
    )
    others = ("asyncio", "anyio")
    run = project.runpytest_subprocess(
        *(f"-pno:{other}" for other in others), "-Wignore::pytest.PytestConfigWarning"
    )
    run.assert_outcomes(passed=1)
    run.stdout.no_fnmatch_line("*fakemail journey*")


def test_a_run_ends_when_its_tests_do(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import smtplib, shop

        def test_mail(mailnet, mailnet_factory):
            other = mailnet_factory()
            smtp = mailnet.account("bob@example.org").submission
            mailnet.open = smtplib.SMTP(smtp.host, smtp.port, timeout=10)  # left open on purpose
            shop.send(smtp, "bob@example.org", sender="bob@example.org")
        """
    )
    run = project.runpytest_subprocess("-W", "default::ResourceWarning", timeout=30)
    run.assert_outcomes(passed=1)
    assert run.ret == 0


@pytest.mark.parametrize(("option", "status"), [("-x", pytest.ExitCode.TESTS_FAILED), ("-v", 2)])
def test_a_broken_off_run_ends_as_well(project: pytest.Pytester, option: str, status: int) -> None:
    error = "ZeroDivisionError" if option == "-x" else "KeyboardInterrupt"
    project.makepyfile(
        f"""
        def test_one(mailnet, async_mailnet, mailnet_factory):
            mailnet_factory(accounts=["bob@example.org"])
            raise {error}

        def test_two(mailnet):
            pass
        """
    )
    run = project.runpytest_subprocess(option, timeout=30)
    assert run.ret == status


def test_an_interrupt_ends_a_wait(project: pytest.Pytester) -> None:
    # The handler is set here because a run in the background may have been started with the signal ignored.
    project.makepyfile(
        """
        import os, signal

        def test_wait(mailnet):
            bob = mailnet.account("bob@example.org")
            signal.signal(signal.SIGINT, signal.default_int_handler)
            mailnet._portal.thread.loop.call_soon_threadsafe(os.kill, os.getpid(), signal.SIGINT)
            bob.inbox.wait_for_one(timeout=600)
        """
    )
    run = project.runpytest_subprocess(timeout=30)
    assert run.ret == pytest.ExitCode.INTERRUPTED


def test_it_documents_itself(project: pytest.Pytester) -> None:
    run = project.runpytest("--markers")
    run.stdout.fnmatch_lines(
        ["@pytest.mark.mailnet(?, timeout, seed, domains, accounts, config, strict, allow*): *"]
    )
    run.stdout.fnmatch_lines(["@pytest.mark.mailnet_sweep(?, expected_errors, hang_timeout): *"])
    run = project.runpytest("--fixtures")
    run.stdout.fnmatch_lines(["mailnet -- *", "async_mailnet -- *", "mailnet_factory *session scope*"])
    run = project.runpytest("--help")
    run.stdout.fnmatch_lines(["*--mailnet-transcript=*", "*--mailnet-seed=N*", "*--mailnet-timeout=SECONDS*"])
