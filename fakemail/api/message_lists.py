"""Lists of messages that a test looks at and waits for: a mailbox, all mailboxes, what apps have sent.

What is in a list comes from its *source*. Waits look at each message once, when it comes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar, Unpack, overload

from fakemail.api.failures import Where, ambiguous, missing, unexpected
from fakemail.api.handles import Handle
from fakemail.api.matchers import HasCode, HasLink
from fakemail.api.messages import MessageQuery, Wanted
from fakemail.api.portal import Portal
from fakemail.api.waits import arrive, require_blocking_allowed
from fakemail.errors import MailAssertionError
from fakemail.message.message import MessageView
from fakemail.types.stage import Stage

_M = TypeVar("_M", bound=MessageView)
_M_co = TypeVar("_M_co", bound=MessageView, covariant=True)


class Source(Protocol[_M]):
    """Source of the messages of a list."""

    @property
    def where(self) -> Where:
        """The place, for failure texts."""
        ...

    @property
    def stages(self) -> Collection[Stage]:
        """The stages at which messages come."""
        ...

    def count(self) -> int:
        """Number of messages."""
        ...

    def all(self) -> list[_M]:
        """All of them, oldest first."""
        ...

    def at(self, index: int) -> _M:
        """The one at that place; negative from the end. Raises ``IndexError``."""
        ...

    def arrivals(self) -> Callable[[], list[_M]]:
        """A function that returns what has come since its last call, and all that is there at the first."""
        ...

    def has(self, message: _M) -> bool:
        """Whether it is still there."""
        ...


class BaseMessages(Handle, Generic[_M]):
    """Messages, oldest first. Iterating, counting, indexing and truth look at them as they are now."""

    def __init__(self, portal: Portal, source: Source[_M]) -> None:
        self._portal = portal
        self._source = source

    def messages(self) -> list[_M]:
        """All of them, oldest first, as a list that stays as it is."""
        return self._source.all()

    @property
    def is_empty(self) -> bool:
        """Whether there is none now. To be sure that none is on its way either, ``settle()`` first."""
        return not self._source.count()

    def find(self, **query: Unpack[MessageQuery]) -> list[_M]:
        """All that fit everything given (``subject``, ``sender``, ``to``, ``matching``), oldest first."""
        __tracebackhide__ = True
        wanted = Wanted.of(query)
        return [message for message in self.messages() if wanted.fits(message)]

    def one(self, **query: Unpack[MessageQuery]) -> _M:
        """The only message that fits everything given (``subject``, ``sender``, ``to``, ``matching``).

        Raises :class:`~fakemail.errors.MailAssertionError` if there is none, or another.
        """
        __tracebackhide__ = True
        wanted = Wanted.of(query)
        messages = self.messages()
        found = [message for message in messages if wanted.fits(message)]
        if not found:
            raise MailAssertionError(self._missing(wanted, messages, None, 1))
        return self._only(wanted, found)

    def expect_empty(self) -> None:
        """Insist that there is none. Raises :class:`~fakemail.errors.MailAssertionError` with those that are."""
        __tracebackhide__ = True
        if messages := self.messages():
            raise MailAssertionError(unexpected(self._source.where, Wanted(), messages))

    def _await(self, wanted: Wanted, count: int, timeout: float | None) -> Future[list[_M] | None]:
        arrivals = self._source.arrivals()
        fitting: dict[_M, None] = {}

        def check() -> list[_M] | None:
            fitting.update((message, None) for message in arrivals() if wanted.fits(message))
            if len(fitting) < count:
                return None
            for message in [each for each in fitting if not self._source.has(each)]:
                del fitting[message]
            return list(fitting) if len(fitting) >= count else None

        return self._portal.watch(check, stages=self._source.stages, timeout=timeout)

    def _arrived(self, wanted: Wanted, count: int, found: list[_M] | None, timeout: float | None) -> list[_M]:
        __tracebackhide__ = True
        if found is not None:
            return found
        seconds = self._portal.timeout if timeout is None else timeout
        raise MailAssertionError(self._missing(wanted, self.messages(), seconds, count))

    def _missing(self, wanted: Wanted, messages: list[_M], seconds: float | None, count: int) -> str:
        where, look = self._source.where, self.messages
        return missing(self._portal, where, wanted, messages, seconds, count=count, look=look)

    def _only(self, wanted: Wanted, found: Sequence[_M]) -> _M:
        __tracebackhide__ = True
        if len(found) > 1:
            raise MailAssertionError(ambiguous(self._source.where, wanted, found))
        return found[0]

    def _none(self, wanted: Wanted, found: list[_M] | None) -> None:
        __tracebackhide__ = True
        if found:
            raise MailAssertionError(unexpected(self._source.where, wanted, found))

    def __iter__(self) -> Iterator[_M]:
        return iter(self.messages())

    def __len__(self) -> int:
        return self._source.count()

    @overload
    def __getitem__(self, index: int) -> _M: ...

    @overload
    def __getitem__(self, index: slice) -> list[_M]: ...

    def __getitem__(self, index: int | slice) -> _M | list[_M]:
        __tracebackhide__ = True
        if isinstance(index, slice):
            return self.messages()[index]
        try:
            return self._source.at(index)
        except IndexError:
            count = index + 1 if index >= 0 else -index
            raise MailAssertionError(self._missing(Wanted(), self.messages(), None, count)) from None

    def _name(self) -> str:
        return str(self._source.where)

    def _state(self) -> str:
        return f": {len(self)} messages"


class Messages(BaseMessages[_M]):
    """Messages, with waits that block."""

    def wait_for_one(self, *, timeout: float | None = None, **query: Unpack[MessageQuery]) -> _M:
        """Wait until a message is there that fits everything given, and return it.

        What can be given is ``subject``, ``sender``, ``to`` (an account, an address) and ``matching``, a matcher.
        ``timeout`` is in real seconds, by default that of the fake internet. Raises
        :class:`~fakemail.errors.MailAssertionError` when time is up, or when several fit.
        """
        __tracebackhide__ = True
        require_blocking_allowed("wait_for_one")
        wanted = Wanted.of(query)
        found = self._await(wanted, 1, timeout).result()
        return self._only(wanted, self._arrived(wanted, 1, found, timeout))

    def wait_for_count(
        self, count: int, *, timeout: float | None = None, **query: Unpack[MessageQuery]
    ) -> list[_M]:
        """Wait until at least that many messages are there that fit, and return all that do, oldest first.

        What can be given is as in :meth:`wait_for_one`.
        """
        __tracebackhide__ = True
        require_blocking_allowed("wait_for_count")
        wanted = Wanted.of(query)
        return self._arrived(wanted, count, self._await(wanted, count, timeout).result(), timeout)

    def wait_for_link(
        self, text: str = "", /, *, url: str = "", timeout: float | None = None, **query: Unpack[MessageQuery]
    ) -> str:
        """Wait for a message that fits and has such a link, and return the link's URL.

        ``text`` and ``url`` are as in :meth:`~fakemail.message.message.MessageView.link`, the rest as in
        :meth:`wait_for_one`.
        """
        __tracebackhide__ = True
        require_blocking_allowed("wait_for_link")
        wanted = _with_link(query, text, url)
        found = self._await(wanted, 1, timeout).result()
        return self._only(wanted, self._arrived(wanted, 1, found, timeout)).link(text, url=url)

    def wait_for_code(
        self, length: int | None = None, *, timeout: float | None = None, **query: Unpack[MessageQuery]
    ) -> str:
        """Wait for a message that fits and has a one-time code, and return the code.

        ``length`` is as in :meth:`~fakemail.message.message.MessageView.code`, the rest as in :meth:`wait_for_one`.
        """
        __tracebackhide__ = True
        require_blocking_allowed("wait_for_code")
        wanted = Wanted.of(query, HasCode(length))
        found = self._await(wanted, 1, timeout).result()
        return self._only(wanted, self._arrived(wanted, 1, found, timeout)).code(length)

    def expect_none(self, *, within: float = 0.0, **query: Unpack[MessageQuery]) -> None:
        """Insist that no message that fits is there, or comes in that many real seconds.

        Raises :class:`~fakemail.errors.MailAssertionError` as soon as there is one. What can be given is as in
        :meth:`wait_for_one`.
        """
        __tracebackhide__ = True
        require_blocking_allowed("expect_none")
        wanted = Wanted.of(query)
        self._none(wanted, self._await(wanted, 1, within).result())


class AsyncMessages(BaseMessages[_M]):
    """Messages, with waits that are awaited, under asyncio or trio."""

    async def wait_for_one(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the question, not a way to cancel it
        **query: Unpack[MessageQuery],
    ) -> _M:
        """See :meth:`Messages.wait_for_one`."""
        __tracebackhide__ = True
        wanted = Wanted.of(query)
        found = await arrive(self._await(wanted, 1, timeout))
        return self._only(wanted, self._arrived(wanted, 1, found, timeout))

    async def wait_for_count(
        self,
        count: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the question, not a way to cancel it
        **query: Unpack[MessageQuery],
    ) -> list[_M]:
        """See :meth:`Messages.wait_for_count`."""
        __tracebackhide__ = True
        wanted = Wanted.of(query)
        return self._arrived(wanted, count, await arrive(self._await(wanted, count, timeout)), timeout)

    async def wait_for_link(
        self,
        text: str = "",
        /,
        *,
        url: str = "",
        timeout: float | None = None,  # noqa: ASYNC109 - part of the question, not a way to cancel it
        **query: Unpack[MessageQuery],
    ) -> str:
        """See :meth:`Messages.wait_for_link`."""
        __tracebackhide__ = True
        wanted = _with_link(query, text, url)
        found = await arrive(self._await(wanted, 1, timeout))
        return self._only(wanted, self._arrived(wanted, 1, found, timeout)).link(text, url=url)

    async def wait_for_code(
        self,
        length: int | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the question, not a way to cancel it
        **query: Unpack[MessageQuery],
    ) -> str:
        """See :meth:`Messages.wait_for_code`."""
        __tracebackhide__ = True
        wanted = Wanted.of(query, HasCode(length))
        found = await arrive(self._await(wanted, 1, timeout))
        return self._only(wanted, self._arrived(wanted, 1, found, timeout)).code(length)

    async def expect_none(self, *, within: float = 0.0, **query: Unpack[MessageQuery]) -> None:
        """See :meth:`Messages.expect_none`."""
        __tracebackhide__ = True
        wanted = Wanted.of(query)
        self._none(wanted, await arrive(self._await(wanted, 1, within)))


def _with_link(query: MessageQuery, text: str, url: str) -> Wanted:
    part = re.compile(re.escape(url), re.IGNORECASE) if url else None
    return Wanted.of(query, HasLink(text or None, url=part))
