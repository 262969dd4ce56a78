"""Facts about one SMTP transaction: the input of every check."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from fakemail.policy.sender_facts import SenderFacts
from fakemail.types.dataclass import dataclass

if TYPE_CHECKING:
    from fakemail.policy.authentication import SenderAuthentication


@dataclass
class TransactionFacts(SenderFacts):
    """Facts of a host about a transaction and its sender."""

    @cached_property
    def authentication(self) -> SenderAuthentication:
        """Sender authentication of the message; each check is made when it is looked at."""
        from fakemail.policy.authentication import SenderAuthentication  # for those who look only

        return SenderAuthentication(self)
