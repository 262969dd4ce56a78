"""IMAP over raw sockets: much, slowly, rudely, many at once, cut anywhere, and ended by either side."""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import pytest

from fakemail import MailNet, Reason, Stage, samples
from fakemail.wire.loop import loop_thread
from leaks import nothing_left_open

PATIENCE = 20.0  # real seconds, until a test that would hang fails instead
LOGIN = b"in LOGIN bob@example.org s3cret\r\n"
HALF_AN_HOUR = 1800.0


@pytest.fixture
def net() -> Iterator[MailNet]:
    with MailNet(seed=7) as mailnet:
        yield mailnet


@pytest.fixture
def bob(net):
    """Somebody who may log in before TLS, so that octets can be written as they are."""
    bob = net.account("bob@example.org", password="s3cret")
    bob.imap.server.configure(auth_in_clear=True)
    return bob


class Raw:
    """A client that says what it is told to."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = b""

    def send(self, octets: bytes) -> None:
        self.sock.sendall(octets)

    def line(self) -> bytes:
        """The next line, without its end."""
        while b"\n" not in self._buffer:
            octets = self.sock.recv(2**16)
            assert octets, f"closed behind {self._buffer!r}"
            self._buffer += octets
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.removesuffix(b"\r")

    def until(self, start: bytes) -> list[bytes]:
        """The lines up to the one that begins so."""
        lines = [self.line()]
        while not lines[-1].startswith(start):
            lines.append(self.line())
        return lines

    def ask(self, command: bytes) -> list[bytes]:
        """The lines of the answer."""
        self.send(command + b"\r\n")
        return self.until(command.partition(b" ")[0] + b" ")

    def rest(self) -> bytes:
        """All that comes until the server closes."""
        said, self._buffer = [self._buffer], b""
        while octets := self.sock.recv(2**20):
            said.append(octets)
        return b"".join(said)


@contextmanager
def connected(settings, *, receive_buffer: int | None = None) -> Iterator[Raw]:
    sock = socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(PATIENCE)
    sock.connect((settings.host, settings.port))
    if settings.security == "tls":
        sock = settings.ssl_context.wrap_socket(sock, server_hostname=settings.host)
    with closing(sock):
        client = Raw(sock)
        assert client.line().startswith(b"* OK ")
        yield client


@contextmanager
def logged_in(settings, *, select: bool = True, **options) -> Iterator[Raw]:
    with connected(settings, **options) as client:
        assert client.ask(LOGIN.strip())[-1].startswith(b"in OK ")
        if select:
            client.ask(b"sel SELECT INBOX")
        yield client


def server_of(net, settings):
    return net._portal.simulation.hosts.running[settings.server.name]


# Much ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "megabytes"), [("imap", 100), ("imaps", 20)])
def test_a_client_that_does_not_read_a_huge_answer_costs_little(net, bob, service, megabytes):
    raw = b"Subject: huge\r\n\r\n" + (b"x" * 1022 + b"\r\n") * (1024 * megabytes)
    bob.inbox.put(raw)
    settings = getattr(bob, service)
    with logged_in(settings, receive_buffer=16 * 1024) as client, bob.imaps.imaplib() as other:
        client.send(b"big FETCH 1 BODY.PEEK[]\r\nnext NOOP\r\n")
        assert client.line().startswith(b"* 1 FETCH (BODY[] {")
        other.select()
        assert other.fetch("1", "(RFC822.SIZE)")[1] == [b"1 (RFC822.SIZE %d)" % len(raw)]
        [slow] = [each for each in server_of(net, settings).connections if each.in_progress]
        assert slow.in_progress == "inside FETCH"
        assert net._portal.call(slow._transport.get_write_buffer_size) < 2**20
        assert not net.events(Stage.IMAP_NOOP)
        left = len(raw)
        while left > 0:
            left -= len(client.sock.recv(min(left, 2**20))) if not client._buffer else len(client._buffer)
            client._buffer = b""
        assert client.until(b"next ")[-2:] == [b"big OK FETCH completed.", b"next OK NOOP completed."]


def test_news_waits_for_a_client_that_does_not_read(net, bob):
    """What happens while the client is stuck is told when it reads again, and once."""
    raw = b"Subject: huge\r\n\r\n" + (b"x" * 1022 + b"\r\n") * (1024 * 8)
    bob.inbox.put(raw)
    with logged_in(bob.imap, receive_buffer=16 * 1024) as client:
        client.send(b"big FETCH 1 BODY.PEEK[]\r\nwait IDLE\r\n")
        net.wait_for(Stage.IMAP_SELECT)
        for _ in range(3):
            bob.inbox.put(samples.plain())
        assert client.until(b"* 4 EXISTS")
        client.send(b"DONE\r\n")
        assert not [line for line in client.until(b"wait ") if line.endswith(b"EXISTS")]


def test_two_hundred_idling_clients_hear_of_one_delivery(net, bob):
    with ExitStack() as stack:
        clients = [stack.enter_context(logged_in(bob.imap)) for _ in range(200)]
        for client in clients:
            client.send(b"wait IDLE\r\n")
            assert client.line().startswith(b"+")
        with net.mx("example.org").smtplib() as smtp:
            smtp.sendmail("ann@shop.test", [bob.address], samples.plain())
        for client in clients:
            assert b"* 1 EXISTS" in client.until(b"* 1 EXISTS")
        for client in clients:
            client.send(b"DONE\r\n")
            assert client.until(b"wait ")[-1] == b"wait OK IDLE completed."


# What cannot be meant ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        (b"a APPEND INBOX {4294967296}\r\n", b"a NO [TOOBIG] "),
        (b"a APPEND INBOX {99999999999999999999}\r\n", b"a BAD [TOOBIG] "),
        (b"a LOGIN {4294967296}\r\n", b"a BAD [TOOBIG] "),
        (b"a SEARCH SUBJECT " + b"x" * 2**20 + b"\r\n", b"a BAD "),
        (b"x" * 2**20 + b"\r\n", b"* BAD A line is longer than 65536 octets."),
        (b"a SEARCH " + b"(" * 10_000 + b"ALL" + b")" * 10_000 + b"\r\n", b"a BAD "),
        (b"a FETCH 1 " + b"(" * 10_000 + b"\r\n", b"a BAD "),
        (b"a SEARCH " + b"NOT " * 10_000 + b"ALL\r\n", b"a BAD "),
        (b"a SEARCH " + b"OR " * 10_000 + b"ALL\r\n", b"a BAD "),
        (b"a NOOP\0\r\n", b"a BAD "),
        (b"\0\0\0\r\n", b"* BAD "),
        (b"a NOOP\n", b"a BAD "),
        (b"\r\n", b"* BAD "),
        (b"GET / HTTP/1.1\r\n", b"GET BAD "),
        (b"EHLO shop.test\r\n", b"EHLO BAD "),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n", b"* BAD "),
        (b"a FETCH 1:4294967295,1:4294967295 (FLAGS)\r\n", b"a "),
        (b"a UID FETCH 1:* " + b"(BODY[" + b"1." * 10_000 + b"MIME])\r\n", b"a "),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_what_cannot_be_meant_is_answered_and_harms_nothing(bob, octets, answer):
    bob.inbox.put(samples.plain())
    with logged_in(bob.imap) as client:
        client.send(octets)
        assert client.line().startswith(answer)
        assert client.ask(b"z FETCH 1 UID") == [b"* 1 FETCH (UID 1)", b"z OK FETCH completed."]


def test_a_literal_of_four_gigabytes_that_comes_unasked_ends_the_session(net, bob):
    """RFC 7888 §4: what is refused cannot be swallowed for ever."""
    with logged_in(bob.imap) as client:
        client.send(b"a APPEND INBOX {4294967296+}\r\nxxxx")
        assert [line.partition(b" ")[0] for line in client.rest().splitlines()] == [b"a", b"*"]
    assert net.wait_for(Stage.DISCONNECT)[-1].by == "server"


def test_a_stranger_cannot_fill_the_memory(bob):
    with connected(bob.imap) as client:
        client.send(b"a APPEND INBOX {1000}\r\n")
        assert client.line().startswith(b"a BAD ")
        client.send(b"a LOGIN {100000}\r\n")
        assert client.line().startswith(b"a BAD [TOOBIG]")


def test_literals_that_never_come(net, bob):
    bob.imap.server.configure(reading_timeout=0.2)
    with logged_in(bob.imap) as client:
        client.send(b"a APPEND INBOX {1000}\r\n")
        assert client.line().startswith(b"+ ")
        client.send(b"Subject: half")
        client.rest()
    assert net.wait_for(Stage.DISCONNECT)[-1].reason is Reason.TIMEOUT
    assert bob.inbox.is_empty


def test_commands_behind_one_that_failed_are_answered(bob):
    bob.inbox.put(samples.plain())
    with logged_in(bob.imap) as client:
        client.send(
            b"a FETCH (\r\nb NONSENSE\r\nc SELECT Nowhere\r\nd LOGIN x y\r\n"
            b"e SELECT INBOX\r\nf FETCH 1 UID\r\ng LOGOUT\r\n"
        )
        said = [line for line in client.rest().splitlines() if not line.startswith(b"* ")]
        assert [line[:5] for line in said] == [
            b"a BAD",
            b"b BAD",
            b"c NO ",
            b"d BAD",
            b"e OK ",
            b"f OK ",
            b"g OK ",
        ]


# Slowly and in pieces ------------------------------------------------------------------------------


def test_a_command_may_be_cut_at_every_octet(bob):
    bob.inbox.put(samples.plain(subject="cut"))
    command = b"c SEARCH SUBJECT {3}\r\ncut\r\nd FETCH 1 (UID FLAGS)\r\n"
    with logged_in(bob.imap) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for place in range(1, len(command)):
            client.send(command[:place])
            client.send(command[place:])
            lines = client.until(b"d ")
            assert lines[0].startswith(b"+ ")
            assert lines[1] == b"* SEARCH 1"
            assert lines[-2].startswith(b"* 1 FETCH (UID 1 FLAGS (")


def test_a_session_of_single_octets(bob):
    with connected(bob.imap) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in LOGIN + b"a APPEND INBOX {17+}\r\nSubject: a\r\n\r\nb\r\n\r\nz LOGOUT\r\n":
            client.send(bytes([octet]))
        assert b"z OK " in client.rest()
    assert bob.inbox.one().subject == "a"


def test_a_client_that_half_closes_gets_all_its_answers(bob):
    bob.inbox.put(b"Subject: big\r\n\r\n" + (b"x" * 98 + b"\r\n") * 20_000)
    with logged_in(bob.imap) as client:
        client.send(b"a FETCH 1 BODY.PEEK[]\r\nb NOOP\r\n")
        client.sock.shutdown(socket.SHUT_WR)
        assert client.rest().endswith(b")\r\na OK FETCH completed.\r\nb OK NOOP completed.\r\n")


@pytest.mark.parametrize(
    ("octets", "where"),
    [
        (b"", ""),
        (b"a FETCH 1", "inside a command"),
        (b"a APPEND INBOX {10+}\r\nxx", "inside a command"),
        (b"a IDLE\r\n", "inside IDLE"),
    ],
)
def test_a_client_that_is_gone_is_told_with_where_it_was(net, bob, octets, where):
    with logged_in(bob.imap) as client:
        client.send(octets)
        client.sock.shutdown(socket.SHUT_WR)
        client.rest()
    gone = net.wait_for(Stage.DISCONNECT)[-1]
    assert (gone.by, gone.detail) == ("client", where)


def test_a_client_that_resets_the_connection_during_an_answer(net, bob):
    bob.inbox.put(b"Subject: big\r\n\r\n" + (b"x" * 98 + b"\r\n") * 100_000)
    with logged_in(bob.imap, receive_buffer=16 * 1024) as client:
        client.send(b"a FETCH 1 BODY.PEEK[]\r\n")
        client.line()
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert net.wait_for(Stage.DISCONNECT)[-1].reason is Reason.CONNECTION_LOST
    bob.imaps.imaplib().logout()


# TLS and compression -------------------------------------------------------------------------------


def test_what_comes_in_clear_text_behind_starttls_is_thrown_away(net, bob):
    """RFC 9051 §6.2.1 and §11.1."""
    settings = bob.imap
    with connected(settings) as client:
        client.send(b"a STARTTLS\r\nb LOGIN bob@example.org s3cret\r\nc DELETE Archive\r\n")
        assert client.line().startswith(b"a OK ")
        with settings.ssl_context.wrap_socket(client.sock, server_hostname=settings.host) as sock:
            secure = Raw(sock)
            assert secure.ask(b"d NOOP") == [b"d OK NOOP completed."]
            assert secure.ask(b"e SELECT INBOX")[-1].startswith(b"e BAD ")
    assert not net.events(Stage.IMAP_LOGIN)
    assert "octets of clear text behind STARTTLS" in net.events(Stage.TLS_HANDSHAKE).one().detail


def test_starttls_is_not_offered_twice(bob):
    with connected(bob.imaps) as client:
        assert b"STARTTLS" not in client.ask(b"a CAPABILITY")[0]
        assert client.ask(b"b STARTTLS")[0].startswith(b"b BAD ")


class Deflated:
    """A socket on which both sides compress (RFC 4978)."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self._pack = zlib.compressobj(wbits=-15)
        self._unpack = zlib.decompressobj(wbits=-15)

    def sendall(self, octets: bytes) -> None:
        self._sock.sendall(self._pack.compress(octets) + self._pack.flush(zlib.Z_SYNC_FLUSH))

    def recv(self, _: int) -> bytes:
        while octets := self._sock.recv(2**16):
            if said := self._unpack.decompress(octets):
                return said
        return b""


def test_compression_over_tls(net, bob):
    """RFC 4978, and IDLE through it."""
    raw = b"Subject: big\r\n\r\n" + (b"x" * 98 + b"\r\n") * 50_000
    bob.inbox.put(raw)
    with logged_in(bob.imaps) as client:
        assert client.ask(b"a COMPRESS DEFLATE")[-1].startswith(b"a OK ")
        client.sock = Deflated(client.sock)
        assert client.ask(b"b COMPRESS DEFLATE")[0].startswith(b"b NO [COMPRESSIONACTIVE]")
        lines = client.ask(b"c FETCH 1 BODY.PEEK[]")
        assert b"\r\n".join(lines[1:-2]) + b"\r\n" == raw
        client.send(b"d IDLE\r\n")
        assert client.line().startswith(b"+")
        bob.inbox.put(samples.plain())
        assert client.until(b"* 2 EXISTS")
        client.send(b"DONE\r\n")
        assert client.until(b"d ")[-1] == b"d OK IDLE completed."


def test_a_bomb_of_compressed_octets_costs_little(net, bob):
    """A gigabyte of one long line in a megabyte: it is read a piece at a time."""
    with logged_in(bob.imaps) as client:
        client.ask(b"a COMPRESS DEFLATE")
        pack = zlib.compressobj(wbits=-15, level=9)
        bomb = b"".join(pack.compress(b"x" * 2**20) for _ in range(64)) + pack.flush(zlib.Z_SYNC_FLUSH)
        sock = client.sock
        client.sock = Deflated(sock)
        sock.sendall(bomb + pack.compress(b"\r\nz NOOP\r\n") + pack.flush(zlib.Z_SYNC_FLUSH))
        assert client.line().startswith(b"* BAD ")
        assert client.line() == b"z OK NOOP completed."


def test_broken_compression_ends_the_session(net, bob):
    with logged_in(bob.imap) as client:
        client.ask(b"a COMPRESS DEFLATE")
        client.send(b"\xff" * 100)
        assert zlib.decompressobj(wbits=-15).decompress(client.rest()).startswith(b"* BYE ")
    assert net.wait_for(Stage.DISCONNECT)[-1].by == "server"


# The end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["imap", "imaps"])
def test_a_host_that_stops_says_bye_to_those_who_idle(net, bob, service):
    """RFC 9051 §7.1.5, RFC 5530: UNAVAILABLE."""
    settings = getattr(bob, service)
    with nothing_left_open(), logged_in(settings) as idle, logged_in(settings, select=False) as quiet:
        idle.send(b"wait IDLE\r\n")
        assert idle.line().startswith(b"+")
        settings.server.stop()
        for client in (idle, quiet):
            assert client.rest() == b"* BYE [UNAVAILABLE] The server is shutting down.\r\n"
        with pytest.raises(ConnectionRefusedError):
            settings.imaplib()
        settings.server.start()
        settings.imaplib().logout()


def test_a_fake_internet_that_ends_leaves_nothing_open():
    with nothing_left_open():
        for _ in range(10):
            with ExitStack() as stack:
                with MailNet() as net:
                    bob = net.account("bob@example.org", password="s3cret")
                    bob.imap.server.configure(auth_in_clear=True)
                    bob.inbox.put(b"Subject: big\r\n\r\n" + (b"x" * 98 + b"\r\n") * 20_000)
                    clients = [stack.enter_context(logged_in(bob.imap)) for _ in range(5)]
                    work = (b"a IDLE\r\n", b"a FETCH 1 BODY[]\r\n", b"a APPEND INBOX {9}\r\n", b"a N", b"")
                    for client, octets in zip(clients, work, strict=True):
                        client.send(octets)
                for client in clients:
                    with suppress(ConnectionResetError):  # who had said more than was read
                        client.rest()
    assert asyncio.all_tasks(loop_thread().loop) == set()


def test_nobody_hears_of_a_mailbox_after_the_end(net, bob):
    bob.inbox.put(samples.plain())
    box = net._portal.simulation.store.find(bob.inbox._address, "INBOX")
    for _ in range(3):
        with logged_in(bob.imap) as client:
            client.send(b"wait IDLE\r\n")
            client.line()
            assert len(box.listeners.places) == 1
            client.sock.shutdown(socket.SHUT_WR)
            client.rest()
        assert net._portal.call(lambda: box.listeners.places) == ()


def test_a_reader_may_be_silent_for_half_an_hour(net, bob):
    """RFC 9051 §5.4: at least 30 minutes, and a client that idles has no more (RFC 2177)."""
    assert bob.imap.server.options.reading_timeout == HALF_AN_HOUR
    with logged_in(bob.imap):
        [connection] = server_of(net, bob.imap).connections
        assert net._portal.call(lambda: connection.port.idle_timeout) == HALF_AN_HOUR
    bob.imap.server.configure(reading_timeout=0.2)
    with logged_in(bob.imap) as client:
        client.send(b"wait IDLE\r\n")
        assert client.rest().endswith(b"* BYE Disconnected for inactivity.\r\n")
    assert net.wait_for(Stage.DISCONNECT)[-1].reason is Reason.TIMEOUT


@pytest.mark.parametrize("service", ["imaps", "pop3s", "submissions"])
def test_the_end_of_tls_is_said_to_a_client_that_did_not_say_it(net, bob, service):
    """RFC 8446 §6.1: what comes before the end of the connection is all that the server had to say."""
    settings = getattr(bob, service)
    with (
        socket.create_connection((settings.host, settings.port), timeout=10) as plain,
        settings.ssl_context.wrap_socket(
            plain, server_hostname=settings.host, suppress_ragged_eofs=False
        ) as client,
    ):
        assert client.recv(1000)
        socket.socket.shutdown(client, socket.SHUT_WR)
        assert client.recv(1000) == b""
