"""What a mail host found, in words: for the transcript and for journeys."""

from __future__ import annotations

from fakemail.events.kinds import CheckFinding, PolicyEvaluated


def told(event: PolicyEvaluated) -> list[str]:
    """Each finding as a line, and what follows from all of them."""
    lines = [f"judged at {event.stage}: {_found(found)}" for found in event.findings]
    decided = [found for found in event.findings if found.disposition == event.disposition]
    if event.disposition != "accept" and not decided:  # it rests on what was found earlier
        lines.append(f"judged at {event.stage}: {event.disposition}, {event.sentence or event.reason}")
    return lines


def notable(event: PolicyEvaluated) -> str:
    """What of it belongs into a journey: all that is not well, in one line; empty where all is well."""
    found = [
        _found(found) for found in event.findings if found.status != "pass" or found.disposition != "accept"
    ]
    if not found and event.disposition != "accept":
        found = [f"{event.sentence or event.reason}: {event.disposition}"]
    return "; ".join(found)


def _found(found: CheckFinding) -> str:
    return f"{found}: {found.disposition}"
