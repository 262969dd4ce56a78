"""Accounts, in a blocking and an awaited form that differ in their waits only."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Generic, Self, TypeVar

from fakemail.api.domains import Domain
from fakemail.api.failures import missing_event
from fakemail.api.faults import AccountFaults
from fakemail.api.handles import Handle
from fakemail.api.hosts import Settings
from fakemail.api.inboxes import AsyncInbox, BaseInbox, Inbox
from fakemail.api.portal import Portal
from fakemail.api.waits import arrive, require_blocking_allowed
from fakemail.errors import MailAssertionError
from fakemail.events.kinds import CommandCompleted, Connected, Event
from fakemail.events.transcript import transcript
from fakemail.model.account import AccountSpec, AutoReply, ForwardTo
from fakemail.store.mailbox import INBOX
from fakemail.tls.authority import process_authority
from fakemail.tls.leaf import Leaf
from fakemail.types.address import Address, AddressLike, read_address
from fakemail.types.stage import Stage

_Box = TypeVar("_Box", bound=BaseInbox)


class BaseAccount(Handle, Generic[_Box]):
    """Account with a mailbox. Two handles on the same account are equal."""

    _new_box: Callable[[Portal, Address, str], _Box]

    def __init__(self, portal: Portal, address: Address) -> None:
        self._portal = portal
        self._address = address
        self._boxes: dict[str, _Box] = {}

    @property
    def _spec(self) -> AccountSpec:
        return self._portal.simulation.world.account(self._address)

    @property
    def address(self) -> str:
        """Its address, which is its login as well."""
        return str(self._address)

    @property
    def password(self) -> str:
        """Its password."""
        return self._spec.password

    @property
    def token(self) -> str:
        """An OAuth 2.0 access token that is good for it, for XOAUTH2 and OAUTHBEARER (RFC 7628)."""
        if not self._spec.tokens:
            token = self._portal.simulation.random.token(32)
            self.configure(tokens=frozenset({token}))
        return min(self._spec.tokens)

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
        """Change the account; logins and recipients are evaluated by it from now on.

        ``may_send_as`` are further addresses it may use as a sender, ``@example.org`` for all of a
        domain and ``*`` for all; a ``disabled`` account takes no mail and cannot log in. ``quota`` is the
        octets that it may hold and ``quota_messages`` the messages, -1 for any number; mail beyond is
        refused with 452 4.2.2. With ``sent_copy`` the submission server puts what it sends into ``Sent``.
        """
        world = self._portal.simulation.world
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
            world.change_account(replace(self._spec, **changes))
            if quota is not None or quota_messages is not None:
                self._portal.simulation.delivery_agent.limit(self._address)

        self._portal.call(change)

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
        self._change(auto_reply=reply)

    def set_forwarding(
        self,
        to: AddressLike | Sequence[AddressLike] | None,
        *,
        keep_copy: bool = True,
        srs: bool = False,
        arc: bool = False,
    ) -> None:
        """Forward its mail to other addresses; ``None`` ends that.

        With ``keep_copy`` it gets the mail as well. With ``srs`` the reverse-path is rewritten
        (``SRS0=...@`` its domain), so that SPF holds at the next host, and bounces come back by way of it.
        With ``arc`` the mail is sealed in the name of its domain (RFC 8617).
        A Delivered-To field marks what was forwarded, and what comes back with it is rejected as a loop.
        """
        if to is None:
            self._change(forward=None)
            return
        several = to if isinstance(to, Sequence) and not isinstance(to, str) else [to]
        targets = tuple(read_address(each) for each in several)
        self._change(forward=ForwardTo(targets, keep_copy, srs, arc))

    def set_moved(self, to: AddressLike | None) -> None:
        """Refuse its mail and tell the sender where its owner is now (551, RFC 5321 §3.4); ``None`` ends that."""
        self._change(moved_to=None if to is None else read_address(to))

    def _change(self, **changes: Any) -> None:
        world = self._portal.simulation.world
        self._portal.call(lambda: world.change_account(replace(self._spec, **changes)))

    def remove(self) -> None:
        """Remove the account with its mailboxes. Its sessions end (421, BYE), and mail for it has no such user.

        Aliases, forwards and mailing lists that lead to it stay.
        """
        self._portal.remove_account(self._spec.address)

    @property
    def domain(self) -> Domain[Self]:
        """Its domain."""
        return Domain(self._portal, self._address.domain, type(self))

    @property
    def inbox(self) -> _Box:
        """Its INBOX."""
        return self.folder(INBOX)

    def folder(self, name: str) -> _Box:
        """The mailbox of that name."""
        box = self._boxes.get(name)
        if box is None:
            box = self._boxes[name] = type(self)._new_box(self._portal, self._address, name)
        return box

    def folders(self) -> tuple[_Box, ...]:
        """All its mailboxes that are there, INBOX first, the others in the order in which they were made."""
        store = self._portal.simulation.store
        names = self._portal.call(lambda: [box.name for box in store.account(self._address).mailboxes()])
        return tuple(map(self.folder, names))

    def create_folder(self, name: str, *, special_use: str | Iterable[str] = ()) -> _Box:
        """Create a mailbox (RFC 9051 §6.3.4), with special uses such as ``\\Sent`` (RFC 6154 §3), and return it.

        ``/`` divides levels. It is not subscribed. Raises :class:`~fakemail.errors.FakemailError` if one of that name
        is there already, or another has the special use.
        """
        self._portal.simulation.world.account(self._address)  # which may have been removed
        uses = [special_use] if isinstance(special_use, str) else [*special_use]
        store, address = self._portal.simulation.store, self._address
        made = self._portal.call(lambda: store.account(address).create(name, special_use=uses))
        return self.folder(made.name)

    @property
    def submission(self) -> Settings:
        """Settings by which its owner submits mail: port 587, STARTTLS, AUTH."""
        return self._settings("submission")

    @property
    def submissions(self) -> Settings:
        """The same with implicit TLS: port 465 (RFC 8314)."""
        return self._settings("submissions")

    @property
    def imap(self) -> Settings:
        """Settings by which its owner reads mail with IMAP: port 143, STARTTLS."""
        return self._reading("imap")

    @property
    def imaps(self) -> Settings:
        """The same with implicit TLS: port 993 (RFC 8314)."""
        return self._reading("imaps")

    @property
    def pop3(self) -> Settings:
        """Settings by which its owner reads mail with POP3: port 110, STLS."""
        return self._reading("pop3")

    @property
    def pop3s(self) -> Settings:
        """The same with implicit TLS: port 995 (RFC 8314)."""
        return self._reading("pop3s")

    @property
    def faults(self) -> AccountFaults:
        """Faults for its owner by IMAP and POP3; none by default."""
        return AccountFaults(self._portal, self.domain.imap_host.name, str(self.address))

    def _reading(self, service: str) -> Settings:
        host = self.domain.imap_host
        return host.settings(service, username=self.address, password=self.password)

    def _settings(self, service: str) -> Settings:
        host = self.domain.submission_host
        return host.settings(service, username=self.address, password=self.password)

    def transcript(self, *, imap: bool = False, pop3: bool = False, smtp: bool = False) -> str:
        """The dialogues of the connections that were logged in as this account.

        All of them, or those of the protocols that are named; secrets masked.
        """
        prefixes = [name for name, wanted in (("imap", imap), ("pop3", pop3), ("submission", smtp)) if wanted]
        internet = self._portal.simulation
        numbers = internet.hosts.past_connections_of(self._address)
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
        internet = self._portal.simulation

        def check() -> list[Event] | None:
            numbers = internet.hosts.connections_of(self._address)
            events = [event for number in numbers for event in internet.log.events(stage, connection=number)]
            events.sort(key=lambda event: event.number)
            return (_idling(events) if stage is Stage.IMAP_IDLE else events) or None

        return self._portal.watch(check, stages={stage}, timeout=timeout)

    def _require_event(self, stage: Stage, found: list[Event] | None, timeout: float | None) -> Event:
        __tracebackhide__ = True
        if found:
            return found[-1]
        seconds = self._portal.timeout if timeout is None else timeout
        numbers, log = (
            self._portal.simulation.hosts.connections_of(self._address),
            self._portal.simulation.log,
        )
        said = [event for number in numbers for event in log.events(connection=number)]
        said.sort(key=lambda event: event.number)
        raise MailAssertionError(missing_event(self._portal, self.address, stage, said, seconds))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BaseAccount):
            return NotImplemented
        return self._portal is other._portal and self._address == other._address

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
        return self._require_event(stage, self._until(stage, timeout).result(), timeout)


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
        return self._require_event(stage, await arrive(self._until(stage, timeout)), timeout)


def _idling(events: list[Event]) -> list[Event]:
    """The continuation responses of IDLE commands that have not ended; untagged responses do not end one."""
    open_ones: dict[int, Event] = {}
    for event in events:
        if isinstance(event, CommandCompleted) and event.status != "*":
            open_ones.pop(event.connection, None)
            if event.status == "+":
                open_ones[event.connection] = event
    return sorted(open_ones.values(), key=lambda event: event.number)
