"""Failure text: what was wanted, what was found, what came closest, what happened last, how to run it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fakemail.api.progress import with_notes
from fakemail.api.wanted import Wanted
from fakemail.events import journey as journeys
from fakemail.events.refusals import refusals, refused_lines
from fakemail.events.transcript import Order, transcript
from fakemail.model.host import READING
from fakemail.types.address import NullPath
from fakemail.types.domains import u_labels

if TYPE_CHECKING:
    from fakemail.api.accounts import BaseInbox
    from fakemail.api.mailnet import AnyNet
    from fakemail.api.messages import Message
    from fakemail.events.journey import Journey
    from fakemail.events.kinds import Event
    from fakemail.types.stage import Stage

_LOGGED_INTO = frozenset(service.name for service in READING)
_SHOWN = 10  # messages or journeys listed before the rest is only counted


def missing(
    net: AnyNet,
    box: BaseInbox,
    wanted: Wanted,
    messages: Sequence[Message],
    seconds: float | None,
    *,
    number: int = 1,
) -> str:
    """The text for mail that is not there."""
    amount = "a message" if number == 1 else f"{number} messages"
    waited = "" if seconds is None else f" within {seconds:g} s"
    lines = [f"wanted: {amount} to {u_labels(box.address)}{wanted}{waited}"]
    if messages:
        lines.append(f"found:  {_count(messages)} in {box.name} of {u_labels(box.address)}")
        lines += [f"        {message!r}{_but(wanted, message)}" for message in messages[:_SHOWN]]
    else:
        lines.append(f"found:  nothing in {box.name} of {u_labels(box.address)}")
    lines += _elsewhere(net, box, wanted)
    lines += _late(net, box, wanted, messages, seconds, number)
    lines += _journeys(net, box)
    lines.append(f"again:  {net.again}")
    return "\n".join(lines)


def missing_event(net: AnyNet, address: str, stage: Stage, said: Sequence[Event], seconds: float) -> str:
    """The text for a stage that no program of an account has come to."""
    lines = [f"wanted: a program logged in as {u_labels(address)} at {stage} within {seconds:g} s"]
    if said:
        told = transcript(said, order=Order.TIME).splitlines()[-_SHOWN:]
        lines += ["found:  it is logged in, and has come this far", *(f"        {line}" for line in told)]
    else:
        lines.append(f"found:  nobody is logged in as {u_labels(address)} now")
        refused = refused_lines(net.internet.log.events(), services=_LOGGED_INTO)
        lines += [f"last:   {refused[0]}", *(f"        {line}" for line in refused[1:])] if refused else []
    lines.append(f"again:  {net.again}")
    return "\n".join(lines)


def missing_anywhere(
    net: AnyNet, stage: Stage, host: str | None, said: Sequence[Event], number: int, seconds: float
) -> str:
    """The text for a stage that nobody has come to, or too few."""
    place = f" on {u_labels(host)}" if host else ""
    lines = [f"wanted: {number} events at {stage}{place} within {seconds:g} s", f"found:  {len(said)}"]
    events = net.internet.log.events()
    told = transcript(events, order=Order.TIME).splitlines()[-_SHOWN:] or ["nothing"]
    lines += [f"last:   {told[0]}", *(f"        {line}" for line in told[1:])]
    if refused := refused_lines(events):
        lines += [f"then:   {refused[0]}", *(f"        {line}" for line in refused[1:])]
    lines.append(f"again:  {net.again}")
    return "\n".join(lines)


def ambiguous(box: BaseInbox, wanted: Wanted, messages: Sequence[Message]) -> str:
    """The text for more mail than the one message that was asked for."""
    lines = [
        f"wanted: one message to {u_labels(box.address)}{wanted}",
        f"found:  {len(messages)} that fit, in {box.name} of {u_labels(box.address)}",
        *(f"        {message!r}" for message in messages[:_SHOWN]),
        "Say more about the one that is meant (subject=, sender=, to=, matching=), or take them all with wait_for(n).",
    ]
    return "\n".join(lines)


def unexpected(box: BaseInbox, messages: Sequence[Message]) -> str:
    """The text for mail where none should be."""
    return "\n".join(
        [
            f"wanted: nothing in {box.name} of {u_labels(box.address)}",
            f"found:  {_count(messages)}",
            *(f"        {message!r}" for message in messages[:_SHOWN]),
        ]
    )


def _count(messages: Sequence[Message]) -> str:
    return "1 message" if len(messages) == 1 else f"{len(messages)} messages"


def _but(wanted: Wanted, message: Message) -> str:
    mismatch = wanted.mismatch(message)
    return f": {mismatch}" if mismatch else ""


def _elsewhere(net: AnyNet, box: BaseInbox, wanted: Wanted) -> list[str]:
    """Messages that fit but are in other mailboxes: what most often came closest."""
    found = [
        f"        {message!r} in {other.name} of {u_labels(other.address)}"
        for other in net.other_inboxes(box)
        for message in other.messages()
        if wanted.fits(message) and not _is_notice(message)
    ]
    if not found:
        return []
    more = [f"        and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return ["close:  what fits, but is in another mailbox", *found[:_SHOWN], *more]


def _is_notice(message: Message) -> bool:
    """Whether it is a bounce: nobody who waits for mail means that."""
    return message.envelope is not None and isinstance(message.envelope.sender, NullPath)


def _late(
    net: AnyNet,
    box: BaseInbox,
    wanted: Wanted,
    messages: Sequence[Message],
    seconds: float | None,
    number: int,
) -> list[str]:
    """Whether what is missing came a moment later, or may still come: then nothing is wrong but the moment."""
    net.let_settle()
    present = [message for message in box.messages() if wanted.fits(message)]
    fitting = [message for message in messages if wanted.fits(message)]
    wait = "wait_for_one()" if number == 1 else f"wait_for({number})"
    advice = f"use {wait}, or settle() before you look" if seconds is None else "wait longer with timeout="
    when = "you looked" if seconds is None else "the wait was over"
    if len(present) >= number > len(fitting):
        return [f"late:   it came after {when}: {advice}"]
    if net.call(lambda: net.internet.is_settled):
        return []
    return [f"late:   something is still on its way, and may come after {when}: {advice}"]


def _journeys(net: AnyNet, box: BaseInbox) -> list[str]:
    """How the last message to this address, or failing that the last of all, got on; and who was refused since."""
    events = net.internet.log.events()
    mine = journeys.find(events, to=box.address)
    last = _last(mine, journeys.journeys(events))
    if last is None:
        refused = refused_lines(events)
        head = "last:   no client has sent any mail in this test so far"
        return (
            [f"{head}, and what was refused is", *(f"        {line}" for line in refused)]
            if refused
            else [head]
        )
    is_mine = any(each.latest == last.latest and each.recipient == last.recipient for each in mine)
    (told,) = with_notes(net.internet, [last], call=net.call)
    head = f"last:   the journey to {told.recipient.shown}" + (
        "" if is_mine else f" (none went to {u_labels(box.address)})"
    )
    lines = [head, *(f"        {line}" for line in told.table().splitlines())]
    refused = refused_lines(events, since=last.latest)
    if refused:
        return [*lines, f"then:   {refused[0]}", *(f"        {line}" for line in refused[1:])]
    advice = [each.advice for each in refusals(events) if each.number in last.numbers]
    return [*lines, *(f"        do: {text}" for text in advice[-1:] if text)]


def _last(mine: Sequence[Journey], every: Sequence[Journey]) -> Journey | None:
    """The last one to somebody, else the last of all; a bounce only where there is nothing that bounced."""
    for found in (
        [each for each in mine if not each.is_notice],
        [each for each in every if not each.is_notice],
        mine,
        every,
    ):
        if found:
            return found[-1]
    return None
