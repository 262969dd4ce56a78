"""What a mail host found, in words: for the transcript and for journeys."""

from __future__ import annotations

from collections.abc import Iterable

from fakemail.record.events import Connected, Event, Exchange, Found, Judged
from fakemail.record.text import shown
from fakemail.terms.stage import Stage


def told(event: Judged) -> list[str]:
    """Each finding as a line, and what follows from all of them."""
    lines = [f"judged at {event.stage}: {_found(found)}" for found in event.findings]
    decided = [found for found in event.findings if found.outcome == event.outcome]
    if event.outcome != "accept" and not decided:  # it rests on what was found earlier
        lines.append(f"judged at {event.stage}: {event.outcome}, {event.sentence or event.reason}")
    return lines


def notable(event: Judged) -> str:
    """What of it belongs into a journey: all that is not well, in one line; empty where all is well."""
    found = [_found(found) for found in event.findings if found.status != "pass" or found.outcome != "accept"]
    if not found and event.outcome != "accept":
        found = [f"{event.sentence or event.reason}: {event.outcome}"]
    return "; ".join(found)


def turned_away(events: Iterable[Event], *, limit: int = 3) -> list[str]:
    """The last clients, hosts of ours apart, that were turned away before they had named a message, and why.

    No journey tells of them, since there was no message yet.
    """
    peers = {}
    found = []
    for event in events:
        if isinstance(event, Connected):
            peers[event.host, event.connection] = event.peer
        elif isinstance(event, Exchange) and event.stage in (Stage.SMTP_BANNER, Stage.SMTP_HELO):
            peer = peers.get((event.host, event.connection))
            if peer is not None and peer.is_app and event.reply is not None and not event.reply.is_positive:
                found.append(f"{event.host} turned {peer} away at {event.stage}: {shown(str(event.reply))}")
    return found[-limit:]


def _found(found: Found) -> str:
    return f"{found}: {found.outcome}"
