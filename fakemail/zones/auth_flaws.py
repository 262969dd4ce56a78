"""Ways to break the sender authentication of a domain, by plain names, and the way back.

Each does what a test could do by hand with records, signatures and hosts; the table says what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Final, NamedTuple

from fakemail.dns.names import name_key
from fakemail.dns.rdata import txt
from fakemail.dns.records import Record, record
from fakemail.model.dkim import Dkim
from fakemail.model.domain import DomainSpec
from fakemail.model.world import WorldSpec
from fakemail.zones.dkim_keys import DkimKeyRing
from fakemail.zones.zone_provisioning import INFRASTRUCTURE, LazyZoneProvisioning

ELSEWHERE: Final = f"elsewhere.{INFRASTRUCTURE}"
"""Author's domain of misaligned mail."""
_LOOKUPS: Final = 11  # RFC 7208 §4.6.4 allows 10


class AuthFlaw(NamedTuple):
    """One way to break it."""

    says: str
    spf: str
    """The result of SPF for the domain's mail then; ``dkim`` and ``dmarc`` likewise."""
    dkim: str
    dmarc: str
    make: Callable[[AuthFlaws, DomainSpec], None]


class AuthFlaws:
    """The flaws of the domains of one fake internet, and how to undo each."""

    def __init__(self, *, world: WorldSpec, zones: LazyZoneProvisioning, keys: DkimKeyRing) -> None:
        self._world = world
        self._zones = zones
        self.keys = keys
        self.late: dict[str, timedelta] = {}
        """The domains whose signatures are that old, and were good for a day."""
        self.disguises: dict[str, str] = {}
        """The domains whose mail gets authors of another domain before it is signed."""
        self._undo: dict[str, list[Callable[[], object]]] = {}

    def make(self, domain: DomainSpec, flaw: str) -> None:
        """Break the authentication of a domain in one more way."""
        FLAWS[flaw].make(self, domain)

    def mend(self, domain: DomainSpec) -> None:
        """Put everything back that was broken, the last first."""
        for undo in reversed(self._undo.pop(domain.name, [])):
            undo()

    def put(self, domain: DomainSpec, name: str, texts: Iterable[str], *, instead_of: str = "") -> None:
        """TXT records in place of those of a name, or of those of them that start so.

        Undoing leaves alone what a test has published there since.
        """
        zones, key = self._zones.zones, name_key(name)

        def counts(each: Record) -> bool:
            return not instead_of or each.value.startswith(f'"{instead_of}')

        old = zones.records(key, "TXT")
        gone = [each for each in old if counts(each)]
        new = [record(key, "TXT", txt(text)) for text in texts]
        zones.replace(key, "TXT", [*(each for each in old if not counts(each)), *new])

        def undo() -> None:
            now = zones.records(key, "TXT")
            others = [each for each in now if each not in new]
            if len(others) + len(new) == len(now) and not any(counts(each) for each in others):
                zones.replace(key, "TXT", [*others, *gone])

        self.later(domain, undo)

    def put_key(self, domain: DomainSpec, text: Callable[[Dkim], str]) -> None:
        """A record for each DKIM key in place of the right one; an empty text for none."""
        for dkim in domain.dkim:
            written = text(dkim)
            self.put(domain, f"{dkim.selector}._domainkey.{domain.name}", [written] if written else [])

    def alter(self, domain: DomainSpec, alteration: str) -> None:
        """Let the submission host alter what it has signed."""
        world, host = self._world, domain.submission_host
        before = world.hosts[host].options.alters

        def change(alters: frozenset[str]) -> None:
            described = world.hosts[host]
            world.change_host(replace(described, options=replace(described.options, alters=alters)))

        change(before | {alteration})
        self.later(domain, lambda: change(before))

    def sign_late(self, domain: DomainSpec) -> None:
        """Let the signatures of a domain be good for a day, a month ago."""
        self.late[domain.name] = timedelta(days=30)
        self.later(domain, lambda: self.late.pop(domain.name, None))

    def disguise(self, domain: DomainSpec) -> None:
        """Let its mail have authors of another domain, which publishes the same DMARC record."""
        zones = self._zones.zones
        same = [each.at(f"_dmarc.{ELSEWHERE}") for each in zones.records(f"_dmarc.{domain.name}", "TXT")]
        zones.replace(f"_dmarc.{ELSEWHERE}", "TXT", same)
        self.disguises[domain.name] = ELSEWHERE
        self.later(domain, lambda: self.disguises.pop(domain.name, None))

    def later(self, domain: DomainSpec, undo: Callable[[], object]) -> None:
        """Remember how something is mended."""
        self._undo.setdefault(domain.name, []).append(undo)


def _spf(*texts: str) -> Callable[[AuthFlaws, DomainSpec], None]:
    return lambda breaking, domain: breaking.put(
        domain, domain.name, [text.format(name_key(domain.name)) for text in texts], instead_of="v=spf1"
    )


def _dmarc(*texts: str) -> Callable[[AuthFlaws, DomainSpec], None]:
    return lambda breaking, domain: breaking.put(domain, f"_dmarc.{domain.name}", texts)


def _key(text: str) -> Callable[[AuthFlaws, DomainSpec], None]:
    return lambda breaking, domain: breaking.put_key(domain, lambda dkim: text)


def _rotate(breaking: AuthFlaws, domain: DomainSpec) -> None:
    breaking.put_key(domain, lambda dkim: breaking.keys.another(dkim.algorithm).record)


def _too_many_lookups(breaking: AuthFlaws, domain: DomainSpec) -> None:
    names = [f"_spf{number}.{name_key(domain.name)}" for number in range(1, _LOOKUPS + 1)]
    for name in names:
        breaking.put(domain, name, ["v=spf1 ip4:192.0.2.1 ?all"])
    _spf(f"v=spf1 {' '.join(f'include:{name}' for name in names)} -all")(breaking, domain)


FLAWS: Final[Mapping[str, AuthFlaw]] = MappingProxyType(
    {
        "spf_missing": AuthFlaw("It publishes no SPF record.", "none", "pass", "pass", _spf()),
        "spf_excludes_sender": AuthFlaw(
            "Its SPF record lets nobody send (`v=spf1 -all`).", "fail", "pass", "pass", _spf("v=spf1 -all")
        ),
        "spf_two_records": AuthFlaw(
            "It publishes two SPF records (RFC 7208 §4.5).",
            "permerror",
            "pass",
            "pass",
            _spf("v=spf1 mx -all", "v=spf1 a -all"),
        ),
        "spf_malformed": AuthFlaw(
            "Its SPF record has a mechanism that there is not.",
            "permerror",
            "pass",
            "pass",
            _spf("v=spf1 ipv4:192.0.2.1 -all"),
        ),
        "spf_too_many_lookups": AuthFlaw(
            "Its SPF record needs eleven lookups (RFC 7208 §4.6.4).",
            "permerror",
            "pass",
            "pass",
            _too_many_lookups,
        ),
        "spf_include_loop": AuthFlaw(
            "Its SPF record includes itself.", "permerror", "pass", "pass", _spf("v=spf1 include:{0} -all")
        ),
        "dkim_key_missing": AuthFlaw(
            "The record of its DKIM key is gone.", "pass", "permerror", "pass", _key("")
        ),
        "dkim_key_revoked": AuthFlaw(
            "Its DKIM key is revoked: `p=` is empty (RFC 6376 §3.6.1).",
            "pass",
            "permerror",
            "pass",
            _key("v=DKIM1; p="),
        ),
        "dkim_key_rotated": AuthFlaw(
            "The record of its DKIM key holds another key than the one it signs with.",
            "pass",
            "fail",
            "pass",
            _rotate,
        ),
        "dkim_key_malformed": AuthFlaw(
            "The record of its DKIM key is no key.",
            "pass",
            "permerror",
            "pass",
            _key("v=DKIM1; k=rsa; p=bm90IGEga2V5"),
        ),
        "signature_expired": AuthFlaw(
            "Its signatures are a month old and were good for a day (`x=`).",
            "pass",
            "fail",
            "pass",
            AuthFlaws.sign_late,
        ),
        "body_altered": AuthFlaw(
            "Its submission host puts a footer behind what it has signed.",
            "pass",
            "fail",
            "pass",
            lambda breaking, domain: breaking.alter(domain, "footer"),
        ),
        "header_altered": AuthFlaw(
            "Its submission host changes the subject of what it has signed.",
            "pass",
            "fail",
            "pass",
            lambda breaking, domain: breaking.alter(domain, "subject"),
        ),
        "misaligned_from": AuthFlaw(
            f"Its mail has authors of another domain (`{ELSEWHERE}`), which publishes the same DMARC record.",
            "pass",
            "pass",
            "fail",
            AuthFlaws.disguise,
        ),
        "dmarc_missing": AuthFlaw("It publishes no DMARC record.", "pass", "pass", "none", _dmarc()),
        "dmarc_two_records": AuthFlaw(
            "It publishes two DMARC records (RFC 7489 §6.6.3).",
            "pass",
            "pass",
            "permerror",
            _dmarc("v=DMARC1; p=none", "v=DMARC1; p=reject"),
        ),
        "dmarc_malformed": AuthFlaw(
            "Its DMARC record asks for a policy that there is not.",
            "pass",
            "pass",
            "permerror",
            _dmarc("v=DMARC1; p=rejected"),
        ),
    }
)
"""By name, with what a receiver finds when nothing else is wrong."""
