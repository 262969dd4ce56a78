"""``fakemail check``: what a configuration would declare. It is declared for real, on any free ports."""

from __future__ import annotations

from collections.abc import Iterator

from fakemail.api.mailnet import MailNet
from fakemail.model.description import Description
from fakemail.model.domain import Routing
from fakemail.model.world import WorldSpec
from fakemail.sandbox.default_world import with_passwords
from fakemail.sandbox.start_text import table
from fakemail.types.address import Address
from fakemail.zones.zone_provisioning import INFRASTRUCTURE

_NO_MAIL_HOST = {
    Routing.NULL_MX: "takes no mail (null MX)",
    Routing.NONE: "no MX",
}


def report(description: Description) -> str:
    """The tables. Raises :class:`~fakemail.errors.DeclarationError` with everything that is wrong."""
    with MailNet(config=with_passwords(description)) as net:
        world = net._portal.simulation.world
        tables = (
            (("DOMAIN", "MAIL HOSTS", "SUBMISSION"), list(_domains(world))),
            (("HOST", "ADDRESS", "SERVICES"), list(_hosts(world))),
            (("ACCOUNT", "PASSWORD"), list(_accounts(world))),
            (("ALIAS", "GOES TO"), list(_aliases(world))),
            (("RECORD", "TYPE", "VALUE"), list(_records(description))),
        )
        lines = [f"{description.source}: good."]
        for head, rows in tables:
            if rows:
                lines += ["", *table(head, rows)]
    return "\n".join(lines)


def _domains(world: WorldSpec) -> Iterator[tuple[str, str, str]]:
    for domain in world.domains.values():
        hosts = ", ".join(domain.mail_hosts) or _NO_MAIL_HOST[domain.routing]
        yield domain.name, hosts, domain.submission_host


def _hosts(world: WorldSpec) -> Iterator[tuple[str, str, str]]:
    for host in world.hosts.values():
        if not host.name.endswith(f".{INFRASTRUCTURE}"):
            yield host.name, host.ipv4, ", ".join(each.name for each in host.services)


def _accounts(world: WorldSpec) -> Iterator[tuple[str, str]]:
    for account in world.accounts.values():
        yield str(account.address), account.password


def _aliases(world: WorldSpec) -> Iterator[tuple[str, str]]:
    for domain in world.domains.values():
        for local, targets in domain.aliases.items():
            yield str(Address(local, domain.name)), ", ".join(map(str, targets))
        if domain.catch_all is not None:
            yield f"(all else)@{domain.name}", str(domain.catch_all)


def _records(description: Description) -> Iterator[tuple[str, str, str]]:
    for each in description.records:
        yield each.name, each.type, ", ".join(each.values) or "(none)"
