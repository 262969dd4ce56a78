"""Mail imported from files and exported to them, beside Python's own mailbox module."""

from __future__ import annotations

import mailbox
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from fakemail import Account, AsyncMailNet, DeclarationError, FakemailError, MailNet, Message, samples

THEN = datetime(2024, 2, 29, 15, 30, 15, tzinfo=UTC)
BOB = "bob@example.org"
AWKWARD = b"Subject: From\r\n\r\nFrom here\r\n\r\nFrom there on\r\n>From\r\n>>From x\r\n"


@pytest.fixture
def bob(mailnet: MailNet) -> Account:
    """An account with messages of all kinds."""
    bob = mailnet.account(BOB)
    bob.inbox.put(samples.plain(), flags={"\\Seen", "\\Answered"}, received_at=THEN)
    bob.inbox.put(
        AWKWARD, flags={"\\Flagged", "\\Draft", "\\Deleted", "$Forwarded"}, received_at=THEN - timedelta(9)
    )
    bob.inbox.put(samples.eight_bit(), received_at=THEN)
    bob.folder("Kunden/Müller").put(samples.inline_picture(), flags={"Work", "$Label1"}, received_at=THEN)
    bob.folder("Sent").put(samples.with_attachment(), received_at=THEN)
    return bob


def content(account: Account, of: Callable[[Message], object]) -> dict[str, list[object]]:
    return {folder.name: [of(mail) for mail in folder] for folder in account.folders() if folder}


@pytest.mark.parametrize(
    ("format", "of"),
    [
        ("eml", lambda mail: mail.raw),
        ("mbox", lambda mail: (mail.raw, mail.flags, mail.received_at)),
        ("maildir", lambda mail: (mail.raw, mail.flags, mail.received_at)),
    ],
)
def test_mail_comes_back_as_it_was(
    mailnet: MailNet, bob: Account, tmp_path: Path, format: str, of: Callable[[Message], object]
) -> None:
    written = mailnet.export_mail(tmp_path / "out", format=format, account=bob)
    assert all(path.is_file() for path in written)
    imported = mailnet.import_mail(tmp_path / "out", "ann@example.org")
    assert len(imported) == 5
    assert content(mailnet.account("ann@example.org"), of) == content(bob, of)


def test_all_accounts_have_a_folder_each(mailnet: MailNet, bob: Account, tmp_path: Path) -> None:
    mailnet.account("ann@example.org").inbox.put(samples.plain())
    mailnet.export_mail(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ann@example.org", BOB]
    assert [path.name for path in (tmp_path / "ann@example.org" / "INBOX").iterdir()] == ["000001.eml"]


def test_python_reads_an_exported_mbox(mailnet: MailNet, bob: Account, tmp_path: Path) -> None:
    mailnet.export_mail(tmp_path / "out", format="mbox", account=bob)
    with closing(mailbox.mbox(tmp_path / "out" / "INBOX.mbox")) as box:
        first, second, third = box
    assert (first["Subject"], first.get_flags(), first.get_from()) == (
        "Hello",
        "ROA",
        "MAILER-DAEMON Thu Feb 29 15:30:15 2024",
    )
    assert (second.get_flags(), third.get_flags()) == ("OFTD", "O")


def test_python_reads_an_exported_maildir(mailnet: MailNet, bob: Account, tmp_path: Path) -> None:
    mailnet.export_mail(tmp_path / "out", format="maildir", account=bob)
    maildir = mailbox.Maildir(tmp_path / "out", create=False)
    assert sorted(maildir.list_folders()) == ["Kunden.M&APw-ller", "Sent"]
    found = {each["Subject"]: (each.get_flags(), each.get_date()) for each in maildir}
    assert found["Hello"] == ("RS", THEN.timestamp())
    assert found["From"] == ("DFPT", (THEN - timedelta(9)).timestamp())
    assert len(maildir.get_folder("Sent")) == 1


def test_a_maildir_of_python_is_imported(mailnet: MailNet, tmp_path: Path) -> None:
    maildir = mailbox.Maildir(tmp_path / "in")
    for folder in (maildir, maildir.add_folder("Kunden.M&APw-ller")):
        message = mailbox.MaildirMessage(samples.plain())
        message.set_subdir("cur")
        message.set_flags("RST")
        message.set_date(THEN.timestamp())
        folder.add(message)
        folder.add(AWKWARD.replace(b"\r\n", b"\n"))
    mailnet.import_mail(tmp_path / "in", BOB)
    bob = mailnet.account(BOB)
    read, new = bob.inbox
    assert (read.flags, read.received_at) == ({"\\Answered", "\\Seen", "\\Deleted"}, THEN)
    assert (new.flags, new.raw) == (set(), AWKWARD)
    assert len(bob.folder("Kunden/Müller")) == 2


def test_an_mbox_of_python_is_imported(mailnet: MailNet, tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "old")
    message = mailbox.mboxMessage(samples.plain(text="From here\n\nFrom there\n"))
    message.set_from("ann@example.org", THEN.timetuple())
    message.set_flags("ROF")
    box.add(message)
    box.add(samples.eight_bit())
    box.close()
    first, second = mailnet.import_mail(tmp_path / "old", BOB, folder="Archive")
    assert (first.flags, first.received_at) == ({"\\Seen", "\\Flagged"}, THEN)
    assert first.text == "From here\n\nFrom there\n"
    assert second.raw == samples.eight_bit()
    assert mailnet.account(BOB).folder("Archive").messages() == [first, second]


def test_an_eml_file_has_the_date_of_its_header(mailnet: MailNet, tmp_path: Path) -> None:
    received = b"Received: from a.test by b.test;\r\n Thu, 29 Feb 2024 12:30:15 -0300\r\n"
    for name, raw in (
        ("1.eml", received + samples.plain()),
        ("2.eml", samples.plain()),
        ("3.eml", b"Subject: A\n"),
    ):
        (tmp_path / name).write_bytes(raw)
    first, second, third = mailnet.import_mail(tmp_path, BOB)
    assert first.received_at == THEN
    assert second.received_at == second.date
    assert third.received_at == mailnet.clock.now()


def test_subfolders_of_files_are_mailboxes(mailnet: MailNet, tmp_path: Path) -> None:
    (tmp_path / "customers" / "%2Emiller").mkdir(parents=True)
    (tmp_path / "customers" / "%2Emiller" / "1.eml").write_bytes(samples.plain())
    (tmp_path / "customers" / "empty.mbox").touch()
    (tmp_path / "2.eml").write_bytes(samples.plain())
    mailnet.import_mail(str(tmp_path), mailnet.account(BOB), folder="Archive")
    assert {*content(mailnet.account(BOB), str)} == {"Archive", "customers/.miller"}


def test_a_from_line_may_have_a_zone(mailnet: MailNet, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(
        b"From a@b.test Thu Feb 29 12:30:15 2024 -0300\nSubject: A\n\nFrom me\n\nFrom b@c.test nonsense\nSubject: B\n"
    )
    first, second = mailnet.import_mail(tmp_path / "a", BOB)
    assert first.received_at == THEN.astimezone(timezone(timedelta(hours=-3)))
    assert (first.text, second.subject) == ("From me\n", "B")


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"a.png": b"\x89PNG\r\n"}, r"no \.eml or \.mbox file in it"),
        ({"a.eml": samples.plain(), "b.eml": b"\x89PNG\r\n"}, r"b\.eml has no message"),
        ({"a.eml": samples.plain(), "b.mbox": samples.plain()}, r"b\.mbox is no mbox"),
        (
            {"a.eml": samples.plain(), "b.mbox": b"From x\nno header\n"},
            "message 1 does not begin with a header",
        ),
        ({"cur/1:2,S": samples.plain(), "new/2": b"no header\n"}, "new/2 has no message"),
        (
            {"cur/1:2,S": samples.plain(), "new/2": samples.plain(), "dovecot-keywords": b"nonsense"},
            "dovecot-keywords",
        ),
        ({"a.eml": samples.plain(), "b/\u2028/b.eml": samples.plain()}, "no name of a mailbox"),
    ],
)
def test_what_is_no_mail_changes_nothing(
    mailnet: MailNet, tmp_path: Path, files: dict[str, bytes], what: str
) -> None:
    bob = mailnet.account(BOB)
    for name, raw in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(raw)
    with pytest.raises(FakemailError, match=what):
        mailnet.import_mail(tmp_path, bob)
    assert not mailnet.messages


def test_a_path_with_nothing_there_is_told(mailnet: MailNet, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        mailnet.import_mail(tmp_path / "a.eml", BOB)


def test_an_account_without_room_gets_nothing(mailnet: MailNet, bob: Account, tmp_path: Path) -> None:
    mailnet.export_mail(tmp_path / "out", account=bob)
    ann = mailnet.account("ann@example.org")
    ann.configure(quota_messages=4)
    with pytest.raises(FakemailError, match="quota"):
        mailnet.import_mail(tmp_path / "out", ann)
    assert ann.inbox.is_empty


def test_an_export_overwrites_nothing(mailnet: MailNet, bob: Account, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(DeclarationError, match="there already"):
        mailnet.export_mail(tmp_path)
    with pytest.raises(DeclarationError, match="did you mean 'maildir'"):
        mailnet.export_mail(tmp_path / "out", format="mailder")
    with pytest.raises(FakemailError, match="no account"):
        mailnet.export_mail(tmp_path / "out", account="nobody@example.org")
    bob.create_folder("a.b").put(samples.plain())
    with pytest.raises(DeclarationError, match=r"'a\.b' has no place in a Maildir"):
        mailnet.export_mail(tmp_path / "out", format="maildir")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_no_name_leads_out_of_the_folder(mailnet: MailNet, tmp_path: Path) -> None:
    bob = mailnet.account(BOB)
    bob.folder("../../up").put(samples.plain())
    written = mailnet.export_mail(tmp_path / "out", account=bob)
    assert all(path.resolve().is_relative_to(tmp_path / "out") for path in written)
    mailnet.import_mail(tmp_path / "out", "ann@example.org")
    assert len(mailnet.account("ann@example.org").folder("../../up")) == 1


WORLD = """
[[accounts]]
address = "bob@example.org"

[[messages]]
account = "bob@example.org"
flags = ['\\Seen', "$Work"]
received_at = 2024-02-29T15:30:15Z
text = "Subject: A\\n\\nHello\\n"

[[messages]]
account = "bob@example.org"
folder = "Old"
file = "old"
"""


def test_messages_lie_in_mailboxes_from_the_start(bob: Account, mailnet: MailNet, tmp_path: Path) -> None:
    mailnet.export_mail(tmp_path / "old", format="maildir", account=bob)
    (tmp_path / "world.toml").write_text(WORLD)
    with MailNet(config=tmp_path / "world.toml") as net:
        account = net.account(BOB)
        mail = account.inbox.one()
        assert (mail.raw, mail.flags, mail.received_at) == (
            b"Subject: A\r\n\r\nHello\r\n",
            {"\\Seen", "$Work"},
            THEN,
        )
        assert [each.flags for each in account.folder("Old")] == [each.flags for each in bob.inbox]
        assert len(account.folder("Kunden/Müller")) == 1


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ('account = "bob@example.org"', "either 'text' or 'file'"),
        ('account = "bob@example.org"\ntext = "a: b"\nfile = "a"', "either 'text' or 'file'"),
        ('account = "ann@example.org"\ntext = "a: b"', "no account 'ann@example.org'"),
        ('account = "bob@example.org"\nfile = "none.eml"', "'none.eml' cannot be read"),
        ('account = "bob@example.org"\ntext = "a: b"\nflags = "Seen"', "the flag is written"),
        (
            'account = "bob@example.org"\ntext = "a: b"\nreceived_at = 2024-01-01',
            "a date and time with a zone",
        ),
        ('account = "bob@example.org"\ntext = "a: b"\nfolder = "a//b"', "an empty level"),
        ('text = "a: b"', "'account'"),
    ],
)
def test_mistakes_in_messages_are_told_by_line(lines: str, what: str) -> None:
    with (
        pytest.raises(DeclarationError, match=what) as told,
        MailNet(config=f'[[accounts]]\naddress = "{BOB}"\n[[messages]]\n{lines}\n'),
    ):
        pass
    assert "[[messages]] number 1" in str(told.value)


@pytest.mark.anyio
async def test_the_same_from_a_loop(async_mailnet: AsyncMailNet, tmp_path: Path) -> None:
    async_mailnet.account(BOB).inbox.put(AWKWARD, flags={"\\Seen"}, received_at=THEN)
    async_mailnet.export_mail(tmp_path / "out", format="maildir", account=BOB)
    (mail,) = async_mailnet.import_mail(tmp_path / "out", "ann@example.org")
    assert (await async_mailnet.account("ann@example.org").inbox.wait_for_one()) == mail
    assert mail.flags == {"\\Seen"}
