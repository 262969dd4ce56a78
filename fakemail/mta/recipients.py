"""Final delivery's first question: who stands behind an address."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fakemail.model.world import World
from fakemail.terms.address import Address
from fakemail.terms.reason import Reason


class Resolution(NamedTuple):
    """Who gets the mail for one address."""

    accounts: tuple[Address, ...] = ()
    """Accounts of this world's domains, each once."""
    onward: tuple[Address, ...] = ()
    """Addresses elsewhere, to which an alias sends it."""
    reason: Reason | None = None
    """Why nobody gets it."""


def resolve(world: World, address: Address, *, is_home: Callable[[str], bool] = lambda _: True) -> Resolution:
    """Follow aliases, ``+detail`` and catch-all from an address of a hosted domain to its accounts.

    ``is_home`` tells for which domains the asking host delivers itself; what an alias sends to any
    other goes onward. An alias that leads back to itself ends there; whoever was found on the way gets the mail.
    """
    direct = world.accounts.get(address.key)
    if direct is not None and not direct.disabled and is_home(address.domain):
        return Resolution((direct.address,))  # nearly always it is the address of an account
    accounts: dict[str, Address] = {}
    onward: dict[str, Address] = {}
    seen: set[str] = set()
    pending = [address]
    while pending:
        current = pending.pop()
        if current.key in seen:
            continue
        seen.add(current.key)
        if current.domain not in world.domains or not is_home(current.domain):
            onward[current.key] = current
            continue
        pending += reversed(_one_step(world, current, accounts))
    if accounts or onward:
        return Resolution(tuple(accounts.values()), tuple(onward.values()))
    return Resolution(reason=Reason.NO_SUCH_USER)


def _one_step(world: World, address: Address, accounts: dict[str, Address]) -> tuple[Address, ...]:
    """What an address of a hosted domain leads to next; an account found is written down."""
    domain = world.domains[address.domain]
    local = address.local.casefold()
    candidates = [local]
    if domain.detail_separator and domain.detail_separator in local[1:]:
        candidates.append(local.partition(domain.detail_separator)[0])  # RFC 5233 §3
    for candidate in candidates:
        account = world.accounts.get(f"{candidate}@{domain.name}")
        if account is not None:
            if not account.disabled:
                accounts[account.address.key] = account.address
            return ()
        if candidate in domain.aliases:
            return domain.aliases[candidate]
    if domain.catch_all is not None:
        return (domain.catch_all,)
    if local == "postmaster":
        # RFC 5321 §4.5.1: every domain that takes mail has this mailbox, declared or not.
        accounts[address.key] = Address("postmaster", domain.name)
    return ()
