"""Notes on journeys that have not ended: the next retry, and how a test gets there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from fakemail.events.journey import Journey, add_lines
from fakemail.runtime.simulation import Simulation

NOT_SETTLED = " (not settled)"


def with_notes(
    simulation: Simulation, found: list[Journey], *, call: Callable[[Callable[[], bool]], bool] | None = None
) -> list[Journey]:
    """The journeys, with what is known about who sent each, and a note at each whose fate is still open.

    ``call`` asks in the loop's thread whether our side is settled; without it nothing is said about that.
    """
    found = [_with_senders(simulation, each) for each in found]
    if all(each.fate.is_final for each in found):
        return found
    is_settled = call is None or call(lambda: simulation.quiescence.is_settled)
    return [
        each if each.fate.is_final else replace(each, note=_note(simulation, each, is_settled))
        for each in found
    ]


def _with_senders(simulation: Simulation, journey: Journey) -> Journey:
    """Line for each check of the sender whose result was read; the others are left alone."""
    known = simulation.auth_results
    lines = [
        (delivered.number, delivered.host, f"{result.method} {result} ({result.sentence})")
        for delivered in journey.deliveries
        for result in known.made(delivered.host, delivered.message)
    ]
    return add_lines(journey, lines) if lines else journey


def _note(simulation: Simulation, journey: Journey, is_settled: bool) -> str:
    entry = simulation.mail_queue.entries.get(journey.queue_ids[-1]) if journey.queue_ids else None
    due, now = None if entry is None else entry.next_attempt, simulation.clock.now()
    if due is not None and due > now:
        stands = f"the clock stands at {now:%H:%M:%S}: mailnet.clock.advance({_span(now, due)}) gets there"
        return f"\n      next try at {due:%a %H:%M:%S}, and {stands}"
    if entry is not None and entry.is_held:
        return "\n      held: flush() lets it go"
    return "" if is_settled else NOT_SETTLED


def _span(now: datetime, due: datetime) -> str:
    """The time from now to then as a test writes it, rounded up."""
    minutes = -((now - due) // timedelta(minutes=1))
    return f"hours({minutes // 60})" if minutes >= 120 and minutes % 60 == 0 else f"minutes({minutes})"
