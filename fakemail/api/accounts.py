"""Accounts and their mailboxes, in a blocking and an awaiting form that differ in their waits only."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack

from fakemail.api.failures import ambiguous, missing, missing_event, unexpected
from fakemail.api.handles import Handle
from fakemail.api.hosts import Domain, read_address
from fakemail.api.messages import Message
from fakemail.api.presets.account import AccountPresets
from fakemail.api.settings import Settings
from fakemail.api.waits import arrive, require_blocking_allowed, watch
from fakemail.api.wanted import MessageQuery, Wanted
from fakemail.errors import MailAssertionError
from fakemail.events.kinds import CommandCompleted, Connected, Event
from fakemail.events.transcript import transcript
from fakemail.model.account import AccountSpec as DescribedAccount
from fakemail.model.account import AutoReply, ForwardTo
from fakemail.store.mailbox import INBOX
from fakemail.tls.authority import Leaf, process_authority
from fakemail.types.address import Address
from fakemail.types.stage import Stage

if TYPE_CHECKING:
    from concurrent.futures import Future

    from fakemail.api.mailnet import AnyNet

_DELIVERIES = frozenset({Stage.DELIVER})


class BaseInbox(Handle):
    """The messages of one mailbox. Iterating, counting and its truth look at it as it is now: false while empty."""

    def __init__(self, net: AnyNet, address: Address, name: str) -> None:
        self._net = net
        self._address = address
        self.name = name
        self._known: dict[int, Message] = {}

    @property
    def address(self) -> str:
        """Whose it is."""
        return str(self._address)

    def messages(self) -> list[Message]:
        """Its messages, oldest first."""
        box = self._net.internet.store.find(self._address, self.name)
        known = self._known
        found = []
        for stored in box.snapshot() if box is not None else ():
            message = known.get(stored.uid)
            if message is None or message._stored is not stored:
                message = known[stored.uid] = Message(self._net, stored)
            found.append(message)
        return found

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
            raise MailAssertionError(missing(self._net, self, wanted, messages, None))
        raise MailAssertionError(ambiguous(self, wanted, found))

    def expect_empty(self) -> None:
        """Insist that nothing is in it. Raises :class:`~fakemail.errors.MailAssertionError` with what is."""
        __tracebackhide__ = True
        messages = self.messages()
        if messages:
            raise MailAssertionError(unexpected(self, messages))

    def put(self, message: bytes | str) -> Message:
        """Put a message into the mailbox as if it had arrived, and return it. Line ends become CRLF."""
        if not isinstance(message, str) and not hasattr(message, "__bytes__") and not _is_octets(message):
            raise TypeError(f"a message is bytes or a text, header and body, not {message!r}.")
        raw = message.encode() if isinstance(message, str) else bytes(message)
        if b"\n" in raw.replace(b"\r\n", b""):
            raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        internet = self._net.internet
        return Message(self._net, self._net.call(lambda: internet.put(self._address, raw, self.name)))

    def _matching(self, wanted: Wanted) -> list[Message]:
        return [message for message in self.messages() if wanted.fits(message)]

    def _await(self, wanted: Wanted, number: int, timeout: float | None) -> Future[list[Message] | None]:
        def check() -> list[Message] | None:
            found = self._matching(wanted)
            return found if len(found) >= number else None

        seconds = self._net.timeout if timeout is None else timeout
        return watch(self._net.internet, self._net.thread, check, stages=_DELIVERIES, timeout=seconds)

    def _judge_one(self, wanted: Wanted, found: list[Message] | None, timeout: float | None) -> Message:
        __tracebackhide__ = True
        if found is None:
            raise MailAssertionError(self._timed_out(wanted, 1, timeout))
        if len(found) > 1:
            raise MailAssertionError(ambiguous(self, wanted, found))
        return found[0]

    def _judge(
        self, wanted: Wanted, number: int, found: list[Message] | None, timeout: float | None
    ) -> list[Message]:
        __tracebackhide__ = True
        if found is None:
            raise MailAssertionError(self._timed_out(wanted, number, timeout))
        return found

    def _timed_out(self, wanted: Wanted, number: int, timeout: float | None) -> str:
        seconds = self._net.timeout if timeout is None else timeout
        return missing(self._net, self, wanted, self.messages(), seconds, number=number)

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
            number = index + 1 if index >= 0 else -index
            raise MailAssertionError(
                missing(self._net, self, Wanted(), messages, None, number=number)
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

    def wait_for(
        self, number: int, *, timeout: float | None = None, **query: Unpack[MessageQuery]
    ) -> list[Message]:
        """Wait until at least that many messages are there that fit, and return all that do, oldest first.

        What can be given is as in :meth:`wait_for_one`.
        """
        __tracebackhide__ = True
        require_blocking_allowed("wait_for")
        wanted = Wanted.of(query)
        return self._judge(wanted, number, self._await(wanted, number, timeout).result(), timeout)


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

    async def wait_for(
        self,
        number: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the question, not a way to cancel it
        **query: Unpack[MessageQuery],
    ) -> list[Message]:
        """See :meth:`Inbox.wait_for`."""
        __tracebackhide__ = True
        wanted = Wanted.of(query)
        return self._judge(wanted, number, await arrive(self._await(wanted, number, timeout)), timeout)


_Box = TypeVar("_Box", bound=BaseInbox)


class BaseAccount(Handle, Generic[_Box]):
    """Somebody with a mailbox. Two handles on the same account are equal."""

    _new_box: Callable[[AnyNet, Address, str], _Box]

    def __init__(self, net: AnyNet, address: Address) -> None:
        self._net = net
        self._address = address
        self._boxes: dict[str, _Box] = {}

    @property
    def _described(self) -> DescribedAccount:
        return self._net.internet.world.account(self._address)

    @property
    def address(self) -> str:
        """Its address, which is its login as well."""
        return str(self._address)

    @property
    def password(self) -> str:
        """Its password."""
        return self._described.password

    @property
    def token(self) -> str:
        """An OAuth 2.0 access token that is good for it, for XOAUTH2 and OAUTHBEARER (RFC 7628)."""
        if not self._described.tokens:
            token = self._net.internet.random.token(32)
            self.configure(tokens=frozenset({token}))
        return min(self._described.tokens)

    @property
    def client_certificate(self) -> Leaf:
        """A client certificate in its name, for AUTH EXTERNAL. ``.file`` is a PEM file with key and chain."""
        return process_authority().client_certificate(self.address)

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """A new client context that trusts the fake internet and shows the account's certificate."""
        return process_authority().client_context(certificate=self.client_certificate)

    def configure(
        self,
        *,
        password: str | None = None,
        may_send_as: Iterable[str] | None = None,
        tokens: Iterable[str] | None = None,
        disabled: bool | None = None,
        quota: int | None = None,
        quota_messages: int | None = None,
        sent_copy: bool | None = None,
    ) -> None:
        """Change the account; logins and recipients are judged by it from now on.

        ``may_send_as`` are further addresses it may use as a sender, ``@example.org`` for all of a
        domain and ``*`` for all; a ``disabled`` account takes no mail and cannot log in. ``quota`` is the
        octets that it may hold and ``quota_messages`` the messages, -1 for any number; mail beyond is
        refused with 452 4.2.2. With ``sent_copy`` the submission server puts what it sends into ``Sent``.
        """
        world = self._net.internet.world
        given = {
            "password": password,
            "may_send_as": None if may_send_as is None else frozenset(may_send_as),
            "tokens": None if tokens is None else frozenset(tokens),
            "disabled": disabled,
            "sent_copy": sent_copy,
        }
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        for name, limit in (("quota", quota), ("quota_messages", quota_messages)):
            if limit is not None:
                changes[name] = None if limit == -1 else limit

        def change() -> None:
            world.change_account(replace(self._described, **changes))
            if quota is not None or quota_messages is not None:
                self._net.internet.delivery_agent.limit(self._address)

        self._net.call(change)

    def set_auto_reply(self, text: str | None, *, subject: str | None = None, days: int = 7) -> None:
        """Answer for its owner, who is away (RFC 3834); ``None`` for the text ends that.

        Each sender is answered once in that many days of the fake internet's clock. Bounces, bulk mail, lists
        and other automatic mail are never answered, nor is mail that does not name the account in To or Cc.
        ``subject`` is by default ``Auto:`` and that of the message.
        """
        if text is not None and not isinstance(text, str):
            raise TypeError(f"an automatic reply is a text, or None for no more, not {text!r}.")
        if subject is not None and not isinstance(subject, str):
            raise TypeError(f"the subject of an automatic reply is a text, not {subject!r}.")
        if not isinstance(days, int) or isinstance(days, bool) or days < 0:
            raise ValueError(f"days is a whole number from 0 on, not {days!r}.")
        reply = None if text is None else AutoReply(text, subject, days)
        self._change_described(auto_reply=reply)

    def set_forwarding(
        self,
        to: str | Address | BaseAccount[Any] | Sequence[str | Address | BaseAccount[Any]] | None,
        *,
        keep_copy: bool = True,
        srs: bool = False,
        arc: bool = False,
    ) -> None:
        """Send its mail on to other addresses; ``None`` ends that.

        With ``keep_copy`` it gets the mail as well. With ``srs`` the reverse-path is rewritten
        (``SRS0=...@`` its domain), so that SPF holds at the next host, and bounces come back by way of it.
        With ``arc`` the mail is sealed in the name of its domain (RFC 8617).
        A Delivered-To field marks what was sent on, and what comes back with it is refused as a loop.
        """
        if to is None:
            self._change_described(forward=None)
            return
        several = [to] if isinstance(to, str | Address | BaseAccount) else to
        targets = tuple(read_address(each) for each in several)
        self._change_described(forward=ForwardTo(targets, keep_copy, srs, arc))

    def set_moved(self, to: str | Address | BaseAccount[Any] | None) -> None:
        """Refuse its mail and tell the sender where its owner is now (551, RFC 5321 §3.4); ``None`` ends that."""
        self._change_described(moved_to=None if to is None else read_address(to))

    def _change_described(self, **changes: Any) -> None:
        world = self._net.internet.world
        self._net.call(lambda: world.change_account(replace(self._described, **changes)))

    @property
    def domain(self) -> Domain:
        """Its domain."""
        return Domain(self._net, self._address.domain)

    @property
    def inbox(self) -> _Box:
        """Its INBOX."""
        return self.folder(INBOX)

    def folder(self, name: str) -> _Box:
        """The mailbox of that name."""
        box = self._boxes.get(name)
        if box is None:
            box = self._boxes[name] = type(self)._new_box(self._net, self._address, name)
        return box

    @property
    def submission(self) -> Settings:
        """How its owner hands in mail: port 587, STARTTLS, AUTH."""
        return self._settings("submission")

    @property
    def submissions(self) -> Settings:
        """The same with implicit TLS: port 465 (RFC 8314)."""
        return self._settings("submissions")

    @property
    def imap(self) -> Settings:
        """How its owner reads mail by IMAP: port 143, STARTTLS."""
        return self._reading("imap")

    @property
    def imaps(self) -> Settings:
        """The same with implicit TLS: port 993 (RFC 8314)."""
        return self._reading("imaps")

    @property
    def pop3(self) -> Settings:
        """How its owner reads mail by POP3: port 110, STLS."""
        return self._reading("pop3")

    @property
    def pop3s(self) -> Settings:
        """The same with implicit TLS: port 995 (RFC 8314)."""
        return self._reading("pop3s")

    @property
    def faults(self) -> AccountPresets:
        """What goes wrong for its owner where mail is read: nothing, unless it is asked for."""
        return AccountPresets(self._net, self.domain.imap_host.name, str(self.address))

    def _reading(self, service: str) -> Settings:
        host = self.domain.imap_host
        return host.settings(service, username=self.address, password=self.password)

    def _settings(self, service: str) -> Settings:
        host = self.domain.submission_host
        return host.settings(service, username=self.address, password=self.password)

    def transcript(self, *, imap: bool = False, pop3: bool = False, smtp: bool = False) -> str:
        """What was said on the connections on which somebody was logged in as this account.

        All of them, or those of the protocols that are named; secrets masked.
        """
        prefixes = [name for name, wanted in (("imap", imap), ("pop3", pop3), ("submission", smtp)) if wanted]
        internet = self._net.internet
        numbers = internet.past_connections_of(self._address)
        events = internet.log.events()
        if prefixes:
            numbers = {
                event.connection
                for event in events
                if isinstance(event, Connected)
                and event.connection in numbers
                and event.protocol.startswith(tuple(prefixes))
            }
        return transcript([event for event in events if event.connection in numbers])

    def _until(self, stage: Stage, timeout: float | None) -> Future[list[Event] | None]:
        internet = self._net.internet

        def check() -> list[Event] | None:
            numbers = internet.connections_of(self._address)
            events = [event for event in internet.log.events(stage) if event.connection in numbers]
            return (_idling(events) if stage is Stage.IMAP_IDLE else events) or None

        seconds = self._net.timeout if timeout is None else timeout
        return watch(internet, self._net.thread, check, stages={stage}, timeout=seconds)

    def _judge_event(self, stage: Stage, found: list[Event] | None, timeout: float | None) -> Event:
        __tracebackhide__ = True
        if found:
            return found[-1]
        seconds = self._net.timeout if timeout is None else timeout
        numbers = self._net.internet.connections_of(self._address)
        said = [event for event in self._net.internet.log.events() if event.connection in numbers]
        raise MailAssertionError(missing_event(self._net, self.address, stage, said, seconds))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BaseAccount):
            return NotImplemented
        return self._net.is_one_with(other._net) and self._address == other._address

    def __hash__(self) -> int:
        return hash(self._address)

    def __str__(self) -> str:
        return self.address

    def _name(self) -> str:
        return f"Account {self._address.shown}"


class Account(BaseAccount[Inbox]):
    """An account whose waits block."""

    _new_box = Inbox

    def wait_for(self, stage: Stage, *, timeout: float | None = None) -> Event:
        """Wait until a program that is logged in as this account has come to a stage, and return the event.

        ``desk.wait_for(Stage.IMAP_IDLE)`` waits until the app under test idles; an IDLE that is over does not
        count. ``timeout`` is in real
        seconds. Raises :class:`~fakemail.errors.MailAssertionError` when time is up.
        """
        __tracebackhide__ = True
        require_blocking_allowed("wait_for")
        return self._judge_event(stage, self._until(stage, timeout).result(), timeout)


class AsyncAccount(BaseAccount[AsyncInbox]):
    """An account whose waits are awaited."""

    _new_box = AsyncInbox

    async def wait_for(
        self,
        stage: Stage,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the question, not a way to cancel it
    ) -> Event:
        """See :meth:`Account.wait_for`."""
        __tracebackhide__ = True
        return self._judge_event(stage, await arrive(self._until(stage, timeout)), timeout)


def _is_octets(value: object) -> bool:
    return isinstance(value, bytes | bytearray | memoryview)


def _idling(events: list[Event]) -> list[Event]:
    """The go-aheads of those IDLE commands that have not ended; what is told meanwhile does not end one."""
    open_ones: dict[int, Event] = {}
    for event in events:
        if isinstance(event, CommandCompleted) and event.status != "*":
            open_ones.pop(event.connection, None)
            if event.status == "+":
                open_ones[event.connection] = event
    return sorted(open_ones.values(), key=lambda event: event.number)
