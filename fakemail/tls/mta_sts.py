"""MTA-STS (RFC 8461): the TXT record, the policy file, and which hosts a policy lets mail go to.

Pure: who fetches, and what is remembered for how long, is elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, cast

from fakemail.errors import ProtocolError
from fakemail.model.transport_security import LONGEST_AGE, STS_MODES, Mode
from fakemail.tls.dane import covers
from fakemail.types.address import is_domain_name
from fakemail.types.dataclass import dataclass
from fakemail.types.domains import a_labels

PATH: Final = "/.well-known/mta-sts.txt"
MAX_SIZE: Final = 64 * 1024
"""Bytes of a policy; RFC 8461 §3.3 lets senders choose a limit and names 64 kilobytes."""

# RFC 8461 §3.1: sts-text-record = sts-version 1*(sts-field-delim sts-field) [sts-field-delim]
_VERSION = re.compile(rb"v=STSv1[ \t]*;")
# sts-id = %s"id" "=" 1*32(ALPHA / DIGIT)
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_FIELD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")


def host_of(domain: str) -> str:
    """The name of the host that serves a domain's policy (RFC 8461 §3.3)."""
    return f"mta-sts.{domain}"


def record_of(domain: str) -> str:
    """The name of the TXT record that says that there is a policy (RFC 8461 §3.1)."""
    return f"_mta-sts.{domain}"


def read_id(texts: Iterable[bytes]) -> str | None:
    """The id that the TXT records at :func:`record_of` tell; ``None`` when the domain has no MTA-STS.

    RFC 8461 §3.1: records that do not start with the version are left out, and there has to be exactly one.
    """
    ours = [text for text in texts if _VERSION.match(text)]
    if len(ours) != 1:
        return None
    for field in ours[0].decode("ascii", "replace").split(";")[1:]:
        key, equals, value = field.strip(" \t").partition("=")
        if key == "id" and equals:
            return value if _ID.fullmatch(value) else None
    return None


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """Policy of a domain for the hosts that send mail to it."""

    mode: Mode
    max_age: int
    """Seconds for which it may be kept."""
    mx: tuple[str, ...] = ()
    """The names of its mail hosts; ``*.example.org`` stands for every name of one label more."""

    def lets(self, host: str) -> bool:
        """Whether mail may go to a host of that name (RFC 8461 §4.1)."""
        return any(covers(pattern, host) for pattern in self.mx)

    def __str__(self) -> str:
        return write_policy(self)


def read_policy(octets: bytes) -> StsPolicy:
    """Read a policy file (RFC 8461 §3.2). Raises :class:`~fakemail.errors.ProtocolError` when it is none."""
    if len(octets) > MAX_SIZE:
        raise ProtocolError(f"the policy has more than {MAX_SIZE} octets")
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError("the policy is not UTF-8") from None
    known: dict[str, str] = {}
    mx: list[str] = []
    for number, line in enumerate(re.split(r"\r?\n", text), 1):
        if not line.strip(" \t"):
            continue
        # sts-policy-field = name *WSP ":" *WSP value *WSP
        name, colon, value = line.partition(":")
        name, value = name.strip(" \t"), value.strip(" \t")
        if not colon or not _FIELD_NAME.fullmatch(name):
            raise ProtocolError(f"line {number} of the policy is no field")
        if name == "mx":
            if not is_domain_name(value.removeprefix("*.")):
                raise ProtocolError(f"line {number} of the policy: mx is no host name")
            mx.append(a_labels(value))
        else:
            known.setdefault(name, value)  # of a field that is repeated, the first counts
    return _checked(known, mx)


def _checked(known: dict[str, str], mx: Sequence[str]) -> StsPolicy:
    if known.get("version") != "STSv1":
        raise ProtocolError("the policy does not say version: STSv1")
    mode, max_age = known.get("mode"), known.get("max_age", "")
    if mode not in STS_MODES:
        raise ProtocolError("the policy has no mode, or one that there is not")
    if not re.fullmatch(r"[0-9]{1,10}", max_age):
        raise ProtocolError("the policy has no max_age, or it is no number of seconds")
    if not mx and mode != "none":
        raise ProtocolError("the policy names no mx")
    return StsPolicy(cast(Mode, mode), min(int(max_age), LONGEST_AGE), tuple(mx))


def write_policy(policy: StsPolicy) -> str:
    """The text of a policy file, with CRLF line ends."""
    lines = ["version: STSv1", f"mode: {policy.mode}", *(f"mx: {a_labels(host)}" for host in policy.mx)]
    return "".join(f"{line}\r\n" for line in [*lines, f"max_age: {policy.max_age}"])


@dataclass(frozen=True, slots=True)
class CachedPolicy:
    """A policy in a sender's cache."""

    id: str
    policy: StsPolicy
    fetched: datetime

    def is_fresh(self, now: datetime) -> bool:
        """Whether it still counts (RFC 8461 §3.2: ``max_age`` from the last fetch)."""
        return now < self.fetched + timedelta(seconds=self.policy.max_age)
