"""Dovecot reads a Maildir that was exported, and what it makes of it is imported again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from dovecot import Dovecot, dovecot_of
from fakemail import MailNet, samples

pytestmark = pytest.mark.interop

THEN = datetime(2024, 2, 29, 15, 30, 15, tzinfo=UTC)


@pytest.fixture
def dovecot(program: Callable[[str], str]) -> Iterator[Dovecot]:
    with dovecot_of(program, "imap", "namespace inbox {\n  inbox = yes\n  separator = /\n}\n") as dovecot:
        yield dovecot


def say(dovecot: Dovecot, *commands: str) -> str:
    dovecot.own()
    session = dovecot.popen()
    said = "".join(f"t{number} {command}\r\n" for number, command in enumerate([*commands, "LOGOUT"]))
    return session.communicate(said.encode(), timeout=30)[0].decode()


def test_dovecot_reads_an_exported_maildir_and_changes_it(mailnet: MailNet, dovecot: Dovecot) -> None:
    bob = mailnet.account("bob@example.org")
    bob.inbox.put(samples.plain(), flags={"\\Seen", "\\Answered", "$Work"}, received_at=THEN)
    bob.inbox.put(samples.html(), flags={"\\Flagged"}, received_at=THEN)
    bob.folder("Kunden/Müller").put(samples.invitation(), received_at=THEN)
    mailnet.export_mail(dovecot.home / "Maildir", format="maildir", account=bob)

    answers = say(
        dovecot,
        "SELECT INBOX",
        "FETCH 1:2 (FLAGS INTERNALDATE RFC822.SIZE)",
        "STORE 2 +FLAGS (\\Seen $New)",
        "COPY 2 Kunden/M&APw-ller",
        'STATUS "Kunden/M&APw-ller" (MESSAGES)',
    )
    assert "(\\Answered \\Seen \\Recent $Work)" in answers
    assert answers.count('"29-Feb-2024 15:30:15 +0000"') == 2
    assert f"RFC822.SIZE {len(samples.plain())}" in answers
    assert "(MESSAGES 2)" in answers

    mailnet.import_mail(dovecot.home / "Maildir", "ann@example.org")
    ann = mailnet.account("ann@example.org")
    assert [mail.flags for mail in ann.inbox] == [
        {"\\Seen", "\\Answered", "$Work"},
        {"\\Seen", "\\Flagged", "$New"},
    ]
    assert [mail.raw for mail in ann.inbox] == [samples.plain(), samples.html()]
    assert sorted(mail.subject for mail in ann.folder("Kunden/Müller")) == [
        "Invitation: Lunch",
        "Welcome, Bob",
    ]
    assert {mail.received_at for mail in ann.inbox} == {THEN}
