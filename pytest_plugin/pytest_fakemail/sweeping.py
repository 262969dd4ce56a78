"""The marker ``mailnet_sweep``: a test is run once without faults, then once more for every single failure point.

Each point is reported as a test of its own, which nobody has collected: what points there are is known after the
first run only. Loaded where there is such a test.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

import pytest
from _pytest.runner import runtestprotocol

from fakemail.api.sweep import Sweep, Trial
from fakemail.api.watchdog import HANG_TIMEOUT
from fakemail.errors import nearest
from fakemail.events.journey import Journeys
from fakemail.sweep.verdict import SweepOutcome, SweepVerdict, table
from pytest_fakemail.choosing import is_chosen
from pytest_fakemail.stash import ORIGINAL, TRIAL

if TYPE_CHECKING:
    from fakemail.api.mailnet import BaseMailNet

_FIXTURES: Final = ("mailnet", "async_mailnet")
_NAMES: Final = ("expected_errors", "hang_timeout")


def check(item: pytest.Item) -> None:
    """Fail a test whose mark cannot work."""
    __tracebackhide__ = True
    names = getattr(item, "fixturenames", ())
    if not any(name in names for name in _FIXTURES):
        pytest.fail(
            f"{item.nodeid}: mailnet_sweep needs a test that takes the fixture mailnet or async_mailnet.",
            pytrace=False,
        )
    mark = item.get_closest_marker("mailnet_sweep")
    for name in mark.kwargs if mark is not None else ():
        if name not in _NAMES:
            pytest.fail(
                f"{item.nodeid}: mailnet_sweep() has no option {name!r}; {nearest(name, _NAMES)}",
                pytrace=False,
            )


def run(item: pytest.Function, nextitem: pytest.Item | None) -> None:
    """Run a test for each failure point of its journey, and report each."""
    mark = item.get_closest_marker("mailnet_sweep")
    options = mark.kwargs if mark is not None else {}
    pattern = item.config.option.mailnet_sweep
    sweep = Sweep(
        expected_errors=options.get("expected_errors", ()),
        hang_timeout=options.get("hang_timeout", HANG_TIMEOUT),
    )
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    item.stash[TRIAL] = sweep.first
    spare = _again(item, "")
    reports = runtestprotocol(item, log=False, nextitem=spare)
    _log(item, reports)
    if all(report.passed for report in reports):
        chosen = [
            point
            for point in sweep.first.points
            if (pattern is None or fnmatchcase(point.name, pattern)) and is_chosen(item, point.name)
        ]
        item.session.testscollected += len(chosen)
        for point in chosen:
            if item.session.shouldfail or item.session.shouldstop:  # -x and --maxfail
                break
            trial = sweep.trial(point)
            clone = _again(item, point.name)
            clone.stash[TRIAL] = trial
            reports = runtestprotocol(clone, log=False, nextitem=spare)
            _log(
                item,
                _with_outcome(clone, reports, trial, sweep.outcome(trial)),
                _with(item.nodeid, point.name),
            )
    # What is shared with no test to come ends here, and may fail.
    end = pytest.CallInfo.from_call(
        lambda: item.session._setupstate.teardown_exact(nextitem), when="teardown"
    )
    last = item.ihook.pytest_runtest_makereport(item=item, call=end)
    if not last.passed:
        _log(item, [last])
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def _again(item: pytest.Function, name: str) -> pytest.Function:
    """The same test as another item, which has fixtures of its own."""
    clone: pytest.Function = type(item).from_parent(
        item.parent,
        name=_with(item.name, name),
        callspec=getattr(item, "callspec", None),
        fixtureinfo=item._fixtureinfo,
        keywords=dict(item.keywords),
        originalname=item.originalname,
    )
    clone.own_markers = list(item.own_markers)
    clone.stash[ORIGINAL] = item.nodeid
    return clone


def _with(name: str, point: str) -> str:
    """The name or the id of a test, for one point."""
    return f"{name.removesuffix(']')}-{point}]" if name.endswith("]") else f"{name}[{point}]"


def _log(item: pytest.Item, reports: Iterable[pytest.TestReport], point: str = "") -> None:
    for report in reports:
        if not point:
            pass
        elif hasattr(item.config, "workerinput"):
            # A worker of xdist may report tests only that it was told to run; see restore() below.
            vars(report).update(mailnet_point=point, nodeid=item.nodeid)
        else:
            report.nodeid = point
        item.ihook.pytest_runtest_logreport(report=report)


def restore(report: object) -> None:
    """Give the report of a point its name back, after the way from a worker of xdist."""
    point = getattr(report, "mailnet_point", None)
    if point is not None and isinstance(report, pytest.TestReport):
        report.nodeid = point


def _with_outcome(
    clone: pytest.Function, reports: list[pytest.TestReport], trial: Trial, outcome: SweepOutcome
) -> list[pytest.TestReport]:
    """The reports of a point: what counts is what the app made of it, and not what the test asserted."""
    if any(report.skipped for report in reports):
        return reports
    for report in reports:
        report.outcome, report.longrepr = "passed", None
        report.sections = [] if report.when != "call" else report.sections
    call = next((report for report in reports if report.when == "call"), reports[0])
    call.when = "call"
    said = [clone.stash[ORIGINAL], outcome.name, outcome.verdict, outcome.is_mishandled, outcome.detail]
    vars(call).update(mailnet_sweep=said)
    call.user_properties = [*call.user_properties, ("mailnet_sweep", outcome.verdict)]
    if outcome.is_mishandled:
        call.outcome, call.longrepr = "failed", _story(trial, outcome)
    elif outcome.verdict == SweepVerdict.NOT_REACHED.value:
        path, line, _ = clone.location
        call.outcome, call.longrepr = "skipped", (path, line or 0, f"{outcome.name}: not reached in this run")
    return reports


def _story(trial: Trial, outcome: SweepOutcome) -> str:
    parts = [str(outcome)]
    parts += [
        f"{each.sender} to {each.recipient}\n{each.table()}" for each in Journeys(trial.events).all()[-3:]
    ]
    return "\n\n".join([*parts, f"again, alone: --mailnet-sweep={outcome.name}"])


def conclude(item: pytest.Item, net: BaseMailNet[Any, Any]) -> None:
    """The test is over, and its fake internet is about to end."""
    trial = item.stash[TRIAL]
    if net.is_running:
        trial.settled(net._portal).result()
        trial.end(net._portal)


def print_tables(terminal: pytest.TerminalReporter) -> None:
    """For each swept test a table of its points."""
    found: dict[str, list[SweepOutcome]] = {}
    for reports in terminal.stats.values():
        for report in reports:
            if said := getattr(report, "mailnet_sweep", None):
                original, name, verdict, is_mishandled, detail = said
                found.setdefault(original, []).append(SweepOutcome(name, verdict, is_mishandled, detail))
    for original, outcomes in found.items():
        terminal.section(f"fakemail sweep of {original}")
        terminal.write_line(table(sorted(outcomes, key=lambda outcome: not outcome.is_mishandled)))
