"""What IMAP and POP3 commands show. Less than those of SMTP: the log has their lines and no data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from fakemail.events.kinds import CommandCompleted, Handshake
from fakemail.lint.conversations import Conversation
from fakemail.lint.finding import RuleViolation
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

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


def check(conversation: Conversation) -> Iterator[RuleViolation]:
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
