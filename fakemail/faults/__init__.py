"""What can go wrong: the actions of faults, for ``host.faults.add(stage, do=...)``.

Each function makes one. What is possible at which stage is in [the table of faults](faults.md).
"""

# A rule (rule.py) is put together from facts to match (facts.py), a choice of moments (when.py) and an action
# (actions/). The book of a host (book.py) decides, the register of the internet (register.py) tells each book what is
# in force, and table.py says what is possible where. Nothing here does any of it: sessions and shells ask the book
# and act. What must be done with octets and time is a script (steps.py) that a session hands to its connection.

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from fakemail.errors import DeclarationError
from fakemail.faults import magic_addresses as _magic
from fakemail.faults.actions import answers as _answers
from fakemail.faults.actions import connections as _connections
from fakemail.faults.actions import dns as _dns
from fakemail.faults.actions import http as _http
from fakemail.faults.actions import reading as _reading
from fakemail.faults.actions import smtp as _smtp
from fakemail.faults.actions import tls as _tls
from fakemail.faults.actions.action import FaultAction
from fakemail.faults.write_script import read_end
from fakemail.types.reply import Reply
from fakemail.types.suggestions import suggesting

# Connections --------------------------------------------------------------------------------------


def refuse_connections() -> FaultAction:
    """Do not listen: the system refuses whoever connects."""
    return _connections.RefuseConnections()


def hang_connections() -> FaultAction:
    """Let whoever connects wait, as a server does whose backlog is full."""
    return _connections.HangConnections()


def close() -> FaultAction:
    """Say 421 (BYE in IMAP) instead of an answer, and end the connection."""
    return _connections.CloseConnection()


def drop() -> FaultAction:
    """End the connection instead of answering."""
    return _connections.Drop()


def reset() -> FaultAction:
    """Reset the connection (a TCP segment with RST) instead of answering."""
    return _connections.Reset()


def no_reply() -> FaultAction:
    """Say nothing, now and ever, and keep the connection open."""
    return _connections.NoReply()


# Answers ------------------------------------------------------------------------------------------


def delay(span: timedelta) -> FaultAction:
    """Answer late: by the fake clock to hosts of the fake internet, in real time to everybody else."""
    return _answers.Delay(_span(span))


def trickle(pause: timedelta = _answers.PAUSE) -> FaultAction:
    """Answer octet by octet, with a real pause between them."""
    return _answers.Trickle(_span(pause))


def throttle(rate: int) -> FaultAction:
    """Answer at so many octets a second."""
    return _answers.Throttle(_count("rate", rate, least=1))


def partial_reply(then: str = "drop") -> FaultAction:
    """Send half of the answer, and ``"drop"`` or ``"reset"`` the connection, or ``"hang"``."""
    return _answers.PartialReply(read_end(then))


def garbage(octets: bytes | str = _answers.NONSENSE) -> FaultAction:
    """Send these octets instead of the answer."""
    return _answers.Garbage(_octets(octets))


def oversized_line(octets: int = _answers.LONG) -> FaultAction:
    """Make the last line of the answer so much longer."""
    return _answers.OversizedLine(_count("octets", octets, least=1))


def malformed() -> FaultAction:
    """Leave out the first octet of each line of the answer: a code of two digits, a wrong tag, no plus sign."""
    return _answers.Malformed()


def wrong_line_ends() -> FaultAction:
    """End the lines of the answer with LF alone."""
    return _answers.WrongLineEnds()


def duplicate_reply() -> FaultAction:
    """Answer twice: the client takes the second for the answer to its next command."""
    return _answers.DuplicateReply()


def drop_reply(how: str = "drop") -> FaultAction:
    """Do what was asked and, instead of saying so, ``"drop"`` or ``"reset"`` the connection, or ``"hang"``."""
    return _answers.DropReply(read_end(how))


def inject(octets: bytes | str) -> FaultAction:
    """Send these octets right behind the answer: in clear text where that answers STARTTLS."""
    return _answers.InjectBytes(_octets(octets))


# SMTP ---------------------------------------------------------------------------------------------


def reply(code: int | Reply, enhanced: str | None = None, text: str = "") -> FaultAction:
    """Answer so. A command that is answered with 4yz or 5yz is not carried out."""
    if isinstance(code, Reply):
        return _smtp.SendReply(code)
    if not isinstance(code, int):
        raise DeclarationError(f'a reply is written faults.reply(452, "4.2.2", "full"), not with {code!r}.')
    return _smtp.SendReply(Reply(code, enhanced, text))


def as_address_says() -> FaultAction:
    """Answer as the local part says (``bob-452``, ``rcptto-timeout``): see ``domain.enable_magic_addresses()``."""
    return _magic.AsAddressSays()


def hide(*keywords: str) -> FaultAction:
    """Leave these keywords out of the reply to EHLO, and know nothing of them."""
    return _smtp.Hide(frozenset(map(str.upper, keywords)))


def advertise(*keywords: str) -> FaultAction:
    """Put these keywords into the reply to EHLO, though nothing stands behind them."""
    return _smtp.Advertise(keywords)


def starttls_injection() -> FaultAction:
    """Take what came in clear text behind STARTTLS for commands given over TLS."""
    return _smtp.StarttlsInjection()


def pretend_success() -> FaultAction:
    """Say yes, and let the message disappear; at RCPT for that recipient."""
    return _smtp.PretendSuccess()


def deliver_twice() -> FaultAction:
    """Take the message twice, and tell the client of one."""
    return _smtp.DeliverTwice()


def corrupt() -> FaultAction:
    """Take the message with one letter of its body changed."""
    return _smtp.Corrupt()


def truncate(keep: int | None = None) -> FaultAction:
    """Take the message with so many octets of its body, half of them unless told otherwise."""
    return _smtp.Truncate(None if keep is None else _count("keep", keep, least=0))


def reorder() -> FaultAction:
    """Take the message with the lines of its body in the opposite order."""
    return _smtp.Reorder()


def accept_smuggled_end(*ends: bytes | str) -> FaultAction:
    """Take these octets for the end of the message as well: all known kinds of SMTP smuggling unless some are given."""
    return _smtp.AcceptSmuggledEnd(tuple(map(_octets, ends)) or _smtp.SMUGGLING)


# DNS ----------------------------------------------------------------------------------------------


def rcode(rcode: str) -> FaultAction:
    """Answer with a response code (``"SERVFAIL"``, ``"NXDOMAIN"``...) and no records."""
    return _dns.Rcode(rcode)


def no_data() -> FaultAction:
    """Say that the name exists, and has no records of that type."""
    return _dns.NoData()


def records(*values: str, ttl: int = 300) -> FaultAction:
    """Answer with these records, in zone-file form."""
    return _dns.Records(values, ttl)


def rotate_records(*sets: Sequence[str], ttl: int = 300) -> FaultAction:
    """Answer with the first of these sets of records, next time with the second, and so round and round."""
    return _dns.RotateRecords(tuple(map(tuple, sets)), ttl)


def cname_loop() -> FaultAction:
    """Say that the name stands for another, and that one for the first."""
    return _dns.CnameLoop()


def lame_delegation() -> FaultAction:
    """Know nothing of the zone, and point back to the root."""
    return _dns.LameDelegation()


def split_text(size: int = 20) -> FaultAction:
    """Cut the text of TXT records into strings of so many octets."""
    return _dns.SplitText(size)


def shuffle_records() -> FaultAction:
    """Give the records in an order of chance."""
    return _dns.ShuffleRecords()


def duplicate_records() -> FaultAction:
    """Give each record twice."""
    return _dns.DuplicateRecords()


def ttl(ttl: int) -> FaultAction:
    """Give the records this time to live, in seconds."""
    return _dns.Ttl(ttl)


def no_additional() -> FaultAction:
    """Leave out the addresses of the hosts that the answer names."""
    return _dns.NoAdditional()


def claim_authentic() -> FaultAction:
    """Say that the answer was validated with DNSSEC, which it was not."""
    return _dns.ClaimAuthentic()


def truncate_answer() -> FaultAction:
    """Say over UDP that the answer does not fit, so that it is asked for again over TCP."""
    return _dns.TruncateAnswer()


def wrong_id() -> FaultAction:
    """Answer under another message id."""
    return _dns.WrongId()


def wrong_question() -> FaultAction:
    """Answer another question than the one that was asked."""
    return _dns.WrongQuestion()


def malformed_answer() -> FaultAction:
    """End the message in the middle of a record."""
    return _dns.MalformedAnswer()


# TLS ----------------------------------------------------------------------------------------------


def send_alert(alert: str = "handshake_failure") -> FaultAction:
    """Refuse the handshake with an alert of RFC 8446 §6."""
    return _tls.SendAlert(alert)


def present_certificate(flaw: str) -> FaultAction:
    """Present a certificate with a flaw: ``"expired"``, ``"wrong_name"``, ``"revoked"``..."""
    return _tls.PresentCertificate(flaw)


def only_versions(*versions: str) -> FaultAction:
    """Speak these versions of TLS only, such as ``"TLSv1.1"``."""
    return _tls.OnlyVersions(versions)


def only_ciphers(ciphers: str) -> FaultAction:
    """Know these ciphers only, by the names of OpenSSL, in TLS 1.2."""
    return _tls.OnlyCiphers(ciphers)


# IMAP and POP3 ------------------------------------------------------------------------------------


def refuse(code: str = "", text: str = "not today", status: str = "NO") -> FaultAction:
    """Refuse a command with a response code: NO (or BAD) in IMAP, ``-ERR`` in POP3."""
    return _reading.Refuse(code, text, status)


def fake_success() -> FaultAction:
    """Say that the command was carried out, and do nothing."""
    return _reading.FakeSuccess()


def remove_message(number: int = 1) -> FaultAction:
    """Let somebody else remove a message of the mailbox before the command is carried out."""
    return _reading.RemoveMessage(number)


def bump_uidvalidity() -> FaultAction:
    """Give the mailbox another UIDVALIDITY and other uids before the command is carried out."""
    return _reading.BumpUidvalidity()


def close_after_reply(then: str = "drop") -> FaultAction:
    """Answer, and ``"drop"`` or ``"reset"`` the connection behind that, or ``"hang"``."""
    return _reading.CloseAfterReply(read_end(then))


def wrong_size(by: int = 1) -> FaultAction:
    """Say of a message that it is so many octets longer than it is."""
    return _reading.WrongSize(by)


def bye_mid_response(code: str = "UNAVAILABLE", text: str = "The server is going down.") -> FaultAction:
    """Say BYE in the middle of an answer of IMAP, and close."""
    return _reading.ByeMidResponse(code, text)


def truncate_literal(then: str = "drop") -> FaultAction:
    """End the connection, or hang, in the middle of a literal of IMAP."""
    return _reading.TruncateLiteral(read_end(then))


def suppress_untagged() -> FaultAction:
    """Say nothing of messages that have come or gone: no EXISTS, no EXPUNGE."""
    return _reading.SuppressUntagged()


def send_untagged(*responses: str) -> FaultAction:
    """Say these untagged responses before an answer of IMAP: ``"3 EXISTS"``."""
    return _reading.SendUntagged(responses)


def no_final_dot() -> FaultAction:
    """Leave out the dot that ends a long answer of POP3."""
    return _reading.NoFinalDot()


def change_uidl(prefix: str = "other-") -> FaultAction:
    """Call each message otherwise in UIDL than before."""
    return _reading.ChangeUidl(prefix)


# HTTPS --------------------------------------------------------------------------------------------


def http_status(status: int) -> FaultAction:
    """Answer a request over HTTPS with this status, and an empty document."""
    return _http.HttpStatus(status)


def http_body(body: bytes | str) -> FaultAction:
    """Answer a request over HTTPS with another document."""
    return _http.HttpBody(_octets(body))


def _octets(given: bytes | str) -> bytes:
    if not isinstance(given, bytes | str):
        raise DeclarationError(f"octets of a fault are bytes, or a text, not {given!r}.")
    return given.encode() if isinstance(given, str) else given


def _span(given: timedelta) -> timedelta:
    if not isinstance(given, timedelta) or given < timedelta():
        raise DeclarationError(f"a fault lasts a time such as seconds(2), from 0 up, not {given!r}.")
    return given


def _count(name: str, given: int, *, least: int) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or given < least:
        raise DeclarationError(f"{name} of a fault is a whole number from {least} on, not {given!r}.")
    return given


if not TYPE_CHECKING:  # or every name would seem to be there
    __getattr__ = suggesting(globals())
