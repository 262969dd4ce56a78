"""Contents: ids, threads, and what is kept of them."""

from __future__ import annotations

import gc
import weakref

import pytest

from fakemail.message.base_subject import base_subject
from fakemail.store.account import AccountStore
from fakemail.store.content import Budget, Content, ContentPool
from fakemail.store.mailstore import MailStore
from fakemail.types.address import address


def test_ids_differ_in_the_whole_store() -> None:
    store = MailStore()
    boxes = [store.mailbox(address(f"{name}@example.org")) for name in ("ann", "bob")]
    contents = [box.append(b"same").content for box in boxes for _ in range(2)]
    ids = {content.email_id for content in contents} | {box.mailbox_id for box in boxes}
    assert len(ids) == 6


def test_kept_values_are_found_again_until_the_budget_is_used_up() -> None:
    home = ContentPool(budget=Budget(1000))
    first, second, third = (Content(b"", home) for _ in range(3))
    assert first.recall("envelope") is None
    first.remember("envelope", b"1", 300)
    second.remember("envelope", b"2", 300)
    third.remember("envelope", b"3", 300)
    assert [c.recall("envelope") for c in (first, second, third)] == [None, b"2", b"3"]
    assert home.budget.used == 800


def test_what_was_used_lately_stays_longest() -> None:
    home = ContentPool(budget=Budget(1000))
    contents = [Content(b"", home) for _ in range(40)]
    contents[0].remember("k", 0, 100)
    for number, content in enumerate(contents[1:], 1):
        content.remember("k", number, 100)
        assert contents[0].recall("k") == 0
    kept = [c.recall("k") for c in contents if c.recall("k") is not None]
    assert len(kept) == 5
    assert home.budget.used == 1000


def test_what_is_larger_than_the_budget_is_not_kept() -> None:
    home = ContentPool(budget=Budget(1000))
    content = Content(b"", home)
    content.remember("k", b"large", 2000)
    assert content.recall("k") is None
    assert home.budget.used == 0
    content.remember("k", b"small", 10)
    assert content.recall("k") == b"small"


def test_what_is_kept_of_a_message_goes_with_it() -> None:
    home = ContentPool(budget=Budget(1000))
    gone, stays = Content(b"", home), Content(b"", home)
    gone.remember("k", b"1", 300)
    stays.remember("k", b"2", 300)
    del gone
    assert home.budget.used == 400
    stays.remember("l", b"3", 500)
    assert stays.recall("k") == b"2"


def test_an_expunged_message_is_let_go() -> None:
    class Watched(Content):
        __slots__ = ("__weakref__",)

    account = AccountStore()
    content = Watched(b"octets", account.home)
    content.remember("k", 1, 10)
    account.inbox.append(content)
    watch = weakref.ref(content)
    del content
    account.inbox.expunge([1])
    gc.collect()
    assert watch() is None


def mail(message_id: str, subject: str, *, references: str = "", reply_to: str = "") -> bytes:
    lines = [f"Message-ID: <{message_id}@x>", f"Subject: {subject}"]
    lines += [f"References: {references}"] if references else []
    lines += [f"In-Reply-To: {reply_to}"] if reply_to else []
    return "\r\n".join([*lines, "", "<not@x> in the body"]).encode()


def test_answers_are_in_the_thread_of_what_they_answer() -> None:
    account = AccountStore()
    question = account.inbox.append(mail("1", "Parcel")).content
    answer = account.get("Sent").append(mail("2", "Re: Parcel", reply_to="<1@x>")).content
    stranger = account.inbox.append(mail("3", "Parcel")).content
    other_subject = account.inbox.append(mail("4", "Re: Invoice", reply_to="<1@x>")).content
    folded = account.inbox.append(mail("5", "AW: [shop] Fwd: parcel", references="<0@x>\r\n <1@x>")).content
    fwd = account.inbox.append(mail("6", "[shop] Fwd: parcel", references="<0@x>\r\n <2@x>")).content
    assert answer.thread_id == question.thread_id == fwd.thread_id
    ids = {c.thread_id for c in (question, stranger, other_subject, folded)}
    assert len(ids) == 4, "a mark that RFC 5256 does not know (AW:) is part of the subject"


def test_the_thread_of_a_message_does_not_depend_on_when_it_is_asked_for() -> None:
    def play(*, early: bool) -> list[str]:
        account = AccountStore()
        found = []
        for raw in (
            mail("1", "a"),
            mail("2", "Re: a", reply_to="<1@x>"),
            mail("3", "re: a", reply_to="<2@x>"),
        ):
            found.append(account.inbox.append(raw).content)
            if early:
                _ = found[-1].thread_id
        account.inbox.expunge([1])
        return [content.thread_id for content in found]

    early, late = play(early=True), play(early=False)
    assert len(set(early)) == 1
    assert late[1] == late[2]


def test_the_earlier_message_may_come_later() -> None:
    account = AccountStore()
    answer = account.inbox.append(mail("2", "Re: a", reply_to="<1@x>")).content
    question = account.inbox.append(mail("1", "a")).content
    copy = account.inbox.copy_to(account.get("Archive"), [1])
    assert copy == [(1, 1)]
    assert question.thread_id == answer.thread_id


@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("Re: Hello", "hello"),
        ("re[2]: FWD:  Hello  (fwd)", "hello"),
        ("[list] Re: [list] Hello", "hello"),
        ("[Fwd: Re: Hello]", "hello"),
        ("[only a blob]", "[only a blob]"),
        ("Re:", ""),
        ("", ""),
        ("Regards", "regards"),
    ],
)
def test_base_subject(subject: str, base: str) -> None:
    assert base_subject(subject).casefold() == base
