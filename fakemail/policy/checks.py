"""The table of all checks, in the order in which they run.

A new check is a row in the module of its kind, a field of :class:`fakemail.model.policy.Policy`, and nothing
else: reading a policy, the configuration file and the reference page go by these.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from fakemail.model.policy import Policy
from fakemail.policy import client, envelope, filters, sender
from fakemail.policy.chain import Check, chain
from fakemail.types.stage import Stage

CHECKS: Final[tuple[Check, ...]] = (
    *client.CHECKS,
    *envelope.CHECKS,
    *sender.CHECKS,
    *filters.CHECKS,
)


@lru_cache(maxsize=256)
def chain_of(policy: Policy, stage: Stage) -> tuple[Check, ...]:
    """The checks that a policy asks for at a stage."""
    return chain(CHECKS, policy, stage)
