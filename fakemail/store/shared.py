"""What the mailboxes of one account share, and nothing about any one of them."""

from __future__ import annotations

from fakemail.clock import RealClock, TimeSource
from fakemail.store.changes import Announcer
from fakemail.store.content import ContentPool
from fakemail.store.quota import QuotaRoot


class AccountContext:
    """The clock, the quota, the listeners and the contents' home of one account."""

    __slots__ = ("announcer", "clock", "home", "keyword_limit", "quota")

    def __init__(
        self,
        *,
        clock: TimeSource | None = None,
        quota: QuotaRoot | None = None,
        home: ContentPool | None = None,
        keyword_limit: int = 500,
    ) -> None:
        self.clock: TimeSource = clock or RealClock()
        self.quota = quota or QuotaRoot()
        self.home = home or ContentPool()
        self.announcer = Announcer()
        self.keyword_limit = keyword_limit
        """Different keywords in one mailbox."""

    def beside_quota(self) -> AccountContext:
        """The same for a mailbox whose messages are counted where else they lie."""
        other = AccountContext(clock=self.clock, home=self.home, keyword_limit=1_000_000)
        other.announcer = self.announcer
        return other
