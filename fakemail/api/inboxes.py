"""Mailboxes of accounts: looking into them, and waiting for mail, in a blocking and an awaited form."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Unpack

from fakemail.api.failures import ambiguous, missing, unexpected
from fakemail.api.handles import Handle
from fakemail.api.messages import Message, MessageQuery, Wanted, stored_messages
from fakemail.api.portal import Portal
from fakemail.api.waits import arrive, require_blocking_allowed
from fakemail.errors import MailAssertionError
from fakemail.types.address import Address
from fakemail.types.stage import Stage

_DELIVERIES = frozenset({Stage.DELIVER})


class BaseInbox(Handle):
    """The messages of one mailbox. Iterating, counting and its truth look at it as it is now: false while empty."""

    def __init__(self, portal: Portal, address: Address, name: str) -> None:
        self._portal = portal
        self._address = address
        self.name = name
        """Its name, such as ``INBOX``."""
        self._known: dict[int, Message] = {}

    @property
    def address(self) -> str:
        """The address of its account."""
        return str(self._address)

    def messages(self) -> list[Message]:
        """Its messages, oldest first."""
        return stored_messages(self._portal, self._address, self.name, known=self._known)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it now. To be sure that nothing is on its way either, ``settle()`` first."""
        return not self.messages()

    def one(self, **query: Unpack[MessageQuery]) -> Message:
        """The only message that fits everything given (``subject``, ``sender``, ``to``, ``matching``).

        Raises :class:`~fakemail.errors.MailAssertionError` if there is none, or another.
        """
        __tracebackhide__ = True
        wanted = Wanted.of(query)
        messages = self.messages()
        found = [message for message in messages if wanted.fits(message)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise MailAssertionError(missing(self._portal, self._address, self.name, wanted, messages, None))
        raise MailAssertionError(ambiguous(self._address, self.name, wanted, found))

    def expect_empty(self) -> None:
        """Insist that nothing is in it. Raises :class:`~fakemail.errors.MailAssertionError` with what is."""
        __tracebackhide__ = True
        messages = self.messages()
        if messages:
            raise MailAssertionError(unexpected(self._address, self.name, messages))

    def put(self, message: bytes | str) -> Message:
        """Put a message into the mailbox as if it had arrived, and return it. Line ends become CRLF."""
        if not isinstance(message, str) and not hasattr(message, "__bytes__") and not _is_bytes(message):
            raise TypeError(f"a message is bytes or a text, header and body, not {message!r}.")
        raw = message.encode() if isinstance(message, str) else bytes(message)
        if b"\n" in raw.replace(b"\r\n", b""):
            raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        internet = self._portal.simulation
        return Message(self._portal, self._portal.call(lambda: internet.put(self._address, raw, self.name)))

    def _matching(self, wanted: Wanted) -> list[Message]:
        return [message for message in self.messages() if wanted.fits(message)]

    def _await(self, wanted: Wanted, count: int, timeout: float | None) -> Future[list[Message] | None]:
        def check() -> list[Message] | None:
            found = self._matching(wanted)
            return found if len(found) >= count else None

        return self._portal.watch(check, stages=_DELIVERIES, timeout=timeout)

    def _judge_one(self, wanted: Wanted, found: list[Message] | None, timeout: float | None) -> Message:
        __tracebackhide__ = True
        if found is None:
            raise MailAssertionError(self._timed_out(wanted, 1, timeout))
        if len(found) > 1:
            raise MailAssertionError(ambiguous(self._address, self.name, wanted, found))
        return found[0]

    def _judge(
        self, wanted: Wanted, count: int, found: list[Message] | None, timeout: float | None
    ) -> list[Message]:
        __tracebackhide__ = True
        if found is None:
            raise MailAssertionError(self._timed_out(wanted, count, timeout))
        return found

    def _timed_out(self, wanted: Wanted, count: int, timeout: float | None) -> str:
        seconds = self._portal.timeout if timeout is None else timeout
        return missing(self._portal, self._address, self.name, wanted, self.messages(), seconds, count=count)

    def __iter__(self) -> Iterator[Message]:
        return iter(self.messages())

    def __len__(self) -> int:
        return len(self.messages())

    def __getitem__(self, index: int) -> Message:
        __tracebackhide__ = True
        messages = self.messages()
        try:
            return messages[index]
        except IndexError:
            count = index + 1 if index >= 0 else -index
            raise MailAssertionError(
                missing(self._portal, self._address, self.name, Wanted(), messages, None, count=count)
            ) from None

    def _name(self) -> str:
        return f"{self.name} of {self._address.shown}"

    def _state(self) -> str:
        return f": {len(self)} messages"


class Inbox(BaseInbox):
    """A mailbox whose waits block."""

    def wait_for_one(self, *, timeout: float | None = None, **query: Unpack[MessageQuery]) -> Message:
        """Wait until a message is there that fits everything given, and return it.

        What can be given is ``subject``, ``sender``, ``to`` (an account, an address) and ``matching``, a matcher.
        ``timeout`` is in real seconds, by default that of the fake internet. Raises
        :class:`~fakemail.errors.MailAssertionError` when time is up, or when several fit.
        """
        __tracebackhide__ = True
        require_blocking_allowed("wait_for_one")
        wanted = Wanted.of(query)
        return self._judge_one(wanted, self._await(wanted, 1, timeout).result(), timeout)

    def wait_for_count(
        self, count: int, *, timeout: float | None = None, **query: Unpack[MessageQuery]
    ) -> list[Message]:
        """Wait until at least that many messages are there that fit, and return all that do, oldest first.

        What can be given is as in :meth:`wait_for_one`.
        """
        __tracebackhide__ = True
        require_blocking_allowed("wait_for_count")
        wanted = Wanted.of(query)
        return self._judge(wanted, count, self._await(wanted, count, timeout).result(), timeout)


class AsyncInbox(BaseInbox):
    """A mailbox whose waits are awaited, under asyncio or trio."""

    async def wait_for_one(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the question, not a way to cancel it
        **query: Unpack[MessageQuery],
    ) -> Message:
        """See :meth:`Inbox.wait_for_one`."""
        __tracebackhide__ = True
        wanted = Wanted.of(query)
        return self._judge_one(wanted, await arrive(self._await(wanted, 1, timeout)), timeout)

    async def wait_for_count(
        self,
        count: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the question, not a way to cancel it
        **query: Unpack[MessageQuery],
    ) -> list[Message]:
        """See :meth:`Inbox.wait_for_count`."""
        __tracebackhide__ = True
        wanted = Wanted.of(query)
        return self._judge(wanted, count, await arrive(self._await(wanted, count, timeout)), timeout)


def _is_bytes(value: object) -> bool:
    return isinstance(value, bytes | bytearray | memoryview)
