"""Faults of the name server by plain names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fakemail.api.faults import Fault, Faults
from fakemail.api.handles import Handle, Results
from fakemail.dns.lookup import lookup
from fakemail.dns.names import name_key
from fakemail.dns.rrtypes import read_type
from fakemail.faults.actions import dns
from fakemail.faults.actions.action import FaultAction
from fakemail.faults.actions.answers import Delay, Garbage
from fakemail.faults.actions.connections import NoReply, Reset
from fakemail.faults.rule import FaultScope
from fakemail.types.duration import require_span
from fakemail.types.stage import Stage
from fakemail.zones.zone_provisioning import NAME_SERVER

if TYPE_CHECKING:
    from fakemail.api.portal import Portal


class DnsPresets(Handle):
    """What goes wrong with the answers of the name server.

    Each takes a name (``"example.org"``, a pattern with ``*``, or none for all names) and ``type``, and
    ``when`` and whom it concerns as :meth:`~fakemail.api.faults.Faults.add` has it: ``times=1``, ``client="app"``,
    ``transport="udp"``...
    """

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._faults = Faults(portal, FaultScope(NAME_SERVER))

    def add(self, do: FaultAction, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """Let something happen to answers: an action of :mod:`fakemail.faults` that is possible there."""
        query = None if name is None else name if "*" in name else name_key(name)
        asked = None if type is None else read_type(type)
        return self._faults.add(Stage.DNS_QUERY, do, query=query, query_type=asked, **when)

    def all(self) -> Results[Fault]:
        """The faults of the name server that are in force."""
        return self._faults.all()

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def __len__(self) -> int:
        return len(self._faults)

    def _name(self) -> str:
        return "Faults of the name server"

    def _state(self) -> str:
        return f": {len(self)}"

    def clear(self, *faults: Fault) -> None:
        """End these faults, or all of the name server if none is named."""
        self._faults.clear(*faults)

    def rcode(self, rcode: str, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """Answer with a response code (``"YXDOMAIN"``, ``"NOTAUTH"``...) and no records."""
        return self._on(dns.Rcode(rcode), name, type, when)

    def servfail(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """The name server fails: SERVFAIL, which a sender of mail takes for a reason to wait (RFC 5321 §5.1)."""
        return self.rcode("SERVFAIL", name, type=type, **when)

    def nxdomain(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """The name does not exist: NXDOMAIN, whatever the zone has."""
        return self.rcode("NXDOMAIN", name, type=type, **when)

    def refused(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """The name server does not answer such questions: REFUSED."""
        return self.rcode("REFUSED", name, type=type, **when)

    def not_implemented(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """The name server cannot answer such questions: NOTIMP."""
        return self.rcode("NOTIMP", name, type=type, **when)

    def format_error(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """The name server does not understand the question: FORMERR."""
        return self.rcode("FORMERR", name, type=type, **when)

    def no_data(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """The name exists, without records of that type (RFC 2308 §2.2)."""
        return self._on(dns.NoData(), name, type, when)

    def timeout(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """No answer ever comes. To hosts of the fake internet that is a timeout at once."""
        return self._on(NoReply(), name, type, when)

    def delay(
        self, span: timedelta, name: str | None = None, *, type: str | None = None, **when: Any
    ) -> Fault:
        """The answer comes late: in real seconds to the app. To hosts of the fake internet 5 seconds are too late."""
        require_span("the delay of a DNS answer", span)
        return self._on(Delay(span), name, type, when)

    def truncate_answer(
        self, name: str | None = None, *, type: str | None = None, tcp: bool = True, **when: Any
    ) -> Fault:
        """The answer does not fit into a datagram, so that it is asked for over TCP.

        Without ``tcp`` the connection is reset there, by a second fault that goes with this one.
        """
        fault = self._on(dns.TruncateAnswer(), name, type, {**when, "transport": "udp"})
        if not tcp:
            fault.accompany(self._on(Reset(), name, type, {**when, "transport": "tcp"}))
        return fault

    def records(self, name: str, type: str, *values: str, ttl: int = 300, **when: Any) -> Fault:
        """Answer with these records, in zone-file form; the zone itself stays as it is."""
        return self._on(dns.Records(values, ttl), name, type, when)

    def rotate_records(
        self, name: str, type: str, *sets: str | tuple[str, ...] | list[str], ttl: int = 300, **when: Any
    ) -> Fault:
        """Another answer each time: the first set of records, then the second, and so round and round.

        A set is one value or several; an empty one is an answer without records.
        """
        given = [(each,) if isinstance(each, str) else tuple(each) for each in sets]
        return self._on(dns.RotateRecords(tuple(given), ttl), name, type, when)

    def stale_answer(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """Answer as of now whatever is changed later, as a resolver that has it in its cache for ever."""
        zones = self._portal.call(lambda: self._portal.simulation.zones.copy())
        return self._on(dns.StaleAnswer(lambda key, asked: lookup(zones, key, asked)), name, type, when)

    def cname_loop(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """The name stands for another, and that one for the first."""
        return self._on(dns.CnameLoop(), name, type, when)

    def lame_delegation(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """The name server knows nothing of the zone, and points back to the root: a lame delegation."""
        return self._on(dns.LameDelegation(), name, type, when)

    def split_text(self, name: str | None = None, *, size: int = 20, type: str = "TXT", **when: Any) -> Fault:
        """The text of TXT records comes in strings of ``size`` octets, which belong together (RFC 7208 §3.3)."""
        return self._on(dns.SplitText(size), name, type, when)

    def shuffle_records(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """The records come in an order of chance, another one each time (RFC 1034 does not say which)."""
        return self._on(dns.ShuffleRecords(), name, type, when)

    def duplicate_records(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """Each record comes twice."""
        return self._on(dns.DuplicateRecords(), name, type, when)

    def ttl(self, ttl: int, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """The records come with this time to live, in seconds: 0, or far too long."""
        return self._on(dns.Ttl(ttl), name, type, when)

    def no_additional(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """The addresses of the hosts in an answer are not sent along."""
        return self._on(dns.NoAdditional(), name, type, when)

    def claim_authentic(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """The answer says that it was validated with DNSSEC (AD), though it was not."""
        return self._on(dns.ClaimAuthentic(), name, type, when)

    def wrong_id(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """The answer has another message id, as a forged one (RFC 5452)."""
        return self._on(dns.WrongId(), name, type, when)

    def wrong_question(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """The answer is to another question."""
        return self._on(dns.WrongQuestion(), name, type, when)

    def malformed_answer(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """The message ends in the middle of a record."""
        return self._on(dns.MalformedAnswer(), name, type, when)

    def garbage(self, name: str | None = None, *, type: str | None = None, **when: Any) -> Fault:
        """What comes is no DNS message at all."""
        return self._on(Garbage(), name, type, when)

    def _on(self, action: FaultAction, name: str | None, type: str | None, when: dict[str, Any]) -> Fault:
        return self.add(action, name, type=type, **when)
