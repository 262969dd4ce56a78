"""Services that a receiving host uses, given to the backend of each of its SMTP connections."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterable
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol

from fakemail.environment import Environment
from fakemail.model.content_rules import ScannerAddress
from fakemail.model.host import HostSpec
from fakemail.mta.inbound.arc_sealing import ArcSealer
from fakemail.mta.inbound.delivery_agent import DeliveryAgent
from fakemail.mta.inbound.sender_auth_results import SenderAuthResults
from fakemail.mta.local_domains import LocalDomains
from fakemail.mta.outbound.dkim_signer import DkimSigner
from fakemail.mta.outbound.queue import MailQueue
from fakemail.policy.chain import PolicyDecision
from fakemail.policy.sender_facts import HostContext, Resolve
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.sasl.exchange import CredentialStore
from fakemail.types.address import Address
from fakemail.types.dataclass import dataclass
from fakemail.types.peer import Peer
from fakemail.zones.zone_provisioning import LazyZoneProvisioning

if TYPE_CHECKING:
    from fakemail.policy.scanners import ScanRequest, ScanResult


class HasPeer(Protocol):
    """A connection, as policies count them."""

    peer: Peer


class ReceivingHost(Protocol):
    """A running host, as its mail service sees it."""

    name: str

    @property
    def host(self) -> HostSpec:
        """The host as it is described now."""
        ...

    @property
    def credentials(self) -> CredentialStore:
        """The accounts that may log in."""
        ...

    @property
    def connections(self) -> Collection[HasPeer]:
        """The connections that are open."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundServices:
    """Services of receiving, the same for all hosts of one fake internet."""

    environment: Environment
    local_domains: LocalDomains
    zones: LazyZoneProvisioning
    resolver: Callable[[str], Resolve]
    """The resolver of a host, which answers at once."""
    delivery_agent: DeliveryAgent
    mail_queue: MailQueue
    dkim_signer: DkimSigner
    arc_sealer: ArcSealer
    auth_results: SenderAuthResults
    wants_evaluations: Callable[[], bool]
    """Whether statistics of evaluations are kept; if not, nothing is computed for them."""
    on_evaluated: Callable[[TransactionFacts, PolicyDecision], object]
    """Called with each message then, and with what was decided about it."""
    scan: Callable[[Iterable[ScannerAddress], ScanRequest], Coroutine[Any, Any, tuple[ScanResult, ...]]]
    """Asks real scanners about a message."""
    make_mailbox: Callable[[Address], None]
    """Function that makes a mailbox at the sink, for an undeclared address."""
    policy_memory: HostContext = field(default_factory=HostContext)
    """Memory that the policies of all hosts share: greylisting, rates."""
