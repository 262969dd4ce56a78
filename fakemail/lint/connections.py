"""Checks of connections as a whole: how they begin and end, their TLS, and how many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from fakemail.events.kinds import CommandCompleted, Disconnected, Handshake, SmtpCommand
from fakemail.lint.conversations import Conversation, Turn, turns
from fakemail.lint.finding import RuleViolation
from fakemail.message.headers import field_in_head, head_of
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

# RFC 8996 §2
_OLD: Final = frozenset({"SSLv2", "SSLv3", "TLSv1", "TLSv1.1"})
_GOODBYES: Final = frozenset({Stage.SMTP_QUIT, Stage.POP3_QUIT, Stage.IMAP_LOGOUT})


def check(conversation: Conversation) -> Iterator[RuleViolation]:
    """Findings of one connection."""
    if conversation.connected.is_early:
        yield RuleViolation("early_talker", conversation.connected, "")
    for event in conversation.events:
        if isinstance(event, Handshake) and event.version in _OLD:
            yield RuleViolation("old_tls", event, event.version)
    if conversation.end is not None and _left_without_a_word(conversation, conversation.end):
        rule = "no_logout" if conversation.service.startswith("imap") else "no_quit"
        yield RuleViolation(rule, conversation.end, _last_line(conversation))


def _left_without_a_word(conversation: Conversation, end: Disconnected) -> bool:
    """Whether the client just went, and nothing that a server did was the cause."""
    if end.by != "client" or not conversation.events:
        return False
    last = conversation.events[-1]
    if isinstance(last, Handshake):
        return not last.refused_by
    if last.reason in (Reason.FAULT, Reason.SHUTTING_DOWN, Reason.TIMEOUT):
        return False
    if isinstance(last, SmtpCommand):
        # Who is turned away by the banner should say QUIT, but hardly a library does (smtplib, aiosmtplib, curl).
        is_met_with_a_no = (
            last.stage is Stage.SMTP_BANNER and last.reply is not None and not last.reply.is_positive
        )
        gone = last.reply is None or last.reply.code == 421 or is_met_with_a_no
    else:
        gone = last.status == "BYE"
    return not gone and not any(event.stage in _GOODBYES for event in conversation.events)


def _last_line(conversation: Conversation) -> str:
    for event in reversed(conversation.events):
        if isinstance(event, SmtpCommand | CommandCompleted):
            return f"{'(end of message)' if event.stage is Stage.SMTP_END else event.line or '(banner)'}, then nothing"
    return ""


def check_together(all_of_them: Iterable[Conversation]) -> Iterator[tuple[Conversation, RuleViolation]]:
    """Findings from several connections side by side."""
    sent: dict[tuple[str, str], list[tuple[Conversation, Turn]]] = {}
    for conversation in all_of_them:
        for turn in turns(conversation):
            message = turn.exchange.message
            if turn.exchange.stage is Stage.SMTP_END and turn.exchange.client_bytes is not None and message:
                head = head_of(turn.exchange.client_bytes.content)
                if name := field_in_head(head, "message-id"):
                    sent.setdefault((turn.exchange.host, name), []).append((conversation, turn))
    for (_, name), copies in sent.items():
        numbers = {conversation.connected.connection for conversation, _ in copies}
        recipients = [address for _, turn in copies for address in turn.accepted]
        if len(numbers) > 1 and len(set(recipients)) == len(recipients) == len(copies) > 1:
            conversation, turn = copies[-1]
            yield (
                conversation,
                RuleViolation(
                    "connection_per_recipient", turn.exchange, f"Message-ID: {name}", tuple(recipients)
                ),
            )
