"""Logging in to IMAP with every mechanism, listing with patterns, notifications, and what only one command does."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from fakemail.imap.commands.list import Pattern
from fakemail.imap.notifications import Notifications
from fakemail.imap.session import ImapSession
from fakemail.sasl.exchange import ClientFacts
from fakemail.sasl.mechanisms import MECHANISMS
from fakemail.store.account import AccountStore
from fakemail.types.reason import Reason
from fakemail.types.seeded_random import SeededRandom
from imap_host import CHANNEL, Host, say

ALL = frozenset({"all"})
PASSWORDS = [row.name for row in MECHANISMS.values() if row.secret == "password"]


def authenticate(session: ImapSession, name: str, password: str, *, initial: bool) -> bytes:
    """Log in as a client does; return the tagged response."""
    facts = ClientFacts(
        login="bob@example.org",
        password=password,
        chance=SeededRandom(2),
        channel_binding=CHANNEL.end_point,
        server_offers_plus=True,
    )
    client = MECHANISMS[name].client(facts)
    command = f"a AUTHENTICATE {name}"
    first = client.begin() if initial else None
    if first is not None:
        command += f" {b64encode(first).decode() or '='}"
    out = say(session, command)
    while out.startswith(b"+ "):
        out = say(session, b64encode(client.respond(b64decode(out[2:]))).decode())
    return out


@pytest.mark.parametrize("initial", [True, False], ids=["initial response", "challenge first"])
@pytest.mark.parametrize("name", PASSWORDS)
def test_every_mechanism_logs_in(name: str, initial: bool) -> None:
    session = Host(auth_mechanisms=ALL).connect()
    assert authenticate(session, name, "s3cret", initial=initial).startswith(b"a OK [CAPABILITY ")
    assert session.login == "bob@example.org"
    assert b"OK" in say(session, "b SELECT INBOX")


@pytest.mark.parametrize("name", PASSWORDS)
def test_no_mechanism_lets_a_wrong_password_in(name: str) -> None:
    host = Host(auth_mechanisms=ALL)
    session = host.connect()
    out = authenticate(session, name, "wrong", initial=False)
    assert out == b"a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
    assert host.told[-1][-1] is Reason.AUTH_FAILED
    assert session.account is None


def test_a_mechanism_that_is_hidden_is_not_there() -> None:
    session = Host(hide=frozenset({"AUTH=PLAIN"})).connect()
    assert say(session, "a AUTHENTICATE PLAIN").startswith(b"a NO [CANNOT]")


@pytest.mark.parametrize(
    ("pattern", "matched", "not_matched"),
    [
        ("*", ["INBOX", "a/b/c", ""], []),
        ("%", ["INBOX", "a"], ["a/b"]),
        ("a/%", ["a/", "a/b"], ["a", "a/b/c", "b/c"]),
        ("a*c", ["ac", "abc", "a/b/c"], ["ab", "abcd"]),
        ("%b*", ["b", "ab/c"], ["a/b"]),
        ("a%b%c", ["abc", "axbyc"], ["a/bc", "abxc/"]),
        ("*%/x", ["a/x", "a/b/x"], ["x"]),
        ("inbox", ["INBOX"], ["inbox", "Inbox"]),
        ("inbox/%", ["INBOX/a"], ["inbox/a"]),
        ("x.y[z]", ["x.y[z]"], ["xay[z]", "x.yz"]),
        ("", [""], ["a"]),
    ],
)
def test_patterns(pattern: str, matched: list[str], not_matched: list[str]) -> None:
    matches = Pattern("", [pattern])
    assert [name for name in matched if not matches(name)] == []
    assert [name for name in not_matched if matches(name)] == []


def test_patterns_with_a_reference() -> None:
    matches = Pattern("Work/", ["%", "/x"])
    assert matches("Work/a")
    assert not matches("Work/a/b")
    assert matches("/x")


def test_a_name_full_of_wildcards_is_matched_in_steps() -> None:
    host = Host()
    host.account.create("a" * 900)
    session = host.connect()
    say(session, "in LOGIN bob@example.org s3cret")
    # An expression would need years for this.
    assert say(session, f'a LIST "" {"*a" * 400}b') == b"a OK LIST completed.\r\n"


def test_the_last_words_never_stand_inside_a_literal() -> None:
    host = Host()
    host.account.inbox.append(b"x" * 1_000_000)
    session = host.selected()
    session.feed(b"a FETCH 1 BODY.PEEK[]\r\n")
    assert session.has_more
    assert session.hang_up(Reason.SHUTTING_DOWN) == b""
    assert session.closing


def test_nothing_is_done_in_a_mailbox_that_is_lost() -> None:
    host = Host()
    host.account.inbox.append(b"Subject: 1\r\n\r\n")
    session = host.selected()
    host.account.renew_uid_validity("INBOX")
    assert say(session, "a UID STORE 1 +FLAGS (\\Deleted)").startswith(b"* BYE ")
    assert session.closing
    assert host.account.inbox.deleted == 0


def test_two_logins_see_one_account() -> None:
    host = Host()
    one, two = host.selected(), host.selected()
    say(one, "a CREATE Shared")
    assert b"Shared" in say(two, 'b LIST "" *')
    assert b"OK" in say(two, "c APPEND Shared {3+}\r\nnew")
    assert b"MESSAGES 1" in say(one, "d STATUS Shared (MESSAGES)")


def test_a_login_without_mailboxes_is_refused() -> None:
    class Empty(Host):
        def open(self, login: str) -> AccountStore | None:
            return None

    session = Empty().connect()
    assert say(session, "a LOGIN bob@example.org s3cret").startswith(b"a NO [AUTHORIZATIONFAILED]")


def test_notifications_end_with_the_login() -> None:
    host = Host()
    session = host.selected()
    say(session, "a NOTIFY SET (personal (MailboxName))")
    assert isinstance(session.notifications, Notifications)
    say(session, "b UNAUTHENTICATE")
    assert session.notifications is None
    host.account.create("New")
    assert session.poll() == b""


def test_during_idle_notify_decides_what_is_told() -> None:
    # RFC 5465 §4
    host = Host()
    session = host.selected()
    say(session, "a NOTIFY SET (selected NONE) (mailboxes Trash (MessageNew MessageExpunge))")
    say(session, "b IDLE")
    host.account.inbox.append(b"Subject: 1\r\n\r\n")
    assert session.poll() == b""
    host.account.get("Trash").append(b"Subject: 1\r\n\r\n")
    assert session.poll() == b"* STATUS Trash (UIDNEXT 2 MESSAGES 1)\r\n"


def test_what_a_command_asks_for_is_told_even_so() -> None:
    host = Host()
    host.account.inbox.append(b"Subject: 1\r\n\r\n", flags={"\\Deleted"})
    session = host.selected()
    say(session, "a NOTIFY NONE")
    assert say(session, "b EXPUNGE") == b"* 1 EXPUNGE\r\n* 0 RECENT\r\nb OK EXPUNGE completed.\r\n"


def test_multiappend_adds_all_or_nothing() -> None:
    host = Host()
    host.account.quota.limit("MESSAGE", 1)
    session = host.selected()
    out = say(session, "a APPEND INBOX {3+}\r\none {3+}\r\ntwo")
    assert out.startswith(b"a NO [OVERQUOTA]")
    assert len(host.account.inbox) == 0


def test_append_keeps_date_and_zone() -> None:
    host = Host()
    session = host.selected()
    say(session, 'a APPEND INBOX (\\Seen Work) "31-Dec-2025 23:59:59 -0530" {3+}\r\none')
    out = say(session, "b FETCH 1 (INTERNALDATE FLAGS)")
    assert b'INTERNALDATE "31-Dec-2025 23:59:59 -0530"' in out
    assert b"FLAGS (\\Seen Work \\Recent)" in out


def test_partial_fetch_by_uid() -> None:
    # RFC 9394 §3.3
    host = Host()
    for _ in range(10):
        host.account.inbox.append(b"Subject: x\r\n\r\n")
    session = host.selected()
    out = say(session, "a UID FETCH 1:* (FLAGS) (PARTIAL -1:-3)").decode()
    assert [line.split()[1] for line in out.split("\r\n") if line.startswith("* ")] == ["8", "9", "10"]
    out = say(session, "b UID FETCH 1:* (FLAGS) (PARTIAL 9:20)").decode()
    assert [line.split()[1] for line in out.split("\r\n") if line.startswith("* ")] == ["9", "10"]


def test_keywords_beyond_the_limit_are_refused() -> None:
    host = Host()
    host.account.inbox.append(b"Subject: x\r\n\r\n")
    session = host.selected()
    words = " ".join(f"k{number}" for number in range(501))
    assert b"a NO [LIMIT]" in say(session, f"a STORE 1 +FLAGS ({words})")


class Knowing(Host):
    """A host that also knows tokens and certificates."""

    def token_owner(self, token: str) -> str | None:
        return "bob@example.org" if token == "t0ken" else None

    def owner_of_certificate(self, subject: str) -> str | None:
        return subject if subject == "bob@example.org" else None


def test_a_certificate_logs_in() -> None:
    host = Knowing(auth_mechanisms=ALL)
    stranger = host.connect()
    assert b"AUTH=EXTERNAL" not in say(stranger, "a CAPABILITY")
    session = host.connect(CHANNEL._replace(certificate_names=("bob@example.org",)))
    assert b"AUTH=EXTERNAL" in say(session, "a CAPABILITY")
    assert say(session, "b AUTHENTICATE EXTERNAL =").startswith(b"b OK")
    assert session.login == "bob@example.org"


@pytest.mark.parametrize("name", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize("token", ["t0ken", "wrong"])
def test_a_token_logs_in(name: str, token: str) -> None:
    session = Knowing().connect()
    client = MECHANISMS[name].client(ClientFacts(login="bob@example.org", token=token))
    out = say(session, f"a AUTHENTICATE {name} {b64encode(client.begin() or b'').decode()}")
    if out.startswith(b"+ "):
        out = say(session, b64encode(client.respond(b64decode(out[2:]))).decode())
    assert out.startswith(b"a OK" if token == "t0ken" else b"a NO [AUTHENTICATIONFAILED]")


def test_the_binding_to_another_channel_is_refused() -> None:
    session = Host(auth_mechanisms=ALL).connect(CHANNEL._replace(end_point=b"y" * 32))
    assert authenticate(session, "SCRAM-SHA-256-PLUS", "s3cret", initial=True).startswith(b"a NO")


def test_a_client_that_could_have_bound_notices() -> None:
    # RFC 5802 §6: "y" says that the server offered no PLUS, which it did
    session = Host(auth_mechanisms=ALL).connect()
    facts = ClientFacts(
        login="bob@example.org", password="s3cret", chance=SeededRandom(2), channel_binding=b"x" * 32
    )
    client = MECHANISMS["SCRAM-SHA-256"].client(facts)
    out = say(session, f"a AUTHENTICATE SCRAM-SHA-256 {b64encode(client.begin() or b'').decode()}")
    assert b"a OK" not in out
    assert session.account is None
