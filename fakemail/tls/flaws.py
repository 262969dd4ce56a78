"""Certificates that a careful client must refuse, by the name of what is wrong with them. One table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType

from fakemail.clock import machine_time
from fakemail.errors import DeclarationError, nearest
from fakemail.tls.authority import Authority, Leaf, process_authority, with_key

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
    leaf = authority.leaf(*names)
    return with_key(leaf, leaf.key_pem, signed_by=None)


def _missing_intermediate(authority: Authority, names: _Names) -> Leaf:
    return authority.chain_without_intermediate(*names)


FLAWS: Mapping[str, Callable[[Authority, _Names], Leaf]] = MappingProxyType(
    {
        "expired": _expired,
        "not_yet_valid": _not_yet_valid,
        "wrong_name": _wrong_name,
        "unknown_authority": _unknown_authority,
        "self_signed": _self_signed,
        "missing_intermediate": _missing_intermediate,
    }
)
"""What can be wrong with a certificate, and how one is made."""


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
