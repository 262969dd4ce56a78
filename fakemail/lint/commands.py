"""Checks of SMTP, IMAP and POP3 commands: one small check for each kind of mistake, over the turns of a connection."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Final

from fakemail.errors import ProtocolError
from fakemail.events.kinds import CommandCompleted, Handshake, SmtpCommand
from fakemail.lint.conversations import Conversation, Turn, is_positive, is_refused, turns
from fakemail.lint.finding import RuleViolation
from fakemail.smtp.commands import COMMANDS
from fakemail.smtp.grammar import is_address_literal, read_path_argument
from fakemail.smtp.parameters import extensions_of
from fakemail.types.address import Address, is_domain_name
from fakemail.types.domains import a_labels
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

# RFC 2920 §3.1: EHLO, DATA, VRFY, EXPN, TURN, QUIT and NOOP end a group; RFC 3207 §4: so does STARTTLS;
# RFC 4954 §4: and AUTH, whose answers each wait for a challenge.
_BARRIERS: Final = frozenset({"EHLO", "HELO", "DATA", "VRFY", "EXPN", "NOOP", "QUIT", "STARTTLS", "AUTH"})
# The mechanisms that show the server, and so everybody, what opens the account.
_REVEALING: Final = frozenset({"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"})
_PATH: Final = {"MAIL": "FROM:", "RCPT": "TO:"}
_COLON: Final = re.compile(r"(?:FROM|TO)(?:[ \t]+:|:[ \t]+)", re.IGNORECASE)
_BRACKET: Final = re.compile(r"(?:FROM|TO):[^<]", re.IGNORECASE)
_FINAL_DOT: Final = re.compile(r"(?:FROM|TO):[ \t]*<?[^ >]*@[^ >]*\.>?(?: |$)", re.IGNORECASE)
_ROUTE: Final = re.compile(r"(?:FROM|TO):[ \t]*<@[^>]*:", re.IGNORECASE)


def check(conversation: Conversation) -> Iterator[RuleViolation]:
    """Everything that the commands of one SMTP connection show, in the order in which it was said."""
    said = list(turns(conversation))
    yield from _hello_kind(said)
    for turn in said:
        found = [hit for look in _CHECKS for hit in look(turn)]
        yield from found
        # A general complaint says nothing new about a line that has a special one.
        if not found:
            yield from _general(turn)


def verb_of(exchange: SmtpCommand) -> str:
    """The verb of a command, in upper case."""
    return exchange.line.partition(" ")[0].upper()


def _argument(exchange: SmtpCommand) -> str:
    return exchange.line.partition(" ")[2].strip(" ")


# Greeting -----------------------------------------------------------------------------------------


def _hello_kind(said: list[Turn]) -> Iterator[RuleViolation]:
    hello = next((turn.exchange for turn in said if turn.exchange.stage is Stage.SMTP_HELO), None)
    if hello is not None and verb_of(hello) == "HELO":
        yield RuleViolation("helo_instead_of_ehlo", hello, hello.line)


def _name(turn: Turn) -> Iterator[RuleViolation]:
    if turn.exchange.stage is Stage.SMTP_HELO and (rule := _fault_in_name(_argument(turn.exchange))):
        yield RuleViolation(rule, turn.exchange, turn.exchange.line)


def _fault_in_name(name: str) -> str:
    """The rule that a name in EHLO breaks, empty for none (RFC 5321 §4.1.1.1, §4.1.3)."""
    if name.startswith("["):
        return "" if is_address_literal(name) else "helo_malformed"
    try:
        ip_address(name)
    except ValueError:
        pass
    else:
        return "helo_bare_address"
    name = a_labels(name)
    if name == "localhost" or name.endswith((".localhost", ".localdomain")):
        return "helo_localhost"
    if not is_domain_name(name):
        return "helo_malformed"
    return "" if "." in name else "helo_unqualified"


# How commands follow each other -------------------------------------------------------------------


def _group(turn: Turn) -> Iterator[RuleViolation]:
    exchange = turn.exchange
    if (
        exchange.client_bytes is None
        or not exchange.client_bytes.was_hasty
        or exchange.stage is Stage.SMTP_END
    ):
        return
    is_answer = exchange.stage is Stage.SMTP_AUTH and verb_of(exchange) != "AUTH"
    if is_answer or verb_of(exchange) in _BARRIERS:
        yield RuleViolation("pipelining_past_barrier", exchange, exchange.line)
    elif verb_of(exchange) != "BDAT" and "PIPELINING" not in turn.offered:
        yield RuleViolation("pipelining_not_offered", exchange, exchange.line)


def _went_on(turn: Turn) -> Iterator[RuleViolation]:
    """A client that pipelines cannot know of the refusal yet (RFC 2920 §3.1)."""
    exchange, mail = turn.exchange, turn.mail
    if not turn.waited or mail is None:
        return
    if exchange.stage is Stage.SMTP_RCPT:
        ignored = is_refused(mail)
    elif exchange.stage in (Stage.SMTP_DATA, Stage.SMTP_BDAT):
        none_left = bool(turn.recipients) and not turn.accepted
        ignored = is_refused(mail) or (none_left and all(map(is_refused, turn.recipients)))
    else:
        return
    if ignored:
        yield RuleViolation("refusal_ignored", exchange, exchange.line)


# Commands -----------------------------------------------------------------------------------------


def _bare(turn: Turn) -> Iterator[RuleViolation]:
    exchange = turn.exchange
    if exchange.stage is Stage.SMTP_END:
        return  # the message shows it
    taken = exchange.client_bytes is not None and exchange.client_bytes.is_bare
    if taken or exchange.reason is Reason.BARE_LINE_END:
        yield RuleViolation("bare_line_end", exchange, exchange.line)


def _extension(turn: Turn) -> Iterator[RuleViolation]:
    exchange = turn.exchange
    verb = verb_of(exchange)
    row = COMMANDS.get(verb)
    if row is None:
        return
    if verb in ("AUTH", "STARTTLS", "BDAT") and row.keyword not in turn.offered:
        # What is offered over TLS only is a matter of TLS.
        if not (verb == "AUTH" and "STARTTLS" in turn.offered) and exchange.reason is not Reason.BAD_SEQUENCE:
            yield RuleViolation("unnegotiated", exchange, exchange.line)
    elif verb in _PATH and (keyword := _unknown_parameter(turn)):
        yield RuleViolation("unnegotiated", exchange, f"{exchange.line} ({keyword} was not offered)")


def _unknown_parameter(turn: Turn) -> str:
    try:
        read = read_path_argument(_argument(turn.exchange), _PATH[verb_of(turn.exchange)])
    except ProtocolError:
        return ""
    for keyword, value in read.parameters.items():
        if not turn.offered.intersection(extensions_of(keyword, value)):
            return keyword
    return ""


def _path(turn: Turn) -> Iterator[RuleViolation]:
    exchange = turn.exchange
    if exchange.stage not in (Stage.SMTP_MAIL, Stage.SMTP_RCPT):
        return
    argument = _argument(exchange)
    if _COLON.match(argument):
        yield RuleViolation("space_after_colon", exchange, exchange.line)
    elif _BRACKET.match(argument):
        yield RuleViolation("no_angle_brackets", exchange, exchange.line)
    if _FINAL_DOT.match(argument):
        yield RuleViolation("final_dot", exchange, exchange.line)
    if _ROUTE.match(argument):
        yield RuleViolation("source_route", exchange, exchange.line)


def _repeated(turn: Turn) -> Iterator[RuleViolation]:
    exchange = turn.exchange
    if exchange.stage is not Stage.SMTP_RCPT or not isinstance(exchange.address, Address):
        return
    key = exchange.address.key
    earlier = (each.address for each in turn.recipients if is_positive(each))
    if is_positive(exchange) and any(isinstance(each, Address) and each.key == key for each in earlier):
        yield RuleViolation("recipient_repeated", exchange, exchange.line, (str(exchange.address),))


# TLS and secrets ----------------------------------------------------------------------------------


def _secret(turn: Turn) -> Iterator[RuleViolation]:
    exchange = turn.exchange
    if turn.is_secure or verb_of(exchange) != "AUTH":
        return
    if "STARTTLS" in turn.offered:
        yield RuleViolation("auth_before_tls", exchange, exchange.line)
    elif _argument(exchange).partition(" ")[0].upper() in _REVEALING:
        yield RuleViolation("password_in_clear", exchange, exchange.line)


def _clear_text(turn: Turn) -> Iterator[RuleViolation]:
    exchange = turn.exchange
    if exchange.stage is Stage.SMTP_END and not turn.is_secure and "STARTTLS" in turn.offered:
        yield RuleViolation("no_tls", exchange, "", turn.accepted)


# What the server found ----------------------------------------------------------------------------

_GENERAL: Final = {
    Reason.LINE_TOO_LONG: "line_too_long",
    Reason.UNKNOWN_COMMAND: "unknown_command",
    Reason.BAD_SYNTAX: "bad_syntax",
    Reason.AUTH_MECHANISM: "unnegotiated",
    Reason.BAD_SEQUENCE: "out_of_order",
    Reason.NO_VALID_RECIPIENTS: "out_of_order",
}


def _general(turn: Turn) -> Iterator[RuleViolation]:
    exchange = turn.exchange
    rule = _GENERAL.get(exchange.reason) if exchange.reason is not None else None
    if rule == "out_of_order" and not turn.waited:
        return  # of a group whose first command was refused
    if rule == "bad_syntax" and exchange.stage is Stage.SMTP_HELO and not _argument(exchange):
        rule = "helo_malformed"
    if rule is not None:
        yield RuleViolation(rule, exchange, exchange.line)


_CHECKS: Final[tuple[Callable[[Turn], Iterator[RuleViolation]], ...]] = (
    _bare,
    _name,
    _group,
    _secret,
    _extension,
    _path,
    _repeated,
    _went_on,
    _clear_text,
)


# RFC 9051 §6.2.2, §6.2.3; RFC 1939 §7; RFC 5034 §4: what shows a password or a token.
_SECRET: Final = re.compile(
    r"(?:[^ ]+ +)?(?:LOGIN |PASS |(?:AUTHENTICATE|AUTH) +(?:PLAIN|LOGIN|XOAUTH2|OAUTHBEARER)\b)",
    re.IGNORECASE,
)
_LOGINS: Final = frozenset({Stage.IMAP_LOGIN, Stage.IMAP_AUTHENTICATE, Stage.POP3_PASS, Stage.POP3_AUTH})
_REASONS: Final = {
    Reason.UNKNOWN_COMMAND: "unknown_command",
    Reason.BAD_SYNTAX: "bad_syntax",
    Reason.BAD_SEQUENCE: "out_of_order",
    Reason.BARE_LINE_END: "bare_line_end",
    Reason.LINE_TOO_LONG: "line_too_long",
}


def check_reading(conversation: Conversation) -> Iterator[RuleViolation]:
    """Everything that one connection to read mail shows."""
    is_secure = False
    for event in conversation.events:
        if isinstance(event, Handshake):
            is_secure = bool(event.version)
        elif isinstance(event, CommandCompleted):
            if not is_secure and event.stage in _LOGINS and _SECRET.match(event.line):
                yield RuleViolation("password_in_clear", event, event.line)
            if event.reason in _REASONS and event.status in ("BAD", "-ERR"):
                yield RuleViolation(_REASONS[event.reason], event, event.line)
