"""VRFY, EXPN and HELP: commands that ask and change nothing (RFC 5321 §3.5, §4.1.1.8)."""

from __future__ import annotations

from collections.abc import Callable

from fakemail.smtp import replies
from fakemail.smtp.backend import Backend
from fakemail.smtp.commands import COMMANDS, SmtpCommandRow
from fakemail.smtp.replies import CommandRejected, reject
from fakemail.types.address import Address
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply


def help_on(argument: str, is_available: Callable[[SmtpCommandRow], bool]) -> Reply:
    """The syntax of one command, or of all that this session hears."""
    row = COMMANDS.get(argument.upper()) if argument else None
    if argument and (row is None or not is_available(row)):
        raise CommandRejected(
            Reply(504, "5.5.4", f"there is no command {replies.echo(argument)}"), Reason.BAD_SYNTAX
        )
    rows = [row] if row is not None else [row for row in COMMANDS.values() if is_available(row)]
    return Reply(214, "2.0.0", "\n".join(row.syntax for row in rows))


def verify(backend: Backend, argument: str, *, offers_utf8: bool) -> Reply:
    """The addresses behind a name or an address."""
    name, takes_utf8 = _asked(argument, offers_utf8=offers_utf8)
    found = backend.verify(name)
    if not found:
        raise reject(Reason.NO_SUCH_USER, replies.echo(name))
    if not takes_utf8 and not all(address.is_ascii for address in found):
        return replies.CANNOT_VERIFY
    return _listing(found)


def expand(backend: Backend, argument: str, *, offers_utf8: bool) -> Reply:
    """The addresses behind an alias."""
    name, takes_utf8 = _asked(argument, offers_utf8=offers_utf8)
    found = backend.expand(name)
    if not found:
        raise CommandRejected(
            Reply(550, "5.1.1", f"{replies.echo(name)}: no such alias here"), Reason.NO_SUCH_USER
        )
    if not takes_utf8 and not all(address.is_ascii for address in found):
        raise CommandRejected(replies.CANNOT_EXPAND, Reason.NOT_NEGOTIATED)
    return _listing(found)


def _listing(found: tuple[Address, ...]) -> Reply:
    return Reply(250, "2.1.5", "\n".join(f"<{address}>" for address in found))


def _asked(argument: str, *, offers_utf8: bool) -> tuple[str, bool]:
    """The name that VRFY or EXPN asks for, and whether the reply may be UTF-8 (RFC 6531 §3.7.4.2)."""
    name, _, word = argument.rpartition(" ")
    takes_utf8 = bool(name) and word.upper() == "SMTPUTF8" and offers_utf8
    name = name.rstrip(" ") if takes_utf8 else argument
    return name.removeprefix("<").removesuffix(">"), takes_utf8
