"""Mailboxes that a test arranges, beside sessions of real clients that look at them."""

from __future__ import annotations

import imaplib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient

from fakemail import (
    Account,
    AsyncMailNet,
    DeclarationError,
    FakemailError,
    MailAssertionError,
    MailNet,
    Stage,
    samples,
)

THEN = datetime(2024, 2, 29, 12, 30, 15, tzinfo=timezone(timedelta(hours=-3)))


@pytest.fixture
def bob(mailnet: MailNet) -> Account:
    return mailnet.account("bob@example.org")


@pytest.fixture
def client(bob: Account) -> Iterator[IMAPClient]:
    box = bob.imaps
    with IMAPClient(box.host, box.port, ssl_context=box.ssl_context) as client:
        client.login(box.username, box.password)
        yield client


def heard(bob: Account, client: IMAPClient, change: Callable[[], object]) -> list[Any]:
    """The untagged responses that a session which idles gets because of a change."""
    client.select_folder("INBOX")
    client.idle()
    bob.wait_for(Stage.IMAP_IDLE)
    change()
    found: list[Any] = client.idle_check(timeout=10)
    client.idle_done()
    return found


def write(path: Path) -> Path:
    path.write_bytes(b"Subject: A\n\nHello\n")
    return path


def written() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "A"
    message.set_content("Hello\n")
    return message


def test_a_message_is_put_in_any_form(bob: Account, tmp_path: Path) -> None:
    raw = b"Subject: A\r\n\r\nHello\r\n"
    for given in (raw, raw.decode(), bytearray(raw), "Subject: A\n\nHello\n", write(tmp_path / "a.eml")):
        assert bob.inbox.put(given).raw == raw
    assert bob.folder("Archive").put(bob.inbox[0]).raw == raw
    put = bob.inbox.put(written())
    assert (put.subject, put.text, put.raw.count(b"\n")) == ("A", "Hello\n", put.raw.count(b"\r\n"))
    assert len(bob.inbox) == 6
    with pytest.raises(FileNotFoundError):
        bob.inbox.put(tmp_path / "b.eml")
    with pytest.raises(DeclarationError, match=r"Path of an \.eml file, not \{"):
        bob.inbox.put(samples.malformed())  # type: ignore[arg-type]
    assert len(bob.inbox) == 6


def test_flags_and_the_internal_date_are_given_with_the_message(bob: Account, client: IMAPClient) -> None:
    mail = bob.folder("Archive").put(samples.plain(), flags={"\\seen", "$Forwarded"}, received_at=THEN)
    assert (mail.flags, mail.received_at) == ({"\\Seen", "$Forwarded"}, THEN)
    client.normalise_times = False
    client.select_folder("Archive")
    fetched = client.fetch([1], ["FLAGS", "INTERNALDATE"])[1]
    assert {*fetched[b"FLAGS"]} - {b"\\Recent"} == {b"\\Seen", b"$Forwarded"}
    assert fetched[b"INTERNALDATE"] == THEN


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        ("\\Seen", "not the text"),
        ({"Seen"}, r"written '\\\\Seen', not 'Seen'"),
        ({"\\Sen"}, r"did you mean '\\\\Seen'"),
        ({"\\Recent"}, "no message can be given"),
        ({"two words"}, "cannot be a keyword"),
        ({1}, "a flag is a text"),
    ],
)
def test_wrong_flags_change_nothing(bob: Account, flags: set[str], what: str) -> None:
    with pytest.raises(DeclarationError, match=what):
        bob.inbox.put(samples.plain(), flags=flags)
    assert bob.inbox.is_empty
    mail = bob.inbox.put(samples.plain())
    with pytest.raises(DeclarationError, match=what):
        mail.flags = flags  # type: ignore[assignment]
    assert mail.flags == set()


def test_a_time_without_a_zone_is_refused(bob: Account) -> None:
    with pytest.raises(DeclarationError, match="has no time zone"):
        bob.inbox.put(samples.plain(), received_at=datetime(2024, 1, 1))  # noqa: DTZ001 - it is the mistake
    with pytest.raises(TypeError, match="datetime with a time zone"):
        bob.inbox.put(samples.plain(), received_at="2024-01-01")  # type: ignore[arg-type]
    assert bob.inbox.is_empty


def test_a_session_that_idles_hears_of_each_change_at_once(bob: Account, client: IMAPClient) -> None:
    mail = bob.inbox.put(samples.plain())

    def read() -> None:
        mail.flags = {"\\Seen"}

    ((_, word, (_, flags)),) = heard(bob, client, read)
    assert (word, {*flags} - {b"\\Recent"}) == (b"FETCH", {b"\\Seen"})
    assert (2, b"EXISTS") in heard(bob, client, lambda: bob.inbox.put(samples.plain()))
    assert heard(bob, client, mail.delete) == [(1, b"EXPUNGE")]
    assert heard(bob, client, lambda: bob.inbox[0].move_to("Archive")) == [(1, b"EXPUNGE")]
    back = bob.folder("Archive").one()
    assert (1, b"EXISTS") in heard(bob, client, lambda: back.copy_to(bob.inbox))
    assert heard(bob, client, bob.inbox.clear) == [(1, b"EXPUNGE")]
    assert bob.inbox.is_empty


def test_flags_are_those_of_the_moment(bob: Account, client: IMAPClient) -> None:
    mail = bob.inbox.put(samples.plain(), flags={"\\Flagged"})
    client.select_folder("INBOX")
    client.add_flags([1], ["\\Seen"])
    assert mail.flags == {"\\Seen", "\\Flagged"}
    mail.flags |= {"$Work"}
    mail.flags -= {"\\Flagged"}
    assert {*client.get_flags([1])[1]} - {b"\\Recent"} == {b"\\Seen", b"$Work"}
    client.delete_messages([1])
    client.expunge()
    assert mail.flags == {"\\Seen", "$Work"}  # as it was last set by the test
    for change in (mail.delete, lambda: mail.move_to("Archive"), lambda: mail.copy_to("Archive")):
        with pytest.raises(MailAssertionError, match="no longer in the mailbox"):
            change()
    with pytest.raises(MailAssertionError, match="no longer in the mailbox"):
        mail.flags = set()  # type: ignore[assignment]


def test_a_copy_keeps_flags_and_date(bob: Account) -> None:
    mail = bob.inbox.put(samples.plain(), flags={"\\Seen"}, received_at=THEN)
    copy = mail.copy_to("Projects/2024")
    assert (copy.flags, copy.received_at, copy.raw) == ({"\\Seen"}, THEN, mail.raw)
    assert bob.folder("Projects/2024").wait_for_one() == copy
    moved = mail.move_to(bob.folder("Trash"))
    assert bob.inbox.is_empty
    assert bob.folder("Trash").one() == moved
    assert moved != mail


def test_a_message_stays_in_its_account(mailnet: MailNet, bob: Account) -> None:
    mail = bob.inbox.put(samples.plain())
    ann = mailnet.account("ann@example.org")
    with pytest.raises(DeclarationError, match=r"put\(\) it into INBOX of ann@example.org"):
        mail.move_to(ann.inbox)
    assert ann.inbox.put(mail).raw == mail.raw


def test_folders_are_created_renamed_and_deleted(bob: Account, client: IMAPClient) -> None:
    spam = bob.create_folder("Spam/Old", special_use="\\Flagged")
    assert spam.special_use == {"\\Flagged"}
    listed = {name: flags for flags, _, name in client.list_folders()}
    assert b"\\Flagged" in listed["Spam/Old"]
    spam.put(samples.plain())
    with pytest.raises(FakemailError, match="exists already"):
        bob.create_folder("Spam/Old")
    with pytest.raises(FakemailError, match="the special use of 'Sent' already"):
        bob.create_folder("Outbox", special_use="\\Sent")
    with pytest.raises(FakemailError, match="no special use"):
        bob.create_folder("Outbox", special_use="\\Outbox")
    kept = spam.rename("Kept")
    assert (kept.name, len(kept), len(spam)) == ("Kept", 1, 0)
    client.select_folder("Kept")
    kept.delete()
    with pytest.raises(imaplib.IMAP4.abort):
        client.noop()
    client.shutdown()
    assert "BYE The selected mailbox was deleted" in bob.transcript(imap=True)
    assert "Kept" not in [folder.name for folder in bob.folders()]
    assert kept.is_empty
    with pytest.raises(FakemailError, match="there is no mailbox"):
        kept.delete()
    with pytest.raises(FakemailError, match="INBOX cannot be deleted"):
        bob.inbox.delete()


def test_a_renamed_folder_keeps_its_messages(bob: Account) -> None:
    old = bob.create_folder("A")
    mail = old.put(samples.plain())
    new = old.rename("B")
    mail.flags = {"\\Seen"}
    assert new.one() == mail
    assert new.one().flags == {"\\Seen"}


def test_a_pop3_session_keeps_what_it_counted(bob: Account) -> None:
    mail = bob.inbox.put("Subject: A\n\nHello\n")
    client = bob.pop3s.poplib()
    mail.delete()
    assert client.stat()[0] == 1
    client.quit()
    client = bob.pop3s.poplib()
    assert client.stat()[0] == 0
    client.quit()


def test_an_account_that_is_full_takes_nothing_more(bob: Account) -> None:
    bob.configure(quota_messages=1)
    mail = bob.inbox.put(samples.plain())
    with pytest.raises(FakemailError, match="quota"):
        bob.inbox.put(samples.plain())
    with pytest.raises(FakemailError, match="quota"):
        mail.copy_to("Archive")
    assert (len(bob.inbox), len(bob.folder("Archive"))) == (1, 0)
    assert mail.move_to("Archive").uid == 1


def test_a_mailbox_of_all_mail_follows(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    bob.imaps.server.configure(imap="gmail-like")
    mail = bob.inbox.put(samples.plain(), flags={"\\Seen"})
    everything = bob.folder("[Gmail]/All Mail")
    assert len(everything) == 1
    mail.copy_to("Work").delete()
    mail = mail.move_to("Later")
    assert (len(everything), len(bob.inbox), mailnet.messages.messages()) == (1, 0, [mail])
    with pytest.raises(FakemailError, match="holds all mail"):
        everything.delete()


@pytest.mark.anyio
async def test_the_same_is_arranged_in_a_loop(async_mailnet: AsyncMailNet) -> None:
    bob = async_mailnet.account("bob@example.org")
    mail = bob.inbox.put(written(), flags={"\\Seen"}, received_at=THEN.astimezone(UTC))
    mail.flags |= {"\\Flagged"}
    mail.move_to(bob.create_folder("Work"))
    found = await bob.folder("Work").wait_for_one(subject="A")
    assert found.flags == {"\\Seen", "\\Flagged"}
    found.copy_to(bob.inbox)
    bob.inbox.clear()
    assert bob.inbox.is_empty
