"""Reads bounces that have no part for programs: the text format of qmail (QSBMF), and what others write.

The first is a format and is read as one. For the rest there is only what such texts have in common, so
little is claimed: an address, a reply, a status code where they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from fakemail.mail.recipient_report import RecipientReport

_QSBMF: Final = "Hi. This is the"
# The paragraphs of the recipients: "<address>:" on a line of its own, then what happened.
_QSBMF_RECIPIENT: Final = re.compile(r"<([^<>\s]+)>:[ \t]*\n(.+)", re.DOTALL)
_STATUS: Final = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_REPLY: Final = re.compile(r"(?<![\d.])([45]\d\d)[ -](?:#?[45]\.\d{1,3}\.\d{1,3}\b)?[^\n]*")
_ADDRESS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_MESSAGE_ID: Final = re.compile(r"^[> \t]*Message-ID:[ \t]*(<[^<>\s]+>)", re.IGNORECASE | re.MULTILINE)
_FAILURE: Final = re.compile(
    r"undeliver|not (?:be )?delivered|delivery (?:has )?failed|delivery failure|failure notice"
    r"|returned mail|delivery status notification|could not deliver|mail delivery failed",
    re.IGNORECASE,
)
_DAEMON: Final = re.compile(r"(?:mailer-daemon|postmaster|mail-daemon|mailerdaemon)@", re.IGNORECASE)
# What comes behind is the message that was sent, and full of addresses that mean nothing here.
_QUOTED: Final = re.compile(
    r"^(?:>|-{2,}.*(?:message|below|forwarded)|.*(?:original message|your message:|beginning of your message))",
    re.IGNORECASE | re.MULTILINE,
)


def read_qsbmf(text: str) -> tuple[tuple[RecipientReport, ...], str] | None:
    """The recipients and the Message-ID of a bounce in the format of qmail; ``None`` for any other text."""
    if not text.lstrip().startswith(_QSBMF):
        return None
    found: list[RecipientReport] = []
    told, _, original = text.lstrip().partition("\n-")
    for paragraph in re.split(r"\n[ \t]*\n", told):
        match = _QSBMF_RECIPIENT.match(paragraph.strip())
        if match:
            words = " ".join(match[2].split())
            _, _, said = words.partition("Remote host said: ")
            found.append(RecipientReport(match[1], "failed", _status(words), said or words))
    return (tuple(found), _message_id(original)) if found else None


def read_plain(
    text: str, *, sender: str, subject: str, own: frozenset[str]
) -> tuple[tuple[RecipientReport, ...], str] | None:
    """The same for a text of any form, from a daemon; ``None`` if it does not read like a bounce.

    ``own`` are addresses, in lower case, that are not meant: those of the notice itself.
    """
    if not _DAEMON.match(sender) or not (_FAILURE.search(subject) or _FAILURE.search(text)):
        return None
    quoted = _QUOTED.search(text)
    told = text[: quoted.start()] if quoted else text
    addresses = dict(_addresses(told, own))
    if not addresses:
        return None
    replies = [match[0].strip() for match in _REPLY.finditer(told)]
    found = []
    for place, recipient in enumerate(addresses.values()):
        # With one reply for each they belong together; with one for all it is everybody's.
        reply = replies[place] if len(replies) == len(addresses) else replies[0] if replies else ""
        status = _status(reply or told)
        action = "delayed" if status.startswith("4") and "again" in told.lower() else "failed"
        found.append(RecipientReport(recipient, action, status, reply))
    return tuple(found), _message_id(text)


def _addresses(text: str, own: frozenset[str]) -> Iterator[tuple[str, str]]:
    for match in _ADDRESS.finditer(text):
        address = match[0].rstrip(".")
        if address.lower() not in own and not _DAEMON.match(address):
            yield address.lower(), address


def _status(words: str) -> str:
    """The enhanced status code, made from a plain code where there is none."""
    match = _STATUS.search(words)
    if match:
        return match[1]
    reply = _REPLY.search(words)
    return f"{reply[1][0]}.0.0" if reply else "5.0.0"


def _message_id(text: str) -> str:
    match = _MESSAGE_ID.search(text)
    return match[1] if match else ""
