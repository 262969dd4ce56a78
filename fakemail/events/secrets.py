"""Which parts of a command line are secrets, for every line protocol, and what is shown instead.

Sessions mask before they record, and readers of the log mask again, so that neither has to trust
the other.
"""

from __future__ import annotations

import re
from typing import Final

from fakemail.types.stage import Stage

MASK: Final = "********"

# RFC 4422 §3.1: sasl-mech = 1*20(UPPER-ALPHA / DIGIT / HYPHEN / UNDERSCORE). What cannot be a
# mechanism is taken for a secret that stands in the wrong place.
# Possessive (``?+``, ``++``): a mechanism alone must not be taken for a secret in a second try.
_MECHANISM = r"(?:[A-Za-z0-9_-]{1,20}(?:[ \t]+|$))?+"
# RFC 9051 §9: astring, without literals: their text is on the following lines, which are masked too.
_ASTRING = r'(?:"(?:[^"\\]|\\.)*"|[^ \t\r\n]+)'
_SECRET = re.compile(
    rf"""(?P<shown>[ \t]*(?:
          AUTH[ \t]++{_MECHANISM}                            # SMTP, RFC 4954 §4; POP3, RFC 5034 §4
        | PASS[ \t]+                                        # POP3, RFC 1939 §7
        | APOP[ \t]+[^ \t]+[ \t]+                           # POP3, RFC 1939 §7
        | [^ \t]+[ \t]+AUTHENTICATE[ \t]++{_MECHANISM}       # IMAP, RFC 9051 §6.2.2
        | [^ \t]+[ \t]+LOGIN[ \t]+{_ASTRING}[ \t\r\n]+      # IMAP, RFC 9051 §6.2.3
    ))(?P<secret>.+)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_SECRET_IN_UNKNOWN = re.compile(
    r"(?<=AUTHENTICATE)(?!$).+|(?<=AUTH)(?!ENTICATE|$).+|(?<=PASS)(?!$).+|(?<=LOGIN)(?!$).+|(?<=APOP)(?!$).+",
    re.IGNORECASE | re.DOTALL,
)
_WITH_SECRETS: Final = frozenset({"AUTH", "PASS", "APOP"})
_UNKNOWN: Final = frozenset({Stage.SMTP_UNKNOWN, Stage.POP3_UNKNOWN, Stage.IMAP_UNKNOWN})


def mask_command(line: str) -> str:
    """A command line with its secrets masked: ``AUTH PLAIN dGVz...`` becomes ``AUTH PLAIN ********``.

    Knows AUTH, PASS, APOP, LOGIN and AUTHENTICATE. A line without a secret is returned as it is,
    and so is one that is masked already. An empty initial response (``=``, RFC 4954 §4) is none.
    """
    match = _SECRET.match(line)
    if match is None or match["secret"] == "=":
        return line
    return match["shown"] + MASK


def mask_response(line: str) -> str:
    """A client's answer to a challenge, masked, except an empty one and the cancelling ``*`` (RFC 4954 §4)."""
    return line if line in ("", "*", "=") else MASK


class SecretDetector:
    """Looks after one session: which lines that are no command of its protocol may be secrets all the same.

    A client that was refused AUTH, or that misspelt it, may have sent its secrets already, or send them in
    spite of that; they come as commands that nobody knows.
    """

    __slots__ = ("is_awake",)

    def __init__(self) -> None:
        self.is_awake = False
        """From an AUTH on, until it succeeds or another command is recognised."""

    def hear(self, line: str, keyword: str | None) -> str:
        """A line as it may be recorded, with the keyword of its command; ``None`` for what is none."""
        if keyword is None:
            return self.mask(line)
        self.is_awake = keyword == "AUTH"
        return mask_command(line) if keyword in _WITH_SECRETS else line

    def mask(self, line: str) -> str:
        """A line that is no command, as it may be recorded."""
        if self.is_awake:
            return mask_response(line)
        masked = mask_unknown(line)
        self.is_awake = masked != line
        return masked


def mask_unknown(line: str) -> str:
    """A line that is no command, masked behind whatever looks like one that brings secrets: ``PASSs3cret``."""
    return mask_command(line) if _SECRET.match(line) else _SECRET_IN_UNKNOWN.sub(MASK, line, 1)


def mask_line(stage: Stage, line: str) -> str:
    """The line of an exchange, masked for what it is: a command, or an answer to a challenge."""
    if stage in (Stage.SMTP_AUTH, Stage.POP3_AUTH) and line[:4].upper() != "AUTH":
        return mask_response(line)
    if stage is Stage.IMAP_AUTHENTICATE and " " not in line:
        return mask_response(line)
    return mask_unknown(line) if stage in _UNKNOWN else mask_command(line)
