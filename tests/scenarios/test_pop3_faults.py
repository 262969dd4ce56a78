"""Faults of POP3, as poplib sees them."""

from __future__ import annotations

import hashlib
import poplib
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from fakemail import MailNet, Stage, faults, samples, seconds
from fakemail.faults.catalogue import rows

PATIENCE = 0.2
"""Real seconds after which the test takes it that nothing comes."""


@pytest.fixture
def bob(mailnet: MailNet):
    bob = mailnet.account("bob@example.org")
    for subject in ("One", "Two", "Three"):
        bob.inbox.put(samples.plain(subject=subject))
    return bob


@pytest.fixture
def host(bob):
    return bob.pop3.server


@contextmanager
def stranger(bob, *, timeout: float = 10) -> Iterator[poplib.POP3]:
    pop3 = bob.pop3s
    client = poplib.POP3_SSL(pop3.host, pop3.port, context=pop3.ssl_context, timeout=timeout)
    try:
        yield client
    finally:
        with suppress(OSError):
            client.close()


@contextmanager
def reader(bob, *, timeout: float = 10) -> Iterator[poplib.POP3]:
    with stranger(bob) as client:
        log_in(client, bob)
        client.sock.settimeout(timeout)
        yield client


def log_in(client: poplib.POP3, bob) -> None:
    client.user(bob.pop3.username)
    client.pass_(bob.pop3.password)


# Every stage -----------------------------------------------------------------------------------------

STRANGER = {
    Stage.POP3_CAPA: "CAPA",
    Stage.POP3_STLS: "STLS",
    Stage.POP3_USER: "USER bob",
    Stage.POP3_PASS: "PASS secret",
    Stage.POP3_APOP: "APOP bob 00",
    Stage.POP3_AUTH: "AUTH PLAIN AGJvYgBi",
    Stage.POP3_UTF8: "UTF8",
    Stage.POP3_LANG: "LANG *",
    Stage.POP3_UNKNOWN: "XYZZY",
}
INSIDE = {
    Stage.POP3_STAT: "STAT",
    Stage.POP3_LIST: "LIST 1",
    Stage.POP3_UIDL: "UIDL 1",
    Stage.POP3_RETR: "RETR 1",
    Stage.POP3_TOP: "TOP 1 0",
    Stage.POP3_DELE: "DELE 1",
    Stage.POP3_NOOP: "NOOP",
    Stage.POP3_RSET: "RSET",
    Stage.POP3_QUIT: "QUIT",
}


def test_every_stage_is_in_the_table() -> None:
    table = {stage for stage in rows() if stage.name.startswith("POP3_")}
    assert table == {stage for stage in Stage if stage.name.startswith("POP3_")}
    assert table == {Stage.POP3_BANNER, *STRANGER, *INSIDE}


def say(client: poplib.POP3, command: str) -> bytes:
    client._putcmd(command)
    return client._getresp()


@pytest.mark.parametrize("stage", [*STRANGER, *INSIDE], ids=str)
def test_every_stage_can_fail(bob, host, stage):
    command = STRANGER.get(stage) or INSIDE[stage]
    enter = stranger if stage in STRANGER else reader

    def prepare(client):
        if stage is Stage.POP3_PASS:
            client.user("bob@example.org")

    with host.faults.refuse(stage, "SYS/TEMP", "not now") as fault, enter(bob) as client:
        prepare(client)
        with pytest.raises(poplib.error_proto, match=r"-ERR \[SYS/TEMP\] not now"):
            say(client, command)
        assert fault.fired == 1
    with host.faults.drop(stage), enter(bob) as client:
        prepare(client)
        with pytest.raises(poplib.error_proto, match="EOF"):
            say(client, command)
    with host.faults.close(stage), enter(bob) as client:
        prepare(client)
        with pytest.raises(poplib.error_proto, match="closing the connection"):
            say(client, command)


def banner(bob, *, timeout: float = 10) -> bytes:
    """What the server says first; poplib leaves its socket open when it does not like that."""
    with (
        socket.create_connection((bob.pop3.host, bob.pop3.port), timeout) as raw,
        raw.makefile("rb") as file,
    ):
        return file.readline() + file.readline()


def test_the_banner(bob, host):
    with host.faults.refuse(Stage.POP3_BANNER, "SYS/TEMP"):
        assert banner(bob) == b"-ERR [SYS/TEMP] not today\r\n"
    with host.faults.drop(Stage.POP3_BANNER):
        assert banner(bob) == b""
    with host.faults.no_reply(Stage.POP3_BANNER), pytest.raises(TimeoutError):
        banner(bob, timeout=PATIENCE)
    with host.faults.add(Stage.POP3_BANNER, faults.partial_reply()):
        assert banner(bob).startswith(b"+OK mail.ex")


# Logging in ------------------------------------------------------------------------------------------


def test_a_maildrop_that_is_locked(bob, host):
    locked = pytest.raises(poplib.error_proto, match=r"\[IN-USE\]")
    with host.faults.lock_maildrop(login=bob), stranger(bob) as client, locked:
        log_in(client, bob)
    with reader(bob) as client:
        assert client.stat()[0] == 3


@pytest.mark.parametrize("code", ["AUTH", "LOGIN-DELAY", "SYS/TEMP", "SYS/PERM"])
def test_logins_that_are_refused(bob, host, code):
    host.faults.reject_pop3_login(code)
    with stranger(bob) as client, pytest.raises(poplib.error_proto, match=rf"\[{code}\]"):
        log_in(client, bob)
    with stranger(bob) as client, pytest.raises(poplib.error_proto, match=rf"\[{code}\]"):
        say(client, "AUTH PLAIN AGJvYgBi")


def test_apop_for_one_account(bob, host, mailnet):
    host.faults.refuse(Stage.POP3_APOP, login="ann@*")
    with stranger(bob) as client:
        client.apop("bob@example.org", bob.pop3.password)
        assert client.stat()[0] == 3
    with stranger(bob) as client, pytest.raises(poplib.error_proto, match="not today"):
        client.apop("ann@example.org", hashlib.md5(b"").hexdigest())


# Messages --------------------------------------------------------------------------------------------


def test_the_connection_ends_in_a_message(bob, host):
    fault = host.faults.partial_retr(message="2")
    with reader(bob) as client:
        assert client.retr(1)[0].startswith(b"+OK")
        with pytest.raises(poplib.error_proto, match="EOF"):
            client.retr(2)
    assert fault.fired == 1
    assert len(bob.inbox) == 3


def test_a_message_without_its_end(bob, host):
    host.faults.no_final_dot()
    with reader(bob, timeout=PATIENCE) as client, pytest.raises(TimeoutError):
        client.retr(1)


def test_another_octet_count(bob, host):
    with reader(bob) as client:
        right = client.retr(1)
    with host.faults.wrong_size(Stage.POP3_RETR, 7), reader(bob) as client:
        wrong = client.retr(1)
    assert wrong[1] == right[1]
    assert int(wrong[0].split()[1]) == int(right[0].split()[1]) + 7


def test_a_message_that_is_removed_under_the_client(bob, host):
    host.faults.remove_message(Stage.POP3_RETR, 2, times=1)
    with reader(bob) as client:
        with pytest.raises(poplib.error_proto, match="somebody else has removed"):
            client.retr(2)
        assert client.retr(3)[0].startswith(b"+OK")
    assert [mail.subject for mail in bob.inbox] == ["One", "Three"]


def test_other_unique_ids(bob, host):
    with reader(bob) as client:
        old = client.uidl()[1]
        first = client.uidl(1)
    with host.faults.change_uidl(), reader(bob) as client:
        assert client.uidl()[1] == [line.replace(b" ", b" other-", 1) for line in old]
        assert client.uidl(1) == first.replace(b"1 ", b"1 other-", 1)
    with host.faults.add(Stage.POP3_NOOP, faults.bump_uidvalidity()), reader(bob) as client:
        client.noop()
        with pytest.raises(poplib.error_proto, match=r"\[SYS/TEMP\]"):
            client.uidl()
    with reader(bob) as client:
        assert client.uidl()[1] != old


def test_a_quit_that_removes_nothing(bob, host):
    for silently in (False, True):
        with host.faults.keep_deleted(silently=silently), reader(bob) as client:
            client.dele(1)
            if silently:
                assert client.quit().startswith(b"+OK")
            else:
                with pytest.raises(poplib.error_proto, match=r"\[SYS/TEMP\] some deleted messages"):
                    client.quit()
        assert len(bob.inbox) == 3
    with reader(bob) as client:
        client.dele(1)
        client.quit()
    assert len(bob.inbox) == 2


def test_a_dele_that_does_nothing(bob, host):
    host.faults.fake_success(Stage.POP3_DELE)
    with reader(bob) as client:
        assert client.dele(1).startswith(b"+OK")
        client.quit()
    assert len(bob.inbox) == 3


def test_a_maildrop_is_free_again_after_a_fault(bob, host):
    for preset in (host.faults.partial_retr, host.faults.no_final_dot):
        broken = pytest.raises((poplib.error_proto, TimeoutError))
        with preset(times=1), reader(bob, timeout=PATIENCE) as client, broken:
            client.retr(1)
    with reader(bob) as client:
        assert client.stat()[0] == 3


# STLS ------------------------------------------------------------------------------------------------


def test_stls(bob, host):
    pop3 = bob.pop3

    def plain() -> poplib.POP3:
        return poplib.POP3(pop3.host, pop3.port, timeout=10)

    with host.faults.refuse(Stage.POP3_STLS, "SYS/TEMP"):
        client = plain()
        with pytest.raises(poplib.error_proto, match="SYS/TEMP"):
            client.stls(context=pop3.ssl_context)
        client.close()
    with host.faults.add(Stage.POP3_CAPA, faults.hide("STLS")):
        client = plain()
        with pytest.raises(poplib.error_proto, match="STLS not supported"):
            client.stls(context=pop3.ssl_context)
        with pytest.raises(poplib.error_proto, match="unknown command"):
            say(client, "STLS")
        client.close()
    with host.faults.add(Stage.POP3_STLS, faults.starttls_injection()):
        client = plain()
        client.sock.sendall(b"STLS\r\nCAPA\r\n")
        assert client.file.readline().startswith(b"+OK")
        with pop3.ssl_context.wrap_socket(client.sock, server_hostname=pop3.host) as tls:
            tls.sendall(b"NOOP\r\n")
            assert tls.recv(100).startswith(b"+OK capability list")
        client.file.close()


def test_what_is_advertised_does_not_work(bob, host):
    host.faults.add(Stage.POP3_CAPA, faults.advertise("XFAKE"))
    with reader(bob) as client:
        assert "XFAKE" in client.capa()
        with pytest.raises(poplib.error_proto, match="unknown command"):
            say(client, "XFAKE")


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (faults.garbage(), poplib.error_proto),
        (faults.no_reply(), TimeoutError),
        (faults.reset(), OSError),
        (faults.drop_reply(), poplib.error_proto),
        (faults.malformed(), poplib.error_proto),
    ],
    ids=str,
)
def test_broken_answers(bob, host, action, error):
    host.faults.add(Stage.POP3_STAT, action)
    timeout = PATIENCE if error is TimeoutError else 10
    with reader(bob, timeout=timeout) as client, pytest.raises((error, poplib.error_proto)):
        client.stat()


@pytest.mark.parametrize("action", [faults.trickle(seconds(0)), faults.delay(seconds(0))], ids=str)
def test_slow_answers(bob, host, action):
    host.faults.add(Stage.POP3_RETR, action)
    with reader(bob) as client:
        assert b"Subject: One" in client.retr(1)[1]


def test_a_login_that_fails_in_the_middle(bob, host):
    fault = host.faults.refuse(Stage.POP3_AUTH, "SYS/TEMP", nth=2)
    with stranger(bob) as client:
        assert say(client, "AUTH PLAIN") == b"+ "
        with pytest.raises(poplib.error_proto, match="SYS/TEMP"):
            say(client, "AGJvYgBi")
        assert say(client, "AUTH PLAIN") == b"+ "
    assert fault.fired == 1
