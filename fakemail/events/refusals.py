"""Refused clients: what became of each connection of the app that was refused something, and what to do about it.

Journeys tell of mail that a host was offered. This tells of clients that did not come that far: no trust, no TLS,
no login, no right to the sender's address, the wrong port.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Final, NamedTuple

from fakemail.events.kinds import CommandCompleted, Connected, Disconnected, Event, Handshake, SmtpCommand
from fakemail.events.secrets import mask_line
from fakemail.events.text_layout import shown
from fakemail.types.channel import CLEAR_TEXT, HELLO_TOO_SOON, NOTHING_SENT
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

_SHOWN: Final = 3


class Refusal(NamedTuple):
    """Last refusal on one connection."""

    number: int
    """Number of the event."""
    connection: int
    host: str
    service: str
    what: str
    """In one line, secrets masked."""
    advice: str
    """Remedy in one line; empty where the refusal says it itself."""

    def lines(self) -> list[str]:
        """It, and below what to do."""
        text = f"{self.host}, {self.service}, connection {self.connection}: {self.what}"
        return [text, f"  do: {self.advice}"] if self.advice else [text]


@dataclass(slots=True)
class _Dialogue:
    """One connection as far as it has been read."""

    connected: Connected
    is_secure: bool = False
    has_sent: bool = False
    waits_for_tls: SmtpCommand | None = None
    """The EHLO in whose reply there was STARTTLS and no AUTH, while nothing has come of it."""
    refused: Refusal | None = None
    served: tuple[str, ...] = field(default=())

    def refuse(self, event: Event, what: str, advice: str) -> None:
        connected = self.connected
        self.refused = Refusal(
            event.number, connected.connection, connected.host, connected.protocol, what, advice
        )


def refusals(events: Iterable[Event], *, since: int = 0, services: Iterable[str] = ()) -> list[Refusal]:
    """The refusals of the app's connections, oldest first, of each connection the last one. One pass over the events.

    ``since`` leaves out what happened up to that event's number. ``services`` are those that count: all, unless given.
    """
    wanted = frozenset(services)
    dialogues: dict[tuple[str, int], _Dialogue] = {}
    for event in events:
        if isinstance(event, Connected):
            if event.peer.is_app and (not wanted or event.protocol in wanted):
                dialogues[event.host, event.connection] = _Dialogue(event)
        elif isinstance(event, SmtpCommand | CommandCompleted | Handshake | Disconnected):
            dialogue = dialogues.get((event.host, event.connection))
            if dialogue is not None:
                _read(dialogue, event)
    for dialogue in dialogues.values():
        if dialogue.connected.protocol in _CLEAR and not dialogue.has_sent:
            dialogue.refuse(dialogue.connected, "connected, and says nothing", _silent(dialogue))
    found = [each.refused for each in dialogues.values() if each.refused and each.refused.number > since]
    return sorted(found)


def refused_lines(events: Iterable[Event], *, since: int = 0, services: Iterable[str] = ()) -> list[str]:
    """Last refusals as lines, equal ones only once; empty without any."""
    latest: dict[tuple[str, str], Refusal] = {}
    for each in refusals(events, since=since, services=services):
        latest.pop((each.host, each.what), None)
        latest[each.host, each.what] = each
    return [line for each in list(latest.values())[-_SHOWN:] for line in each.lines()]


def _read(dialogue: _Dialogue, event: SmtpCommand | CommandCompleted | Handshake | Disconnected) -> None:
    match event:
        case Handshake():
            dialogue.has_sent = True
            dialogue.is_secure = bool(event.version)
            dialogue.waits_for_tls = None
            if not event.version:
                dialogue.refuse(event, *_handshake(dialogue, event))
        case SmtpCommand():
            dialogue.has_sent = True
            _exchange(dialogue, event)
        case CommandCompleted():
            dialogue.has_sent = True
            if event.reason is not None and not _is_of_hello(dialogue):
                said = f"{event.status}{f' [{event.code}]' if event.code else ''} {event.text}"
                what = f"{mask_line(event.stage, event.line) or event.stage}: {said}"
                dialogue.refuse(event, shown(what), _advice(dialogue, event.reason))
        case Disconnected():
            _note_departure(dialogue)
            if not dialogue.has_sent and dialogue.connected.protocol in _CLEAR:
                dialogue.has_sent = True
                dialogue.refuse(event, "connected, and went away without a word", _silent(dialogue))


def _note_departure(dialogue: _Dialogue) -> None:
    """Whether it goes because it could not log in."""
    if (hello := dialogue.waits_for_tls) is not None:
        what = f"{shown(hello.line)}, and went away: AUTH is not among the keywords"
        dialogue.refuse(hello, what, _advice(dialogue, Reason.TLS_REQUIRED))


def _exchange(dialogue: _Dialogue, event: SmtpCommand) -> None:
    reply = event.reply
    if event.stage is Stage.SMTP_QUIT:
        _note_departure(dialogue)
    if event.stage is Stage.SMTP_HELO and reply is not None and reply.is_positive:
        keywords = {line.partition(" ")[0].upper() for line in reply.lines[1:]}
        dialogue.waits_for_tls = event if "STARTTLS" in keywords and "AUTH" not in keywords else None
        if dialogue.connected.protocol == "smtp":
            dialogue.waits_for_tls = None  # between mail hosts there is no AUTH
    elif event.stage not in _ASIDE:
        dialogue.waits_for_tls = None
    if reply is None:
        if event.reason is not None:
            dialogue.refuse(event, f"{_line(event)}: no reply ({event.reason})", "")
    elif reply.code >= 400 and event.reason is not Reason.NO_VALID_RECIPIENTS and not _is_of_hello(dialogue):
        why = " (a fault of the test)" if event.reason is Reason.FAULT else ""
        dialogue.refuse(event, f"{_line(event)}: {shown(str(reply))}{why}", _advice(dialogue, event.reason))


def _line(event: SmtpCommand) -> str:
    line = mask_line(event.stage, event.line)
    return shown(line, limit=80) if line.strip("*") else str(event.stage)


def _is_of_hello(dialogue: _Dialogue) -> bool:
    """Whether it is an answer to the octets of a ClientHello, which has been told as what it is."""
    return dialogue.refused is not None and dialogue.refused.what == HELLO_TOO_SOON


def _handshake(dialogue: _Dialogue, event: Handshake) -> tuple[str, str]:
    plain, secure = _ports(dialogue)
    if event.detail == NOTHING_SENT:
        return NOTHING_SENT, _silent(dialogue)
    if event.detail == CLEAR_TEXT:
        return CLEAR_TEXT, f"at this port TLS comes first; for STARTTLS use {plain}"
    if event.detail == HELLO_TOO_SOON:
        return HELLO_TOO_SOON, f"this is a TLS ClientHello: use {secure}, or STARTTLS at this port"
    why = event.alert or event.detail
    what = f"TLS handshake refused by the {event.refused_by}{f' ({shown(why)})' if why else ''}"
    if event.refused_by == "client" and event.alert in _ALERTS_OF_TRUST:
        return what, _TRUST
    return what, ""


# What clients say, or do not say, that cannot verify a certificate; which alert it is depends on the library.
_ALERTS_OF_TRUST: Final = frozenset(
    {"", "unknown_ca", "bad_certificate", "certificate_unknown", "unsupported_certificate", "close_notify"}
)
_TRUST: Final = (
    "trust mailnet.ca_file (settings.env() has SSL_CERT_FILE and its kin), and connect to settings.host, which is in "
    "the certificate"
)
# Ports where TLS comes first, and where it comes later, by the word that an account has for them.
_CLEAR: Final[Mapping[str, str]] = {
    "submissions": "account.submission",
    "imaps": "account.imap",
    "pop3s": "account.pop3",
}
_SECURE: Final[Mapping[str, str]] = {
    "smtp": "account.submissions",
    "submission": "account.submissions",
    "imap": "account.imaps",
    "pop3": "account.pop3s",
}
_ASIDE: Final = frozenset({Stage.SMTP_BANNER, Stage.SMTP_QUIT, Stage.SMTP_NOOP, Stage.SMTP_RSET})


def _ports(dialogue: _Dialogue) -> tuple[str, str]:
    """Settings for STARTTLS, and those for TLS from the first byte."""
    service = dialogue.connected.protocol
    return _CLEAR.get(service, "the port for STARTTLS"), _SECURE.get(service, "the port for TLS")


def _silent(dialogue: _Dialogue) -> str:
    return (
        f"at this port the client speaks first, with a TLS ClientHello; one that waits for a greeting uses "
        f"{_ports(dialogue)[0]}"
    )


def _advice(dialogue: _Dialogue, reason: Reason | None) -> str:
    _, secure = _ports(dialogue)
    is_mail = dialogue.connected.protocol in ("smtp", "submission", "submissions")
    match reason:
        case Reason.TLS_REQUIRED:
            start = "AUTH is offered after STARTTLS" if is_mail else "a login is taken after TLS has begun"
            return f"{start}; or use {secure}"
        case Reason.AUTH_REQUIRED:
            if dialogue.is_secure:
                return "log in first, with settings.username and settings.password"
            return (
                "log in first, with settings.username and settings.password: AUTH is offered after STARTTLS"
            )
        case Reason.AUTH_FAILED:
            return "the login is account.address, the password account.password"
        case Reason.SENDER_NOT_OWNED:
            return (
                "send as account.address, allow the other with account.configure(may_send_as=...), or use "
                "mailnet.submission, which takes any sender"
            )
        case Reason.RELAY_DENIED:
            return "submit it at account.submission or mailnet.submission: a mail host takes mail for its own domains"
        case _:
            return ""
