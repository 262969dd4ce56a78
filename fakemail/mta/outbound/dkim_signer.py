"""DKIM signatures of the submission hosts, and of hosts for their own reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

from fakemail.dkim import dkim_sign
from fakemail.dns.names import ancestors, name_key
from fakemail.environment import Environment
from fakemail.message.addresses import mailboxes
from fakemail.message.headers import body_offset, first_body, pick_fields
from fakemail.message.trace import prepend
from fakemail.model.dkim import Dkim
from fakemail.types.domains import a_labels
from fakemail.zones.auth_flaws import AuthFlaws
from fakemail.zones.dkim_keys import DkimKeyRing


class DkimSigner:
    """Signs for the domains of one fake internet, by its clock."""

    def __init__(self, environment: Environment, *, keys: DkimKeyRing, flaws: AuthFlaws) -> None:
        self._clock = environment.clock
        self._world = environment.world
        self._keys = keys
        self._flaws = flaws

    def submitted(self, host: str, raw: bytes) -> bytes:
        """A message of a submission host, with DKIM-Signature fields in front if the host signs for its author.

        It signs for the domains whose submission host it is; the smarthost for every domain.
        """
        world = self._world
        domain = world.domains.get(author_domain(raw))
        if domain is None or not (domain.submission_host == host or world.hosts[host].smarthost):
            return raw
        if domain.name in self._flaws.disguises:
            raw = with_author_domain(raw, self._flaws.disguises[domain.name])
        ways = [each for each in domain.dkim if each.sign]
        return prepend(raw, self.sign(raw, domain.name, ways)) if ways else raw

    def as_host(self, host: str, raw: bytes) -> bytes:
        """A host's own message, signed by the domain that the host is inside of (RFC 8460 §3, RFC 9990 §3.5)."""
        domains = self._world.domains
        domain = next((domains[name] for name in ancestors(host) if name in domains), None)
        ways = [] if domain is None else [each for each in domain.dkim if each.sign]
        return raw if domain is None or not ways else prepend(raw, self.sign(raw, domain.name, ways))

    def sign(self, raw: bytes, domain: str, ways: Iterable[Dkim]) -> bytes:
        """A DKIM-Signature field of a domain for each way to make one."""
        now = self._clock.now()
        if domain in self._flaws.late:
            now -= self._flaws.late[domain]
            ways = [replace(how, expires=timedelta(days=1)) for how in ways]
        by = [(how, self._keys.of(domain, how)) for how in ways]
        return dkim_sign.signatures(raw, by, domain=name_key(domain), now=now)


def author_domain(raw: bytes) -> str:
    """The domain of the first author, in canonical form; empty where there is none (RFC 5322 §3.6.2)."""
    found = first_body(raw, 0, body_offset(raw), "from")
    return "" if found is None else _domain_of(found)


@lru_cache(maxsize=256)
def _domain_of(field: bytes) -> str:
    for each in mailboxes(field):
        domain = a_labels(each.address.rpartition("@")[2])
        if domain:
            return domain
    return ""


def with_author_domain(raw: bytes, domain: str) -> bytes:
    """The message with another domain in the addresses of its authors, their names as they are."""
    for found in pick_fields(raw, 0, body_offset(raw), ("from",)):
        value = found[2]
        for each in mailboxes(value):
            if not each.address:
                continue
            new = f"{each.address.rpartition('@')[0]}@{domain}"
            value = value.replace(each.address.encode(), new.encode())
        return raw[: found.start(2)] + value + raw[found.end(2) :]
    return raw
