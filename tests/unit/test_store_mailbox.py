"""One mailbox: uids, flags, counters, mod-sequences, what is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fakemail.clock import VirtualClock
from fakemail.store.account import AccountStore
from fakemail.store.content import Content
from fakemail.store.errors import LimitReached, OverQuota
from fakemail.store.mailbox import (
    AccountContext,
    Arrived,
    Change,
    Expunged,
    FlagsChanged,
    Mailbox,
    UidValidityChanged,
)
from fakemail.store.message import FlagAction, NewMessage

ADD, REMOVE, REPLACE = FlagAction.ADD, FlagAction.REMOVE, FlagAction.REPLACE
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def account() -> AccountStore:
    return AccountStore("bob@example.org", shared=AccountContext(clock=VirtualClock(START), keyword_limit=3))


@pytest.fixture
def box(account: AccountStore) -> Mailbox:
    for number in range(1, 6):
        account.inbox.append(b"x" * number)
    return account.inbox


def test_uids_are_never_used_twice(box: Mailbox) -> None:
    assert box.expunge([5, 2, 2, 99]) == [2, 5]
    assert box.append(b"new").uid == 6
    assert (box.uids(), box.uid_next) == ([1, 3, 4, 6], 7)


def test_messages_are_found_by_uid_and_by_place(box: Mailbox) -> None:
    box.expunge([2])
    assert box.get(2) is None
    assert box.index(2) is None
    assert (box.index(3), box.index(6)) == (1, None)
    assert [m.uid for m in box.at(1, 3)] == [3, 4]
    assert [m.uid for m in box.between(2, 4)] == [3, 4]
    assert [m.uid for m in box.between(4)] == [4, 5]
    assert [m.uid for m in box.find([4, 2, 1])] == [4, 1]


def test_a_range_of_uids_may_be_endless(box: Mailbox) -> None:
    changed = box.store(range(4, 2**32), ADD, ["\\Seen"]).changed
    assert [m.uid for m in changed] == [4, 5]
    assert box.expunge(range(1, 2**32)) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("action", "flags", "expected"),
    [
        (ADD, {"\\Seen"}, {"\\Seen", "\\Flagged", "work"}),
        (ADD, {"WORK", "\\flagged"}, {"\\Flagged", "work"}),
        (REMOVE, {"\\FLAGGED", "\\Seen"}, {"work"}),
        (REPLACE, {"\\Deleted", "Work"}, {"\\Deleted", "work"}),
        (REPLACE, set(), set()),
        (ADD, {"\\Recent"}, {"\\Flagged", "work"}),
    ],
)
def test_store_turns_flags(box: Mailbox, action: FlagAction, flags: set[str], expected: set[str]) -> None:
    uid = box.append(b"", flags={"\\Flagged", "work"}).uid
    before = box.highest_modseq
    result = box.store([uid], action, flags)
    (message,) = result.changed or result.same
    assert message.flags == expected
    assert message is box.get(uid)
    assert bool(result.changed) == (box.highest_modseq == before + 1) == (message.modseq == before + 1)


def test_store_is_refused_for_what_changed_later(box: Mailbox) -> None:
    known = box.highest_modseq
    box.store([2, 4], ADD, ["\\Seen"])
    result = box.store([1, 2, 3, 4], ADD, ["\\Deleted"], unchanged_since=known)
    assert ([m.uid for m in result.changed], result.failed) == ([1, 3], [2, 4])
    assert box.store([5], ADD, ["\\Seen"], unchanged_since=0).failed == [5]
    last = box.get(3)
    assert last is not None
    assert box.store([3], ADD, ["\\Seen"], unchanged_since=last.modseq).failed == []


def test_a_snapshot_stays_as_it_was(box: Mailbox) -> None:
    before = box.snapshot()
    box.store([1], ADD, ["\\Seen"])
    box.expunge([2])
    assert [m.uid for m in before] == [1, 2, 3, 4, 5]
    assert before[0].flags == frozenset()


def test_counters_need_no_walk(box: Mailbox) -> None:
    box.store([1, 2], ADD, ["\\Seen", "\\Deleted"])
    box.store([2], REMOVE, ["\\Deleted"])
    assert (len(box), box.unseen, box.deleted, box.deleted_size, box.size) == (5, 3, 1, 1, 15)
    assert box.deleted_uids() == [1]
    assert box.deleted_uids([2, 3]) == []


def test_first_unseen_follows_the_flags(box: Mailbox) -> None:
    assert box.first_unseen == 1
    box.store([1, 2, 4], ADD, ["\\Seen"])
    assert box.first_unseen == 3
    box.expunge([3])
    assert box.first_unseen == 5
    box.store([2], REMOVE, ["\\Seen"])
    assert box.first_unseen == 2
    box.store(box.uids(), ADD, ["\\Seen"])
    assert box.first_unseen is None
    box.append(b"")
    assert box.first_unseen == 6


def test_recent_messages_belong_to_the_first_who_claims_them(box: Mailbox) -> None:
    assert box.recent == 5
    assert box.claim_recent() == 1
    assert box.recent == 0
    box.append(b"")
    assert (box.recent, box.claim_recent(), box.claim_recent()) == (1, 6, 7)


def test_keywords_keep_their_first_spelling_and_are_limited(box: Mailbox) -> None:
    box.store([1], ADD, ["Later", "$Junk"])
    box.append(b"", flags=["LATER", "third"])
    assert box.keywords == ("$Junk", "Later", "third")
    with pytest.raises(LimitReached, match="3 keywords"):
        box.store([1], ADD, ["fourth"])
    with pytest.raises(LimitReached):
        box.append_many([NewMessage(b"a"), NewMessage(b"b", flags=["fourth"])])
    assert len(box) == 6
    assert box.store([1], REMOVE, ["fourth"]).changed == []


def test_expunged_uids_are_told_exactly(box: Mailbox) -> None:
    start = box.highest_modseq
    box.expunge([4])
    middle = box.highest_modseq
    box.expunge([1, 3])
    assert box.runs_expunged_since(start) == [(1, 1), (3, 4)]
    assert (box.expunged_since(start), box.expunged_since(middle)) == ([1, 3, 4], [1, 3])
    assert box.expunged_since(box.highest_modseq) == []


def test_changed_since_tells_arrivals_and_flags(box: Mailbox) -> None:
    known = box.highest_modseq
    box.store([3], ADD, ["\\Seen"])
    box.append(b"")
    assert [m.uid for m in box.changed_since(known)] == [3, 6]
    assert box.changed_since(box.highest_modseq) == []


def test_appending_many_is_all_or_nothing(account: AccountStore, box: Mailbox) -> None:
    account.quota.limit("MESSAGE", 6)
    with pytest.raises(OverQuota) as caught:
        box.append_many([NewMessage(b"a"), NewMessage(b"b")])
    assert (caught.value.resource, caught.value.usage, caught.value.limit) == ("MESSAGE", 7, 6)
    assert (len(box), box.uid_next) == (5, 6)
    date = START - timedelta(days=1)
    (message,) = box.append_many([NewMessage(b"a", {"\\Draft"}, date)])
    assert (message.internal_date, message.saved_at, message.flags) == (date, START, {"\\Draft"})


def test_copies_share_their_octets_and_keep_flags_and_date(account: AccountStore, box: Mailbox) -> None:
    trash = account.get("Trash")
    trash.append(b"first")
    box.store([3], ADD, ["\\Flagged"])
    assert box.copy_to(trash, [3, 1, 7]) == [(1, 2), (3, 3)]
    copy, original = trash.get(3), box.get(3)
    assert copy is not None
    assert original is not None
    assert copy.content is original.content
    assert (copy.flags, copy.internal_date) == (original.flags, original.internal_date)
    assert copy.mailbox_id == trash.mailbox_id != original.mailbox_id


def test_moving_needs_no_room(account: AccountStore, box: Mailbox) -> None:
    account.quota.limit("MESSAGE", 5)
    account.quota.limit("STORAGE", 0)
    told: list[Change] = []
    account.listen(told.append)
    archive = account.get("Archive")
    assert box.move_to(archive, [2, 4]) == [(2, 1), (4, 2)]
    assert box.uids() == [1, 3, 5]
    assert [type(change) for change in told] == [Arrived, Expunged]
    assert (account.quota.messages, account.quota.size) == (5, 15)
    with pytest.raises(OverQuota):
        box.copy_to(archive, [1])


def test_moving_into_the_same_mailbox_gives_new_uids(box: Mailbox) -> None:
    assert box.move_to(box, [1, 3]) == [(1, 6), (3, 7)]
    assert box.uids() == [2, 4, 5, 6, 7]


def test_replacing_needs_room_for_the_difference_only(account: AccountStore, box: Mailbox) -> None:
    account.quota.limit("MESSAGE", 5)
    new = box.replace(2, NewMessage(b"draft 2", {"\\Draft"}))
    assert new is not None
    assert (box.uids(), new.uid) == ([1, 3, 4, 5, 6], 6)
    assert box.replace(2, NewMessage(b"again")) is None
    other = box.replace(1, NewMessage(b"sent"), account.get("Sent"))
    assert other is account.get("Sent").get(1)
    assert box.uids() == [3, 4, 5, 6]


def test_a_new_uid_validity_gives_every_message_a_new_uid(account: AccountStore, box: Mailbox) -> None:
    box.expunge([1])
    told: list[Change] = []
    box.listen(told.append)
    before, modseq = box.uid_validity, box.highest_modseq
    new = account.renew_uid_validity("INBOX")
    assert new > before
    assert told == [UidValidityChanged(box, before, new)]
    assert (box.uids(), box.uid_next, [m.size for m in box]) == ([1, 2, 3, 4], 5, [2, 3, 4, 5])
    assert box.highest_modseq > modseq
    assert box.expunged_since(0) == []
    assert box.first_unseen == 1


def test_listeners_hear_everything_in_one_order(account: AccountStore, box: Mailbox) -> None:
    heard: list[tuple[str, str]] = []

    def answering(change: Change) -> None:
        heard.append(("first", type(change).__name__))
        if isinstance(change, Arrived):
            box.store([change.messages[0].uid], ADD, ["\\Seen"])

    box.listen(answering)
    box.listen(lambda change: heard.append(("second", type(change).__name__)))
    box.append(b"")
    assert heard == [
        ("first", "Arrived"),
        ("second", "Arrived"),
        ("first", "FlagsChanged"),
        ("second", "FlagsChanged"),
    ]


def test_a_listener_may_leave_while_it_is_told(box: Mailbox) -> None:
    heard: list[str] = []

    def first(_: Change) -> None:
        heard.append("first")
        own.cancel()
        later.cancel()
        later.cancel()

    own = box.listen(first)
    later = box.listen(lambda _: heard.append("later"))
    box.append(b"")
    box.append(b"")
    assert heard == ["first"]
    assert not own.is_active


def test_an_error_of_a_listener_is_raised_when_all_were_told(box: Mailbox) -> None:
    heard: list[Change] = []

    def broken(_: Change) -> None:
        raise RuntimeError("broken")

    place = box.listen(broken)
    box.listen(heard.append)
    with pytest.raises(RuntimeError, match="broken"):
        box.append(b"")
    place.cancel()
    box.store([1], ADD, ["\\Seen"])
    assert [type(change) for change in heard] == [Arrived, FlagsChanged]


def test_an_empty_mailbox_is_true(account: AccountStore) -> None:
    assert len(account.inbox) == 0
    assert account.inbox


def test_the_unique_id_holds_the_uid_validity(account: AccountStore, box: Mailbox) -> None:
    first = box.unique_id(1)
    account.renew_uid_validity("INBOX")
    assert first != box.unique_id(1)


def test_a_content_of_somebody_else_becomes_an_own_one(box: Mailbox) -> None:
    foreign = Content(b"hello")
    mine = box.append(foreign).content
    assert mine is not foreign
    assert mine.raw is foreign.raw
