"""Local delivery at all hosts: into mailboxes, to aliases, forwarding addresses and mailing lists.

Each recipient is checked before anything is done for it, so that what is refused has left no trace.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from fakemail.environment import Environment
from fakemail.events.kinds import MessageDelivered, Redirected
from fakemail.message.envelope import Envelope, Recipient
from fakemail.message.headers import Headers, body_offset, head_of, split_fields
from fakemail.message.message import MessageView
from fakemail.message.reports import dsn
from fakemail.message.trace import prepend, return_path
from fakemail.mta.inbound import auto_reply, mailing_lists
from fakemail.mta.inbound.arc_sealing import ArcSealer
from fakemail.mta.inbound.recipients import Resolution, resolve
from fakemail.mta.inbound.srs import Srs
from fakemail.mta.local_domains import LocalDomains
from fakemail.mta.outbound.queue import MailQueue
from fakemail.mta.outbound.queued_message import LocalCopy, QueuedMessage, RecipientResult
from fakemail.store.mailbox import INBOX, Mailbox
from fakemail.store.mailstore import MailStore
from fakemail.store.message import NO_FLAGS, Delivery, StoredMessage
from fakemail.store.quota import MESSAGE
from fakemail.types.address import Address, NullPath, address_key
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage
from fakemail.types.verdict import ACCEPTED, Verdict, deferred, refused
from fakemail.zones.zone_provisioning import LazyZoneProvisioning


@dataclass(slots=True)
class _DeliveryJob:
    """One message at one host, while it is delivered."""

    host: str
    queue_id: str
    envelope: Envelope
    content: bytes
    """With the Received field of this host."""
    is_junk: bool = False
    """Whether it goes where the recipient will hardly look."""
    served: dict[str, StoredMessage] = field(default_factory=dict)
    sent_on: dict[str, tuple[Address, tuple[str, ...]]] = field(default_factory=dict)
    """The forwards and lists that are done: to whom, and under which queue ids."""
    onward: dict[str, Recipient] = field(default_factory=dict)
    onward_id: str = ""
    reports: dict[dsn.DsnAction, list[Recipient]] = field(default_factory=dict)
    stored: bytes = b""
    """The message as it lies in mailboxes, the same bytes in each."""

    @property
    def headers(self) -> Headers:
        return Headers(split_fields(self.content, 0, body_offset(self.content)))


class DeliveryOutcome(NamedTuple):
    """Result of a delivery."""

    failed: list[tuple[Recipient, Verdict]]
    """The recipients that failed, and why."""
    nobody_has_it: bool
    """Whether nothing was done with the message at all."""
    stored: bytes = b""
    """The message as it lies in mailboxes, empty if it is in none."""


class DeliveryAgent:
    """Final delivery for every host of the fake internet."""

    def __init__(
        self,
        environment: Environment,
        *,
        local_domains: LocalDomains,
        store: MailStore,
        queue: MailQueue,
        zones: LazyZoneProvisioning,
        arc_sealer: ArcSealer,
    ) -> None:
        self._clock = environment.clock
        self._log = environment.log
        self._random = environment.random
        self._world = environment.world
        self._local_domains = local_domains
        self._store = store
        self._mail_queue = queue
        self._zones = zones
        self._arc_sealer = arc_sealer
        self._answered: dict[tuple[str, str], datetime] = {}
        self._sent_on: set[tuple[str, str]] = set()
        """The queue id of a message and the account that forwards it and could not keep its copy yet."""
        self._srs: Srs | None = None

    # Judging -------------------------------------------------------------------------------------

    def resolve(self, host: str, address: Address) -> Resolution:
        """The recipients behind an address at a host."""
        return resolve(
            self._world,
            address,
            is_home=self._local_domains.of(host).__contains__,
            unwrap=self._unwrap,
        )

    def check(self, host: str, address: Address) -> Verdict:
        """Whether a host takes mail for an address of its own at all."""
        resolution = self.resolve(host, address)
        if resolution.is_plain:
            return ACCEPTED
        if resolution.reason is not None:
            return refused(resolution.reason, resolution.detail or f"<{address}>")
        full = [account for account in resolution.accounts if not self._has_room(account, 1)]
        return self._is_full(host, address) if full and _only_accounts(resolution, full) else ACCEPTED

    def _check_message(
        self, work: _DeliveryJob, address: Address, resolution: Resolution, full: Sequence[Address]
    ) -> Verdict:
        """The same for a message that is there."""
        if resolution.reason is not None:
            return refused(resolution.reason, resolution.detail or f"<{address}>")
        if resolution.forwards or resolution.lists:
            headers = work.headers
            been = {address_key(value.strip()) for value in headers.all("Delivered-To")}
            world = self._world
            for account in resolution.forwards:
                if account.key in been:
                    return refused(Reason.MAIL_LOOP, f"<{address}>: it was delivered to {account} before")
            for each in resolution.lists:
                if mailing_lists.is_looping(headers, world.lists[each.key]):
                    return refused(Reason.MAIL_LOOP, f"<{address}>: it has been through the list")
        return self._is_full(work.host, address) if full and _only_accounts(resolution, full) else ACCEPTED

    def _full(self, work: _DeliveryJob, resolution: Resolution) -> list[Address]:
        size = len(return_path(work.envelope.sender)) + len(work.content)
        return [
            account
            for account in resolution.accounts
            if account.key not in work.served and not self._has_room(account, size)
        ]

    def _has_room(self, account: Address, octets: int) -> bool:
        return self._store.account(account).quota.has_room(octets)

    def limit(self, account: Address) -> None:
        """Let the mailboxes of an account have the quota that the account is described with."""
        described = self._world.accounts[account.key]
        quota = self._store.account(account).quota
        quota.limit_bytes(described.quota)
        quota.limit(MESSAGE, described.quota_messages)

    def _is_full(self, host: str, address: Address) -> Verdict:
        options = self._world.hosts[host].options
        verdict = refused if options.full_is_final else deferred
        return verdict(Reason.OVER_QUOTA, f"<{address}>")

    def _unwrap(self, address: Address) -> Address | None:
        # Most addresses are no rewritten ones, and most fake internets need no secret.
        if address.local[:3].upper() != "SRS":
            return address
        return self.srs.reverse(address, now=self._clock.now())

    @property
    def srs(self) -> Srs:
        """The rewriting of reverse-paths, with the secret of this fake internet."""
        if self._srs is None:
            self._srs = Srs(f"srs {self._random.seed}".encode())
        return self._srs

    # Delivering ----------------------------------------------------------------------------------

    def deliver(
        self,
        host: str,
        queue_id: str,
        envelope: Envelope,
        content: bytes,
        recipients: Sequence[Recipient],
        *,
        is_junk: bool = False,
    ) -> DeliveryOutcome:
        """Deliver a message at a host; ``is_junk`` puts it into the mailboxes for junk.

        ``content`` has the Received field of this host in front, and no Return-Path. Of several who share
        one address those alone are told who did not get it.
        """
        work = _DeliveryJob(host, queue_id, envelope, content, is_junk)
        failed: list[tuple[Recipient, Verdict]] = []
        nobody_has_it = True
        for recipient in recipients:
            address = self._complete(host, recipient.address)
            resolution = self.resolve(host, address)
            if resolution.is_plain and not recipient.notify:
                self._put(work, recipient.address, address, resolution.accounts[0])
                nobody_has_it = False
                continue
            if resolution.forwards:
                resolution = self._not_again(queue_id, resolution)
            full = self._full(work, resolution)
            verdict = self._check_message(work, address, resolution, full)
            if not verdict.is_accepted:
                failed.append((recipient._replace(address=address), verdict))
                continue
            nobody_has_it = False
            if full:
                failed += [(recipient._replace(address=each), self._is_full(host, each)) for each in full]
                kept = tuple(account for account in resolution.accounts if account not in full)
                # Their mailbox is tried again, and what is forwarded now is not forwarded once more then.
                self._sent_on |= {(queue_id, each.key) for each in full if each in resolution.forwards}
                resolution = resolution._replace(accounts=kept)
            self._serve(work, recipient, resolution)
        if work.onward:
            self._send_onward(work)
        if work.reports:
            self._report(work)
        return DeliveryOutcome(failed, nobody_has_it, work.stored)

    def _not_again(self, queue_id: str, resolution: Resolution) -> Resolution:
        """Without the forwards that were served when their mailbox was full."""
        left = [each for each in resolution.forwards if (queue_id, each.key) not in self._sent_on]
        return resolution._replace(forwards=tuple(left))

    def _complete(self, host: str, address: Address) -> Address:
        """An address with its domain: ``<postmaster>`` may come without (RFC 5321 §4.5.1)."""
        return address if address.domain else self._local_domains.postmaster(host)

    def _serve(self, work: _DeliveryJob, recipient: Recipient, resolution: Resolution) -> None:
        for account in (*resolution.accounts, *resolution.list_mail):
            self._put(work, recipient.address, self._complete(work.host, recipient.address), account)
        for account in resolution.list_mail:
            self._leave_list(work, account)
        for account in resolution.forwards:
            self._forward(work, recipient, account)
        for each in resolution.lists:
            self._distribute(work, recipient, each)
        self._pass_on(work, recipient, resolution)
        for account in dict.fromkeys((*resolution.accounts, *resolution.forwards)):
            self._answer(work, recipient.address, account)
        if "SUCCESS" in recipient.notify:
            action = _success(resolution)
            if action is not None:
                work.reports.setdefault(action, []).append(recipient)

    def _put(self, work: _DeliveryJob, said: Address, recipient: Address, account: Address) -> None:
        """Into INBOX or the junk of an account, once for all its addresses; ``recipient`` is what was said, whole."""
        delivery = Delivery(recipient, work.envelope, work.host, work.queue_id, self._zones.use_state())
        stored = work.served.get(account.key)
        name = self._junk(account) if work.is_junk else INBOX
        if stored is None:
            if not work.stored:
                # The Received field is in front, so the header block has begun.
                work.stored = return_path(work.envelope.sender) + work.content
            stored = self._store.mailbox(account, name).append(work.stored, delivery=delivery)
            work.served[account.key] = stored
        # The event names the address as it was said, by which a journey is followed.
        self._note_delivery(stored, delivery, account, name, recipient=said)

    def _junk(self, account: Address) -> str:
        """The mailbox for junk that an account of its kind of server has (RFC 6154 §2)."""
        junk = self._store.account(account).with_use("\\Junk")
        return "Junk" if junk is None else junk.name

    def _pass_on(self, work: _DeliveryJob, recipient: Recipient, resolution: Resolution) -> None:
        """To the addresses elsewhere for which an alias stands; the reverse-path stays (RFC 5321 §3.9.1)."""
        if not resolution.onward:
            return
        work.onward_id = work.onward_id or self._random.queue_id()
        is_lone = _is_lone(resolution)
        original = recipient.original or f"rfc822;{recipient.address}"
        for target in resolution.onward:
            notify = recipient.notify if is_lone else _without_success(recipient.notify)
            work.onward.setdefault(target.key, Recipient(target, notify, original))
        how = "alias" if recipient.address.local[:3].upper() != "SRS" else "bounce address"
        self._note(work, recipient.address, how, resolution.onward, (work.onward_id,))

    def _forward(self, work: _DeliveryJob, recipient: Recipient, account: Address) -> None:
        forward = self._world.accounts[account.key].forward
        if forward is None:
            return
        if account.key not in work.sent_on:
            sender = work.envelope.sender
            if forward.srs and not isinstance(sender, NullPath):
                sender = self.srs.forward(sender, account.domain, now=self._clock.now())
            is_lone = len(forward.to) == 1 and not forward.keep_copy
            notify = recipient.notify if is_lone else _without_success(recipient.notify)
            original = recipient.original or f"rfc822;{recipient.address}"
            targets = tuple(Recipient(target, notify, original) for target in forward.to)
            # RFC 9228: the mark by which a message that comes back is known.
            raw = prepend(work.content, f"Delivered-To: {account}\r\n".encode("utf-8", "replace"))
            raw = self._sealed(work, raw, account.domain, asked=forward.arc)
            queue_id = self._random.queue_id()
            self._queue(work, queue_id, work.envelope._replace(sender=sender, recipients=targets), raw)
            work.sent_on[account.key] = (account, (queue_id,))
        self._note(work, recipient.address, "forward", forward.to, work.sent_on[account.key][1])

    def _distribute(self, work: _DeliveryJob, recipient: Recipient, address: Address) -> None:
        """To the members of a list, from its own reverse-path (RFC 5321 §3.9.2)."""
        mailing_list = self._world.lists[address.key]
        if address.key not in work.sent_on:
            raw = mailing_lists.rewrite(work.content, mailing_list)
            raw = self._sealed(work, raw, address.domain, asked=mailing_list.arc)
            groups = (
                [(member,) for member in mailing_list.members]
                if mailing_list.verp
                else [mailing_list.members]
            )
            queue_ids = []
            for group in filter(None, groups):
                sender = mailing_list.role("bounces", group[0] if mailing_list.verp else None)
                # RFC 3461 §5.2.7.1: nothing of the original's DSN parameters goes to the members.
                envelope = work.envelope._replace(
                    sender=sender,
                    recipients=tuple(map(Recipient, group)),
                    ret=None,
                    envid=None,
                    auth=None,
                    smtputf8=work.envelope.smtputf8 or not all(each.is_ascii for each in group),
                )
                queue_ids.append(self._random.queue_id())
                self._queue(work, queue_ids[-1], envelope, raw)
            work.sent_on[address.key] = (address, tuple(queue_ids))
        self._note(work, recipient.address, "list", mailing_list.members, work.sent_on[address.key][1])

    def _leave_list(self, work: _DeliveryJob, account: Address) -> None:
        """A member who writes to ``friends-unsubscribe`` is one no more (RFC 2369 §3.2)."""
        world, sender = self._world, work.envelope.sender
        found = world.list_role(account)
        if found is None or found[1] != "unsubscribe" or not isinstance(sender, Address):
            return
        mailing_list = found[0]
        left = tuple(member for member in mailing_list.members if member.key != sender.key)
        world.put_list(replace(mailing_list, members=left))

    def _answer(self, work: _DeliveryJob, recipient: Address, account: Address) -> None:
        """Send the automatic reply of an account, once per sender and span (RFC 3834 §2)."""
        described = self._world.accounts.get(account.key)
        reply = None if described is None else described.auto_reply
        sender = work.envelope.sender
        if reply is None or work.is_junk or not isinstance(sender, Address):
            return
        message = MessageView(work.content)
        now = self._clock.now()
        last = self._answered.get((account.key, sender.key))
        if last is not None and now - last < timedelta(days=reply.days):
            return
        if sender.key == account.key or auto_reply.why_not(message, sender, (account, recipient)):
            return
        self._answered[account.key, sender.key] = now
        queue_id = self._random.queue_id()
        raw = auto_reply.answer(
            reply, message, account=account, to=sender, now=now, message_id=f"<{queue_id}@{work.host}>"
        )
        self._mail_queue.send_report(work.host, queue_id, sender, raw)

    def deliver_queued(
        self, message: QueuedMessage, copy: LocalCopy, recipients: Sequence[Recipient]
    ) -> list[tuple[Recipient, Verdict]]:
        """Deliver a message from the queue of its own host; return the recipients that failed, and why."""
        return self.deliver(
            message.host,
            message.queue_id,
            message.envelope,
            copy.content,
            recipients,
            is_junk=copy.is_junk,
        ).failed

    def put(
        self,
        account: Address,
        raw: bytes,
        mailbox: str = INBOX,
        *,
        flags: Collection[str] = NO_FLAGS,
        received_at: datetime | None = None,
    ) -> StoredMessage:
        """Put a message into a mailbox without any transport."""
        delivery = Delivery(account)
        box = self._store.mailbox(account, mailbox)
        stored = box.append(raw, flags=flags, internal_date=received_at, delivery=delivery)
        self._note_delivery(stored, delivery, account, mailbox)
        return stored

    def transfer(
        self, account: Address, stored: StoredMessage, source: Mailbox, mailbox: str, *, keep: bool
    ) -> StoredMessage | None:
        """Copy, or without ``keep`` move, a message into another mailbox of its account, which is made if need be.

        ``None`` if it is no longer there.
        """
        target = self._store.mailbox(account, mailbox)
        if not (source.copy_to if keep else source.move_to)(target, [stored.uid]):
            return None
        (new,) = target.at(-1)
        self._note_delivery(new, Delivery(account), account, target.name)
        return new

    # Inside --------------------------------------------------------------------------------------

    def _note_delivery(
        self,
        stored: StoredMessage,
        delivery: Delivery,
        account: Address,
        mailbox: str,
        *,
        recipient: Address | None = None,
    ) -> None:
        self._log.append(
            MessageDelivered(
                host=delivery.host,
                message=delivery.queue_id,
                recipient=recipient or delivery.recipient,
                account=account,
                mailbox=mailbox,
                uid=stored.uid,
                head=head_of(stored.raw),
            )
        )

    def _send_onward(self, work: _DeliveryJob) -> None:
        envelope = work.envelope._replace(recipients=tuple(work.onward.values()))
        domain = next(iter(self._local_domains.of(work.host)), "")
        self._queue(work, work.onward_id, envelope, self._sealed(work, work.content, domain))

    def _sealed(self, work: _DeliveryJob, raw: bytes, domain: str, *, asked: bool = False) -> bytes:
        """A message as it is forwarded, with an ARC set of a domain here if that is asked for."""
        if not asked and not self._world.hosts[work.host].options.arc_seal:
            return raw
        return self._arc_sealer.seal(work.host, domain, work.envelope, work.content, raw)

    def _queue(self, work: _DeliveryJob, queue_id: str, envelope: Envelope, raw: bytes) -> None:
        self._mail_queue.enqueue(work.host, queue_id, envelope, raw, origin=work.queue_id)

    def _note(
        self,
        work: _DeliveryJob,
        recipient: Address,
        how: str,
        to: tuple[Address, ...],
        onward: tuple[str, ...],
    ) -> None:
        self._log.append(
            Redirected(
                host=work.host, message=work.queue_id, recipient=recipient, how=how, to=to, onward=onward
            )
        )

    def _report(self, work: _DeliveryJob) -> None:
        """Tell the sender who has the message now, where that was asked for (RFC 3461 §5.2.2)."""
        message = QueuedMessage(work.host, work.queue_id, work.envelope, work.content, ())
        for action, recipients in work.reports.items():
            results = [
                RecipientResult(each, Stage.DELIVER, None, None, "", "", reports_delivery=True)
                for each in recipients
            ]
            self._mail_queue.report(message, self._clock.now(), action, results)


def _only_accounts(resolution: Resolution, full: Sequence[Address]) -> bool:
    """Whether there are no recipients but those accounts, which cannot take it."""
    others = (*resolution.onward, *resolution.forwards, *resolution.lists, *resolution.list_mail)
    return not others and len(full) == len(resolution.accounts)


def _is_lone(resolution: Resolution) -> bool:
    """Whether an alias stands for one single address (RFC 3461 §5.2.7.2)."""
    others = (*resolution.accounts, *resolution.forwards, *resolution.lists, *resolution.list_mail)
    return len(resolution.onward) == 1 and not others


def _success(resolution: Resolution) -> dsn.DsnAction | None:
    """The action that is reported for a recipient with NOTIFY=SUCCESS (RFC 3461 §5.2.7)."""
    if resolution.onward:
        return None if _is_lone(resolution) else dsn.DsnAction.EXPANDED
    if resolution.accounts or resolution.lists or resolution.list_mail:
        return dsn.DsnAction.DELIVERED  # §5.2.7.1: for a list, being taken by it is final delivery
    return None if len(resolution.forwards) == 1 else dsn.DsnAction.EXPANDED


def _without_success(notify: tuple[str, ...]) -> tuple[str, ...]:
    """NOTIFY for several targets (RFC 3461 §5.2.7.3 c)."""
    rest = tuple(word for word in notify if word != "SUCCESS")
    return rest or (("NEVER",) if notify else ())
