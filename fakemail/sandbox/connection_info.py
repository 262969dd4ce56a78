"""Everything that a program needs to use a running fake internet: for people, as JSON, as variables."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fakemail.api.mailnet import MailNet
from fakemail.intercept.ca_bundles import trust_variables
from fakemail.runtime.protocols import READABLE
from fakemail.sandbox.default_world import SMARTHOST_USER
from fakemail.types.dataclass import dataclass
from fakemail.zones.zone_provisioning import NAME_SERVER

_READABLE = frozenset(service.name for service in READABLE)


@dataclass(frozen=True, slots=True)
class ListeningPort:
    """One port that listens."""

    host: str
    """The name in the fake internet."""
    public: str
    """The IPv4 address in the fake internet."""
    service: str
    security: str
    """``none``, ``starttls`` or ``tls``."""
    address: str
    """The real address on this machine."""
    port: int

    @property
    def endpoint(self) -> str:
        """``127.0.0.1:1025``."""
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class LoginInfo:
    """An account and its password."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """Everything about a standing fake internet."""

    seed: int
    domains: tuple[str, ...]
    ports: tuple[ListeningPort, ...]
    accounts: tuple[LoginInfo, ...]
    ca_file: str
    dns: ListeningPort
    mx: ListeningPort | None
    """The preferred mail host of the first domain that has one."""
    submission: ListeningPort
    submissions: ListeningPort
    reading: dict[str, ListeningPort]
    """The ports of the first domain's host for reading mail, by their services."""
    smarthost: LoginInfo

    def env(self) -> dict[str, str]:
        """The facts as environment variables."""
        found: dict[str, str] = {}
        for name, port in (
            ("SMTP", self.mx),
            ("SMTPS", self.submissions),
            ("SUBMISSION", self.submission),
            *((service.upper(), port) for service, port in self.reading.items()),
            ("DNS", self.dns),
        ):
            if port is not None:
                found[f"FAKEMAIL_{name}_HOST"] = port.address
                found[f"FAKEMAIL_{name}_PORT"] = str(port.port)
        found["FAKEMAIL_CA_FILE"] = self.ca_file
        found |= trust_variables(self.ca_file)
        found["FAKEMAIL_SUBMISSION_USER"] = self.smarthost.user
        found["FAKEMAIL_SUBMISSION_PASS"] = self.smarthost.password
        for number, login in enumerate(self.accounts, 1):
            found[f"FAKEMAIL_USER{number}"] = login.user
            found[f"FAKEMAIL_PASS{number}"] = login.password
        return found

    def to_object(self) -> dict[str, Any]:
        """The facts as what JSON knows."""
        return {"kind": "ready", **asdict(self), "env": self.env()}


def gather(net: MailNet) -> ConnectionInfo:
    """The facts about a fake internet that runs; its smarthost is opened if it is not open yet.

    So is the host of each domain where mail is read.
    """
    submission = net.submission
    simulation = net._portal.simulation
    ours = submission.server.name
    own = [name for name, each in simulation.world.domains.items() if each.submission_host != ours]
    readers = [net.domain(name).imap_host for name in own]
    ports = {
        (host.name, service.name): ListeningPort(
            host.name,
            host.ipv4,
            service.name,
            service.security.value,
            *simulation.hosts.running[host.name].ports[service.name].endpoint,
        )
        for host in simulation.world.hosts.values()
        for service in host.services
    }
    public = simulation.world.host(NAME_SERVER).ipv4
    dns = ListeningPort(NAME_SERVER, public, "dns", "none", net.dns.host, net.dns.port)
    mail_hosts = [host for name in own for host in simulation.world.domains[name].mail_hosts]
    return ConnectionInfo(
        net.seed,
        tuple(own),
        (*ports.values(), dns),
        tuple(
            LoginInfo(str(each.address), each.password)
            for each in simulation.world.accounts.values()
            if str(each.address) != SMARTHOST_USER
        ),
        net.ca_file,
        dns,
        ports[mail_hosts[0], "smtp"] if mail_hosts else None,
        ports[ours, "submission"],
        ports[ours, "submissions"],
        {name: ports[readers[0].name, name] for name in readers[0].services if name in _READABLE}
        if readers
        else {},
        LoginInfo(submission.username, submission.password),
    )
