"""Kinds of IMAP servers: what those of large providers say, with real clients."""

from __future__ import annotations

import imaplib

import pytest
from imapclient import IMAPClient

from fakemail import MailNet, samples

BEFORE_LOGIN = {
    "gmail-like": "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 SASL-IR AUTH=XOAUTH2 "
    "AUTH=PLAIN AUTH=PLAIN-CLIENTTOKEN AUTH=OAUTHBEARER",
    "outlook-like": "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS ID UNSELECT CHILDREN IDLE NAMESPACE "
    "LITERAL+",
}


@pytest.fixture
def net():
    with MailNet() as mailnet:
        yield mailnet


@pytest.fixture
def bob(net):
    return net.account("bob@example.org")


def like(account, kind):
    account.imaps.server.configure(imap=kind)
    return account


def stranger(settings):
    return imaplib.IMAP4_SSL(settings.host, settings.port, ssl_context=settings.ssl_context)


@pytest.mark.parametrize("kind", BEFORE_LOGIN)
def test_capabilities_before_the_login(bob, kind):
    with stranger(like(bob, kind).imaps) as client:
        assert client.capability()[1] == [BEFORE_LOGIN[kind].encode()]


def test_capabilities_of_a_yahoo_like_server(bob):
    with stranger(like(bob, "yahoo-like").imaps) as client:
        assert {"IDLE", "OBJECTID", "AUTH=PLAIN", "AUTH=XOAUTH2"} <= set(client.capabilities)
        assert "XAPPLEPUSHSERVICE" not in client.capabilities
        client.login(bob.address, bob.password)
        listed = client.capability()[1][0].split()
        assert {b"IDLE", b"OBJECTID"} <= set(listed)
        assert b"XAPPLEPUSHSERVICE" not in listed


@pytest.mark.parametrize("kind", ["gmail-like", "outlook-like", "yahoo-like"])
def test_capabilities_in_clear_text(bob, kind):
    settings = like(bob, kind).imap
    client = imaplib.IMAP4(settings.host, settings.port)
    listed = client.capability()[1][0].split()
    assert listed[-2:] == [b"STARTTLS", b"LOGINDISABLED"]
    assert not any(word.startswith(b"AUTH=") for word in listed)
    client.starttls(settings.ssl_context)
    assert "STARTTLS" not in client.capabilities
    client.logout()


def test_every_word_that_is_listed_is_understood(bob):
    bob.imaps.server.configure(imap="gmail-like", hide={"QUOTA", "AUTH=PLAIN"})
    with stranger(bob.imaps) as client:
        assert "QUOTA" not in client.capabilities
        assert "AUTH=PLAIN" not in client.capabilities


def test_xlist(bob):
    with like(bob, "gmail-like").imaps.imaplib() as client:
        imaplib.Commands.setdefault("XLIST", ("AUTH", "SELECTED"))
        typ, _ = client._simple_command("XLIST", '""', "*")
        lines = client._untagged_response(typ, [None], "XLIST")[1]
    assert lines[0] == b'(\\HasNoChildren \\Inbox) "/" INBOX'
    assert b'(\\Noselect \\HasChildren) "/" [Gmail]' in lines
    assert b'(\\HasNoChildren \\AllMail) "/" "[Gmail]/All Mail"' in lines
    assert b'(\\HasNoChildren \\Spam) "/" [Gmail]/Spam' in lines
    assert b'(\\HasNoChildren \\Starred) "/" [Gmail]/Starred' in lines
    assert b'(\\HasNoChildren \\Sent) "/" "[Gmail]/Sent Mail"' in lines


@pytest.mark.parametrize("kind", ["default", "outlook-like", "yahoo-like", "minimal"])
def test_no_xlist_where_it_is_not_listed(bob, kind):
    with like(bob, kind).imaps.imaplib() as client:
        assert "XLIST" not in client.capabilities
        imaplib.Commands.setdefault("XLIST", ("AUTH", "SELECTED"))
        with pytest.raises(imaplib.IMAP4.error, match="no command XLIST"):
            client._simple_command("XLIST", '""', "*")


def test_character_sets_of_an_outlook_like_server(bob):
    with like(bob, "outlook-like").imaps.imaplib() as client:
        client.select()
        assert client.search("UTF-8", "SUBJECT", "x") == (
            "NO",
            [b"[BADCHARSET (US-ASCII)] Charset 'UTF-8' is not known."],
        )
        assert client.search("US-ASCII", "SUBJECT", "x")[0] == "OK"
    with like(bob, "gmail-like").imaps.imaplib() as client:
        client.select()
        assert client.search("UTF-8", "SUBJECT", "x")[0] == "OK"


@pytest.mark.parametrize(
    ("kind", "status"), [("gmail-like", b"BAD"), ("outlook-like", b"BAD"), ("default", b"OK")]
)
def test_octets_beyond_ascii_in_quoted_strings(bob, kind, status):
    with like(bob, kind).imaps.imaplib() as client:
        client.select()
        client.send('z SEARCH SUBJECT "é"\r\n'.encode())
        line = client.readline()
        while not line.startswith(b"z "):
            line = client.readline()
        assert line.split()[1] == status


def gmail(net):
    bob = like(net.account("bob@example.org"), "gmail-like")
    with net.mx("example.org").smtplib() as client:
        for subject in ("one", "two"):
            client.sendmail("ann@app.test", [bob.address], f"Subject: {subject}\r\n\r\nHello\r\n")
    net.settle()
    return bob


def ids(client, folder):
    client.select_folder(folder, readonly=True)
    return {
        uid: (data[b"X-GM-MSGID"], data[b"X-GM-THRID"], data[b"FLAGS"])
        for uid, data in client.fetch(client.search(), ["X-GM-MSGID", "X-GM-THRID", "FLAGS"]).items()
    }


def imapclient(account):
    settings = account.imaps
    client = IMAPClient(settings.host, settings.port, ssl_context=settings.ssl_context)
    client.login(settings.username, settings.password)
    return client


def test_all_mail_holds_what_was_delivered_appended_and_sent(net):
    bob = gmail(net)
    with imapclient(bob) as client:
        assert ids(client, "INBOX") == ids(client, "[Gmail]/All Mail") != {}
        client.append("[Gmail]/Drafts", samples.plain(subject="three"), flags=["\\Draft"])
        client.create_folder("Work")
        client.append("Work", samples.plain(subject="four"))
        client.append("[Gmail]/Spam", samples.plain(subject="junk"))
        found = ids(client, "[Gmail]/All Mail")
        assert [each.subject for each in bob.folder("[Gmail]/All Mail")] == ["one", "two", "three", "four"]
        assert ids(client, "Work")[1][0] == found[4][0]
        assert b"\\Draft" in found[3][2]
        client.select_folder("[Gmail]/All Mail")
        assert client.fetch([1, 4], ["X-GM-LABELS"])[1][b"X-GM-LABELS"] == (b"\\Inbox",)
        assert client.fetch([1, 4], ["X-GM-LABELS"])[4][b"X-GM-LABELS"] == (b"Work",)


def test_flags_are_those_of_the_message(net):
    bob = gmail(net)
    with imapclient(bob) as client, imapclient(bob) as other:
        other.select_folder("[Gmail]/All Mail")
        client.select_folder("INBOX")
        client.add_flags([1], ["\\Seen", "\\Deleted", "urgent"])
        other.noop()
        assert set(other.get_flags([1])[1]) - {b"\\Recent"} == {b"\\Seen", b"urgent"}
        other.remove_flags([1], ["\\Seen"])
        client.noop()
        assert set(client.get_flags([1])[1]) - {b"\\Recent"} == {b"\\Deleted", b"urgent"}


def test_an_expunge_archives_and_the_trash_takes_all(net):
    bob = gmail(net)
    everything = bob.folder("[Gmail]/All Mail")
    with imapclient(bob) as client:
        client.select_folder("INBOX")
        client.delete_messages([1])
        client.expunge()
        assert [each.subject for each in bob.inbox] == ["two"]
        assert [each.subject for each in everything] == ["one", "two"]
        client.move([2], "[Gmail]/Trash")
        assert bob.inbox.is_empty
        assert [each.subject for each in everything] == ["one"]
        assert [each.subject for each in bob.folder("[Gmail]/Trash")] == ["two"]
        client.select_folder("[Gmail]/Trash")
        client.move([1], "INBOX")
        assert [each.subject for each in everything] == ["one", "two"]
        client.select_folder("[Gmail]/All Mail")
        client.delete_messages([1, 3])
        client.expunge()
        assert everything.is_empty
        assert bob.inbox.is_empty


def test_all_mail_stays_and_is_counted_once(net):
    bob = like(net.account("bob@example.org"), "gmail-like")
    bob.configure(quota_messages=2)
    for subject in ("one", "two"):
        bob.inbox.put(samples.plain(subject=subject))
    with imapclient(bob) as client:
        (quota,) = client.get_quota_root("INBOX")[1]
        assert (quota.resource, quota.usage) == ("MESSAGE", 2)
        with pytest.raises(imaplib.IMAP4.error, match="holds all mail"):
            client.delete_folder("[Gmail]/All Mail")
        with pytest.raises(imaplib.IMAP4.error, match="holds all mail"):
            client.rename_folder("[Gmail]/All Mail", "Other")
    assert len(bob.folder("[Gmail]/All Mail")) == 2


def test_labels_set_in_all_mail(net):
    bob = gmail(net)
    with imapclient(bob) as client:
        client.select_folder("[Gmail]/All Mail")
        client.add_gmail_labels([1], ["Work"])
        client.remove_gmail_labels([1], ["\\Inbox"])
        assert client.get_gmail_labels([1])[1] == ["Work"]
    assert [each.subject for each in bob.inbox] == ["two"]
    assert [each.subject for each in bob.folder("Work")] == ["one"]
    assert len(bob.folder("[Gmail]/All Mail")) == 2
