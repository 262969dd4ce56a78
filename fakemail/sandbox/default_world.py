"""Default world of the command line: two domains, and passwords that people can type."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fakemail.model.description import Description
from fakemail.model.toml import read_toml
from fakemail.types.address import Address
from fakemail.zones.zone_provisioning import SMARTHOST

DEFAULT_WORLD: Final = """\
[domains."example.org"]
accounts = ["ann", "bob"]
aliases.team = ["ann", "bob"]

[domains."example.com"]
accounts = ["hello"]
"""
SMARTHOST_USER: Final = SMARTHOST
"""Login of the ready smarthost, which may use any sender address."""


def default_world() -> Description:
    """The world of ``fakemail demo``, and of ``fakemail up`` without a configuration."""
    return read_toml(DEFAULT_WORLD)


def usual_password(address: Address) -> str:
    """The password of an account that was given none: its local part and ``-password``."""
    return f"{address.local}-password"


def with_passwords(description: Description) -> Description:
    """The same description, with the usual passwords where none were written down."""
    return replace(
        description,
        accounts=tuple(
            replace(each, password=usual_password(each.address)) if each.password is None else each
            for each in description.accounts
        ),
    )
