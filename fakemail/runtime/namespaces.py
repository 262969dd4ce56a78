"""Namespaces of one fake internet: opened, listed, and left with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from fakemail.environment import Environment
from fakemail.errors import DeclarationError
from fakemail.model.addresses import APP_IPV4, APP_IPV6
from fakemail.runtime.hosts import Hosts
from fakemail.runtime.network import Network
from fakemail.wire.dns_server import DnsServer

if TYPE_CHECKING:
    from fakemail.runtime.namespace_listeners import NamespaceListeners


class Namespaces:
    """The namespaces of one fake internet."""

    def __init__(
        self,
        environment: Environment,
        *,
        hosts: Hosts,
        network: Network,
        name_server: DnsServer,
        require_running: Callable[[], None],
    ) -> None:
        """``require_running`` raises when the fake internet was closed meanwhile."""
        self._environment = environment
        self._hosts = hosts
        self._network = network
        self._name_server = name_server
        self._require_running = require_running
        self.opened: list[NamespaceListeners] = []

    async def open(self, host: str | None) -> NamespaceListeners:
        """A namespace with the fake internet in it: that host of it, or else the program under test.

        Raises :class:`~fakemail.errors.DeclarationError` when another namespace has its addresses, and
        :class:`~fakemail.errors.NamespaceUnavailable` when there can be none.
        """
        from fakemail.runtime.namespace_listeners import NamespaceListeners  # few tests have a namespace

        name, addresses = "app", (APP_IPV4, APP_IPV6)
        if host is not None:
            described = self._environment.world.host(host)
            name, addresses = described.name, (described.ipv4, described.ipv6)
        # From here on they are taken, for the next one may be asked for before this one stands.
        if not self._network.lives_inside(name, *addresses):
            raise DeclarationError(
                f"there is a namespace with the address {addresses[0]} of {name!r} already; close that "
                "one, use it for both commands, or give this one a host of its own: host='app2.example.com'."
            )
        make = partial(
            NamespaceListeners,
            self._environment,
            name,
            addresses,
            hosts=self._hosts,
            network=self._network,
            name_server=self._name_server,
        )
        try:
            # The daemon takes some milliseconds to come up, and the servers need not stand still for that.
            listeners = await asyncio.get_running_loop().run_in_executor(None, make)
        except BaseException:
            self._network.moved_out(*addresses)
            raise
        try:
            self._require_running()  # it may have been closed meanwhile
            await listeners.open()
        except BaseException:
            listeners.leave()
            raise
        self.opened.append(listeners)
        return listeners

    def leave(self, listeners: NamespaceListeners) -> None:
        """End every process in a namespace, and listen there no more."""
        if listeners in self.opened:
            self.opened.remove(listeners)
        listeners.leave()

    def close(self) -> None:
        """Leave all of them."""
        for listeners in tuple(self.opened):
            self.leave(listeners)
