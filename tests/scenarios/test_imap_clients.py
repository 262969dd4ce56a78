"""What people read mail with: imaplib, IMAPClient, aioimaplib and imap-tools, each through the same day's work."""

from __future__ import annotations

import asyncio
import imaplib
import smtplib
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import aioimaplib
import pytest
from imap_tools import MailBox, MailBoxStartTls, MailMessageFlags
from imapclient import IMAPClient

from fakemail import Stage, samples
from fakemail.imap.server_kinds import SERVER_KINDS

PATIENCE = 20.0  # real seconds, until a test that would hang fails instead
SERVICES = pytest.mark.parametrize("service", ["imap", "imaps"])
DEFAULT = {"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"}


@pytest.fixture
def bob(mailnet):
    bob = mailnet.account("bob@example.org")
    for subject in ("one", "two", "three"):
        bob.inbox.put(samples.plain(subject=subject, to=bob))
    return bob


def subjects(box):
    return [mail.subject for mail in box]


def deliver(mailnet, bob, subject):
    with mailnet.mx("example.org").smtplib() as smtp:
        smtp.sendmail("ann@shop.test", [bob.address], samples.plain(subject=subject))


# imaplib ------------------------------------------------------------------------------------------


@contextmanager
def idling(client):
    """IDLE, which imaplib has since Python 3.14 only."""
    tag = client._new_tag()
    client.send(tag + b" IDLE\r\n")
    assert client.readline().startswith(b"+")
    yield
    client.send(b"DONE\r\n")
    while not client.readline().startswith(tag + b" OK"):
        pass


@SERVICES
def test_a_day_with_imaplib(mailnet, bob, service):
    with getattr(bob, service).imaplib() as client:
        assert {line.rpartition(b" ")[2].decode() for line in client.list()[1]} == DEFAULT
        assert client.select() == ("OK", [b"3"])
        assert client.search(None, "SUBJECT", "t") == ("OK", [b"2 3"])
        (_, raw), _ = client.fetch("2", "(BODY.PEEK[])")[1]
        assert raw == bob.inbox[1].raw
        client.store("2", "+FLAGS", r"(\Flagged work)")
        assert bob.inbox[1].flags == {"\\Flagged", "work"}
        client.append("Sent", r"\Seen", None, samples.plain(subject="sent"))
        assert bob.folder("Sent").one().flags == {"\\Seen"}
        client.copy("1", "Archive")
        assert client.uid("MOVE", "2", "Archive")[0] == "OK"
        assert subjects(bob.folder("Archive")) == ["one", "two"]
        client.store("1", "+FLAGS", r"\Deleted")
        assert client.response("EXPUNGE") == ("EXPUNGE", [b"2"])  # of the move
        assert client.expunge() == ("OK", [b"1"])
        assert subjects(bob.inbox) == ["three"]
        with idling(client):
            deliver(mailnet, bob, "four")
            assert client.readline() == b"* 2 EXISTS\r\n"


def test_imaplib_with_names_in_utf_8(bob):
    """RFC 6855: after ENABLE the names are UTF-8, and those of RFC 3501 §5.1.3 before."""
    with bob.imaps.imaplib() as client:
        client.create("Entw&APw-rfe")
        client.enable("UTF8=ACCEPT")
        assert "Entwürfe" in b"".join(client.list()[1]).decode()
        bob.folder("Entwürfe").put("Subject: Grüße\n\n")
        assert client.select('"Entwürfe"') == ("OK", [b"1"])
        assert "Subject: Grüße" in client.fetch("1", "(BODY[HEADER])")[1][0][1].decode()


def test_a_quota_set_with_imaplib(mailnet, bob):
    """RFC 9208 §4.1.3: it holds for delivery, and takes the place of the one that was declared."""
    bob.configure(quota=1)
    with bob.imaps.imaplib() as client:
        assert client.setquota('""', "(STORAGE 100 MESSAGE 4)") == ("OK", [b'"" (STORAGE 1 100 MESSAGE 3 4)'])
        deliver(mailnet, bob, "four")
        assert subjects(bob.inbox) == ["one", "two", "three", "four"]
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            deliver(mailnet, bob, "five")
        assert client.setquota('""', "()") == ("OK", [b'"" ()'])
        deliver(mailnet, bob, "six")


# IMAPClient ---------------------------------------------------------------------------------------


@contextmanager
def imap_client(settings):
    implicit = settings.security == "tls"
    options = {"ssl_context": settings.ssl_context} if implicit else {}
    with IMAPClient(settings.host, settings.port, ssl=implicit, timeout=PATIENCE, **options) as client:
        if not implicit:
            client.starttls(settings.ssl_context)
        client.login(settings.username, settings.password)
        yield client


@SERVICES
def test_a_day_with_imapclient(mailnet, bob, service):
    with imap_client(getattr(bob, service)) as client:
        assert {name for _, _, name in client.list_folders()} == DEFAULT
        assert client.find_special_folder(b"\\Trash") == "Trash"
        assert client.namespace().personal == (("", "/"),)
        assert client.select_folder("INBOX")[b"EXISTS"] == 3
        one, two, three = client.search("ALL")
        assert client.search(["SUBJECT", "two"]) == [two]
        assert client.sort("SUBJECT") == [one, three, two]
        assert client.thread() == ((one,), (two,), (three,))
        fetched = client.fetch([two], ["ENVELOPE", "FLAGS", "BODY.PEEK[]", "INTERNALDATE"])[two]
        assert fetched[b"ENVELOPE"].subject == b"two"
        assert fetched[b"BODY[]"] == bob.inbox[1].raw
        client.add_flags(two, ["\\Flagged", "work"])
        assert bob.inbox[1].flags == {"\\Flagged", "work"}
        assert set(client.get_flags([two])[two]) == {b"\\Flagged", b"work", b"\\Recent"}
        client.append("Sent", samples.plain(subject="sent"), flags=["\\Seen"])
        assert bob.folder("Sent").one().flags == {"\\Seen"}
        client.copy([one], "Archive")
        client.move([two], "Archive")
        assert subjects(bob.folder("Archive")) == ["one", "two"]
        client.delete_messages([one])
        client.expunge([one])
        assert subjects(bob.inbox) == ["three"]
        client.idle()
        deliver(mailnet, bob, "four")
        assert (2, b"EXISTS") in client.idle_check(timeout=PATIENCE)
        assert client.idle_done()[0] == b"IDLE completed."


@pytest.mark.parametrize("encrypted", [True, False])
def test_imapclient_is_told_of_what_came_before_it_idles(bob, encrypted):
    """RFC 2177; between DONE and the next IDLE too. IMAPClient waits at the socket, below the buffer it reads from."""
    settings = bob.imaps
    if not encrypted:
        settings = bob.imap
        settings.server.configure(auth_in_clear=True)
    options = {"ssl_context": settings.ssl_context} if encrypted else {}
    client = IMAPClient(settings.host, settings.port, ssl=encrypted, timeout=PATIENCE, **options)
    with client, imap_client(bob.imaps) as other:
        client.login(settings.username, settings.password)
        for one in (client, other):
            one.select_folder("INBOX")
        first, second, third = client.search()
        changes = [
            (lambda: bob.inbox.put(samples.plain()), (4, b"EXISTS")),
            (lambda: other.set_flags(first, ["\\Flagged"], silent=True), (1, b"FETCH")),
            (lambda: other.move([second], "Archive"), (2, b"EXPUNGE")),
            (lambda: other.set_flags(third, ["\\Seen"], silent=True), (2, b"FETCH")),
        ]
        for change, expected in changes:
            client.fetch([first], ["FLAGS"])
            change()
            client.idle()
            assert expected in [news[:2] for news in client.idle_check(timeout=PATIENCE)]
            client.idle_done()


@pytest.mark.parametrize("kind", SERVER_KINDS)
def test_imapclient_with_every_kind_of_server(mailnet, kind):
    bob = mailnet.account("bob@example.org")
    bob.imap.server.configure(imap=kind)
    mail = bob.inbox.put(samples.with_attachment(subject="one"))
    sent = next(name for name, use in SERVER_KINDS[kind].folders.items() if use == "\\Sent")
    with imap_client(bob.imap) as client:
        assert sent in {name for _, _, name in client.list_folders()}
        client.select_folder("INBOX")
        assert client.search(["UNSEEN", "SUBJECT", "one"]) == [1]
        fetched = client.fetch([1], ["ENVELOPE", "BODYSTRUCTURE", "BODY[]"])[1]
        assert fetched[b"ENVELOPE"].subject == b"one"
        assert fetched[b"BODYSTRUCTURE"].is_multipart
        assert fetched[b"BODY[]"] == mail.raw
        client.copy([1], sent)
        client.append(sent, mail.raw, flags=[b"\\Seen"])
        assert len(bob.folder(sent)) == 2
        client.delete_messages([1])
        client.expunge()
    assert bob.inbox.is_empty


def test_imapclient_with_labels(mailnet):
    bob = mailnet.account("bob@example.org")
    bob.imaps.server.configure(imap="gmail-like")
    bob.inbox.put(samples.plain(subject="parcel"))
    with imap_client(bob.imaps) as client:
        client.select_folder("INBOX")
        client.create_folder("Kunden/Müller")
        client.add_gmail_labels([1], ["Kunden/Müller"])
        assert client.get_gmail_labels([1]) == {1: ["Kunden/Müller"]}
        assert client.gmail_search('subject:parcel label:"kunden/müller"') == [1]
        assert client.gmail_search("in:inbox") == [1]  # which is no label that is told, inside it
        assert client.gmail_search("-in:inbox") == []
    assert bob.folder("Kunden/Müller").one().subject == "parcel"


@pytest.mark.parametrize("name", ["Entwürfe", "下書き/送信", "A & B", 'quo"ted', "back\\slash", "☃"])
def test_imapclient_with_names_of_every_kind(bob, name):
    with imap_client(bob.imaps) as client:
        client.create_folder(name)
        client.subscribe_folder(name)
        assert name in [each for _, _, each in client.list_folders()]
        assert name in [each for _, _, each in client.list_sub_folders()]
        client.append(name, samples.plain(subject="kept"))
        assert bob.folder(name).one().subject == "kept"
        assert client.folder_status(name, ["MESSAGES", "UIDNEXT"]) == {b"MESSAGES": 1, b"UIDNEXT": 2}
        client.rename_folder(name, "plain")
        assert bob.folder("plain").one().subject == "kept"
        client.delete_folder("plain")


def test_imapclient_logs_in_in_other_ways(mailnet, bob):
    settings = bob.imaps
    logins = (
        lambda client: client.plain_login(bob.address, bob.password),
        lambda client: client.oauth2_login(bob.address, bob.token),
        lambda client: client.oauthbearer_login(bob.address, bob.token),
    )
    for login in logins:
        with IMAPClient(settings.host, settings.port, ssl_context=settings.ssl_context) as client:
            login(client)
            assert client.select_folder("INBOX", readonly=True)[b"EXISTS"] == 3
    assert bob.token not in mailnet.export()


# imap-tools ---------------------------------------------------------------------------------------


def mail_box(settings):
    kind = MailBox if settings.security == "tls" else MailBoxStartTls
    box = kind(settings.host, settings.port, timeout=PATIENCE, ssl_context=settings.ssl_context)
    return box.login(settings.username, settings.password)


@SERVICES
def test_imap_tools_is_told_of_what_came_before_it_idles(bob, service):
    with mail_box(getattr(bob, service)) as box:
        for number in (4, 5):
            bob.inbox.put(samples.plain())
            with box.idle as idle:
                assert b"* %d EXISTS" % number in idle.poll(timeout=int(PATIENCE))


@SERVICES
def test_a_day_with_imap_tools(mailnet, bob, service):
    with mail_box(getattr(bob, service)) as box:
        assert {folder.name for folder in box.folder.list()} == DEFAULT
        box.folder.set("INBOX")
        assert box.folder.status("INBOX")["MESSAGES"] == 3
        assert [mail.subject for mail in box.fetch('SUBJECT "two"', mark_seen=False)] == ["two"]
        mails = list(box.fetch(mark_seen=False, bulk=True, reverse=True))
        assert [mail.subject for mail in mails] == ["three", "two", "one"]
        one, two, _ = box.uids()
        box.flag(two, [MailMessageFlags.FLAGGED, "work"], True)
        assert bob.inbox[1].flags == {"\\Flagged", "work"}
        box.append(samples.plain(subject="sent"), "Sent", flag_set=[MailMessageFlags.SEEN])
        assert bob.folder("Sent").one().flags == {"\\Seen"}
        box.copy(one, "Archive")
        box.move(two, "Archive")
        assert subjects(bob.folder("Archive")) == ["one", "two"]
        box.delete(one)
        assert subjects(bob.inbox) == ["three"]
        with box.idle as idle:
            deliver(mailnet, bob, "four")
            assert b"* 2 EXISTS" in idle.poll(timeout=int(PATIENCE))
        box.folder.create("Entwürfe & mehr")
        box.append(samples.utf8(), "Entwürfe & mehr")
        assert bob.folder("Entwürfe & mehr").one().sender == "grüße@müller.test"
        assert box.folder.exists("Entwürfe & mehr")


# aioimaplib ---------------------------------------------------------------------------------------


async def aio_client(settings):
    """With TLS from the first octet, or in clear text: it has no STARTTLS."""
    if settings.security == "tls":
        client = aioimaplib.IMAP4_SSL(settings.host, settings.port, ssl_context=settings.ssl_context)
    else:
        client = aioimaplib.IMAP4(settings.host, settings.port)
    await client.wait_hello_from_server()
    assert (await client.login(settings.username, settings.password)).result == "OK"
    return client


async def leave(client):
    """Log out and see the connection end: left to itself, it outlives the event loop."""
    transport, lost, gone = client.protocol.transport, client.protocol.connection_lost, asyncio.Event()

    def connection_lost(error):
        lost(error)
        gone.set()

    client.protocol.connection_lost = connection_lost
    await client.logout()
    transport.abort()
    await gone.wait()


@SERVICES
@pytest.mark.asyncio
async def test_a_day_with_aioimaplib(async_mailnet, service):
    bob = async_mailnet.account("bob@example.org", password="s3cret")
    for subject in ("one", "two", "three"):
        bob.inbox.put(samples.plain(subject=subject))
    bob.imap.server.configure(auth_in_clear=True)
    client = await aio_client(getattr(bob, service))
    listed = (await client.list('""', "*")).lines[:-1]
    assert {line.rpartition(b" ")[2].decode() for line in listed} == DEFAULT
    assert b"3 EXISTS" in (await client.select()).lines
    assert (await client.search("SUBJECT", "t")).lines[0] == b"2 3"
    assert (await client.fetch("2", "(BODY.PEEK[])")).lines[1] == bob.inbox[1].raw
    await client.store("2", "+FLAGS", r"(\Flagged work)")
    assert bob.inbox[1].flags == {"\\Flagged", "work"}
    await client.append(samples.plain(subject="sent"), "Sent", flags=r"\Seen")
    assert bob.folder("Sent").one().flags == {"\\Seen"}
    await client.copy("1", "Archive")
    assert (await client.uid("move", "2", "Archive")).result == "OK"
    assert subjects(bob.folder("Archive")) == ["one", "two"]
    await client.store("1", "+FLAGS", r"(\Deleted)")
    assert (await client.expunge()).lines[0] == b"1 EXPUNGE"
    assert subjects(bob.inbox) == ["three"]
    idle = await client.idle_start(timeout=PATIENCE)
    await bob.wait_for(Stage.IMAP_IDLE)
    bob.inbox.put(samples.plain(subject="four"))
    assert b"2 EXISTS" in await client.wait_server_push(PATIENCE)
    client.idle_done()
    await idle
    await client.create("Entw&APw-rfe")
    assert b"INBOX" in b"".join((await client.list('""', "*")).lines)
    await leave(client)
    assert len(bob.folder("Entwürfe")) == 0


# Two at once --------------------------------------------------------------------------------------


def test_two_clients_see_what_the_other_does(bob):
    with bob.imaps.imaplib() as first, imap_client(bob.imap) as second:
        first.select()
        second.select_folder("INBOX")
        first.store("2", "+FLAGS", r"\Flagged")
        second.noop()
        assert second.fetch([2], ["FLAGS"])[2][b"FLAGS"] == (b"\\Flagged",)
        second.delete_messages([1])
        second.expunge()
        bob.inbox.put(samples.plain(subject="four"))
        assert first.fetch("2", "(UID)")[1] == [b"2 (UID 2)"]  # numbers stay as they are...
        assert first.response("EXISTS")[1][-1] == b"4"
        first.noop()  # ... until a command with which they may change (RFC 9051 §7.5.1)
        assert first.response("EXPUNGE") == ("EXPUNGE", [b"1"])
        assert first.fetch("1", "(UID)")[1] == [b"1 (UID 2)"]


def test_a_reader_by_pop3_takes_the_mail_from_under_a_reader_by_imap(bob):
    with bob.imaps.imaplib() as client:
        client.select()
        pop3 = bob.pop3s.poplib()
        pop3.dele(1)
        pop3.quit()
        client.noop()
        assert client.response("EXPUNGE") == ("EXPUNGE", [b"1"])


def test_the_inbox_tells_what_a_client_did(bob):
    with bob.imaps.imaplib() as client:
        client.select()
        client.fetch("1", "(BODY[])")
        client.store("2", "FLAGS", r"(\Answered $Forwarded)")
        client.store("3", "+FLAGS", r"\Deleted")
        assert [mail.flags for mail in bob.inbox] == [{"\\Seen"}, {"\\Answered", "$Forwarded"}, {"\\Deleted"}]
        with pytest.raises(imaplib.IMAP4.error):
            client.fetch("1", "(NONSENSE)")
    assert len(bob.inbox) == 3


def test_the_first_reader_of_a_process_does_not_wait_for_modules(tmp_path: Path) -> None:
    """They are loaded in the thread of the test: in that of the servers, everybody would wait for them."""
    script = tmp_path / "first.py"
    script.write_text(
        "import imaplib, sys\n"
        "from fakemail import MailNet\n"
        "with MailNet() as net:\n"
        "    bob = net.account('bob@example.org', password='secret')\n"
        "    settings, before = bob.imap, set(sys.modules)\n"
        "    client = imaplib.IMAP4(settings.host, settings.port)\n"
        "    client.logout()\n"
        "    print(*sorted(name for name in set(sys.modules) - before if name.startswith('fakemail.')))\n"
    )
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.split() == []
