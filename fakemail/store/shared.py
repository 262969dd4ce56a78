"""What the mailboxes of one account share, and nothing about any one of them."""

from __future__ import annotations

from fakemail.clock import Clock, RealClock
from fakemail.store.changes import Announcer
from fakemail.store.content import Home
from fakemail.store.quota import Quota


class Shared:
    """The clock, the quota, the listeners and the contents' home of one account."""

    __slots__ = ("announcer", "clock", "home", "keyword_limit", "quota")

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        quota: Quota | None = None,
        home: Home | None = None,
        keyword_limit: int = 500,
    ) -> None:
        self.clock: Clock = clock or RealClock()
        self.quota = quota or Quota()
        self.home = home or Home()
        self.announcer = Announcer()
        self.keyword_limit = keyword_limit
        """Different keywords in one mailbox."""

    def beside_quota(self) -> Shared:
        """The same for a mailbox whose messages are counted where else they lie."""
        other = Shared(clock=self.clock, home=self.home, keyword_limit=1_000_000)
        other.announcer = self.announcer
        return other
