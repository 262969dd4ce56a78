"""One line for each thing that happens: what a person wants to see go by. The whole of it is in the transcript."""

from __future__ import annotations

from typing import Final, NamedTuple

from fakemail.events.kinds import (
    Attempt,
    CommandCompleted,
    Connected,
    Deferred,
    Disconnected,
    Event,
    Handshake,
    MessageDelivered,
    MessageQueued,
    Query,
    Returned,
    SmtpCommand,
)
from fakemail.events.secrets import mask_line
from fakemail.events.text_layout import shown
from fakemail.types.channel import NOTHING_SENT
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage


class Line(NamedTuple):
    """One event for people: its mark and a sentence."""

    mark: str
    """``+`` for what went well, ``~`` for not yet, ``!`` for a refusal, a blank for all else."""
    text: str


# What follows from a refusal that has been told already.
_CONSEQUENCES: Final = frozenset({Reason.NO_VALID_RECIPIENTS})


def line(event: Event) -> Line | None:
    """The line of an event, ``None`` for what happens all the time."""
    match event:
        case Connected():
            return Line(" ", f"{event.peer.name} connects to {event.protocol}")
        case Handshake() if not event.version:
            is_silent = event.detail == NOTHING_SENT
            who = f", refused by the {event.refused_by}" if event.refused_by and not is_silent else ""
            why = event.alert or event.detail
            return Line("!", f"TLS handshake failed{who}{f': {shown(why)}' if why else ''}")
        case SmtpCommand():
            return _exchange(event)
        case CommandCompleted():
            return _command_line(event)
        case Query() if event.client.name == "app":
            # Only what is not of the type that was asked for, a CNAME, needs to be told by its type.
            records = (each.removeprefix(f"{event.type} ") for each in event.records)
            answer = ", ".join(records) or event.answer
            return Line(" ", f"app asks for {shown(event.name)} {event.type}: {shown(answer)}")
        case MessageQueued():
            to = ", ".join(map(str, event.recipients[:3]))
            more = len(event.recipients) - 3
            to += f" and {more} more" if more > 0 else ""
            return Line("+", f"takes {event.message} from {event.sender} for {to}{_subject(event.subject)}")
        case Attempt():
            return _attempt(event)
        case Deferred():
            return Line("~", f"tries {event.message} for {event.recipient} again at {event.until:%H:%M:%S}")
        case Returned():
            report = f", and tells the sender by {event.report}" if event.report else ""
            return Line("!", f"gives up {event.message} for {event.recipient}{report}")
        case MessageDelivered():
            alias = "" if event.recipient == event.account else f" ({event.recipient})"
            return Line("+", f"delivers to {event.account}{alias}, {event.mailbox}{_subject(event.subject)}")
        case Disconnected() if event.reason is not None:
            return Line("!", f"connection ended by the {event.by}: {event.reason}")
        case _:
            return None


def _subject(subject: str) -> str:
    return f': "{shown(subject, limit=60)}"' if subject else ""


def _exchange(event: SmtpCommand) -> Line | None:
    reply = event.reply
    if reply is None or event.reason in _CONSEQUENCES:
        return None
    if event.stage is Stage.SMTP_AUTH and reply.code == 235:  # RFC 4954 §6
        return Line(" ", "login succeeds")
    if reply.code < 400:
        return None
    what = shown(mask_line(event.stage, event.line), limit=80) or "the message"
    if event.stage is Stage.SMTP_BANNER:
        what = "the connection"
    elif event.stage is Stage.SMTP_AUTH:
        what = "the login"
    mark, verb = ("~", "defers") if reply.code < 500 else ("!", "refuses")
    return Line(mark, f"{verb} {what}: {shown(str(reply))}")


_LOGINS: Final = frozenset(
    {Stage.IMAP_AUTHENTICATE, Stage.IMAP_LOGIN, Stage.POP3_PASS, Stage.POP3_APOP, Stage.POP3_AUTH}
)


def _command_line(event: CommandCompleted) -> Line | None:
    if event.status == "BYE":
        return Line(" ", f"ends the session: {shown(event.text)}")
    if event.reason is not None:
        what = "the login" if event.stage in _LOGINS else shown(mask_line(event.stage, event.line), limit=80)
        return Line("!", f"refuses {what or 'the connection'}: {shown(event.text)}")
    if event.stage in _LOGINS and event.status in ("+OK", "OK"):
        return Line(" ", f"login succeeds: {shown(event.text)}")
    return None


def _attempt(event: Attempt) -> Line:
    what = f"{event.message} for {event.recipient}"
    if event.reason is None:
        return Line(" ", f"hands {what} to {event.mail_host}")
    why = f"{event.mail_host}: " if event.mail_host else ""
    why += str(event.reply) if event.reply is not None else str(event.reason)
    why += f" ({event.detail})" if event.detail and event.reply is None else ""
    later = event.reply is not None and event.reply.code < 500
    return Line("~" if later else "!", f"could not hand on {what}: {shown(why)}")


def full_line(event: Event, *, width: int) -> str | None:
    """The line of an event with its time on this machine and its host, which is given that many columns."""
    found = line(event)
    if found is None:
        return None
    return f"{event.time.astimezone():%H:%M:%S}  {event.host:{width}}  {found.mark} {found.text}"
