"""Which message is meant: the one way in which every look into a mailbox, and every wait, is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from fakemail.api.matchers import HasSubject, Matcher, SentBy, SentTo
from fakemail.types.suggestions import suggests_keywords

if TYPE_CHECKING:
    from fakemail.api.accounts import BaseAccount
    from fakemail.api.messages import Message
    from fakemail.types.address import Address


class MessageQuery(TypedDict, total=False):
    """What can be said of the message that is meant; all that is given must fit, and a text or pattern as in matchers.

    ``sender`` is that of From, ``to`` one of To or Cc: an account, an address or a pattern.
    """

    subject: str | re.Pattern[str] | None
    sender: str | re.Pattern[str] | Address | BaseAccount | None  # type: ignore[type-arg]
    to: str | re.Pattern[str] | Address | BaseAccount | None  # type: ignore[type-arg]
    matching: Matcher | None


@dataclass(frozen=True)
class Wanted:
    """What a message should be like; anything will do if nothing is said."""

    matcher: Matcher | None = None

    @classmethod
    def of(cls, query: MessageQuery) -> Wanted:
        """All of what is given. Raises ``TypeError`` for what is no matcher, and for what nobody can be asked."""
        __tracebackhide__ = True
        return cls(_matcher(**query))

    def fits(self, message: Message) -> bool:
        """Whether a message is like that."""
        return self.matcher is None or self.matcher.matches(message)

    def mismatch(self, message: Message) -> str:
        """What is different about a message."""
        return "" if self.matcher is None else self.matcher.mismatch(message)

    def __str__(self) -> str:
        return "" if self.matcher is None else f" with {self.matcher!r}"


@suggests_keywords
def _matcher(
    *, subject: object = None, sender: object = None, to: object = None, matching: object = None
) -> Matcher | None:
    __tracebackhide__ = True
    whole: Matcher | None = None
    for kind, value in ((HasSubject, subject), (SentBy, sender), (SentTo, to)):
        if value is not None:
            part: Matcher = kind(value)  # type: ignore[arg-type]
            whole = part if whole is None else whole & part
    if matching is None:
        return whole
    if not isinstance(matching, Matcher):
        raise TypeError(
            "matching= takes a matcher such as HasSubject('Welcome') or HasText('Welcome'), "
            f"not {matching!r}; see fakemail's matchers."
        )
    return matching if whole is None else whole & matching
