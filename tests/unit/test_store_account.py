"""The tree of one account: names, special uses, subscriptions, quota, annotations, rights, the lock."""

from __future__ import annotations

import pytest

from fakemail.store.account import AccountStore
from fakemail.store.errors import (
    AnnotationTooLarge,
    HasChildren,
    InvalidName,
    LimitReached,
    MailboxExists,
    NoSuchMailbox,
    NoSuchSubscription,
    NotAllowed,
    OverQuota,
    SpecialUseRefused,
)
from fakemail.store.mailbox import (
    Change,
    MailboxCreated,
    MailboxDeleted,
    MailboxRenamed,
    MetadataChanged,
    SubscriptionChanged,
)
from fakemail.store.mailstore import MailStore
from fakemail.types.address import address

BOB = address("bob@example.org")


@pytest.fixture
def account() -> AccountStore:
    return AccountStore("bob@example.org", folders={})


def listed(account: AccountStore) -> list[str]:
    return [entry.name for entry in account.entries()]


def test_the_usual_folders_are_there_with_their_uses() -> None:
    account = AccountStore()
    assert {entry.name: entry.attributes for entry in account.entries()} == {
        "INBOX": ("\\HasNoChildren", "\\Subscribed"),
        "Archive": ("\\HasNoChildren", "\\Subscribed", "\\Archive"),
        "Drafts": ("\\HasNoChildren", "\\Subscribed", "\\Drafts"),
        "Junk": ("\\HasNoChildren", "\\Subscribed", "\\Junk"),
        "Sent": ("\\HasNoChildren", "\\Subscribed", "\\Sent"),
        "Trash": ("\\HasNoChildren", "\\Subscribed", "\\Trash"),
    }
    junk = account.with_use("\\Junk")
    assert junk is account.get("Junk")
    assert account.with_use("\\All") is None


def test_the_case_of_inbox_does_not_count(account: AccountStore) -> None:
    assert account.get("inbox") is account.inbox
    assert account.create("InBox/Work").name == "INBOX/Work"
    account.create("a/inbox")
    assert listed(account) == ["INBOX", "INBOX/Work", "a", "a/inbox"]


@pytest.mark.parametrize(
    "name", ["", "/", "/a", "a//b", "a\x00", "a\r\n", "\ud800", "x" * 1001, "/".join("a" * 101)]
)
def test_names_that_cannot_be(account: AccountStore, name: str) -> None:
    with pytest.raises(InvalidName):
        account.create(name)
    assert listed(account) == ["INBOX"]


def test_a_parent_that_was_never_made_is_listed_and_can_be_made(account: AccountStore) -> None:
    account.create("a/b/")
    assert [(e.name, e.attributes) for e in account.entries()] == [
        ("INBOX", ("\\HasNoChildren", "\\Subscribed")),
        ("a", ("\\NonExistent", "\\Noselect", "\\HasChildren")),
        ("a/b", ("\\HasNoChildren",)),
    ]
    with pytest.raises(HasChildren):
        account.delete("a")
    account.create("a")
    assert account.entries()[1].attributes == ("\\HasChildren",)
    with pytest.raises(MailboxExists):
        account.create("a")


def test_parents_are_made_if_the_server_does_that() -> None:
    account = AccountStore(folders={}, creates_parents=True)
    account.create("a/b/c")
    account.rename("a/b", "x/y/z")
    assert [box.name for box in account.mailboxes()] == ["INBOX", "a", "x/y/z", "x/y/z/c", "x", "x/y"]


def test_children_follow_their_parent_in_a_listing(account: AccountStore) -> None:
    for name in ("a-b", "a/z", "a", "Z", "a b"):
        account.create(name)
    assert listed(account) == ["INBOX", "Z", "a", "a/z", "a b", "a-b"]


def test_a_deleted_mailbox_leaves_its_children_and_its_uid_validity_is_never_used_again(
    account: AccountStore,
) -> None:
    box = account.create("a")
    account.create("a/b")
    box.append(b"x" * 2000)
    account.delete("a")
    assert box.is_deleted
    assert (account.quota.messages, account.quota.size, account.quota.mailboxes) == (0, 0, 2)
    assert listed(account) == ["INBOX", "a", "a/b"]
    again = account.create("a")
    assert again.uid_validity > box.uid_validity
    assert again.mailbox_id != box.mailbox_id
    with pytest.raises(NoSuchMailbox):
        box.append(b"")
    box.expunge([1])
    assert account.quota.size == 0


def test_inbox_stays(account: AccountStore) -> None:
    with pytest.raises(NotAllowed, match="INBOX"):
        account.delete("inbox")
    with pytest.raises(NoSuchMailbox):
        account.delete("nowhere")


def test_children_are_renamed_too(account: AccountStore) -> None:
    box, child = account.create("a"), account.create("a/b")
    account.create("ab")
    told: list[Change] = []
    account.listen(told.append)
    account.rename("a", "c/d")
    assert (box.name, child.name) == ("c/d", "c/d/b")
    assert listed(account) == ["INBOX", "ab", "c", "c/d", "c/d/b"]
    assert told == [MailboxRenamed(box, "a", "c/d"), MailboxRenamed(child, "a/b", "c/d/b")]
    account.rename("c", "e")
    assert child.name == "e/d/b"


def test_a_mailbox_may_take_the_place_of_its_parent(account: AccountStore) -> None:
    outer, inner = account.create("x/y"), account.create("x/y/y")
    account.rename("x/y", "x")
    assert (outer.name, inner.name) == ("x", "x/y")
    assert account.get("x/y") is inner


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("a", "c", MailboxExists),
        ("a", "a", MailboxExists),
        ("a", "INBOX", MailboxExists),
        ("a", "d", MailboxExists),  # d/b is there
        ("a", "a/x", NotAllowed),
        ("none", "x", NoSuchMailbox),
        ("a", "", InvalidName),
        ("a", "y" * 999, InvalidName),  # the child's name would be too long
        ("INBOX", "c", MailboxExists),
    ],
)
def test_a_rename_that_cannot_be_changes_nothing(
    account: AccountStore, old: str, new: str, error: type[Exception]
) -> None:
    for name in ("a", "a/b", "c", "d/b"):
        account.create(name)
    before = listed(account)
    with pytest.raises(error):
        account.rename(old, new)
    assert listed(account) == before


def test_renaming_inbox_moves_its_messages_only(account: AccountStore) -> None:
    account.create("INBOX/Work")
    account.inbox.append(b"one", flags=["\\Seen"])
    account.rename("INBOX", "Old")
    assert len(account.inbox) == 0
    assert account.inbox.expunged_since(0) == [1]
    assert [(m.raw, m.flags) for m in account.get("Old")] == [(b"one", frozenset({"\\Seen"}))]
    assert listed(account) == ["INBOX", "INBOX/Work", "Old"]


def test_subscriptions_are_names(account: AccountStore) -> None:
    account.subscribe("gone/deep")
    account.subscribe("gone/deep")
    assert account.subscriptions() == ["INBOX", "gone/deep"]
    assert [e.name for e in account.entries(subscribed=True)] == ["INBOX", "gone/deep"]
    assert account.entries(subscribed=True)[1].attributes == (
        "\\NonExistent",
        "\\Noselect",
        "\\HasNoChildren",
        "\\Subscribed",
    )
    account.unsubscribe("inbox")
    with pytest.raises(NoSuchSubscription):
        account.unsubscribe("INBOX")
    assert account.entries()[0].attributes == ("\\HasNoChildren",)


def test_special_uses_belong_to_one_mailbox(account: AccountStore) -> None:
    box = account.create("Gesendet", special_use=["\\Sent"])
    for use in ("\\Sent", "\\Nonsense"):
        with pytest.raises(SpecialUseRefused):
            account.create("other", special_use=[use])
    account.rename("Gesendet", "Sent")
    assert box.special_use == {"\\Sent"}
    account.set_special_use("Sent", [])
    account.create("other", special_use=["\\Sent"])
    assert account.with_use("\\Sent") is account.get("other")


def test_quota_counts_begun_kibibytes() -> None:
    account = AccountStore(folders={})
    account.quota.limit("STORAGE", 2)
    account.inbox.append(b"x" * 1025)
    assert account.quota.usage("STORAGE") == 2
    account.inbox.append(b"x" * 1023)
    with pytest.raises(OverQuota, match="STORAGE: 3 would be used of 2"):
        account.inbox.append(b"x")
    account.inbox.expunge([1])
    account.inbox.append(b"x")
    account.quota.limit("MAILBOX", 1)
    with pytest.raises(OverQuota, match="MAILBOX"):
        account.create("a")
    assert account.quota.limits == {"STORAGE": 2, "MAILBOX": 1}
    account.quota.limit("STORAGE", None)
    account.inbox.append(b"x" * 5000)
    with pytest.raises(ValueError, match="no limit of COFFEE"):
        account.quota.limit("COFFEE", 1)


def test_annotations(account: AccountStore) -> None:
    told: list[Change] = []
    account.listen(told.append)
    account.annotate("", {"/shared/Comment": b"hello", "/private/a/b": b"", "/private/a/b/c": b"x"})
    assert account.metadata.get("/SHARED/comment") == b"hello"
    assert account.metadata.below("/private/a", 0) == {}
    assert account.metadata.below("/private/a", 1) == {"/private/a/b": b""}
    assert set(account.metadata.below("/private")) == {"/private/a/b", "/private/a/b/c"}
    account.annotate("inbox", {"/private/x": b"1"})
    account.annotate("INBOX", {"/private/x": None, "/private/never": None})
    assert len(account.inbox.metadata) == 0
    assert told == [
        MetadataChanged("", ("/shared/comment", "/private/a/b", "/private/a/b/c")),
        MetadataChanged("INBOX", ("/private/x",)),
        MetadataChanged("INBOX", ("/private/x",)),
    ]


@pytest.mark.parametrize(
    "name", ["comment", "/other/x", "/private", "/private/", "/private//a", "/shared/a*", "/shared/é"]
)
def test_names_that_no_annotation_has(account: AccountStore, name: str) -> None:
    with pytest.raises(InvalidName):
        account.annotate("", {"/private/good": b"1", name: b"2"})
    assert len(account.metadata) == 0


def test_annotations_are_limited(account: AccountStore) -> None:
    with pytest.raises(AnnotationTooLarge, match="65536"):
        account.annotate("", {"/private/a": b"x" * 65_537})
    with pytest.raises(LimitReached, match="1000 annotations"):
        account.annotate("", {f"/private/{n}": b"" for n in range(1001)})


def test_the_owner_has_every_right_and_others_are_noted(account: AccountStore) -> None:
    account.set_acl("INBOX", "ann", "lrs")
    account.set_acl("INBOX", "ann", "d", action="+")
    account.set_acl("INBOX", "ann", "r", action="-")
    assert account.acl("INBOX") == {"bob@example.org": "lrswipkxteacd", "ann": "lsted"}
    account.set_acl("INBOX", "ann", "")
    assert list(account.acl("INBOX")) == ["bob@example.org"]
    with pytest.raises(NotAllowed, match="owner"):
        account.set_acl("INBOX", "bob@example.org", "l")
    with pytest.raises(NotAllowed, match="no right: q"):
        account.set_acl("INBOX", "ann", "q")


def test_the_maildrop_has_one_lock(account: AccountStore) -> None:
    first, second = object(), object()
    assert account.lock(first)
    assert account.lock(first)
    assert not account.lock(second)
    account.unlock(second)
    assert account.is_locked
    account.unlock(first)
    assert account.lock(second)


def test_what_happens_to_the_tree_is_told(account: AccountStore) -> None:
    told: list[Change] = []
    account.listen(told.append)
    box = account.create("a")
    near: list[Change] = []
    box.listen(near.append)
    account.subscribe("a")
    account.unsubscribe("a")
    account.delete("a")
    assert told == [
        MailboxCreated(box, "a"),
        SubscriptionChanged("a", True),
        SubscriptionChanged("a", False),
        MailboxDeleted(box, "a"),
    ]
    assert near == [MailboxDeleted(box, "a")]


def test_the_places_of_a_content_are_its_labels(account: AccountStore) -> None:
    work = account.create("work")
    content = account.inbox.append(b"hello").content
    assert account.places(content) == (account.inbox,)
    account.inbox.copy_to(work, [1])
    assert account.places(content) == (account.inbox, work)
    account.inbox.expunge([1])
    assert account.places(content) == (work,)


def test_a_store_makes_accounts_when_they_are_asked_for() -> None:
    store = MailStore(folders=lambda _: {"Sent": "\\Sent"})
    assert store.find(BOB) is None
    assert store.mailboxes() == []
    box = store.mailbox(address("BOB@example.org"), "Work")
    assert store.find(BOB, "Work") is box is store.mailbox(BOB, "Work")
    assert [name for _, name in store.mailboxes()] == ["INBOX", "Sent", "Work"]
    assert store.mailbox(BOB) is store.account(BOB).inbox
    assert store.accounts() == [store.account(BOB)]
