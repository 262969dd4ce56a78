"""The sections of a test's report: the journeys of a failure, and the transcript where it is wanted.

Loaded for failures only. A section is plain text, so that it survives the way from an xdist worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from fakemail.errors import FakemailError, MailAssertionError
from fakemail.events import journey, transcript
from fakemail.events.refusals import refused_lines
from fakemail.events.text_layout import shown
from pytest_fakemail.unfired import tell, unfired

if TYPE_CHECKING:
    import pytest

    from fakemail.events.kinds import Event
    from pytest_fakemail.worlds import World

JOURNEY = "fakemail journey"
TRANSCRIPT = "fakemail transcript"

_MOST_JOURNEYS = 5
_MOST_LINES = 15  # of the transcript, where no mail set out that could have a journey


def hide_own_code(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """End the traceback of a mistake at the line that called us: the error's text says the rest.

    A mistake is an error of ours, or whatever is raised where ``__tracebackhide__`` is set. That word
    alone is not enough: declarations fail in the loop's thread, where frames of the standard library
    lie between ours, and values in an ``__init__`` that the standard library wrote.
    """
    if not isinstance(excinfo.value, FakemailError) and not _says_enough(excinfo.tb):
        return
    step = excinfo.tb
    while step.tb_next is not None:
        if _is_own(step.tb_next.tb_frame):
            step.tb_next = None
            return
        step = step.tb_next


def _says_enough(trace: TracebackType) -> bool:
    while trace.tb_next is not None:
        trace = trace.tb_next
    return _is_own(trace.tb_frame) and "__tracebackhide__" in trace.tb_frame.f_locals


def _is_own(frame: FrameType) -> bool:
    # By module and not by file, for the methods of dataclasses are in no file.
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == "fakemail"


def is_mistake(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    """Whether the test was refused by us for what it wrote, and its mail is not to blame."""
    if isinstance(excinfo.value, MailAssertionError):
        return False
    return isinstance(excinfo.value, FakemailError) or _says_enough(excinfo.tb)


def add_sections(
    report: pytest.TestReport,
    own: Iterable[World],
    shared: Iterable[World],
    *,
    wanted: str | None,
    mistake: bool = False,
) -> None:
    """Add what happened in a test's own worlds, and in the shared ones that it used, to its report.

    ``wanted`` is whose transcripts are wanted: ``"failed"``, ``"all"`` or nobody's. Of a world in which
    nothing happened nothing is told after a mistake, nor before anything was declared in it.
    """
    worlds = [*own, *(world for world in shared if len(world.log) > world.start)]
    if report.failed:

        def tell(world: World) -> str:
            is_due = _came(world) or (world.is_inhabited and not mistake)
            return journey_section(world) if is_due else ""

        _add(report, JOURNEY, worlds, tell)
    if wanted == "all" or (wanted == "failed" and report.failed):
        _add(report, TRANSCRIPT, worlds, transcript_section)


def _add(report: pytest.TestReport, name: str, worlds: list[World], tell: Callable[[World], str]) -> None:
    for number, world in enumerate(worlds, start=1):
        try:
            world.let_settle()
            text = tell(world)
        except Exception as error:  # what the test has to say matters more than a defect of ours
            text = f"This could not be told, by a defect of fakemail: {type(error).__name__}: {error}"
        if not text:
            continue
        which = f" ({number} of {len(worlds)} fake internets)" if len(worlds) > 1 else ""
        report.sections.append((f"{name}{which}", text))


def journey_section(world: World) -> str:
    """The last journeys, step by step, and how to run the test again with the same chance."""
    found = [
        each
        for each in journey.Journeys(world.log).all()
        if each.latest > world.start and not each.is_arrived_notice
    ]
    hidden = max(0, len(found) - _MOST_JOURNEYS)
    parts = [_nothing(world)] if not found else []
    if hidden:
        parts.append(f"({hidden} earlier journeys are not shown; mailnet.journeys() has them all.)")
    for number, each in enumerate(world.with_notes(found[hidden:]), start=hidden + 1):
        parts.append(f"{_head(number, len(found), each)}\n{each.table()}")
    if missed := unfired(world):
        parts.append("\n".join(["faults that never fired:", *map(tell, missed)]))
    parts.append(f"again: {world.again}")
    return "\n\n".join(parts)


def _head(number: int, total: int, found: journey.Journey) -> str:
    subject = f", {found.subject!r}" if found.subject else ""
    return f"{number} of {total}: {shown(f'{found.sender} to {found.recipient}{subject}')}"


def _nothing(world: World) -> str:
    """The reason why there is no journey: no client connected, or none got far."""
    closed = world.closed_hosts()
    events = _came(world)
    if not events:
        advice = (
            " Does the code under test use its settings, such as account.submission or mailnet.mx(domain)?"
        )
        return "\n".join([f"Nobody connected to this fake internet.{'' if closed else advice}", *closed])
    lines = transcript.transcript(events, order=transcript.Order.TIME, short=True).splitlines()
    more = [f"  ({len(lines) - _MOST_LINES} lines before)"] if len(lines) > _MOST_LINES else []
    shown_lines = (f"  {line}" for line in lines[-_MOST_LINES:])
    head = "No message got as far as a recipient. What happened last:"
    refused = refused_lines(world.log, since=world.start)
    what = ["What was refused:", *(f"  {line}" for line in refused)] if refused else []
    return "\n".join([head, *more, *shown_lines, *what, *closed])


def _came(world: World) -> list[Event]:
    """The events since the test began, without mail that the test itself put into mailboxes."""
    return [event for event in world.log.events(since=world.start) if event.host]


def transcript_section(world: World) -> str:
    """All that was said, secrets masked."""
    return transcript.transcript(world.log.events(since=world.start)) or "Nothing was said."


def print_passed(terminal: pytest.TerminalReporter) -> None:
    """Print the transcripts of passed tests, which pytest itself prints with ``-rP`` only."""
    if "P" in terminal.reportchars:
        return
    found = [
        (passed.nodeid, name, text)
        for passed in terminal.stats.get("passed", [])
        for name, text in passed.sections
        if name.startswith(TRANSCRIPT)
    ]
    if not found:
        return
    terminal.section("fakemail transcripts of passed tests")
    for nodeid, name, text in found:
        terminal.section(f"{nodeid}{name.removeprefix(TRANSCRIPT)}", "-")
        terminal.write_line(text)
