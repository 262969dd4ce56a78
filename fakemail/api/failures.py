"""Failure text: what was wanted, what was found, what came closest, what happened last, how to run it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from fakemail.api.journey_notes import with_notes
from fakemail.api.messages import Message, Wanted, stored_messages
from fakemail.api.portal import Portal
from fakemail.events.journey import Journey, Journeys
from fakemail.events.kinds import Event
from fakemail.events.refusals import refusals, refused_lines
from fakemail.events.transcript import Order, transcript
from fakemail.message.message import MessageView
from fakemail.model.host import READING
from fakemail.types.address import Address, NullPath
from fakemail.types.domains import u_labels
from fakemail.types.stage import Stage

_LOGGED_INTO = frozenset(service.name for service in READING)
_SHOWN = 10  # messages or journeys listed before the rest is only counted


class Where(NamedTuple):
    """The place of a list of messages."""

    name: str
    """Such as ``INBOX of bob@example.org``."""
    account: Address | None = None
    """Whose mailbox it is, if it is one."""
    mailbox: str = ""

    def __str__(self) -> str:
        return self.name

    @property
    def _to(self) -> str:
        return "" if self.account is None else f" to {u_labels(str(self.account))}"


def missing(
    portal: Portal,
    where: Where,
    wanted: Wanted,
    messages: Sequence[MessageView],
    seconds: float | None,
    *,
    look: Callable[[], Sequence[MessageView]],
    count: int = 1,
) -> str:
    """The text for mail that is not there. ``look`` looks again, for what comes late."""
    amount = "a message" if count == 1 else f"{count} messages"
    waited = "" if seconds is None else f" within {seconds:g} s"
    lines = [f"wanted: {amount}{where._to}{wanted}{waited}"]
    if messages:
        lines.append(f"found:  {_count(messages)} in {where}")
        lines += [f"        {message!r}{_but(wanted, message)}" for message in messages[:_SHOWN]]
    else:
        lines.append(f"found:  nothing in {where}")
    lines += _elsewhere(portal, where, wanted)
    lines += _late(portal, wanted, messages, seconds, count, look)
    lines += _journeys(portal, where.account)
    lines.append(f"again:  {portal.again}")
    return "\n".join(lines)


def missing_event(portal: Portal, address: str, stage: Stage, said: Sequence[Event], seconds: float) -> str:
    """The text for a stage that no program of an account has come to."""
    lines = [f"wanted: a program logged in as {u_labels(address)} at {stage} within {seconds:g} s"]
    if said:
        shown_lines = transcript(said, order=Order.TIME).splitlines()[-_SHOWN:]
        lines += [
            "found:  it is logged in, and has come this far",
            *(f"        {line}" for line in shown_lines),
        ]
    else:
        lines.append(f"found:  nobody is logged in as {u_labels(address)} now")
        refused = refused_lines(portal.simulation.log.events(), services=_LOGGED_INTO)
        lines += [f"last:   {refused[0]}", *(f"        {line}" for line in refused[1:])] if refused else []
    lines.append(f"again:  {portal.again}")
    return "\n".join(lines)


def missing_anywhere(
    portal: Portal, stage: Stage, host: str | None, said: Sequence[Event], count: int, seconds: float
) -> str:
    """Text for a stage that too few messages, or none, have reached."""
    place = f" on {u_labels(host)}" if host else ""
    lines = [f"wanted: {count} events at {stage}{place} within {seconds:g} s", f"found:  {len(said)}"]
    events = portal.simulation.log.events()
    shown_lines = transcript(events, order=Order.TIME).splitlines()[-_SHOWN:] or ["nothing"]
    lines += [f"last:   {shown_lines[0]}", *(f"        {line}" for line in shown_lines[1:])]
    if refused := refused_lines(events):
        lines += [f"then:   {refused[0]}", *(f"        {line}" for line in refused[1:])]
    lines.append(f"again:  {portal.again}")
    return "\n".join(lines)


def ambiguous(where: Where, wanted: Wanted, messages: Sequence[MessageView]) -> str:
    """The text for more mail than the one message that was asked for."""
    lines = [
        f"wanted: one message{where._to}{wanted}",
        f"found:  {len(messages)} that fit, in {where}",
        *(f"        {message!r}" for message in messages[:_SHOWN]),
        "Say more about the one that is meant (subject=, sender=, to=, matching=), or take them all with "
        "wait_for_count(n).",
    ]
    return "\n".join(lines)


def unexpected(where: Where, wanted: Wanted, messages: Sequence[MessageView]) -> str:
    """The text for mail where none should be."""
    return "\n".join(
        [
            f"wanted: nothing{wanted} in {where}",
            f"found:  {_count(messages)}",
            *(f"        {message!r}" for message in messages[:_SHOWN]),
        ]
    )


def _count(messages: Sequence[MessageView]) -> str:
    return "1 message" if len(messages) == 1 else f"{len(messages)} messages"


def _but(wanted: Wanted, message: MessageView) -> str:
    mismatch = wanted.mismatch(message)
    return f": {mismatch}" if mismatch else ""


def _elsewhere(portal: Portal, where: Where, wanted: Wanted) -> list[str]:
    """Messages that fit but are in other mailboxes: what most often came closest."""
    if where.account is None:
        return []
    own = where.account.key, where.mailbox
    found = [
        f"        {message!r} in {name} of {u_labels(str(owner))}"
        for owner, name in portal.simulation.store.mailboxes()
        if (owner.key, name) != own
        for message in stored_messages(portal, owner, name)
        if wanted.fits(message) and not _is_notice(message)
    ]
    if not found:
        return []
    more = [f"        and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return ["close:  what fits, but is in another mailbox", *found[:_SHOWN], *more]


def _is_notice(message: Message) -> bool:
    """Whether it is a bounce, which no test that waits for mail means."""
    return message.envelope is not None and isinstance(message.envelope.sender, NullPath)


def _late(
    portal: Portal,
    wanted: Wanted,
    messages: Sequence[MessageView],
    seconds: float | None,
    count: int,
    look: Callable[[], Sequence[MessageView]],
) -> list[str]:
    """Whether what is missing came a moment later, or may still come: then nothing is wrong but the moment."""
    portal.let_settle()
    present = [message for message in look() if wanted.fits(message)]
    fitting = [message for message in messages if wanted.fits(message)]
    wait = "wait_for_one()" if count == 1 else f"wait_for_count({count})"
    advice = f"use {wait}, or settle() before you look" if seconds is None else "wait longer with timeout="
    when = "you looked" if seconds is None else "the wait was over"
    if len(present) >= count > len(fitting):
        return [f"late:   it came after {when}: {advice}"]
    if portal.call(lambda: portal.simulation.quiescence.is_settled):
        return []
    return [f"late:   something is still on its way, and may come after {when}: {advice}"]


def _journeys(portal: Portal, account: Address | None) -> list[str]:
    """The journey of the last message to this address, or else of the last of all; and refusals since."""
    events = portal.simulation.log.events()
    mine = [] if account is None else portal.simulation.journeys.find(to=account)
    last = _last(mine, portal.simulation.journeys)
    if last is None:
        refused = refused_lines(events)
        head = "last:   no client has sent any mail in this test so far"
        return (
            [f"{head}, and what was refused is", *(f"        {line}" for line in refused)]
            if refused
            else [head]
        )
    is_mine = any(each.latest == last.latest and each.recipient == last.recipient for each in mine)
    (journey,) = with_notes(portal.simulation, [last], call=portal.call)
    head = f"last:   the journey to {journey.recipient.shown}" + (
        "" if is_mine or account is None else f" (none went to {u_labels(str(account))})"
    )
    lines = [head, *(f"        {line}" for line in journey.table().splitlines())]
    refused = refused_lines(events, since=last.latest)
    if refused:
        return [*lines, f"then:   {refused[0]}", *(f"        {line}" for line in refused[1:])]
    advice = [each.advice for each in refusals(events) if each.number in last.numbers]
    return [*lines, *(f"        do: {text}" for text in advice[-1:] if text)]


def _last(mine: Sequence[Journey], every: Journeys) -> Journey | None:
    """Last one with a recipient, else the last of all; a bounce only where there is nothing that bounced."""
    if found := [each for each in mine if not each.is_notice]:
        return found[-1]
    others = every.all()
    for found in ([each for each in others if not each.is_notice], list(mine), others):
        if found:
            return found[-1]
    return None
