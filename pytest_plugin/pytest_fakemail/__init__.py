"""The pytest plugin: options, the marker, and the hooks that put a failing test's journeys into its report.

This module and :mod:`pytest_fakemail.fixtures` are loaded in every pytest run of their environment.
So they import nothing but pytest and the lightest of the standard library; whatever else is needed
is imported where a test really uses the fake internet.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_fakemail.fixtures import (
    _mailnet_world,
    async_mailnet,
    async_mailnet_factory,
    mailnet,
    mailnet_factory,
)
from pytest_fakemail.stash import CALLED, PASSED, SHARED, TRIAL, WORLDS

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_fakemail.worlds import World

__all__ = ["_mailnet_world", "async_mailnet", "async_mailnet_factory", "mailnet", "mailnet_factory"]

_FIXTURES = frozenset(__all__)

_MARKER = (
    "mailnet(*, timeout, seed, domains, accounts, config, strict, allow, grease, redirect, children, real_ports, "
    "sink, faults): the fake internet of the test's mailnet fixtures: seconds of a wait, seed of chance, domains and "
    "accounts that are there from the start, and a TOML file (relative to the test file) that describes more; whether "
    "the test fails for what a stricter server would mind, and the lint rules that may be broken all the same; whether "
    "servers say to the app whatever is legal; whether this process is redirected to it, and what becomes of programs "
    "that it starts then; whether it listens on the real ports, and takes mail for every domain; faults, "
    "each as a table of such a file."
)

_SWEEP = (
    "mailnet_sweep(*, expected_errors, hang_timeout): run the test once without faults, then once more for every "
    "single failure point of its journey, each in a new fake internet; it fails for each point that the app "
    "mishandled. expected_errors: the exceptions by which the app says that it could not send; hang_timeout: the real "
    "seconds without any event after which the app hangs."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("fakemail", "a fake mail internet (fakemail)")
    group.addoption(
        "--mailnet-transcript",
        nargs="?",
        const="failed",
        default=None,
        metavar="failed|all",
        help="Report all that was said on the wire: of failed tests (the default), or of all tests.",
    )
    group.addoption(
        "--mailnet-seed",
        default=None,
        metavar="N",
        help="Seed of what is left to chance in each fake internet. Default: one from each test's id.",
    )
    group.addoption(
        "--mailnet-timeout",
        default=None,
        metavar="SECONDS",
        help="Real seconds that a wait for mail lasts at most. Default: mailnet_timeout, or 5.",
    )
    group.addoption(
        "--mailnet-sweep",
        default=None,
        metavar="PATTERN",
        help="Of the failure points of tests marked mailnet_sweep, run those with such a name only: 'smtp.rcpt*reset'.",
    )
    group.addoption(
        "--mailnet-strict",
        nargs="?",
        const="hint",
        default=None,
        metavar="hint|warning|error|off",
        help="Fail a test whose app did what a stricter server would mind: anything (the default), or only what is "
        "as bad as that. Default: mailnet_strict, or off.",
    )
    group.addoption(
        "--mailnet-grease",
        nargs="?",
        const="on",
        default=None,
        metavar="on|retries|off",
        help="Let servers say to the app whatever the standards allow, by chance from the seed: several lines, odd "
        "texts and orders, cut segments. With retries some things are also refused for now, once. "
        "Default: mailnet_grease, or off.",
    )
    parser.addini(
        "mailnet_strict", "The same as --mailnet-strict: hint, warning, error or off (default: off)."
    )
    parser.addini(
        "mailnet_sink", "Take mail for every domain that nobody declared (default: false).", type="bool"
    )
    parser.addini("mailnet_grease", "The same as --mailnet-grease: on, retries or off (default: off).")
    parser.addini("mailnet_allow", "Lint rules that may be broken all the same, such as no_tls.", type="args")
    group.addoption(
        "--mailnet-no-escape",
        action="store_true",
        default=False,
        help="Refuse connections to mail and DNS ports off this machine, and fail the test that tries.",
    )
    parser.addini(
        "mailnet_no_escape",
        "As --mailnet-no-escape, for every run (default: false).",
        type="bool",
        default=False,
    )
    group.addoption(
        "--mailnet-children",
        default=None,
        metavar="held|refused|free",
        help="What becomes of programs that tests start under --mailnet-no-escape or a redirect: the kernel holds them "
        "back as well (the default; where it cannot, a warning says so), none may be started, or they are left alone.",
    )
    parser.addini(
        "mailnet_children", "The same as --mailnet-children: held, refused or free (default: held)."
    )
    group.addoption(
        "--mailnet-compat",
        action="append",
        default=[],
        metavar="WORD",
        help="Bring the fixtures of another plugin, on the fake internet: smtpdfix (smtpd), localserver (smtpserver), "
        "aiosmtpd (smtp_controller) or django (mailoutbox). May be given several times; adds to mailnet_compat.",
    )
    parser.addini("mailnet_compat", "The words of --mailnet-compat, separated by blanks.", type="args")
    parser.addini("mailnet_timeout", "Real seconds that a wait for mail lasts at most (default: 5).")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; refuse bad options before any test runs."""
    config.addinivalue_line("markers", _MARKER)
    config.addinivalue_line("markers", _SWEEP)
    option = config.option
    if (
        option.mailnet_transcript is not None
        or option.mailnet_seed is not None
        or option.mailnet_timeout is not None
        or option.mailnet_strict is not None
        or option.mailnet_grease is not None
        or option.mailnet_children is not None
        or config.getini("mailnet_children")
        or config.getini("mailnet_timeout")
        or config.getini("mailnet_strict")
        or config.getini("mailnet_grease")
        or config.getini("mailnet_allow")
    ):
        from pytest_fakemail.options import check_config

        check_config(config)
    if words := [*config.getini("mailnet_compat"), *option.mailnet_compat]:
        from pytest_fakemail.compat import register

        register(config, words)
    if getattr(option, "lf", False):
        from pytest_fakemail.choosing import choose_last_failed

        choose_last_failed(config)
    if option.mailnet_no_escape or config.getini("mailnet_no_escape"):
        from pytest_fakemail.no_escape import NoEscape

        config.pluginmanager.register(NoEscape(config), "fakemail-no-escape")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, object, object]:
    """Let ``-k`` choose tests by the failure points of their sweeps as well."""
    if not config.option.keyword or all(item.get_closest_marker("mailnet_sweep") is None for item in items):
        return (yield)
    from pytest_fakemail.choosing import kept_for_their_points

    with kept_for_their_points(config, list(items)):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test that is marked for a sweep many times."""
    if item.get_closest_marker("mailnet_sweep") is None or not isinstance(item, pytest.Function):
        return None
    from pytest_fakemail.sweeping import run

    run(item, nextitem)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_report_from_serializable() -> Generator[None, object, object]:
    """Name what came from a worker of xdist as it was named there."""
    report = yield
    if hasattr(report, "mailnet_point"):
        from pytest_fakemail.sweeping import restore

        restore(report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember where the test begins in the worlds that several tests share; refuse a sweep that cannot work."""
    if "pyfakefs" in sys.modules and not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        from fakemail.api.preload import preload

        preload()  # before its fixture fs is there
    if TRIAL in item.stash:
        from pytest_fakemail.sweeping import check

        check(item)
    if worlds := item.config.stash.get(SHARED, None):
        worlds[:] = [world for world in worlds if world.is_open]
        for world in worlds:
            world.begin_test()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Faults that a fixture declares which outlives the test stay as long as it does, or as their world."""
    if fixturedef.scope == "function":
        return (yield)
    before = {world: world.number_of_faults for world in request.config.stash.get(SHARED, None) or ()}
    try:
        return (yield)
    finally:
        for world in request.config.stash.get(SHARED, None) or ():
            world.keep_faults(before.get(world, 0))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passed although a fault that it declared never fired."""
    __tracebackhide__ = True
    trial = item.stash.get(TRIAL, None)
    if trial is not None and trial.point is not None:
        return (yield)  # an app that gives up early does not come to what else the test lets fail

    def worlds() -> list[World]:
        return [*(item.stash.get(WORLDS, None) or ()), *(item.config.stash.get(SHARED, None) or ())]

    stash = item.config.stash
    stash[CALLED] = True  # for worlds that the test makes itself
    for world in worlds():
        world.expect_fired(True)
    try:
        result = yield
    finally:
        stash[CALLED] = False
        for world in worlds():
            world.expect_fired(False)
    if found := worlds():
        from pytest_fakemail import unfired

        unfired.require_fired(found)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Let an error in a shared world fail the test that caused it, and not the last one of the session."""
    __tracebackhide__ = True
    try:
        result = yield
    except Exception:
        _end_shared(item)
        raise
    _end_shared(item)
    _lint_shared(item)
    return result


def _end_shared(item: pytest.Item) -> None:
    __tracebackhide__ = True
    worlds = item.config.stash.get(SHARED, None) or []
    for world in worlds:
        world.end_test()
    for world in worlds:
        world.raise_errors()


def _lint_shared(item: pytest.Item) -> None:
    __tracebackhide__ = True
    if worlds := item.config.stash.get(SHARED, None):
        from pytest_fakemail.strictness import lint_shared

        lint_shared(item, [world for world in worlds if len(world.log) > world.start])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the journeys to the report of a failure, and leave our own code out of its traceback."""
    mistake = False
    if TRIAL in item.stash and (call.when == "call" or call.excinfo is not None):
        item.stash[TRIAL].over()  # what comes now is pytest's own, and must not be stopped
    if call.excinfo is not None and "fakemail" in sys.modules:
        from pytest_fakemail.report import hide_own_code, is_mistake

        mistake = is_mistake(call.excinfo)
        if not item.config.option.fulltrace:
            hide_own_code(call.excinfo)
    report = yield
    trial = item.stash.get(TRIAL, None)
    if trial is not None and call.excinfo is not None:
        error = call.excinfo.value
        trial.raised(AssertionError(str(error)) if isinstance(error, pytest.fail.Exception) else error)
    if report.when == "call" and report.passed:
        item.stash[PASSED] = True
    own = item.stash.get(WORLDS, None) or []
    shared = item.config.stash.get(SHARED, None) or []
    if own or shared:
        wanted = item.config.option.mailnet_transcript
        if report.failed or (wanted == "all" and report.when == "call"):
            from pytest_fakemail.report import add_sections

            add_sections(report, own, shared, wanted=wanted, mistake=mistake)
        if report.when == "teardown":
            own.clear()  # items live as long as the session, and logs need not
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the transcripts of passed tests where they are wanted."""
    if config.option.mailnet_transcript == "all":
        from pytest_fakemail.report import print_passed

        print_passed(terminalreporter)
    if any(
        hasattr(report, "mailnet_sweep") for reports in terminalreporter.stats.values() for report in reports
    ):
        from pytest_fakemail.sweeping import print_tables

        print_tables(terminalreporter)
