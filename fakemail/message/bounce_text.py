"""Reads bounces that have no part for programs: the text format of qmail (QSBMF), and what others write.

The first is a format and is read as one. For the rest there is only what such texts have in common, so
little is claimed: an address, a reply, a status code where they stand.
"""

from __future__ import annotations

import re
from typing import Final

from fakemail.message.recipient_report import RecipientReport

_QSBMF: Final = "Hi. This is the"
# The paragraphs of the recipients: "<address>:" on a line of its own, some without brackets, then what happened.
_QSBMF_RECIPIENT: Final = re.compile(r"<?([^<>\s@]{1,64}@[^<>\s:]{1,255})>?:[ \t]*\n(.+)", re.DOTALL)
_STATUS: Final = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_REPLY: Final = re.compile(r"(?<![\d.])([45]\d\d)[ -](?:#?[45]\.\d{1,3}\.\d{1,3}\b)?[^\n]*")
_ADDRESS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_MESSAGE_ID: Final = re.compile(r"^[> \t]*Message-ID:[ \t]*(<[^<>\s]+>)", re.IGNORECASE | re.MULTILINE)
_FAILURE: Final = re.compile(
    r"undeliver|not (?:be )?delivered|delivery (?:has )?failed|delivery failure|failure notice"
    r"|returned mail|delivery status notification|could not deliver|mail delivery failed",
    re.IGNORECASE,
)
# Exim: the address of a list or an alias that the one before it came from, which has not failed.
_ORIGIN: Final = re.compile(r"\((?:ultimately )?generated from [^\s()]++\)")
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
    lead, sections = _sections(_ORIGIN.sub("", told), own)
    if not sections:
        return None
    # What is said before the first recipient, or of nobody else, is about all of them.
    is_shared = len(sections) == 1 or not any(_has_answer(said) for _, said in sections)
    found = []
    for recipient, said in sections:
        match = _REPLY.search(said) or (_REPLY.search(lead) if is_shared else None)
        reply = match[0].strip(" \t\r,;") if match else ""
        status = _status(reply or (told if is_shared else said))
        action = "delayed" if status.startswith("4") and "again" in told.lower() else "failed"
        found.append(RecipientReport(recipient, action, status, reply))
    return tuple(found), _message_id(text)


def _sections(text: str, own: frozenset[str]) -> tuple[str, list[tuple[str, str]]]:
    """What stands before the first recipient, and for each one the words from there to the next recipient.

    A section begins with its line, because a reply may quote the address in its middle.
    """
    names: dict[str, str] = {}
    words: dict[str, list[str]] = {}
    lead, last, start = text, "", 0
    for match in _ADDRESS.finditer(text):
        address = match[0].rstrip(".")
        key = address.lower()
        if key == last or key in own or _DAEMON.match(address):
            continue
        line = text.rfind("\n", start, match.start()) + 1
        begin = line or (match.start() if last else 0)
        if last:
            words[last].append(text[start:begin])
        else:
            lead = text[:begin]
        names.setdefault(key, address)
        words.setdefault(key, [])
        last, start = key, begin
    if last:
        words[last].append(text[start:])
    return lead, [(name, "\n".join(words[key])) for key, name in names.items()]


def _has_answer(words: str) -> bool:
    return _REPLY.search(words) is not None or _STATUS.search(words) is not None


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
