"""Faults of IMAP, as imaplib and IMAPClient see them."""

from __future__ import annotations

import imaplib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from fakemail import MailNet, Stage, faults, samples, seconds
from fakemail.errors import DeclarationError
from fakemail.faults.actions import responses
from fakemail.faults.catalogue import rows

PATIENCE = 0.2
"""Real seconds after which the test takes it that nothing comes."""
LONG = samples.plain(text="A line of text.\r\n" * 500)


@pytest.fixture
def bob(mailnet: MailNet):
    bob = mailnet.account("bob@example.org")
    for subject in ("One", "Two", "Three"):
        bob.inbox.put(samples.plain(subject=subject))
    return bob


@pytest.fixture
def host(bob):
    return bob.imap.server


@contextmanager
def stranger(bob, *, timeout: float = 10) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4_SSL(
        bob.imaps.host, bob.imaps.port, ssl_context=bob.imaps.ssl_context, timeout=timeout
    )
    try:
        yield client
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            client.shutdown()


@contextmanager
def reader(bob, *, select: bool = True, timeout: float = 10) -> Iterator[imaplib.IMAP4]:
    with stranger(bob) as client:
        client.login(bob.imap.username, bob.imap.password)
        if select:
            client.select("INBOX")
        client.sock.settimeout(timeout)
        yield client


# Every stage -----------------------------------------------------------------------------------------

STRANGER = {
    Stage.IMAP_CAPABILITY: "CAPABILITY",
    Stage.IMAP_NOOP: "NOOP",
    Stage.IMAP_LOGOUT: "LOGOUT",
    Stage.IMAP_ID: "ID NIL",
    Stage.IMAP_STARTTLS: "STARTTLS",
    Stage.IMAP_AUTHENTICATE: "AUTHENTICATE PLAIN AGJvYgBi",
    Stage.IMAP_LOGIN: "LOGIN bob secret",
    Stage.IMAP_UNKNOWN: "XYZZY",
}
INSIDE = {
    Stage.IMAP_UNAUTHENTICATE: "UNAUTHENTICATE",
    Stage.IMAP_COMPRESS: "COMPRESS DEFLATE",
    Stage.IMAP_ENABLE: "ENABLE CONDSTORE",
    Stage.IMAP_SELECT: "SELECT INBOX",
    Stage.IMAP_EXAMINE: "EXAMINE INBOX",
    Stage.IMAP_CREATE: "CREATE Work",
    Stage.IMAP_DELETE: "DELETE Work",
    Stage.IMAP_RENAME: "RENAME Work Play",
    Stage.IMAP_SUBSCRIBE: "SUBSCRIBE INBOX",
    Stage.IMAP_UNSUBSCRIBE: "UNSUBSCRIBE INBOX",
    Stage.IMAP_LIST: 'LIST "" *',
    Stage.IMAP_LSUB: 'LSUB "" *',
    Stage.IMAP_XLIST: 'XLIST "" *',
    Stage.IMAP_NAMESPACE: "NAMESPACE",
    Stage.IMAP_STATUS: "STATUS INBOX (MESSAGES)",
    Stage.IMAP_APPEND: "APPEND INBOX {1+}\r\nx",
    Stage.IMAP_IDLE: "IDLE",
    Stage.IMAP_NOTIFY: "NOTIFY NONE",
    Stage.IMAP_GETQUOTA: 'GETQUOTA ""',
    Stage.IMAP_GETQUOTAROOT: "GETQUOTAROOT INBOX",
    Stage.IMAP_SETQUOTA: 'SETQUOTA "" (STORAGE 5)',
    Stage.IMAP_GETMETADATA: "GETMETADATA INBOX /private/comment",
    Stage.IMAP_SETMETADATA: "SETMETADATA INBOX (/private/comment NIL)",
    Stage.IMAP_GETACL: "GETACL INBOX",
    Stage.IMAP_SETACL: "SETACL INBOX ann lr",
    Stage.IMAP_DELETEACL: "DELETEACL INBOX ann",
    Stage.IMAP_LISTRIGHTS: "LISTRIGHTS INBOX ann",
    Stage.IMAP_MYRIGHTS: "MYRIGHTS INBOX",
    Stage.IMAP_ESEARCH: "ESEARCH IN (personal) ALL",
    Stage.IMAP_CHECK: "CHECK",
    Stage.IMAP_CLOSE: "CLOSE",
    Stage.IMAP_UNSELECT: "UNSELECT",
    Stage.IMAP_EXPUNGE: "EXPUNGE",
    Stage.IMAP_SEARCH: "SEARCH ALL",
    Stage.IMAP_SORT: "SORT (DATE) UTF-8 ALL",
    Stage.IMAP_THREAD: "THREAD REFERENCES UTF-8 ALL",
    Stage.IMAP_FETCH: "FETCH 1 FLAGS",
    Stage.IMAP_STORE: "STORE 1 +FLAGS (\\Seen)",
    Stage.IMAP_COPY: "COPY 1 INBOX",
    Stage.IMAP_MOVE: "MOVE 1 INBOX",
    Stage.IMAP_REPLACE: "REPLACE 1 INBOX {1+}\r\nx",
}


def test_every_stage_is_in_the_table() -> None:
    table = {stage for stage in rows() if stage.name.startswith("IMAP_")}
    assert table == {stage for stage in Stage if stage.name.startswith("IMAP_")}
    assert table == {Stage.IMAP_BANNER, *STRANGER, *INSIDE}


def say(client: imaplib.IMAP4, command: str) -> bytes:
    """Say a command as it is, and return all up to the tagged response, or what came before the end."""
    client.send(f"t1 {command}\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n") or not answer.splitlines()[-1].startswith(b"t1 "):
        line = client.readline()
        answer += line
        if not line:
            break
    return answer


# imaplib asks for capabilities by itself when it begins: see below.
@pytest.mark.parametrize(
    "stage", [stage for stage in (*STRANGER, *INSIDE) if stage is not Stage.IMAP_CAPABILITY], ids=str
)
def test_every_stage_can_fail(bob, host, stage):
    command = STRANGER.get(stage) or INSIDE[stage]
    if stage is Stage.IMAP_XLIST:
        host.configure(imap="gmail-like")

    def enter(bob):
        return stranger(bob) if stage in STRANGER else reader(bob, select=stage is not Stage.IMAP_SELECT)

    with host.faults.refuse(stage, "UNAVAILABLE", "not now") as fault, enter(bob) as client:
        assert say(client, command).endswith(b"t1 NO [UNAVAILABLE] not now\r\n")
        assert fault.fired == 1
    with host.faults.drop(stage) as fault, enter(bob) as client:
        assert b"t1 " not in say(client, command)
        assert fault.fired == 1
    with host.faults.close(stage), enter(bob) as client:
        assert say(client, command).endswith(b"* BYE [UNAVAILABLE] Closing the connection.\r\n")


def test_capability_can_fail(bob, host):
    # Asked for outright: imaplib of Python 3.14 takes what the banner says, and asks no more by itself.
    with stranger(bob) as client, host.faults.refuse(Stage.IMAP_CAPABILITY):
        assert client.capability()[0] == "NO"
    with (
        stranger(bob) as client,
        host.faults.drop(Stage.IMAP_CAPABILITY),
        pytest.raises(imaplib.IMAP4.abort),
    ):
        client.capability()


def test_the_banner(bob, host):
    with (
        host.faults.refuse(Stage.IMAP_BANNER, "UNAVAILABLE", "Come back later."),
        pytest.raises(imaplib.IMAP4.error, match=r"BYE \[UNAVAILABLE\] Come back later\."),
    ):
        stranger(bob).__enter__()
    with host.faults.drop(Stage.IMAP_BANNER), pytest.raises(imaplib.IMAP4.abort, match="EOF"):
        stranger(bob).__enter__()
    with host.faults.no_reply(Stage.IMAP_BANNER), pytest.raises(TimeoutError):
        stranger(bob, timeout=PATIENCE).__enter__()
    with host.faults.garbage(Stage.IMAP_BANNER), pytest.raises(imaplib.IMAP4.error):
        stranger(bob).__enter__()


# Refusals --------------------------------------------------------------------------------------------


def test_logins(bob, host):
    for code in ("AUTHENTICATIONFAILED", "EXPIRED", "UNAVAILABLE", "LIMIT"):
        with (
            host.faults.reject_login(code, "No."),
            stranger(bob) as client,
            pytest.raises(imaplib.IMAP4.error, match=rf"\[{code}\] No\."),
        ):
            client.login(bob.imap.username, bob.imap.password)
    with host.faults.reject_login(login="ann@*", must_fire=False), reader(bob):
        pass
    with host.faults.reject_login(times=1) as fault:
        client = IMAPClient(bob.imaps.host, bob.imaps.port, ssl_context=bob.imaps.ssl_context)
        with pytest.raises(LoginError):
            client.login(bob.imap.username, bob.imap.password)
        client.login(bob.imap.username, bob.imap.password)
        client.logout()
        assert fault.fired == 1


def test_authenticate_too(bob, host):
    host.faults.reject_login("EXPIRED")
    with stranger(bob) as client, pytest.raises(imaplib.IMAP4.error, match="EXPIRED"):
        client.authenticate("PLAIN", lambda _: b"\0bob@example.org\0" + bob.imap.password.encode())


def test_a_login_that_is_throttled(bob, host):
    with (
        host.faults.throttle_login(seconds(60)),
        stranger(bob, timeout=PATIENCE) as client,
        pytest.raises(TimeoutError),
    ):
        client.login(bob.imap.username, bob.imap.password)
    with host.faults.throttle_login(timedelta(milliseconds=1)), reader(bob):
        pass


def test_the_password_is_in_no_event(bob, host, mailnet):
    host.faults.refuse(Stage.IMAP_LOGIN, login="ann@example.org", must_fire=False)
    with reader(bob):
        pass
    assert bob.imap.password not in repr(mailnet.events(host=host)) + repr(host.faults.all())


def test_over_quota(bob, host):
    host.faults.over_quota()
    with reader(bob) as client:
        assert client.append("INBOX", None, None, b"Subject: x\r\n\r\n") == (
            "NO",
            [b"[OVERQUOTA] The account is full."],
        )
    assert len(bob.inbox) == 3


def test_bad(bob, host):
    host.faults.refuse(Stage.IMAP_SEARCH, bad=True)
    with reader(bob) as client, pytest.raises(imaplib.IMAP4.error, match="BAD"):
        client.search(None, "ALL")


def test_a_refused_command_is_not_carried_out(bob, host):
    host.faults.refuse(Stage.IMAP_STORE)
    with reader(bob) as client:
        assert client.store("1", "+FLAGS", "\\Deleted")[0] == "NO"
    assert {tuple(mail.flags) for mail in bob.inbox} == {()}


def test_yes_and_nothing_done(bob, host):
    for stage in (Stage.IMAP_STORE, Stage.IMAP_EXPUNGE, Stage.IMAP_APPEND):
        host.faults.fake_success(stage)
    with reader(bob) as client:
        assert client.store("1", "+FLAGS", "\\Deleted") == ("OK", [None])
        assert client.append("INBOX", None, None, b"Subject: x\r\n\r\n")[0] == "OK"
        assert client.expunge()[0] == "OK"
    assert len(bob.inbox) == 3


# Messages --------------------------------------------------------------------------------------------


def test_bye_in_the_middle_of_fetch(bob, host):
    host.faults.bye_mid_response()
    with reader(bob) as client:
        answer = say(client, "FETCH 1:3 (UID)")
        assert answer == b"* 1 FETCH (UID 1)\r\n* BYE [UNAVAILABLE] The server is going down.\r\n"
    with reader(bob) as client, pytest.raises(imaplib.IMAP4.abort, match="going down"):
        client.fetch("1:3", "(UID)")


def test_the_connection_ends_in_a_literal(bob, host):
    bob.inbox.put(LONG)
    with host.faults.truncate_literal(), reader(bob) as client, pytest.raises(imaplib.IMAP4.abort):
        client.fetch("4", "(BODY.PEEK[])")
    broken = pytest.raises((imaplib.IMAP4.abort, OSError))
    with host.faults.truncate_literal(then="reset"), reader(bob) as client, broken:
        client.fetch("4", "(BODY.PEEK[])")
    with (
        host.faults.truncate_literal(then="hang"),
        reader(bob, timeout=PATIENCE) as client,
        pytest.raises(TimeoutError),
    ):
        client.fetch("4", "(BODY.PEEK[])")
    with host.faults.truncate_literal(message="4", must_fire=False), reader(bob) as client:
        assert client.fetch("1", "(BODY.PEEK[])")[0] == "OK"


def test_a_message_is_met_among_others_that_are_fetched_with_it(bob, host):
    fault = host.faults.truncate_literal(message="2")
    with reader(bob) as client, pytest.raises(imaplib.IMAP4.abort):
        client.fetch("1:*", "(RFC822)")
    assert fault.fired == 1


def test_a_literal_of_another_size(bob, host):
    with reader(bob) as client:
        right = client.fetch("1", "(BODY.PEEK[])")[1][0][1]
    with (
        host.faults.wrong_size(Stage.IMAP_FETCH, -3),
        reader(bob) as client,
        pytest.raises(imaplib.IMAP4.error),
    ):
        client.fetch("1", "(BODY.PEEK[])")
    with host.faults.wrong_size(Stage.IMAP_FETCH, 1), reader(bob) as client:
        told = say(client, "FETCH 1 BODY.PEEK[]")
        assert f"{{{len(right) + 1}}}".encode() in told
        assert right in told


def test_an_expunge_under_the_client(bob, host):
    host.faults.concurrent_expunge(2, times=1)
    with reader(bob) as client:
        _status, told = client.fetch("1:3", "(UID)")
        assert [line.split()[0] for line in told if line] == [
            b"1",
            b"2",
            b"3",
        ]  # it is not told yet (RFC 2180 §4.1)
        assert client.noop()[0] == "OK"
        assert client.response("EXPUNGE") == ("EXPUNGE", [b"2"])
    assert [mail.subject for mail in bob.inbox] == ["One", "Three"]


def test_other_uids_between_sessions_and_under_the_client(bob, host):
    with reader(bob) as client:
        old = client.response("UIDVALIDITY")[1]
    with host.faults.bump_uidvalidity(times=1), reader(bob) as client:
        new = client.response("UIDVALIDITY")[1]
        assert new != old
        assert client.uid("FETCH", "1:*", "(UID)")[0] == "OK"
    lost = pytest.raises(imaplib.IMAP4.abort, match="UIDVALIDITY")
    with host.faults.bump_uidvalidity(Stage.IMAP_NOOP), reader(bob) as client, lost:
        client.noop()


def test_unasked_and_doubled_responses(bob, host):
    host.faults.send_untagged(Stage.IMAP_NOOP, "23 EXISTS", "OK [ALERT] Maintenance tonight")
    host.faults.add(Stage.IMAP_SEARCH, faults.duplicate_reply())
    with reader(bob) as client:
        assert say(client, "NOOP").startswith(b"* 23 EXISTS\r\n* OK [ALERT] Maintenance tonight\r\n")
        assert client.search(None, "ALL") == ("OK", [b"1 2 3"])
        with pytest.raises(imaplib.IMAP4.abort, match="unexpected tagged response"):
            client.check()


def test_new_mail_that_is_not_told_of(bob, host):
    host.faults.suppress_untagged(Stage.IMAP_NOOP)
    with reader(bob) as client:
        bob.inbox.put(samples.plain(subject="Four"))
        client.response("EXISTS")
        assert client.noop()[0] == "OK"
        assert client.response("EXISTS")[1] == [None]
        assert client.search(None, "ALL") == ("OK", [b"1 2 3 4"])


# IDLE ------------------------------------------------------------------------------------------------


@contextmanager
def idler(bob) -> Iterator[IMAPClient]:
    client = IMAPClient(bob.imaps.host, bob.imaps.port, ssl_context=bob.imaps.ssl_context, timeout=5)
    try:
        client.login(bob.imap.username, bob.imap.password)
        client.select_folder("INBOX")
        yield client
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            client.shutdown()


def test_the_connection_ends_behind_the_go_ahead(bob, host):
    host.faults.drop_idle()
    with idler(bob) as client:
        client.idle()
        assert client.idle_check(timeout=5) == []  # at once: IMAPClient takes the end for silence
        with pytest.raises((imaplib.IMAP4.abort, OSError)):
            client.idle_done()


def test_the_connection_ends_when_mail_comes(bob, host):
    fault = host.faults.drop_idle(at="updates")
    with idler(bob) as client:
        client.idle()
        assert fault.fired == 0
        bob.inbox.put(samples.plain())
        assert client.idle_check(timeout=5) == []
        with pytest.raises((imaplib.IMAP4.abort, OSError)):
            client.idle_done()
    assert fault.fired == 1


def test_news_that_do_not_come_in_idle(bob, host):
    fault = host.faults.suppress_untagged(argument="updates", times=1)
    with idler(bob) as client:
        client.idle()
        bob.inbox.put(samples.plain())
        assert client.idle_check(timeout=PATIENCE) == []
        bob.inbox.put(samples.plain())
        assert (5, b"EXISTS") in client.idle_check(timeout=5)
        assert client.idle_done()[0]
    assert fault.fired == 1


def test_the_end_of_idle_can_be_refused(bob, host):
    host.faults.refuse(Stage.IMAP_IDLE, argument="DONE")
    with idler(bob) as client:
        client.idle()
        with pytest.raises(imaplib.IMAP4.error):
            client.idle_done()
        assert client.noop()


# Capabilities and STARTTLS ---------------------------------------------------------------------------


def test_what_is_hidden_does_not_work_and_what_is_advertised_neither(bob, host):
    host.faults.add(Stage.IMAP_CAPABILITY, faults.hide("SORT", "SORT=DISPLAY"), times=1)
    for hidden in (True, False):
        with reader(bob) as client:
            assert (b" SORT " not in say(client, "CAPABILITY")) is hidden
            assert (b"t1 BAD" in say(client, "SORT (DATE) UTF-8 ALL")) is hidden
    host.faults.add(Stage.IMAP_BANNER, faults.advertise("XFAKE"))
    with reader(bob) as client:
        assert b"XFAKE" in say(client, "CAPABILITY")
        assert say(client, "XFAKE").startswith(b"t1 BAD")


def plain(bob) -> imaplib.IMAP4:
    return imaplib.IMAP4(bob.imap.host, bob.imap.port, timeout=10)


def test_starttls_refused(bob, host):
    host.faults.refuse(Stage.IMAP_STARTTLS, "UNAVAILABLE")
    client = plain(bob)
    with pytest.raises(imaplib.IMAP4.error):
        client.starttls(ssl_context=bob.imap.ssl_context)
    client.shutdown()


def test_starttls_stripped(bob, host):
    host.faults.add(Stage.IMAP_BANNER, faults.hide("STARTTLS"))
    client = plain(bob)
    with pytest.raises(imaplib.IMAP4.abort, match="TLS not supported"):
        client.starttls(ssl_context=bob.imap.ssl_context)
    client.shutdown()


def test_clear_text_behind_starttls(bob, host):
    """What the server injects comes before TLS; what the client injects counts where the server is so careless."""
    with host.faults.add(Stage.IMAP_STARTTLS, faults.inject("* OK [ALERT] Give me your password\r\n")):
        client = plain(bob)
        client.send(b"a STARTTLS\r\n")
        told = client.readline()
        assert told.startswith(b"a OK")
        assert client.readline().startswith(b"* OK [ALERT]")
        client.shutdown()
    for careless in (True, False):
        client = plain(bob)
        fault = host.faults.add(Stage.IMAP_STARTTLS, faults.starttls_injection()) if careless else None
        client.send(b"a STARTTLS\r\nb NOOP\r\n")
        assert client.readline().startswith(b"a OK")
        with bob.imap.ssl_context.wrap_socket(client.sock, server_hostname=bob.imap.host) as tls:
            tls.sendall(b"c NOOP\r\n")
            first = tls.recv(1000)
            assert first.startswith(b"b OK" if careless else b"c OK")
        if fault is not None:
            fault.remove()


# The wire --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (faults.partial_reply(), imaplib.IMAP4.abort),
        (faults.garbage(), imaplib.IMAP4.abort),
        (faults.no_reply(), TimeoutError),
        (faults.reset(), OSError),
        (faults.drop_reply(), imaplib.IMAP4.abort),
        (faults.malformed(), imaplib.IMAP4.abort),
    ],
    ids=str,
)
def test_broken_answers(bob, host, action, error):
    host.faults.add(Stage.IMAP_SEARCH, action)
    timeout = PATIENCE if error is TimeoutError else 10
    with reader(bob, timeout=timeout) as client, pytest.raises((error, imaplib.IMAP4.abort)):
        client.search(None, "ALL")


@pytest.mark.parametrize(
    "action", [faults.trickle(seconds(0)), faults.throttle(100_000), faults.delay(seconds(0))]
)
def test_slow_answers(bob, host, action):
    bob.inbox.put(LONG)
    host.faults.add(Stage.IMAP_FETCH, action)
    with reader(bob) as client:
        status, told = client.fetch("4", "(BODY.PEEK[TEXT])")
        assert (status, len(told[0][1])) == ("OK", 17 * 500)


def test_compressed_answers_are_changed_before_they_are_compressed(bob, host):
    host.faults.send_untagged(Stage.IMAP_NOOP, "OK [ALERT] Squeezed")
    with reader(bob) as client:
        assert client.xatom("COMPRESS", "DEFLATE")[0] == "OK"
        packer, unpacker = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)
        client.sock.sendall(packer.compress(b"z NOOP\r\n") + packer.flush(zlib.Z_SYNC_FLUSH))
        told = b""
        while b"z OK" not in told:
            told += unpacker.decompress(client.sock.recv(4096))
        assert told.startswith(b"* OK [ALERT] Squeezed\r\n")


def test_whom_it_concerns(bob, host, mailnet):
    ann = mailnet.account("ann@example.org")
    host.faults.refuse(Stage.IMAP_SEARCH, login=bob)
    host.faults.refuse(Stage.IMAP_STATUS, argument="INBOX *", service="imaps", nth=2)
    with reader(bob) as client, reader(ann) as other:
        assert client.search(None, "ALL")[0] == "NO"
        assert other.search(None, "ALL")[0] == "OK"
        assert [client.status("INBOX", "(MESSAGES)")[0] for _ in range(3)] == ["OK", "NO", "OK"]


def test_wrong_declarations(host):
    with pytest.raises(
        DeclarationError, match="wrong by is a whole number from 1 on, or from -1 down, not 0"
    ):
        host.faults.wrong_size(Stage.IMAP_FETCH, 0)
    with pytest.raises(DeclarationError, match="'start' or at 'updates'"):
        host.faults.drop_idle(at="end")
    with pytest.raises(DeclarationError, match=r"without '\* '"):
        host.faults.send_untagged(Stage.IMAP_NOOP, "23 EXISTS\r\n")
    with pytest.raises(DeclarationError, match="number of a message is a whole number"):
        host.faults.remove_message(Stage.IMAP_NOOP, 0)
    with pytest.raises(DeclarationError, match=r"not possible at imap\.noop"):
        host.faults.add(Stage.IMAP_NOOP, faults.reply(450, "4.2.1"))


def test_responses_are_cut_behind_their_literals() -> None:
    answer = b"* 1 FETCH (BODY[] {5}\r\na\r\nb\r UID 1)\r\n* 2 FETCH (UID 2)\r\nt1 OK\r\n"
    assert responses(answer) == [
        b"* 1 FETCH (BODY[] {5}\r\na\r\nb\r UID 1)\r\n",
        b"* 2 FETCH (UID 2)\r\n",
        b"t1 OK\r\n",
    ]


def test_nothing_is_left_open(bob, host, mailnet):
    """A client that goes away in the middle of a slow answer takes the rest of it along."""
    host.faults.add(Stage.IMAP_FETCH, faults.delay(seconds(60)))
    with reader(bob, timeout=PATIENCE) as client:
        client.send(b"t1 FETCH 1 FLAGS\r\n")
        with pytest.raises(TimeoutError):
            client.readline()


def test_faults_of_one_account(bob, host, mailnet):
    ann = mailnet.account("ann@example.org")
    fault = bob.faults.reject_login()
    with stranger(bob) as client, pytest.raises(imaplib.IMAP4.error, match="Authentication failed"):
        client.login(bob.imap.username, bob.imap.password)
    with reader(ann):
        pass
    assert fault.fired == 1
    fault.remove()
    bob.faults.over_quota()
    with reader(bob) as client, reader(ann) as other:
        assert client.append("INBOX", None, None, b"\r\n")[0] == "NO"
        assert other.append("INBOX", None, None, b"\r\n")[0] == "OK"
    with pytest.raises(DeclarationError, match=r"login= cannot fit at imap\.banner"):
        bob.faults.refuse(Stage.IMAP_BANNER)


def test_a_login_that_fails_in_the_middle(bob, host):
    fault = host.faults.refuse(Stage.IMAP_AUTHENTICATE, "UNAVAILABLE", nth=2)
    with stranger(bob) as client:
        client.send(b"t1 AUTHENTICATE PLAIN\r\n")
        assert client.readline().startswith(b"+ ")
        client.send(b"AGJvYgBi\r\n")
        assert client.readline() == b"t1 NO [UNAVAILABLE] not today\r\n"
        assert say(client, "NOOP").endswith(b"t1 OK NOOP completed.\r\n")
    assert fault.fired == 1


@pytest.mark.asyncio
async def test_the_other_face(async_mailnet):
    bob = async_mailnet.account("bob@example.org")
    with bob.faults.over_quota(must_fire=False) as fault:
        assert fault.fired == 0
    with async_mailnet.dns.faults.servfail("example.org", must_fire=False):
        assert len(async_mailnet.dns.faults.all()) == 1
    assert async_mailnet.dns.faults.all() == []


def test_a_fault_of_the_domain_fires_where_its_mail_is_read(bob, mailnet):
    fault = mailnet.domain("example.org").faults.over_quota()
    with reader(bob) as client:
        assert client.append("INBOX", None, None, samples.plain())[0] == "NO"
    assert fault.fired == 1


def test_it_may_be_declared_before_anybody_reads(mailnet):
    domain = mailnet.domain("example.net")
    fault = domain.faults.over_quota()
    with reader(mailnet.account("eve@example.net")) as client:
        assert client.append("INBOX", None, None, samples.plain())[0] == "NO"
    assert fault.fired == 1
