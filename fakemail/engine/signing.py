"""Whose DKIM keys are whose in one fake internet, and what its submission hosts sign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from fakemail.dns.names import name_key
from fakemail.mail.addresses import mailboxes
from fakemail.mail.fields import first_body
from fakemail.mail.headers import body_offset
from fakemail.model.dkim import Dkim
from fakemail.signing import dkim
from fakemail.signing.keys import Key, process_key

if TYPE_CHECKING:
    from fakemail.engine.internet import Internet


class Keys:
    """Which of the process's keys belongs to whom; handed out in the order in which they are needed."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str, str], Key] = {}
        self._next: Counter[str] = Counter()
        self._lock = Lock()  # a test may look at a record from its own thread

    def of(self, domain: str, how: Dkim) -> Key:
        """The key of a domain for a selector and an algorithm, always the same one."""
        who = (domain, how.selector, how.algorithm)
        with self._lock:
            key = self._taken.get(who)
            if key is None:
                key = self._taken[who] = self._another(how.algorithm)
            return key

    def another(self, algorithm: str) -> Key:
        """A key that nobody here has."""
        with self._lock:
            return self._another(algorithm)

    def _another(self, algorithm: str) -> Key:
        place = self._next[algorithm]
        self._next[algorithm] += 1
        return process_key(algorithm, place)


class Signing:
    """Signs for the domains of one fake internet, by its clock."""

    def __init__(self, internet: Internet) -> None:
        self._internet = internet

    def signatures(self, host: str, raw: bytes) -> bytes:
        """The DKIM-Signature fields that a submission host puts in front of a message, none for whom it does not sign.

        It signs for the domain of the author whose submission host it is; the smarthost for every domain.
        """
        world = self._internet.world
        domain = world.domains.get(author_domain(raw))
        if domain is None or not (domain.submission_host == host or world.hosts[host].smarthost):
            return b""
        return self.sign(raw, domain.name, [each for each in domain.dkim if each.sign])

    def sign(self, raw: bytes, domain: str, ways: Iterable[Dkim]) -> bytes:
        """A DKIM-Signature field of a domain for each way to make one."""
        internet = self._internet
        by = [(how, internet.keys.of(domain, how)) for how in ways]
        return dkim.signatures(raw, by, domain=name_key(domain), now=internet.clock.now()) if by else b""


def author_domain(raw: bytes) -> str:
    """The domain of the first author, in lower case; empty where nobody is named (RFC 5322 §3.6.2)."""
    found = first_body(raw, 0, body_offset(raw), "from")
    return "" if found is None else _domain_of(found)


@lru_cache(maxsize=256)
def _domain_of(field: bytes) -> str:
    for each in mailboxes(field):
        domain = each.address.rpartition("@")[2].lower()
        if domain:
            return domain
    return ""
