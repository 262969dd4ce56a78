"""Actions of faults: what can go wrong, one class for each.

A class says at which stages it is possible (``at``), checks what it is given, and describes what it does as far as that
is bytes and time. Its name is the name that tests, presets and configurations use.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Collection, Sequence
from dataclasses import field
from datetime import timedelta
from typing import Final

from fakemail.dns.records import record
from fakemail.dns.rrtypes import RCODES, read_type
from fakemail.errors import DeclarationError, nearest
from fakemail.faults import stages
from fakemail.faults.action import (
    AlterMessage,
    FaultAction,
    Instead,
    OnAnswer,
    TlsContextFault,
    require_count,
    to_bytes,
)
from fakemail.faults.context import FaultContext, Match
from fakemail.faults.magic_addresses import read_magic
from fakemail.message.headers import body_offset
from fakemail.tls.alerts import ALERTS, alert_record
from fakemail.types.dataclass import dataclass
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from fakemail.types.write_script import ConnectionEnd, End, Pause, Step, read_end

_PAUSE: Final = timedelta(milliseconds=1)
LONG: Final = 1_000_000
NONSENSE: Final = bytes(range(0x80, 0xA0)) + b"\r\n"
SMUGGLING: Final[tuple[bytes, ...]] = (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r\n.\n", b"\r.\r\n")
"""Ends of the message that are none, and that some servers have taken for one (SMTP smuggling)."""
_LITERAL: Final = re.compile(rb"\{(\d+)\}\r\n")
_OCTETS: Final = re.compile(rb"\+OK (\d+) octets")
_COUNTS_AND_EXPUNGES: Final = re.compile(rb"\* \d+ (EXISTS|RECENT|EXPUNGE)\r\n|\* VANISHED [^\r]*\r\n")
_LONGEST_STRING: Final = 255  # RFC 1035 §3.3, in octets

# Checks ----------------------------------------------------------------------------------------------


def _require_known(what: str, given: object, known: Collection[str]) -> None:
    if given not in known:
        raise DeclarationError(f"there is no {what} {given!r}; {nearest(str(given), known)}")


def _require_number(what: str, given: int, least: int, most: int) -> None:
    if not least <= given <= most:
        raise DeclarationError(f"{what} is a number from {least} to {most}, not {given!r}.")


def _require_nonzero(what: str, given: int) -> None:
    if not given:
        raise DeclarationError(f"{what} is a whole number from 1 on, or from -1 down, not {given!r}.")


def _require_one_line(*texts: str) -> None:
    for text in texts:
        if "\r" in text or "\n" in text:
            raise DeclarationError(f"what a server says here is one line, not {text!r}.")


def _require_words(what: str, given: Collection[str]) -> None:
    if not given or any(not each or "\r" in each or "\n" in each for each in given):
        raise DeclarationError(
            f"{what} are given, each without line ends; not {', '.join(map(repr, given))}."
        )


# Connections -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class refuse_connections(FaultAction):
    """Do not listen, so that the system refuses connections."""

    at = stages.CONNECT


@dataclass(frozen=True, slots=True)
class hang_connections(FaultAction):
    """Listen and accept no connection, as a server whose backlog is full: clients wait."""

    at = stages.CONNECT


UNCOUNTED: Final = (refuse_connections, hang_connections)
"""Refusal by the operating system, which cannot be counted."""


@dataclass(frozen=True, slots=True)
class close(FaultAction):
    """End the connection with the protocol's last words (421, BYE) instead of an answer."""

    at = stages.COMMANDS | stages.SMTP_BODY


@dataclass(frozen=True, slots=True)
class drop(Instead):
    """End the connection instead of answering."""

    at = stages.EVERYWHERE

    def script(self) -> tuple[Step, ...]:
        return (ConnectionEnd.DROP,)


@dataclass(frozen=True, slots=True)
class reset(Instead):
    """Reset the connection (a TCP segment with RST) instead of answering."""

    at = stages.EVERYWHERE

    def script(self) -> tuple[Step, ...]:
        return (ConnectionEnd.RESET,)


@dataclass(frozen=True, slots=True)
class no_reply(Instead):
    """Say nothing, now and ever, and keep the connection open."""

    at = stages.EVERYWHERE

    def script(self) -> tuple[Step, ...]:
        return (ConnectionEnd.HANG,)


# Answers: the server has done what it was asked, and only its words are changed -----------------------


@dataclass(frozen=True, slots=True)
class delay(OnAnswer):
    """Answer late: by the fake clock to hosts of the fake internet, in real time to all other clients."""

    at = stages.ANSWERS | stages.SMTP_BODY | stages.DNS
    span: timedelta

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return Pause(self.span), answer


@dataclass(frozen=True, slots=True)
class trickle(OnAnswer):
    """Answer byte by byte, each in a segment of its own, with a real pause between them."""

    at = stages.ANSWERS
    pause: timedelta = _PAUSE

    def script(self, answer: bytes) -> list[Step]:
        steps: list[Step] = []
        for octet in answer:
            steps += [bytes((octet,)), Pause(self.pause, is_real=True)]
        return steps[:-1]


@dataclass(frozen=True, slots=True)
class throttle(OnAnswer):
    """Answer at so many bytes a second, ten times a second."""

    at = stages.ANSWERS
    rate: int

    def check(self) -> None:
        require_count("rate", self.rate, 1)

    def script(self, answer: bytes) -> list[Step]:
        size = max(1, self.rate // 10)
        pause = Pause(timedelta(seconds=size / self.rate), is_real=True)
        steps: list[Step] = []
        for start in range(0, len(answer), size):
            steps += [answer[start : start + size], pause]
        return steps[:-1]


@dataclass(frozen=True, slots=True)
class partial_reply(OnAnswer):
    """Send half of the answer, and ``"drop"`` or ``"reset"`` the connection, or ``"hang"``."""

    at = stages.ANSWERS
    arrives = False
    then: End = ConnectionEnd.DROP

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return answer[: len(answer) // 2], read_end(self.then)


@dataclass(frozen=True, slots=True)
class garbage(OnAnswer):
    """Send these bytes instead of the answer: nonsense, unless others are given."""

    at = stages.ANSWERS | stages.DNS
    arrives = False
    octets: bytes | str = NONSENSE

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (to_bytes(self.octets),)


@dataclass(frozen=True, slots=True)
class oversized_line(OnAnswer):
    """Make the last line of the answer longer by so many bytes."""

    at = stages.COMMANDS
    arrives = False
    octets: int = LONG

    def check(self) -> None:
        require_count("octets", self.octets, 1)

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (answer.removesuffix(b"\r\n") + b"x" * self.octets + b"\r\n",)


@dataclass(frozen=True, slots=True)
class malformed(OnAnswer):
    """Leave out the first byte of each line of the answer: a code of two digits, a wrong tag, no plus sign."""

    at = stages.COMMANDS
    arrives = False

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (b"".join(line[1:] for line in answer.splitlines(keepends=True)),)


@dataclass(frozen=True, slots=True)
class wrong_line_ends(OnAnswer):
    """End the lines of the answer with LF alone."""

    at = stages.COMMANDS

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (answer.replace(b"\r\n", b"\n"),)


@dataclass(frozen=True, slots=True)
class duplicate_reply(OnAnswer):
    """Answer twice: the client takes the second for the answer to its next command."""

    at = stages.COMMANDS

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (answer + answer,)


@dataclass(frozen=True, slots=True)
class drop_reply(OnAnswer):
    """Do what was asked and, instead of saying so, ``"drop"`` or ``"reset"`` the connection, or ``"hang"``."""

    at = stages.ANSWERS
    arrives = False
    then: End = ConnectionEnd.DROP

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (read_end(self.then),)


@dataclass(frozen=True, slots=True)
class inject(OnAnswer):
    """Send these bytes right behind the answer to STARTTLS, in clear text."""

    at = stages.STARTTLS
    octets: bytes | str

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (answer + to_bytes(self.octets),)


# Capabilities ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, init=False)
class hide(FaultAction):
    """Leave these keywords out of the reply to EHLO (CAPABILITY, CAPA), and know nothing of them."""

    at = stages.CAPABILITIES
    keywords: frozenset[str]

    def __init__(self, *keywords: str) -> None:
        self._fill(keywords=keywords)

    def check(self) -> None:
        _require_words("the keywords to hide", self.keywords)
        object.__setattr__(self, "keywords", frozenset(map(str.upper, self.keywords)))


@dataclass(frozen=True, slots=True, init=False)
class advertise(FaultAction):
    """Put these keywords into the reply to EHLO (CAPABILITY, CAPA), though nothing stands behind them."""

    at = stages.CAPABILITIES
    keywords: tuple[str, ...]

    def __init__(self, *keywords: str) -> None:
        self._fill(keywords=keywords)

    def check(self) -> None:
        _require_words("the keywords to advertise", self.keywords)


@dataclass(frozen=True, slots=True)
class starttls_injection(FaultAction):
    """Take what came in clear text behind STARTTLS for commands given over TLS (the flaw of RFC 3207 §5)."""

    at = stages.STARTTLS


# SMTP ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, init=False)
class reply(FaultAction):
    """Answer with this reply. A command that is answered with 4yz or 5yz is not carried out.

    With 2yz and 3yz it is, and the reply stands in place of the positive one that the server has for it; what it
    rejects by itself stays rejected.
    """

    at = stages.SMTP
    reply: Reply

    def __init__(self, code: int | Reply, enhanced: str | None = None, text: str = "") -> None:
        if not isinstance(code, int | Reply):
            raise DeclarationError(
                f'a reply is written faults.reply(452, "4.2.2", "full"), not with {code!r}.'
            )
        self._fill(reply=Reply(code, enhanced, text) if isinstance(code, int) else code)

    def __str__(self) -> str:
        return str(self.reply)


@dataclass(frozen=True, slots=True)
class pretend_success(FaultAction):
    """Say yes, and let the message disappear: for all recipients, or at RCPT for that one."""

    at = stages.SMTP_END | {Stage.SMTP_RCPT}


@dataclass(frozen=True, slots=True)
class deliver_twice(FaultAction):
    """Accept the message twice, and tell the client of one."""

    at = stages.SMTP_END


@dataclass(frozen=True, slots=True, init=False)
class accept_smuggled_end(FaultAction):
    """Take these bytes for the end of the message as well: all known kinds of SMTP smuggling unless some are given."""

    at = frozenset({Stage.SMTP_DATA})
    ends: tuple[bytes, ...] = SMUGGLING

    def __init__(self, *ends: bytes | str) -> None:
        self._fill(ends=ends or SMUGGLING)

    def check(self) -> None:
        if not self.ends or not all(self.ends):
            raise DeclarationError("the end of a message is some octets, such as '\\n.\\n', not none.")


@dataclass(frozen=True, slots=True)
class corrupt(AlterMessage):
    """Accept the message with one letter in the middle of its body changed."""

    at = stages.SMTP_END

    def apply(self, content: bytes) -> bytes:
        start = body_offset(content)
        for place in (*range((start + len(content)) // 2, len(content)), *range(start, len(content))):
            if chr(content[place]).isalnum() and content[place] < 0x80:
                letter = b"Y" if content[place : place + 1] == b"X" else b"X"
                return content[:place] + letter + content[place + 1 :]
        return content + b"X\r\n"


@dataclass(frozen=True, slots=True)
class truncate(AlterMessage):
    """Accept the message with so many bytes of its body, by default the first half."""

    at = stages.SMTP_END
    keep: int | None = None

    def check(self) -> None:
        if self.keep is not None:
            require_count("keep", self.keep, 0)

    def apply(self, content: bytes) -> bytes:
        start = body_offset(content)
        keep = (len(content) - start) // 2 if self.keep is None else self.keep
        return content[: start + keep]


@dataclass(frozen=True, slots=True)
class reorder(AlterMessage):
    """Accept the message with the lines of its body in the opposite order."""

    at = stages.SMTP_END

    def apply(self, content: bytes) -> bytes:
        start = body_offset(content)
        return content[:start] + b"".join(reversed(content[start:].splitlines(keepends=True)))


@dataclass(frozen=True, slots=True)
class as_address_says(FaultAction):
    """Answer as the local part of the address says: ``bob-452``, ``rcptto-timeout``, ``temperror``...

    See ``domain.enable_magic_addresses()``.
    """

    at = stages.SMTP_END | {Stage.SMTP_MAIL, Stage.SMTP_RCPT}

    def concerns(self, stage: Stage, context: FaultContext) -> bool:
        return self.wanted(stage, context) is not None

    def wanted(self, stage: Stage, context: FaultContext) -> FaultAction | None:
        """The action of the first address that asks for one at this stage."""
        paths = (context.sender,) if stage is Stage.SMTP_MAIL else context.recipients
        for path in paths:
            wish = None if path is None else read_magic(path)
            if wish is None:
                continue
            if stage is wish.stage or (stage is Stage.SMTP_END and wish.stage is Stage.SMTP_MAIL):
                return no_reply() if wish.reply is None else reply(wish.reply)
            if stage is Stage.SMTP_RCPT:
                return pretend_success()  # there need be no account, for nothing will come there
        return None


# IMAP and POP3 ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class refuse(FaultAction):
    """Refuse the command: ``NO [code] text``, or ``BAD`` in IMAP; ``-ERR [code] text`` in POP3."""

    at = stages.IMAP | stages.POP3
    code: str = ""
    """``UNAVAILABLE``, ``OVERQUOTA``, ``IN-USE``, ``SYS/TEMP``..."""
    text: str = "not today"
    status: str = "NO"
    """``NO`` or ``BAD``; POP3 has one only."""

    def check(self) -> None:
        _require_known("status of a refusal", self.status, ("NO", "BAD"))
        _require_one_line(self.code, self.text)
        object.__setattr__(self, "code", self.code.strip("[]").upper())


@dataclass(frozen=True, slots=True)
class fake_success(FaultAction):
    """Say that the command was carried out (STORE, APPEND, EXPUNGE, DELE, QUIT...), and do nothing."""

    at = stages.CHANGES


@dataclass(frozen=True, slots=True)
class remove_message(FaultAction):
    """Before the command is carried out, another client removes a message of the mailbox (by default INBOX)."""

    at = stages.IMAP_MAILBOX | stages.POP3_MAILDROP
    number: int = 1
    """Counted from 1; -1 is the last."""

    def check(self) -> None:
        _require_nonzero("the number of a message", self.number)


@dataclass(frozen=True, slots=True)
class bump_uidvalidity(FaultAction):
    """Before the command is carried out, the mailbox gets another UIDVALIDITY and other uids (RFC 9051 §2.3.1.1)."""

    at = stages.IMAP_MAILBOX | stages.POP3_MAILDROP


@dataclass(frozen=True, slots=True)
class close_after_reply(OnAnswer):
    """Answer, and ``"drop"`` or ``"reset"`` the connection behind that, or ``"hang"``."""

    at = stages.IMAP | stages.POP3
    then: End = ConnectionEnd.DROP

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return answer, read_end(self.then)


@dataclass(frozen=True, slots=True)
class wrong_size(OnAnswer):
    """Announce a literal of IMAP, or a message of POP3, so many bytes longer than it is; shorter if below zero."""

    at = frozenset({Stage.IMAP_FETCH, Stage.POP3_RETR})
    by: int = 1

    def check(self) -> None:
        _require_nonzero("what a size is wrong by", self.by)

    def script(self, answer: bytes) -> tuple[Step, ...]:
        def other(match: re.Match[bytes]) -> bytes:
            return match[0].replace(match[1], b"%d" % max(0, int(match[1]) + self.by))

        size = _OCTETS if answer.startswith(b"+OK") else _LITERAL
        return (size.sub(other, answer, count=1),)


@dataclass(frozen=True, slots=True)
class bye_mid_response(OnAnswer):
    """Say BYE in the middle of an answer of IMAP, and close (RFC 9051 §7.1.5)."""

    at = stages.IMAP_MAILBOX
    code: str = "UNAVAILABLE"
    text: str = "The server is going down."

    def check(self) -> None:
        _require_one_line(self.code, self.text)

    def script(self, answer: bytes) -> tuple[Step, ...]:
        untagged = responses(answer)[:-1]
        code = f"[{self.code}] " if self.code else ""
        bye = f"* BYE {code}{self.text}\r\n".encode()
        return b"".join(untagged[: len(untagged) // 2]) + bye, ConnectionEnd.DROP


@dataclass(frozen=True, slots=True)
class truncate_literal(OnAnswer):
    """End the connection, or hang, in the middle of the first literal of the answer; of the answer if it has none."""

    at = frozenset({Stage.IMAP_FETCH})
    arrives = False
    then: End = ConnectionEnd.DROP

    def script(self, answer: bytes) -> tuple[Step, ...]:
        match = _LITERAL.search(answer)
        end = len(answer) // 2 if match is None else match.end() + int(match[1]) // 2
        return answer[:end], read_end(self.then)


@dataclass(frozen=True, slots=True)
class suppress_untagged(OnAnswer):
    """Say nothing of messages that have come or gone: no EXISTS, no EXPUNGE."""

    at = stages.IMAP_MAILBOX

    def script(self, answer: bytes) -> tuple[Step, ...]:
        kept = [each for each in responses(answer) if _COUNTS_AND_EXPUNGES.fullmatch(each) is None]
        return (b"".join(kept),)


@dataclass(frozen=True, slots=True, init=False)
class send_untagged(OnAnswer):
    """Say these untagged responses before an answer of IMAP: ``"3 EXISTS"``, ``"OK [ALERT] Maintenance tonight"``."""

    at = stages.IMAP
    responses: tuple[str, ...]

    def __init__(self, *responses: str) -> None:
        self._fill(responses=responses)

    def check(self) -> None:
        if not self.responses or any("\r" in each or "\n" in each for each in self.responses):
            raise DeclarationError("untagged responses are given without '* ' and without line ends.")

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return ("".join(f"* {each}\r\n" for each in self.responses).encode() + answer,)


def responses(answer: bytes) -> list[bytes]:
    """The responses of an IMAP server, each with its literals (RFC 9051 §4.3)."""
    found: list[bytes] = []
    start = at = 0
    while at < len(answer):
        end = answer.find(b"\n", at) + 1 or len(answer)
        match = _LITERAL.search(answer, at, end)
        if match is not None and match.end() == end:
            at = end + int(match[1])
            continue
        found.append(answer[start:end])
        start = at = end
    return [*found, answer[start:]] if start < len(answer) else found


@dataclass(frozen=True, slots=True)
class no_final_dot(OnAnswer):
    """Leave out the dot that ends a long answer of POP3."""

    at = frozenset({Stage.POP3_CAPA, Stage.POP3_LIST, Stage.POP3_UIDL, Stage.POP3_RETR, Stage.POP3_TOP})

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (answer[:-3] if answer.endswith(b"\r\n.\r\n") else answer,)


@dataclass(frozen=True, slots=True)
class change_uidl(OnAnswer):
    """Give each message another name in UIDL than before, so that clients take all of them for new."""

    at = frozenset({Stage.POP3_UIDL})
    prefix: str = "other-"

    def script(self, answer: bytes) -> tuple[Step, ...]:
        head, line_end, rest = answer.partition(b"\r\n")
        prefix = self.prefix.encode()
        if not rest:
            return (re.sub(rb"^\+OK (\d+) ", rb"+OK \1 " + prefix, head) + line_end,)
        return (head + line_end + re.sub(rb"(?m)^(\d+) ", rb"\1 " + prefix, rest),)


# TLS -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class tls_alert(Instead):
    """Refuse the handshake with an alert, in the words of RFC 8446 §6: ``handshake_failure``, ``internal_error``..."""

    at = stages.TLS
    alert: str = "handshake_failure"

    def check(self) -> None:
        _require_known("TLS alert", self.alert, ALERTS.values())

    def script(self) -> tuple[Step, ...]:
        return alert_record(self.alert), ConnectionEnd.DROP


@dataclass(frozen=True, slots=True)
class present_certificate(TlsContextFault):
    """Present a certificate with a flaw: ``"expired"``, ``"wrong_name"``, ``"revoked"``..."""

    at = stages.TLS
    flaw: str

    def check(self) -> None:
        from fakemail.tls.flaws import FLAWS  # certificates are made when one is first needed

        _require_known("certificate flaw", self.flaw, FLAWS)


@dataclass(frozen=True, slots=True, init=False)
class only_tls(TlsContextFault):
    """Speak these versions of TLS only, neighbours: ``"TLSv1"``, ``"TLSv1.1"``, ``"TLSv1.2"``, ``"TLSv1.3"``."""

    at = stages.TLS
    versions: tuple[str, ...]

    def __init__(self, *versions: str) -> None:
        self._fill(versions=versions)

    def check(self) -> None:
        from fakemail.tls.contexts import VERSIONS

        for version in self.versions:
            _require_known("version of TLS", version, VERSIONS)
        places = sorted(list(VERSIONS).index(version) for version in self.versions)
        if not places or places != list(range(places[0], places[-1] + 1)):
            raise DeclarationError(
                f"a server speaks one version of TLS or some that are neighbours, of {', '.join(VERSIONS)}; not "
                f"{', '.join(self.versions) or 'none'}."
            )


@dataclass(frozen=True, slots=True)
class only_ciphers(TlsContextFault):
    """Know these ciphers only, by the names of OpenSSL, in TLS 1.2."""

    at = stages.TLS
    ciphers: str

    def check(self) -> None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(f"{self.ciphers}:@SECLEVEL=0")
        except ssl.SSLError:
            raise DeclarationError(
                f"OpenSSL here knows no cipher {self.ciphers!r}; 'openssl ciphers' lists them."
            ) from None


# HTTPS -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class http_status(FaultAction):
    """Answer a request over HTTPS with this status, such as 404 or 503, and an empty document."""

    at = stages.HTTPS
    status: int

    def check(self) -> None:
        _require_number("a status of HTTP", self.status, 200, 599)


@dataclass(frozen=True, slots=True)
class http_body(FaultAction):
    """Answer a request over HTTPS with another document."""

    at = stages.HTTPS
    body: bytes | str
    content_type: str = "text/plain"


# DNS -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class rcode(FaultAction):
    """Answer with a response code (``"SERVFAIL"``, ``"NXDOMAIN"``, ``"NOTAUTH"``...) and no records."""

    at = stages.DNS
    rcode: str

    def check(self) -> None:
        errors = [each for each in RCODES if each != "NOERROR"]
        _require_known("DNS response code of an error", self.rcode, errors)


@dataclass(frozen=True, slots=True)
class no_data(FaultAction):
    """Say that the name exists, and has no records of that type (RFC 2308 §2.2)."""

    at = stages.DNS


def _require_records(values: Collection[str], where: Match) -> None:
    if where.query_type is None or "*" in where.query_type:
        raise DeclarationError("records are of one type, so the fault needs query_type.")
    name = where.query if where.query and "*" not in where.query else "example.org"
    for value in values:
        record(name, read_type(where.query_type), value)


@dataclass(frozen=True, slots=True, init=False)
class records(FaultAction):
    """Answer with these records, in zone-file form; the zone itself stays as it is."""

    at = stages.DNS
    values: tuple[str, ...]
    ttl: int = 300

    def __init__(self, *values: str, ttl: int = 300) -> None:
        self._fill(values=values, ttl=ttl)

    def check_match(self, where: Match) -> None:
        _require_records(self.values, where)


@dataclass(frozen=True, slots=True, init=False)
class rotate_records(FaultAction):
    """Answer with the first of these sets of records, next time with the second, and so round and round.

    A set is one value or several; an empty one is an answer without records.
    """

    at = stages.DNS
    sets: tuple[tuple[str, ...], ...]
    ttl: int = 300

    def __init__(self, *sets: str | Sequence[str], ttl: int = 300) -> None:
        self._fill(sets=sets, ttl=ttl)

    def check(self) -> None:
        if not self.sets:
            raise DeclarationError("give the answers, one after the other.")

    def check_match(self, where: Match) -> None:
        for values in self.sets:
            _require_records(values, where)


@dataclass(frozen=True, slots=True)
class stale_answer(FaultAction):
    """Answer as at the time at which the fault was declared, as a resolver that has it in its cache for ever."""

    at = stages.DNS
    then: Callable[[str, str], object] = field(repr=False)

    def __str__(self) -> str:
        return "stale answer"


@dataclass(frozen=True, slots=True)
class cname_loop(FaultAction):
    """Say that the name stands for another, and that one for the first."""

    at = stages.DNS


@dataclass(frozen=True, slots=True)
class lame_delegation(FaultAction):
    """Know nothing of the zone, and point back to the root."""

    at = stages.DNS


@dataclass(frozen=True, slots=True)
class split_text(FaultAction):
    """Cut the text of TXT records into strings of so many bytes, which belong together (RFC 7208 §3.3)."""

    at = stages.DNS
    size: int = 20

    def check(self) -> None:
        _require_number("the length of a string", self.size, 1, _LONGEST_STRING)


@dataclass(frozen=True, slots=True)
class shuffle_records(FaultAction):
    """Give the records in a random order, another one each time."""

    at = stages.DNS


@dataclass(frozen=True, slots=True)
class duplicate_records(FaultAction):
    """Give each record twice."""

    at = stages.DNS


@dataclass(frozen=True, slots=True)
class ttl(FaultAction):
    """Give the records this time to live, in seconds."""

    at = stages.DNS
    ttl: int

    def check(self) -> None:
        _require_number("a time to live of DNS", self.ttl, 0, 2**32 - 1)


@dataclass(frozen=True, slots=True)
class no_additional(FaultAction):
    """Leave out the addresses of the hosts that the answer names."""

    at = stages.DNS


@dataclass(frozen=True, slots=True)
class claim_authentic(FaultAction):
    """Say that the answer was validated with DNSSEC (AD), which it was not."""

    at = stages.DNS


@dataclass(frozen=True, slots=True)
class truncate_answer(FaultAction):
    """Say over UDP that the answer does not fit, so that it is asked for again over TCP."""

    at = stages.DNS


@dataclass(frozen=True, slots=True)
class wrong_id(FaultAction):
    """Answer under another message id, as a forged answer does (RFC 5452)."""

    at = stages.DNS


@dataclass(frozen=True, slots=True)
class wrong_question(FaultAction):
    """Answer another question than the one that was asked."""

    at = stages.DNS


@dataclass(frozen=True, slots=True)
class malformed_answer(FaultAction):
    """End the message in the middle of a record."""

    at = stages.DNS


ACTIONS: Final = {
    name: kind
    for name, kind in list(globals().items())
    if isinstance(kind, type) and issubclass(kind, FaultAction) and kind.at
}
"""Every action that is possible anywhere, by its name."""
