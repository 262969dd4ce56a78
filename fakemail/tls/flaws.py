"""Certificates that a careful client must refuse, by the name of what is wrong with them. One table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from fakemail.clock import machine_time
from fakemail.errors import DeclarationError, nearest
from fakemail.tls.authority import Authority, process_authority
from fakemail.tls.leaf import Leaf, reissue, rsa_key

_DAY = timedelta(days=1)
_STRANGERS: dict[str, Authority] = {}

_Names = tuple[str, ...]


def _expired(authority: Authority, names: _Names) -> Leaf:
    # Whole days, so that the same leaf serves all day.
    today = machine_time().replace(hour=0, minute=0, second=0, microsecond=0)
    return authority.leaf(*names, not_before=today - 91 * _DAY, not_after=today - _DAY)


def _not_yet_valid(authority: Authority, names: _Names) -> Leaf:
    today = machine_time().replace(hour=0, minute=0, second=0, microsecond=0)
    return authority.leaf(*names, not_before=today + 2 * _DAY, not_after=today + 92 * _DAY)


def _wrong_name(authority: Authority, names: _Names) -> Leaf:
    # RFC 6761 §6.4: nothing is ever called this.
    return authority.leaf("wrong-name.invalid")


def _unknown_authority(authority: Authority, names: _Names) -> Leaf:
    stranger = _STRANGERS.get("stranger") or _STRANGERS.setdefault("stranger", Authority())
    return stranger.leaf(*names)


def _self_signed(authority: Authority, names: _Names) -> Leaf:
    return reissue(authority.leaf(*names), signed_by=None)


def _missing_intermediate(authority: Authority, names: _Names) -> Leaf:
    return authority.chain_without_intermediate(*names)


def _revoked(authority: Authority, names: _Names) -> Leaf:
    leaf = authority.reissue(authority.leaf(*names))
    authority.revoke(leaf)
    return leaf


def _weak_key(authority: Authority, names: _Names) -> Leaf:
    # NIST SP 800-131A: not to be used since 2014.
    return replace(authority.reissue(authority.leaf(*names), key_pem=rsa_key(1024)), is_weak=True)


def _client_only(authority: Authority, names: _Names) -> Leaf:
    return authority.reissue(authority.leaf(*names), usage="client")


def _email_only(authority: Authority, names: _Names) -> Leaf:
    return authority.reissue(authority.leaf(*names), usage="email")


def _no_san(authority: Authority, names: _Names) -> Leaf:
    # RFC 9525 §2: the name in the subject counts no more; some clients look at it all the same.
    return authority.reissue(authority.leaf(*names), alternative_names=False)


FLAWS: Mapping[str, Callable[[Authority, _Names], Leaf]] = MappingProxyType(
    {
        "expired": _expired,
        "not_yet_valid": _not_yet_valid,
        "wrong_name": _wrong_name,
        "unknown_authority": _unknown_authority,
        "self_signed": _self_signed,
        "missing_intermediate": _missing_intermediate,
        "revoked": _revoked,
        "weak_key": _weak_key,
        "client_only": _client_only,
        "email_only": _email_only,
        "no_san": _no_san,
    }
)
"""Flaws of certificates, and how one with each is made."""

SUBTLE_FLAWS: Final = frozenset({"revoked", "no_san"})
"""Flaws that an ordinary client does not see: one that has no list of revoked certificates
(:meth:`~fakemail.tls.authority.Authority.crl_file`), one that takes the name in the subject for the host's."""


def flawed_leaf(
    flaw: str, *names: str, addresses: tuple[str, ...] = (), authority: Authority | None = None
) -> Leaf:
    """A certificate that would be good for these names and addresses but for one flaw.

    Raises :class:`~fakemail.errors.DeclarationError` for a flaw that is not in the table.
    """
    make = FLAWS.get(flaw)
    if make is None:
        raise DeclarationError(f"no certificate flaw {flaw!r}; {nearest(flaw, FLAWS)}")
    return make(authority or process_authority(), (*names, *addresses))
