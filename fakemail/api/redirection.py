"""Redirecting this very process to a fake internet, by the names, addresses and ports that its code has in it."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from types import TracebackType
from typing import TYPE_CHECKING

from fakemail.api.portal import Portal
from fakemail.errors import DeclarationError, MailAssertionError, nearest
from fakemail.model.addresses import IPV4_RANGES, IPV6_RANGE
from fakemail.model.host import LOCAL
from fakemail.runtime.resolvers import APP
from fakemail.tls.authority import process_authority
from fakemail.types.suggestions import Suggests

if TYPE_CHECKING:
    from fakemail.intercept.egress_attempts import EgressAttempt

_LOCAL_PORTS = frozenset(service.port for service in LOCAL)
_TYPES = {socket.AF_INET: "A", socket.AF_INET6: "AAAA"}


class Redirection(Suggests):
    """A redirect in force. Use it in a ``with`` block, or end it; closing the fake internet ends it as well."""

    def __init__(self, portal: Portal, *, allow: Iterable[str], children: str) -> None:
        from fakemail.intercept.children import WAYS  # few processes are redirected
        from fakemail.intercept.redirect import Redirect, RedirectActive

        if children not in WAYS:
            raise DeclarationError(f"children: there is no {children!r}; {nearest(children, WAYS)}")
        there, ca_file = _WorldAddressMap(portal), str(process_authority().ca_file())
        self._redirect = Redirect(there, ca_file=ca_file, allow=allow, children=children)
        try:
            self._redirect.install()
        except RedirectActive as error:
            raise DeclarationError(
                f"{error} Two fake internets cannot be the internet of one process."
            ) from None
        self._is_over = False
        self._is_reported = False

    @property
    def escapes(self) -> tuple[EgressAttempt, ...]:
        """Attempts of the program to connect outside, oldest first, each with ``host`` and ``port``."""
        return tuple(self._redirect.escapes)

    def end(self) -> None:
        """Put everything back as it was; ending again does nothing."""
        if not self._is_over:
            self._is_over = True
            self._redirect.remove()

    def _forget(self) -> None:
        """Look up anew where servers listen."""
        self._redirect.forget()

    def require_none_escaped(self) -> None:
        """Raise :class:`~fakemail.errors.MailAssertionError` if something led out of the fake internet."""
        __tracebackhide__ = True
        if self.escapes and not self._is_reported:
            self._is_reported = True
            raise MailAssertionError(escape_report(self.escapes))

    def __enter__(self) -> Redirection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self.end()
        if error is None:
            self.require_none_escaped()


def escape_report(escapes: Iterable[EgressAttempt]) -> str:
    """The text of a failure: what was tried, and what to do."""
    from fakemail.intercept.egress_attempts import counted

    return "\n".join(
        [
            "wanted: every connection inside the fake internet, or on this machine",
            "found:  connections that would have left it, and were refused:",
            *counted(escapes),
            "do:     declare the host (mailnet.account, mailnet.domain, mailnet.host), or allow it by name or "
            "address: mailnet.redirect(allow=[...]); run programs that call sendmail with mailnet.run(), where ours is",
        ]
    )


class _WorldAddressMap:
    """A fake internet, as a redirect asks about it. Zones are looked at in the loop's thread."""

    def __init__(self, portal: Portal) -> None:
        simulation = portal.simulation
        self._portal = portal
        self._network = simulation.network
        self._resolver = simulation.resolvers.resolver(APP)
        self.name_server = (simulation.dns.address, simulation.dns.port)

    def addresses(self, name: str, family: int) -> list[str]:
        """See :class:`~fakemail.intercept.redirect.AddressMap`."""
        type = _TYPES[socket.AddressFamily(family)]
        answer = self._portal.call(lambda: self._resolver(name, type))
        if answer.kind not in ("NOERROR", "NODATA"):
            from fakemail.intercept.redirect import NameNotResolved

            raise NameNotResolved(is_temporary=answer.kind != "NXDOMAIN")
        return [record.value for record in answer.answer if record.type == type]

    def name(self, address: str) -> str | None:
        """See :class:`~fakemail.intercept.redirect.AddressMap`."""
        answer = self._portal.call(lambda: self._resolver(ip_address(address).reverse_pointer, "PTR"))
        return next((each.value.rstrip(".") for each in answer.answer if each.type == "PTR"), None)

    def covers(self, address: str) -> bool:
        """See :class:`~fakemail.intercept.redirect.AddressMap`."""
        parsed = ip_address(address)
        if parsed.version == 6:
            return parsed in IPV6_RANGE
        return any(parsed in network for network in IPV4_RANGES)

    def find(self, address: str, port: int) -> tuple[str, int] | None:
        """See :class:`~fakemail.intercept.redirect.AddressMap`."""
        return self._network.find(address, port)

    def is_serving(self) -> bool:
        """See :class:`~fakemail.intercept.redirect.AddressMap`."""
        return self._portal.thread.is_current

    def local(self, address: str, port: int) -> tuple[str, int] | None:
        """See :class:`~fakemail.intercept.redirect.AddressMap`."""
        if port not in _LOCAL_PORTS or self._network.is_at(address, port):
            return None
        return self._portal.perform(self._portal.simulation.hosts.local_server()).endpoint
