"""Final delivery's first question: who stands behind an address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import NamedTuple

from fakemail.model.world import WorldSpec, undotted
from fakemail.types.address import Address, local_key
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason


class Resolution(NamedTuple):
    """The recipients behind one address."""

    accounts: tuple[Address, ...] = ()
    """Accounts of this world's domains, each once."""
    onward: tuple[Address, ...] = ()
    """Addresses elsewhere, to which an alias sends it."""
    reason: Reason | None = None
    """Why there is no recipient."""
    detail: str = ""
    """More about the reason, such as the new address of a user who has moved."""
    forwards: tuple[Address, ...] = ()
    """Accounts whose mail is forwarded; they are among ``accounts`` too if they keep a copy."""
    lists: tuple[Address, ...] = ()
    """Mailing lists, whose members get it."""
    list_mail: tuple[Address, ...] = ()
    """Addresses that belong to mailing lists: bounces, wishes to leave."""
    is_plain: bool = False
    """Whether it is one plain account, so that nothing but delivery is to be done (see ``Account.is_plain``)."""

    @property
    def is_nobody(self) -> bool:
        """Whether there is no recipient."""
        return not (self.accounts or self.onward or self.forwards or self.lists or self.list_mail)


@dataclass(slots=True)
class _RecipientMatch:
    accounts: dict[str, Address] = field(default_factory=dict)
    onward: dict[str, Address] = field(default_factory=dict)
    forwards: dict[str, Address] = field(default_factory=dict)
    lists: dict[str, Address] = field(default_factory=dict)
    list_mail: dict[str, Address] = field(default_factory=dict)
    reason: Reason = Reason.NO_SUCH_USER
    """Why there is no recipient, if there is none."""
    detail: str = ""


def _as_it_is(address: Address) -> Address | None:
    return address


def resolve(
    world: WorldSpec,
    address: Address,
    *,
    is_home: Callable[[str], bool] = lambda _: True,
    unwrap: Callable[[Address], Address | None] = _as_it_is,
) -> Resolution:
    """Follow aliases, ``+detail`` and catch-all from an address of a hosted domain to its accounts.

    ``is_home`` tells for which domains the asking host delivers itself; what an alias sends to any
    other goes onward. ``unwrap`` gives the address behind a rewritten reverse-path, the same one for any
    other address, and ``None`` for one that is forged or too old. An alias that leads back to itself
    ends there; the recipients found on the way get the mail.
    """
    direct = world.accounts.get(address.key)
    if direct is not None and direct.is_plain and is_home(address.domain):
        return Resolution((direct.address,), is_plain=True)  # nearly always
    found = _RecipientMatch()
    seen: set[str] = set()
    pending = [address]
    while pending:
        current = pending.pop()
        if current.key in seen:
            continue
        seen.add(current.key)
        if current.domain not in world.domains or not is_home(current.domain):
            found.onward[current.key] = current
            continue
        behind = unwrap(current)
        if behind is None:
            continue
        if behind is not current:
            pending.append(behind)
            continue
        pending += reversed(_one_step(world, current, found))
    resolution = Resolution(
        tuple(found.accounts.values()),
        tuple(found.onward.values()),
        forwards=tuple(found.forwards.values()),
        lists=tuple(found.lists.values()),
        list_mail=tuple(found.list_mail.values()),
    )
    return Resolution(reason=found.reason, detail=found.detail) if resolution.is_nobody else resolution


def _one_step(world: WorldSpec, address: Address, found: _RecipientMatch) -> tuple[Address, ...]:
    """The addresses to which an address of a hosted domain leads; an account found is written down."""
    domain = world.domains[address.domain]
    local = local_key(address.local)
    candidates = [local]
    if domain.detail_separator and domain.detail_separator in local[1:]:
        candidates.append(local.partition(domain.detail_separator)[0])  # RFC 5233 §3
    for candidate in candidates:
        account = world.accounts.get(f"{candidate}@{domain.name}")
        if account is None and domain.ignore_dots:
            key = world.undotted.get(undotted(Address(candidate, domain.name)))
            account = None if key is None else world.accounts.get(key)
        if account is not None:
            if account.disabled:
                found.reason = Reason.MAILBOX_DISABLED
                return ()
            if account.moved_to is not None:
                found.reason, found.detail = Reason.MAILBOX_MOVED, f"please try <{account.moved_to}>"
                return ()
            if account.forward is not None:
                found.forwards[account.address.key] = account.address
            if account.forward is None or account.forward.keep_copy:
                found.accounts[account.address.key] = account.address
            return ()
        if candidate in domain.aliases:
            return domain.aliases[candidate]
    role = world.list_role(address)
    if role is not None:
        mailing_list, part = role
        if part:
            found.list_mail[address.key] = mailing_list.role(part)
        else:
            found.lists[mailing_list.address.key] = mailing_list.address
        return ()
    if domain.catch_all is not None:
        return (domain.catch_all,)
    if local == "postmaster":
        # RFC 5321 §4.5.1: every domain that takes mail has this mailbox, declared or not.
        found.accounts[address.key] = Address("postmaster", domain.name)
    return ()
