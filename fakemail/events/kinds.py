"""The kinds of event: a header that all have, and the fields of each kind.

Fields are given by name, so the type checker sees what is swapped. Structs of msgspec, since one is made for each
command of each session: they cost a fifth of a frozen dataclass, and the garbage collector does not visit them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from fakemail.message.headers import field_in_head
from fakemail.types.address import Address, Path
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from fakemail.types.suggestions import Suggests

_NOT_LOGGED: Final = datetime.min.replace(tzinfo=UTC)


class EventValue(Struct, frozen=True, kw_only=True, gc=False):
    """Frozen value in the log; an unknown field is answered with the one that may be meant."""

    if not TYPE_CHECKING:  # or every field would seem to be there
        __getattr__ = Suggests.__getattr__


class Event(EventValue, frozen=True, kw_only=True, gc=False):
    """Header of every event. The log fills in the number and the time."""

    number: int = 0
    """Its place in the log, from 1."""
    time: datetime = _NOT_LOGGED
    """Time on the clock of the fake internet."""
    stage: Stage
    """At which stage of a session or of a message's way."""
    host: str
    """The name of the host that saw it."""
    connection: int = 0
    """The number of the connection it belongs to, 0 for none."""
    message: str = ""
    """The queue id of the message it belongs to, ``""`` for none."""


class Connected(Event, frozen=True, kw_only=True, gc=False):
    """A client connected (:attr:`Stage.CONNECT`)."""

    stage: Stage = Stage.CONNECT
    protocol: str
    """``smtp``, ``submission``, ``submissions``..."""
    peer: Peer
    is_early: bool = False
    """Whether bytes of the client were there before the server had said anything; not known under TLS."""


class ProxyIdentified(Event, frozen=True, kw_only=True, gc=False):
    """Introduction of another client by one that may speak for it (:attr:`Stage.PROXY`)."""

    stage: Stage = Stage.PROXY
    how: str
    """``PROXY v1``, ``PROXY v2`` or ``XCLIENT``."""
    by: Peer
    """Peer that sent it."""
    client: Peer
    """Client that it names."""


class Disconnected(Event, frozen=True, kw_only=True, gc=False):
    """A connection ended (:attr:`Stage.DISCONNECT`)."""

    stage: Stage = Stage.DISCONNECT
    by: str
    """``client`` or ``server``."""
    reason: Reason | None
    detail: str


class Handshake(Event, frozen=True, kw_only=True, gc=False):
    """A TLS handshake ended, well or badly (:attr:`Stage.TLS_HANDSHAKE`)."""

    stage: Stage = Stage.TLS_HANDSHAKE
    version: str
    """TLS version, for example ``TLSv1.3``; empty when it failed."""
    cipher: str
    server_name: str
    """Host name that the client sent by SNI, empty without."""
    client_certificate: str
    """The subject of the client's certificate, empty if it showed none."""
    refused_by: str
    """``client`` or ``server`` when it failed, else empty."""
    alert: str
    """The alert that ended it, in the words of RFC 8446 §6 (``unknown_ca``), empty if none came."""
    detail: str


class ClientBytes(EventValue, frozen=True, kw_only=True, gc=False):
    """Facts about the bytes of a client that neither the line nor the reply of an exchange tells."""

    was_hasty: bool = False
    """Whether something had come behind the command before it was answered."""
    is_bare: bool = False
    """Whether the line ended with a bare LF and was taken all the same."""
    is_unstuffed: bool = False
    """Whether a line of the message began with a dot that was not doubled (RFC 5321 §4.5.2)."""
    message: bytes = b""
    """The message as the host keeps it, so that its bytes are there once; of messages of the app only."""
    start: int = 0
    """Offset in it at which the client's data begins."""

    @property
    def content(self) -> bytes:
        """The message as the client sent it, dot-stuffing undone; empty where it is another host's."""
        return self.message[self.start :]


class SmtpCommand(Event, frozen=True, kw_only=True, gc=False):
    """A command and the reply to it, of any line protocol.

    ``line`` is the command as it came, without its line end and with secrets masked. The banner
    has an empty line; a connection that ended before the reply was due has ``None`` for a reply.
    """

    line: str
    reply: Reply | None
    reason: Reason | None
    address: Path | None
    """The path of MAIL or RCPT, else ``None``."""
    client_bytes: ClientBytes | None = None
    """``None`` where there is nothing to say that the line does not say."""


class CommandCompleted(Event, frozen=True, kw_only=True, gc=False):
    """A command and the end of its answer, where that is not one reply of SMTP: IMAP and POP3.

    ``line`` is the command as it came, without its line end and with secrets masked; ``{n}`` stands for a
    literal of so many bytes. It is empty for what the server said unasked.
    """

    line: str
    status: str
    """``OK``, ``NO``, ``BAD``, ``BYE``, ``+`` for a challenge or a go-ahead, ``+OK`` and ``-ERR`` of POP3, ``*``
    for data that was sent unasked."""
    code: str
    """The response code without brackets, empty if there was none."""
    text: str
    responses: int
    """Number of lines of data before the end (untagged responses; lines of a POP3 listing)."""
    size: int
    """The length of the whole answer, in bytes."""
    reason: Reason | None
    """Why it was refused; ``None`` if it was not."""


class Query(Event, frozen=True, kw_only=True, gc=False):
    """A question to a DNS server and the answer to it (:attr:`Stage.DNS_QUERY`)."""

    stage: Stage = Stage.DNS_QUERY
    client: Peer
    transport: str
    """``udp`` or ``tcp``."""
    name: str
    """The name asked for, lower-case and without the final dot."""
    type: str
    """``MX``, ``TXT``..., or ``TYPE65280`` for one without a name."""
    answer: str
    """``NOERROR``, ``NODATA``, ``NXDOMAIN``, ``SERVFAIL``... (NODATA is RFC 2308 §2.2)."""
    records: tuple[str, ...]
    """The answer section, each record in zone-file form without its owner name."""


class MessageQueued(Event, frozen=True, kw_only=True, gc=False):
    """A host took responsibility for a message (:attr:`Stage.QUEUE`)."""

    stage: Stage = Stage.QUEUE
    sender: Path
    recipients: tuple[Address, ...]
    size: int
    """In bytes, trace header fields included."""
    head: bytes
    """The header block of the message."""
    origin: str
    """The queue id under which the previous fake host had it, empty if it came from an app."""

    @property
    def message_id(self) -> str:
        """The Message-ID with its angle brackets, or ``""``."""
        return field_in_head(self.head, "message-id")

    @property
    def subject(self) -> str:
        """The Subject, decoded, or ``""``."""
        return field_in_head(self.head, "subject")


class Routed(Event, frozen=True, kw_only=True, gc=False):
    """A domain was looked up to find its mail hosts (:attr:`Stage.ROUTE`)."""

    stage: Stage = Stage.ROUTE
    domain: str
    mail_hosts: tuple[str, ...]
    """In the order in which they will be tried."""
    reason: Reason | None
    detail: str


class Attempt(Event, frozen=True, kw_only=True, gc=False):
    """A queued message was tried at one mail host for one recipient (:attr:`Stage.ATTEMPT`)."""

    stage: Stage = Stage.ATTEMPT
    recipient: Address
    mail_host: str
    """The name of the host that was tried, empty if none was found."""
    address: str
    """Its address in the fake internet."""
    at: Stage
    """Last stage that it reached."""
    reply: Reply | None
    """The reply that settled it, ``None`` when there was none."""
    reason: Reason | None
    """``None`` when the host took it."""
    detail: str
    tls: str
    """The TLS version of the hop, empty for clear text."""
    final: bool
    """Whether this settled the recipient: no further host is tried for it now."""
    onward: str = ""
    """The queue id under which the next fake host has it, empty if that is not known."""
    policy: str = ""
    """TLS that the sender required: ``opportunistic``, ``required``, ``verified``, ``dane``, ``sts``...; empty
    when no host was tried."""


class Deferred(Event, frozen=True, kw_only=True, gc=False):
    """A recipient will be tried again (:attr:`Stage.DEFER`)."""

    stage: Stage = Stage.DEFER
    recipient: Address
    attempts: int
    """Number of attempts."""
    until: datetime
    """Time of the next attempt."""
    reply: Reply | None
    reason: Reason | None


class Returned(Event, frozen=True, kw_only=True, gc=False):
    """A host gave a recipient up (:attr:`Stage.RETURN`)."""

    stage: Stage = Stage.RETURN
    recipient: Address
    expired: bool
    """Whether it was given up for its age, and not because it can never be delivered."""
    report: str
    """The queue id of the report to the sender, empty if none was due."""
    at: Stage
    """Last stage of the last attempt."""
    reply: Reply | None
    reason: Reason | None
    remote: str
    """The host that gave the reply, empty for none."""


class MessageDelivered(Event, frozen=True, kw_only=True, gc=False):
    """A message was put into a mailbox (:attr:`Stage.DELIVER`)."""

    stage: Stage = Stage.DELIVER
    recipient: Address
    """The address of the envelope."""
    account: Address
    """The account that it belongs to, after aliases, ``+detail`` and catch-all."""
    mailbox: str
    uid: int
    head: bytes = b""
    """The header block of the message."""

    @property
    def message_id(self) -> str:
        """The Message-ID with its angle brackets, or ``""``."""
        return field_in_head(self.head, "message-id")

    @property
    def subject(self) -> str:
        """The Subject, decoded, or ``""``."""
        return field_in_head(self.head, "subject")


class CheckFinding(EventValue, frozen=True, kw_only=True, gc=False):
    """Finding of one check of a mail host, and its disposition."""

    check: str
    """``dnsbl``, ``helo``, ``spf``..."""
    about: str
    """Subject, where the check looks at several things."""
    status: str
    """A word of RFC 8601 §2.7: ``pass``, ``fail``, ``softfail``, ``neutral``, ``none``, ``policy``, ``temperror``,
    ``permerror``."""
    sentence: str
    reason: Reason | None
    disposition: str
    """``accept``, ``tag``, ``delay``, ``quarantine``, ``discard``, ``bounce``, ``defer`` or ``refuse``."""

    def __str__(self) -> str:
        about = f" {self.about}" if self.about else ""
        return f"{self.check}{about} {self.status}{f' ({self.sentence})' if self.sentence else ''}"

    @property
    def with_disposition(self) -> str:
        """The finding, and what follows from it."""
        return f"{self}: {self.disposition}"


class PolicyEvaluated(Event, frozen=True, kw_only=True, gc=False):
    """Evaluation of a client or of what it sent by the policies of the host's domains, at any stage of SMTP."""

    recipients: tuple[Address, ...]
    """Whom it is about, empty where it is about the whole connection or transaction."""
    disposition: str
    """Disposition: a word as in :attr:`CheckFinding.disposition`."""
    reason: Reason | None
    sentence: str
    findings: tuple[CheckFinding, ...]
    """Each check that was made at this stage, in order."""

    def lines(self) -> list[str]:
        """Each finding as a line, and what follows from all of them."""
        lines = [f"checked at {self.stage}: {found.with_disposition}" for found in self.findings]
        decided = [found for found in self.findings if found.disposition == self.disposition]
        if self.disposition != "accept" and not decided:  # it rests on what was found earlier
            lines.append(f"checked at {self.stage}: {self.disposition}, {self.sentence or self.reason}")
        return lines

    @property
    def objections(self) -> str:
        """All that is not well, in one line; empty where all is well."""
        found = [
            found.with_disposition
            for found in self.findings
            if found.status != "pass" or found.disposition != "accept"
        ]
        if not found and self.disposition != "accept":
            found = [f"{self.sentence or self.reason}: {self.disposition}"]
        return "; ".join(found)


class Redirected(Event, frozen=True, kw_only=True, gc=False):
    """A host sent a message on for a recipient (:attr:`Stage.REDIRECT`)."""

    stage: Stage = Stage.REDIRECT
    recipient: Address
    """The address of the envelope."""
    how: str
    """``alias``, ``forward``, ``list``, or ``bounce address`` for a rewritten reverse-path."""
    to: tuple[Address, ...]
    onward: tuple[str, ...]
    """The queue ids under which it goes on."""


class FaultFired(Event, frozen=True, kw_only=True, gc=False):
    """A fault of the test fired, at its stage."""

    action: str
    """Event in words."""
    rule: str
    """The whole rule: where, when and what."""
