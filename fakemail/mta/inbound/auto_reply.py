"""Whether mail is answered automatically, and what the answer looks like (RFC 3834)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from typing import Final

from fakemail.message.message import MessageView
from fakemail.model.account import AutoReply
from fakemail.types.address import Address, Path, address_key

# RFC 3834 §2: no answer to those who are, by their names, no people; RFC 5230 §4.6 has the list.
_NO_PEOPLE: Final = re.compile(
    r"(?:mailer-daemon|listserv|majordomo|postmaster|(?:owner-).*|.*-(?:request|bounces|owner|return))(?:\+.*)?",
    re.IGNORECASE,
)
_BULK: Final = frozenset({"bulk", "list", "junk"})
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


def why_not(message: MessageView, sender: Path, own: Iterable[Address]) -> str:
    """Why a message is not answered, in words; empty if it is.

    ``own`` are the addresses of the account, of which To or Cc must name one: who only got a copy of
    somebody else's mail does not answer it (RFC 3834 §2).
    """
    headers = message.headers
    if not isinstance(sender, Address):
        return "it has no sender"
    if _NO_PEOPLE.fullmatch(sender.local):
        return f"{sender} is no person"
    if _word(headers.get("Auto-Submitted")) not in ("", "no"):
        return "it was made by a program"
    if _word(headers.get("Precedence")) in _BULK:
        return "it is bulk mail"
    if any(name.lower().startswith("list-") for name in headers):
        return "it is mail of a list"
    mine = {address.key for address in own}
    if not any(
        address_key(each.replace('"', "")) in mine for each in (*message.to, *message.cc, *_resent(message))
    ):
        return "it is not addressed to the account"
    return ""


def answer(
    reply: AutoReply, message: MessageView, *, account: Address, to: Address, now: datetime, message_id: str
) -> bytes:
    """The answer, with CRLF line ends. It is sent with the null reverse-path (RFC 3834 §3.3)."""
    subject = reply.subject if reply.subject is not None else f"Auto: {message.subject}".strip()
    rows = [
        ("From", str(account)),
        ("To", str(to)),  # RFC 3834 §3.1.2
        ("Subject", _encoded(subject)),
        ("Date", format_datetime(now)),
        ("Message-ID", message_id),
        ("Auto-Submitted", "auto-replied"),  # RFC 3834 §5
        ("Precedence", "bulk"),
    ]
    if message.message_id:
        rows += [
            ("In-Reply-To", message.message_id),
            ("References", "\r\n ".join([*message.references[-10:], message.message_id])),
        ]
    encoding = "7bit" if reply.text.isascii() else "8bit"
    rows += [
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", encoding),
    ]
    text = _LINE_END.sub("\r\n", reply.text)
    head = "".join(f"{name}: {value}\r\n" for name, value in rows)
    return f"{head}\r\n{text}{'' if text.endswith(chr(10)) else chr(13) + chr(10)}".encode("utf-8", "replace")


def _word(value: str | None) -> str:
    """The first word of a field, lower-case."""
    return (value or "").partition(";")[0].strip().lower()


def _resent(message: MessageView) -> list[str]:
    return [*message._addresses("Resent-To"), *message._addresses("Resent-Cc")]


def _encoded(subject: str) -> str:
    title = " ".join(subject.split())
    return title if title.isascii() else Header(title, "utf-8", header_name="Subject").encode(linesep="\r\n")
