"""Ways of mail that a test lays out: mailing lists, and chains of hosts that mail goes through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from fakemail.api.env_styles import STYLES
from fakemail.api.hosts import Host, read_address
from fakemail.api.lists import MailingList
from fakemail.api.settings import Settings
from fakemail.errors import DeclarationError
from fakemail.model.mailing_list import MailingListSpec as DescribedList
from fakemail.runtime.smarthost import USER, smarthost
from fakemail.types.address import Address
from fakemail.types.suggestions import Suggests

if TYPE_CHECKING:
    from fakemail.api.accounts import BaseAccount
    from fakemail.api.mailnet import AnyNet


class _SetsEnvironment(Protocol):
    """pytest's ``monkeypatch``, which nothing but the plugin may import."""

    def setenv(self, name: str, value: str) -> None:
        """Set a variable until the test ends."""
        ...


class Ways(Suggests):
    """What a fake internet can lay out."""

    @property
    def _net(self) -> AnyNet:
        raise NotImplementedError

    def mailing_list(
        self,
        address: str | Address,
        members: Iterable[str | Address | BaseAccount[Any]] | None = None,
        *,
        name: str | None = None,
        prefix: str | None = None,
        footer: str | None = None,
        verp: bool | None = None,
        arc: bool | None = None,
    ) -> MailingList:
        """The mailing list of that address, made if it is not there, with its domain.

        What is given is changed, also when it is there already. ``name`` is for people, by default the local part;
        ``prefix`` goes before the subject, by default the name in brackets; ``footer`` goes behind the text;
        empty texts are for none. With ``verp`` each member gets mail with a reverse-path of its own,
        such as ``friends-bounces+bob=example.org@lists.example.org``. With ``arc`` it seals what it sends, so that
        the hosts of the members can know how the mail came to the list (RFC 8617).
        """
        net = self._net
        wanted = read_address(address)
        changes: dict[str, Any] = {"name": name, "prefix": prefix, "footer": footer, "verp": verp, "arc": arc}
        if members is not None:
            changes["members"] = tuple(read_address(member) for member in members)
        given = {key: value for key, value in changes.items() if value is not None}

        async def declare() -> None:
            world = net.internet.world
            if wanted.domain not in world.domains:
                await net.internet.run_domain(world.add_domain(wanted.domain))
            known = world.lists.get(wanted.key) or DescribedList(wanted)
            world.put_list(replace(known, **given))

        net.perform(declare())
        return MailingList(net, net.internet.world.lists[wanted.key].address)

    def route(self, domain: str, *, via: str | Host | Sequence[str | Host]) -> tuple[Host, ...]:
        """Let what the accounts of a domain send leave through these hosts, one after the other; return them.

        Each hands it to the next, and the last finds the mail host of the recipient. Hosts that are not there
        are made, and the domain too. A host can stand in the routes of several domains if it hands mail
        to the same next host in all of them.
        """
        net = self._net
        names = _names(domain, via)
        sender = net.domain(domain).submission_host.name
        return self._chain([sender, *names], "*")[1:]

    def route_to(self, domain: str, *, via: str | Host | Sequence[str | Host]) -> tuple[Host, ...]:
        """Let mail for a domain come in through these hosts, one after the other; return them.

        The first becomes the domain's mail host in DNS; the last hands mail to the one that delivers.
        """
        net = self._net
        names = _names(domain, via)
        wanted = net.domain(domain)
        described = net.internet.world.domain(wanted.name)
        behind = described.behind or described.mail_hosts[:1]
        hosts = self._chain([*names, *behind[:1]], wanted.name)
        world = net.internet.world
        net.call(lambda: world.change_domain(replace(world.domain(wanted.name), behind=behind)))
        wanted.mx_hosts(names[0])
        return hosts[:-1]

    def _chain(self, names: Sequence[str], domain: str) -> tuple[Host, ...]:
        net = self._net

        async def change() -> None:
            world = net.internet.world
            world.chain(names, domain)
            for name in names:
                host = world.host(name)
                net.internet.route(host.name)
                await net.internet.run_host(host)

        net.perform(change())
        return tuple(net.find_host(name) for name in names)

    @property
    def submission(self) -> Settings:
        """A ready smarthost with credentials: takes mail from any sender to anywhere (port 587, STARTTLS)."""
        return self._smarthost("submission")

    @property
    def submissions(self) -> Settings:
        """The same smarthost with implicit TLS (port 465)."""
        return self._smarthost("submissions")

    def set_env(self, monkeypatch: _SetsEnvironment, *, account: BaseAccount[Any] | None = None) -> Settings:
        """Set every usual environment variable for sending mail, for the time of a test, and return the settings.

        ``monkeypatch`` is pytest's. Mail goes by the ready smarthost, or by the submission host of ``account``. Set
        are ``SMTP_HOST`` and its kin, the names of the frameworks, and what makes programs trust the authority (see
        ``settings.env()``).
        An app that has read its environment already does not notice.
        """
        settings = self.submission if account is None else account.submission
        named = [settings.env(style=style) for style in STYLES]
        for each in (*named, settings.env()):
            for name, value in each.items():
                monkeypatch.setenv(name, value)
        return settings

    def _smarthost(self, service: str) -> Settings:
        running = self._net.perform(smarthost(self._net.internet))
        account = self._net.internet.world.account(USER)
        host = Host(self._net, running.name)
        return host.settings(service, username=str(USER), password=account.password)


def _names(domain: str, via: str | Host | Sequence[str | Host]) -> list[str]:
    """The hosts of a route by name; one alone may be given as it is."""
    several = [via] if isinstance(via, str | Host) else via
    names = [each.name if isinstance(each, Host) else each for each in several]
    if not names:
        raise DeclarationError(f"domain {domain!r}: a route goes through one host at least.")
    return names
