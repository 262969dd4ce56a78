"""How a host asks the fake DNS in the middle of a decision: at once, without a socket, and on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakemail.dns.lookup import Answer, lookup
from fakemail.dns.names import name_key
from fakemail.engine.naming import NAME_SERVER
from fakemail.errors import DeclarationError
from fakemail.model.addresses import APP_IPV4
from fakemail.record.events import Query
from fakemail.terms.peer import Peer
from fakemail.terms.stage import Stage

if TYPE_CHECKING:
    from fakemail.engine.internet import Internet


APP = "app"
"""The program under test, which is no host."""


class Resolver:
    """The resolver of one host, or of the program under test; a :data:`fakemail.policy.facts.Resolve`."""

    def __init__(self, internet: Internet, host: str) -> None:
        self._internet = internet
        address = APP_IPV4 if host == APP else internet.world.hosts[host].ipv4
        self._client = Peer(address, 0, host)

    def __call__(self, name: str, type: str) -> Answer:
        """The answer to a question; a name that is none does not exist."""
        internet = self._internet
        try:
            key = name_key(name)
        except DeclarationError:
            return Answer("NXDOMAIN", "NXDOMAIN")
        answer = lookup(internet.zones, key, type)
        answer = internet.spoiled_dns.resolved(self._client, key, type, answer)
        internet.log.append(
            Query,
            Stage.DNS_QUERY,
            NAME_SERVER,
            0,
            "",
            self._client,
            "udp",
            key,
            type,
            answer.kind,
            tuple(record.text for record in answer.answer),
        )
        return answer
