"""Failure text: what was wanted, what was found, what came closest, what happened last, how to run it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fakemail.api.matchers import HasSubject, Matcher, SentBy
from fakemail.api.progress import with_notes
from fakemail.record import journey as journeys
from fakemail.record.judged import turned_away
from fakemail.record.transcript import Order, transcript
from fakemail.terms.address import NullPath

if TYPE_CHECKING:
    from fakemail.api.accounts import BaseInbox
    from fakemail.api.mailnet import AnyNet
    from fakemail.api.messages import Message
    from fakemail.record.events import Event
    from fakemail.terms.stage import Stage

_SHOWN = 10  # messages or journeys listed before the rest is only counted


@dataclass(frozen=True)
class Wanted:
    """What a message should be like; anything will do if nothing is said."""

    matcher: Matcher | None = None

    @classmethod
    def of(cls, subject: str | None, sender: str | None, matching: Matcher | None) -> Wanted:
        """All of what is given. Raises ``TypeError`` for what is no matcher."""
        __tracebackhide__ = True
        if matching is not None and not isinstance(matching, Matcher):
            raise TypeError(
                "matching= takes a matcher such as HasSubject('Welcome') or HasText('Welcome'), "
                f"not {matching!r}; see fakemail's matchers."
            )
        parts = [
            *([HasSubject(subject)] if subject is not None else []),
            *([SentBy(sender)] if sender is not None else []),
            *([matching] if matching is not None else []),
        ]
        if not parts:
            return cls()
        whole: Matcher = parts[0]
        for part in parts[1:]:
            whole = whole & part
        return cls(whole)

    def fits(self, message: Message) -> bool:
        """Whether a message is like that."""
        return self.matcher is None or self.matcher.matches(message)

    def mismatch(self, message: Message) -> str:
        """What is different about a message."""
        return "" if self.matcher is None else self.matcher.mismatch(message)

    def __str__(self) -> str:
        return "" if self.matcher is None else f" with {self.matcher!r}"


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
    lines = [f"wanted: {amount} to {box.address}{wanted}{waited}"]
    if messages:
        lines.append(f"found:  {_count(messages)} in {box.name} of {box.address}")
        lines += [f"        {message!r}{_but(wanted, message)}" for message in messages[:_SHOWN]]
    else:
        lines.append(f"found:  nothing in {box.name} of {box.address}")
    lines += _elsewhere(net, box, wanted)
    lines += _journeys(net, box)
    lines.append(f"again:  --mailnet-seed={net.seed}")
    return "\n".join(lines)


def missing_event(net: AnyNet, address: str, stage: Stage, said: Sequence[Event], seconds: float) -> str:
    """The text for a stage that no program of an account has come to."""
    lines = [f"wanted: a program logged in as {address} at {stage} within {seconds:g} s"]
    if said:
        told = transcript(said, order=Order.TIME).splitlines()[-_SHOWN:]
        lines += ["found:  it is logged in, and has come this far", *(f"        {line}" for line in told)]
    else:
        lines.append(f"found:  nobody is logged in as {address} now")
    lines.append(f"again:  --mailnet-seed={net.seed}")
    return "\n".join(lines)


def ambiguous(box: BaseInbox, wanted: Wanted, messages: Sequence[Message]) -> str:
    """The text for more mail than the one message that was asked for."""
    lines = [
        f"wanted: one message to {box.address}{wanted}",
        f"found:  {len(messages)} that fit, in {box.name} of {box.address}",
        *(f"        {message!r}" for message in messages[:_SHOWN]),
        "Say more about the one that is meant (subject=, sender=, matching=), or take them all with wait_for(n).",
    ]
    return "\n".join(lines)


def unexpected(box: BaseInbox, messages: Sequence[Message]) -> str:
    """The text for mail where none should be."""
    return "\n".join(
        [
            f"wanted: nothing in {box.name} of {box.address}",
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
        f"        {message!r} in {other.name} of {other.address}"
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


def _journeys(net: AnyNet, box: BaseInbox) -> list[str]:
    """How the last message to this address, or failing that the last of all, got on."""
    events = net.internet.log.events()
    mine = journeys.find(events, to=box.address)
    others = mine or [each for each in journeys.journeys(events) if not each.is_arrived_notice]
    away = [f"        {line}" for line in turned_away(events)]
    if not others:
        if away:
            return [
                "last:   no client has sent any mail in this test so far, and some were turned away",
                *away,
            ]
        return ["last:   no client has sent any mail in this test so far"]
    (last,) = with_notes(net.internet, others[-1:])
    head = f"last:   the journey to {last.recipient}" + ("" if mine else f" (none went to {box.address})")
    return [head, *(f"        {line}" for line in last.table().splitlines())]
