"""Ready notices about a message, as bounce processors get them: bytes with CRLF line ends, the same at every call.

``original`` is the message that a notice is about, as bytes or as anything with ``raw``. Put a notice into a
mailbox with ``inbox.put(...)``, or send it with an empty reverse-path, as real servers do.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from fakemail.errors import DeclarationError, nearest
from fakemail.message.envelope import Recipient
from fakemail.message.message import MessageView
from fakemail.message.reports import bounce_styles
from fakemail.message.reports.arf_mdn import write_complaint, write_disposition
from fakemail.message.reports.dsn import DeliveryStatusReport, DsnAction, RecipientStatus
from fakemail.message.samples import Who, plain
from fakemail.model.account import AutoReply
from fakemail.model.host import BOUNCE_STYLES
from fakemail.mta.inbound import auto_reply
from fakemail.types.address import Address, address
from fakemail.types.reply import Reply
from fakemail.types.suggestions import suggesting

_DATE: Final = datetime(2024, 5, 17, 9, 45, tzinfo=UTC)
_NO_USER: Final = "550 5.1.1 no such user here"
_NO_ANSWER: Final = "451 4.4.1 no answer so far"
_HOST: Final = "mx1.example.org"


class HasRaw(Protocol):
    """A message that was received."""

    @property
    def raw(self) -> bytes:
        """Its bytes."""
        ...


Original = bytes | HasRaw


def bounce(
    original: Original | None = None,
    *,
    recipient: Who | None = None,
    to: Who | None = None,
    reply: str | None = None,
    style: str = "standard",
    host: str = _HOST,
    remote: str = "",
    action: str = "failed",
    date: datetime = _DATE,
) -> bytes:
    """A delivery report in one of the styles ``standard``, ``postfix``, ``exchange``, ``gmail``, ``qmail``, ``plain``.

    ``recipient`` is who did not get it, by default whom the message names in To; ``to`` is the sender who is
    told; ``reply`` is what the server ``remote`` said, by default ``550 5.1.1`` or, of a delay, ``451 4.4.1``;
    ``action`` may be ``delayed``, ``delivered``, ``relayed`` or
    ``expanded`` as well. Raises :class:`~fakemail.errors.DeclarationError` where a style has no such report.
    """
    raw = _raw(original)
    view = MessageView(raw)
    if style not in BOUNCE_STYLES:
        raise DeclarationError(f"there are no bounces {style!r}; {nearest(style, BOUNCE_STYLES)}")
    kind = DsnAction(action)
    if reply is None:
        reply = _NO_ANSWER if kind is DsnAction.DELAYED else _NO_USER
    code, _, text = reply.partition(" ")
    enhanced, _, rest = text.partition(" ")
    has_enhanced = enhanced.count(".") == 2 and enhanced.replace(".", "").isdigit()
    said = Reply(int(code), enhanced, rest) if has_enhanced else Reply(int(code), None, text)
    number = _number(b"bounce", raw, repr((str(recipient), reply, style, host, action)).encode())
    status = RecipientStatus(
        Recipient(_who(recipient, view.to)),
        kind,
        said if kind in (DsnAction.FAILED, DsnAction.DELAYED) else None,
        remote=remote,
    )
    report = DeliveryStatusReport(
        host=host,
        to=_who(to, [view.sender]),
        statuses=(status,),
        original=raw,
        arrived=date,
        now=date,
        message_id=f"<{number}@{host}>",
        boundary=f"=_{number}/{host}",
        queue_id=number.upper(),
    )
    written = bounce_styles.write(report, style)
    if written is None:
        raise DeclarationError(f"servers of the style {style!r} report failures only, not {action!r}.")
    return written


def complaint(
    original: Original | None = None,
    *,
    kind: str = "abuse",
    recipient: Who | None = None,
    to: Who = "abuse@example.com",
    host: str = "fbl.example.org",
    source_ip: str = "198.51.100.1",
    is_redacted: bool = False,
    date: datetime = _DATE,
) -> bytes:
    """A complaint of a feedback loop in the Abuse Reporting Format (RFC 5965): a recipient called it spam.

    A redacted one does not tell who complained, and returns the header only (RFC 6590).
    """
    raw = _raw(original)
    view = MessageView(raw)
    who = _who(recipient, view.to)
    number = _number(b"complaint", raw, repr((kind, str(who), host, is_redacted)).encode())
    return write_complaint(
        raw,
        sender=view.sender,
        subject=view.subject,
        kind=kind,
        recipient=None if is_redacted else who,
        to=_text(to),
        host=host,
        source_ip=source_ip,
        date=date,
        number=number,
    )


def disposition(
    original: Original | None = None,
    *,
    recipient: Who | None = None,
    to: Who | None = None,
    what: str = "displayed",
    is_automatic: bool = False,
    date: datetime = _DATE,
) -> bytes:
    """A disposition notification (RFC 8098): the recipient's program tells that a message was ``displayed``.

    ``what`` may be ``deleted``, ``dispatched`` or ``processed`` as well.
    """
    raw = _raw(original)
    view = MessageView(raw)
    who = _who(recipient, view.to)
    number = _number(b"disposition", raw, repr((str(who), what, is_automatic)).encode())
    return write_disposition(
        raw,
        subject=view.subject,
        message_id=view.message_id,
        recipient=who,
        to=_text(to if to is not None else view.sender),
        what=what,
        is_automatic=is_automatic,
        date=date,
        number=number,
    )


def out_of_office(
    original: Original | None = None,
    *,
    sender: Who | None = None,
    to: Who | None = None,
    text: str = "I am away until Monday, and read my mail then.\n",
    subject: str | None = None,
    date: datetime = _DATE,
) -> bytes:
    """Automatic reply of an account whose owner is away, with all the fields that it has to have (RFC 3834 §3)."""
    raw = _raw(original)
    view = MessageView(raw)
    who = _who(sender, view.to)
    number = _number(b"away", raw, repr((str(who), text, subject)).encode())
    return auto_reply.answer(
        AutoReply(text, subject),
        view,
        account=who,
        to=_who(to, [view.sender]),
        now=date,
        message_id=f"<{number}@{who.domain}>",
    )


def _raw(original: Original | None) -> bytes:
    if original is None:
        return plain()
    return original if isinstance(original, bytes) else original.raw


def _text(who: Who) -> str:
    return who if isinstance(who, str) else str(who.address)


def _who(given: Who | None, found: list[str]) -> Address:
    """An address that was given, or the first one of the message."""
    if given is not None:
        return address(_text(given))
    if not found or not found[0]:
        raise DeclarationError("the message names nobody there; say who is meant.")
    return address(found[0])


def _number(*parts: bytes) -> str:
    """Different content gives a different one, equal content the same."""
    return f"{zlib.crc32(b'|'.join(parts)):08x}"


if not TYPE_CHECKING:  # or every name would seem to be there
    __getattr__ = suggesting(globals())
