"""``mailnet.deliverability()``: the verdicts of large receivers on a message, without sending it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from email.message import Message as StandardMessage
from typing import TYPE_CHECKING, Any

from fakemail.api.hosts import Host, smarthost_settings
from fakemail.api.message_bytes import message_bytes
from fakemail.api.messages import Message
from fakemail.api.portal import Portal
from fakemail.dns.lookup import LookupAnswer, failure, lookup
from fakemail.dns.names import name_key
from fakemail.errors import DeclarationError
from fakemail.message.message import MessageView
from fakemail.message.trace import complete
from fakemail.model.content_rules import USUAL_RULES, read_rules
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.types.address import NULL_PATH, Address, AddressLike, Path, read_address
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer

if TYPE_CHECKING:
    from fakemail.policy.deliverability import Deliverability

# What our own hosts speak when they send.
_TLS = Channel("TLSv1.3", "TLS_AES_256_GCM_SHA384")


def deliverability(
    portal: Portal,
    message: Message | StandardMessage | bytes | str,
    *,
    sender: AddressLike | None,
    via: str | Host | None,
    transactional: bool,
    rules: Mapping[str, Any] | None,
) -> Deliverability:
    """The report of ``mailnet.deliverability()``."""
    from fakemail.policy.deliverability import report

    facts, sent = _received(portal, message) if isinstance(message, Message) else (None, "")
    if facts is None:
        facts, sent = _submitted(portal, message, sender, via)
    return portal.call(
        lambda: report(
            facts,
            facts.authentication,
            message=f"{facts.message.subject!r} from {facts.message.sender or 'nobody'}",
            sent=sent,
            rules=USUAL_RULES if rules is None else read_rules(rules, where="rules: "),
            transactional=transactional,
        )
    )


def _received(portal: Portal, message: Message) -> tuple[TransactionFacts | None, str]:
    """A delivered message as its host saw it; none for one that the test put into a mailbox."""
    envelope, host = message.envelope, message.received_by
    if envelope is None or host is None:
        return None, ""
    origin = envelope.origin
    facts = TransactionFacts(
        host.name,
        origin.peer,
        message.received_at,
        _Questions(portal),
        helo=origin.helo,
        channel=Channel(origin.tls, origin.cipher) if origin.tls else None,
        sender=envelope.sender,
        recipients=envelope.addresses,
        body=envelope.body,
        smtputf8=envelope.smtputf8,
        content=_as_it_came(message),
    )
    return facts, f"as {host.name} got it from {origin.peer.name} [{origin.peer.address}]"


def _as_it_came(message: Message) -> bytes:
    """Without what the delivering host has put in front, the last of which is its Received field (RFC 5321 §4.4)."""
    received = message.headers.first("Received")
    return message.raw if received is None else message.raw[message.raw.find(b"\n", received.end) + 1 :]


def _submitted(
    portal: Portal,
    message: Message | StandardMessage | bytes | str,
    sender: AddressLike | None,
    via: str | Host | None,
) -> tuple[TransactionFacts, str]:
    """A message as the first mail host would see it that the sending host connects to."""
    raw = message_bytes(message)
    author = MessageView(raw).sender
    path: Path = NULL_PATH
    if sender is not None:
        path = read_address(sender)
    elif author:
        with suppress(DeclarationError):  # an author whose address is none can have no mail returned
            path = read_address(author)
    host = _sending_host(portal, path, via)
    simulation = portal.simulation
    described = simulation.world.host(host.name)
    now = simulation.clock.now()
    if any(name.startswith("submission") for name in host.services):
        raw = complete(raw, date=now, message_id=f"<deliverability@{host.name}>")
        raw = portal.call(lambda: simulation.dkim_signer.submitted(host.name, raw))
    facts = TransactionFacts(
        host.name,
        Peer(described.ipv4, 0, host.name),
        now,
        _Questions(portal),
        helo=host.name,
        channel=None if described.options.sending_tls == "none" else _TLS,
        sender=path,
        content=raw,
    )
    return facts, f"as if sent by {host.name} [{described.ipv4}]"


def _sending_host(portal: Portal, sender: Path, via: str | Host | None) -> Host:
    world = portal.simulation.world
    if via is not None:
        return via if isinstance(via, Host) else Host(portal, world.host(via).name)
    if not isinstance(sender, Address):
        raise DeclarationError(
            "the message has no author whose address can be read; say who sends it, sender='news@example.com', or "
            "which host, via='smtp.example.com'."
        )
    domain = world.domains.get(sender.domain)
    if domain is None:
        return smarthost_settings(portal, "submission").server
    return Host(portal, domain.submission_host)


class _Questions:
    """Asks the DNS as it is now, and leaves no trace: no mail is sent."""

    def __init__(self, portal: Portal) -> None:
        self._zones = portal.simulation.zones

    def __call__(self, name: str, type: str) -> LookupAnswer:
        try:
            return lookup(self._zones, name_key(name), type)
        except DeclarationError:
            return failure("NXDOMAIN")
