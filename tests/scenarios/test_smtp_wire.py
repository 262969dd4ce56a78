"""SMTP over real sockets with clients that are rude, broken, hostile or gone."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from fakemail import MailNet, Reason, Stage
from fakemail.events.kinds import Disconnected, Handshake
from fakemail.smtp.client import ReplyReader
from fakemail.tls.layer import ClientLayer
from fakemail.types.reply import Reply

PATIENCE = 20.0  # real seconds, until a test that would hang fails instead
HELLO = b"EHLO app.test\r\n"
ENVELOPE = b"MAIL FROM:<a@app.test>\r\nRCPT TO:<bob@example.org>\r\n"
INSIDE = HELLO + ENVELOPE
MESSAGE = HELLO + ENVELOPE + b"DATA\r\nSubject: Hi\r\n\r\nHello\r\n.\r\n"
GOOD = [220, 250, 250, 250, 354, 250]


@pytest.fixture
def net() -> Iterator[MailNet]:
    with MailNet(seed=7) as mailnet:
        mailnet.account("bob@example.org", password="s3cret")
        yield mailnet


class Client:
    """A plain blocking socket that can read replies."""

    def __init__(self, net: MailNet, service: str = "smtp", *, receive: int = 0) -> None:
        host = net.find_host("mx1.example.org" if service == "smtp" else "smtp.example.org")
        settings = host.settings(service)
        self.name = host.name
        self.socket: socket.socket = socket.socket()
        if receive:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, receive)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((settings.host, settings.port))
        self.context = settings.ssl_context
        self._reader = ReplyReader()
        self._replies: list[Reply] = []

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close with a RST instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def read(self, number: int) -> list[Reply]:
        while len(self._replies) < number:
            octets = self.socket.recv(2**20)
            assert octets, f"the server closed the connection after {self._replies}"
            self._replies += self._reader.feed(octets)
        replies, self._replies = self._replies[:number], self._replies[number:]
        return replies

    def codes(self, number: int) -> list[int]:
        return [reply.code for reply in self.read(number)]

    def ask(self, line: bytes) -> int:
        self.send(line + b"\r\n")
        return self.codes(1)[0]

    def read_to_end(self) -> list[int]:
        """The codes of all replies until the server closes the connection in good order."""
        while octets := self.socket.recv(2**20):
            self._replies += self._reader.feed(octets)
        return [reply.code for reply in self._replies]

    def start_tls(self) -> None:
        self.socket = self.context.wrap_socket(
            self.socket, server_hostname=self.name, suppress_ragged_eofs=False
        )


Connect = Callable[..., Client]


@pytest.fixture
def connect(net: MailNet) -> Iterator[Connect]:
    clients: list[Client] = []

    def open_one(service: str = "smtp", **options: int) -> Client:
        clients.append(Client(net, service, **options))
        return clients[-1]

    yield open_one
    for client in clients:
        client.close()


def deliver(net: MailNet) -> None:
    """Mail flows."""
    with closing(Client(net)) as client:
        client.send(MESSAGE + b"QUIT\r\n")
        assert client.read_to_end() == [*GOOD, 221]


def last_end(net: MailNet, number: int = 1) -> Disconnected:
    """How the connection ended that is the last of that many to end."""
    event = net.wait_for(Stage.DISCONNECT, count=number, timeout=PATIENCE)[-1]
    assert isinstance(event, Disconnected)
    return event


# Half-close, and clients that vanish ------------------------------------------------------------------


@pytest.mark.parametrize("ending", [b"", b"QUIT\r\n"])
def test_half_close_loses_no_reply_and_no_message(net: MailNet, connect: Connect, ending: bytes) -> None:
    client = connect()
    client.send(MESSAGE + ending)
    client.socket.shutdown(socket.SHUT_WR)
    assert client.read_to_end() == [*GOOD, *([221] if ending else [])]
    assert net.account("bob@example.org").inbox.one().raw.endswith(b"\r\n\r\nHello\r\n")
    assert last_end(net).reason is None


def test_half_close_while_a_handler_thinks(net: MailNet, connect: Connect) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    class Handler:
        async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
            asked.set()
            await go_on.wait()
            return "250 OK"

    net.find_host("mx1.example.org").attach_handler(Handler())
    client = connect()
    client.send(MESSAGE + b"NOOP\r\n")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.codes(5) == GOOD[:5]
    net._portal.perform(asked.wait())
    net._portal.call(go_on.set)
    assert client.read_to_end() == [250, 250]
    assert len(net.account("bob@example.org").inbox) == 1


def test_half_close_inside_tls(net: MailNet, connect: Connect) -> None:
    client = connect("submissions")
    layer = ClientLayer(client.context, server_hostname=client.name)
    replies = ReplyReader()
    codes: list[int] = []
    sent = False
    while not layer.closed_by_peer:
        client.send(layer.take_outgoing())
        codes += [reply.code for reply in replies.feed(layer.receive(client.socket.recv(65536)))]
        if codes and not sent:
            sent = True
            layer.send(HELLO + b"NOOP\r\nRSET\r\n")
            layer.close_notify()
    assert codes == [220, 250, 250, 250]
    assert not layer.truncated
    assert last_end(net).reason is None


@pytest.mark.parametrize("leave", [Client.close, Client.reset])
@pytest.mark.parametrize(
    "said",
    [b"", HELLO, INSIDE, INSIDE + b"DATA\r\nhalf a mess", INSIDE + b"BDAT 99 LAST\r\nhalf"],
    ids=["greeted", "hello", "recipients", "data", "chunk"],
)
def test_vanished_client(
    net: MailNet, connect: Connect, said: bytes, leave: Callable[[Client], None]
) -> None:
    client = connect()
    client.send(said)
    client.codes(1 + said.count(b"\r\n") - said.count(b"BDAT"))
    leave(client)
    ended = last_end(net)
    assert ended.by == "client"
    lost = said not in (b"", HELLO) or leave is Client.reset
    assert ended.reason is (Reason.CONNECTION_LOST if lost else None)
    deliver(net)
    assert len(net.account("bob@example.org").inbox) == 1


def test_vanished_client_was_somewhere(net: MailNet, connect: Connect) -> None:
    client = connect()
    client.send(HELLO + ENVELOPE + b"DATA\r\nhalf a mess")
    client.codes(5)
    client.close()
    assert last_end(net).detail == "inside the message, after 11 octets"


# TLS ----------------------------------------------------------------------------------------------------


def test_clear_text_injected_behind_starttls_is_thrown_away(net: MailNet, connect: Connect) -> None:
    client = connect()
    injected = b"EHLO evil.test\r\nMAIL FROM:<evil@evil.test>\r\n"
    client.send(HELLO + b"STARTTLS\r\n" + injected)
    assert client.codes(3) == [220, 250, 220]
    client.start_tls()
    assert client.ask(b"RCPT TO:<bob@example.org>") == 503
    assert client.ask(b"EHLO app.test") == 250
    assert client.ask(b"RCPT TO:<bob@example.org>") == 503
    (handshake,) = net.events(Stage.TLS_HANDSHAKE)
    assert isinstance(handshake, Handshake)
    assert handshake.detail == f"{len(injected)} octets of clear text behind STARTTLS were thrown away"
    assert client.ask(b"STARTTLS") == 503
    assert client.ask(b"NOOP") == 250


def test_clear_text_instead_of_a_handshake(net: MailNet, connect: Connect) -> None:
    client = connect()
    client.send(HELLO + b"STARTTLS\r\n")
    assert client.codes(3) == [220, 250, 220]
    client.send(MESSAGE)
    assert b"250" not in client.socket.recv(65536)  # an alert
    assert_refused(net)


GARBAGE = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x00\x05hello",
    b"\x16\x03\x01\xff\xff" + b"\x00" * 70000,
    bytes(range(256)) * 8,
]


@pytest.mark.parametrize("octets", GARBAGE, ids=["http", "bad handshake", "record too long", "all octets"])
def test_garbage_for_a_client_hello(net: MailNet, connect: Connect, octets: bytes) -> None:
    client = connect("submissions")
    with suppress(ConnectionResetError, BrokenPipeError):  # it may be refused before it has all been read
        client.send(octets)
        while client.socket.recv(65536):
            pass
    assert_refused(net)


def assert_refused(net: MailNet) -> None:
    ended = last_end(net)
    assert (ended.by, ended.reason) == ("server", Reason.TLS_FAILED)
    (handshake,) = net.events(Stage.TLS_HANDSHAKE)
    assert isinstance(handshake, Handshake)
    assert (handshake.version, handshake.refused_by) == ("", "server")
    deliver(net)


def test_client_leaves_in_the_middle_of_a_handshake(net: MailNet, connect: Connect) -> None:
    client = connect("submissions")
    client.send(ClientLayer(client.context, server_hostname=client.name).take_outgoing()[:50])
    client.close()
    (handshake,) = net.wait_for(Stage.TLS_HANDSHAKE, timeout=PATIENCE)
    assert isinstance(handshake, Handshake)
    assert handshake.refused_by == "client"


def test_server_ends_tls_in_good_order(net: MailNet, connect: Connect) -> None:
    client = connect("submissions")
    client.start_tls()  # a missing close_notify would raise now
    client.send(HELLO + b"QUIT\r\n")
    assert client.read_to_end() == [220, 250, 221]
    assert last_end(net).by == "server"


def test_client_ends_tls_in_good_order(net: MailNet, connect: Connect) -> None:
    client = connect("submissions")
    client.start_tls()
    assert client.codes(1) == [220]
    assert isinstance(client.socket, ssl.SSLSocket)
    below = client.socket.unwrap()  # waits for the server's close_notify
    assert below.recv(1) == b""
    below.close()
    ended = last_end(net)
    assert (ended.by, ended.reason) == ("client", None)


def test_client_ends_tls_inside_a_message(net: MailNet, connect: Connect) -> None:
    client = connect()
    client.send(HELLO + b"STARTTLS\r\n")
    client.codes(3)
    client.start_tls()
    client.send(HELLO + ENVELOPE + b"DATA\r\nhalf")
    client.codes(4)
    client.close()
    assert last_end(net).reason is Reason.CONNECTION_LOST
    assert net.account("bob@example.org").inbox.is_empty


# Many, much and long ------------------------------------------------------------------------------------


def test_mail_flows_beside_200_idle_clients(net: MailNet, connect: Connect) -> None:
    idle = [connect() for _ in range(100)] + [connect("submissions") for _ in range(100)]
    for client in idle[:100]:
        assert client.codes(1) == [220]
    deliver(net)
    for client in idle[:100]:
        client.send(b"QUIT\r\n")
        assert client.read_to_end() == [221]
    deliver(net)


def until(holds: Callable[[], bool]) -> None:
    """Look until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline


def test_many_connections_opened_and_dropped(net: MailNet) -> None:
    for number in range(300):
        client = Client(net, ("smtp", "submission", "submissions")[number % 3])
        if number % 2:
            client.send(HELLO)
        (client.reset if number % 5 else client.close)()
    # A connection that is reset before it was accepted may never be seen.
    deliver(net)
    seen = len(net.events(Stage.CONNECT))
    assert seen >= 100
    net.wait_for(Stage.DISCONNECT, count=seen, timeout=PATIENCE)
    hosts = [net._portal.simulation.hosts.running[name] for name in ("mx1.example.org", "smtp.example.org")]
    # A session ends before its connection is gone: each look is a turn of the loop.
    until(lambda: net._portal.call(lambda: not any(host.connections for host in hosts)))


def test_client_that_asks_and_never_reads(net: MailNet, connect: Connect) -> None:
    client = connect(receive=4096)
    client.socket.setblocking(False)
    stalled = 0
    # It is stalled when nothing more can be sent although the server has had turns to read.
    while stalled < 3:
        try:
            client.socket.send(b"HELP\r\n" * 100)
            stalled = 0
        except BlockingIOError:
            stalled += 1
            deliver(net)
    (running,) = [
        host for host in net._portal.simulation.hosts.running.values() if host.name == "mx1.example.org"
    ]

    def waiting() -> int:
        transports = [connection._transport for connection in running.connections]
        return max(each.get_write_buffer_size() for each in transports if each is not None)

    def working() -> bool:
        cores = [connection._session for connection in running.connections if not connection._full]
        return any(core is not None and core.has_more for core in cores)

    until(lambda: not net._portal.call(working) and net._portal.call(waiting) > 0)
    # One segment's answers beyond the mark at which reading stops; without a stop this has no bound.
    kept = net._portal.call(waiting)
    assert 0 < kept < 16 * 2**20
    deliver(net)
    assert net._portal.call(waiting) == kept
    client.reset()
    net.wait_for(Stage.DISCONNECT, count=len(net.events(Stage.CONNECT)), timeout=PATIENCE)


def test_nothing_is_read_from_a_client_that_does_not_read(net: MailNet, connect: Connect) -> None:
    client = connect(receive=4096)
    client.send(HELLO)
    assert client.codes(2) == [220, 250]
    [connection] = net._portal.simulation.hosts.running["mx1.example.org"].connections
    transport = connection._transport
    asked = 0

    def has_read_all() -> bool:
        return len(net.events(Stage.SMTP_HELP)) == asked or not net._portal.call(transport.is_reading)

    # Few commands at a time: more than a session answers in one go would stop the reading by themselves.
    while net._portal.call(transport.is_reading):
        client.send(b"HELP\r\n" * 100)
        asked += 100
        until(has_read_all)
        assert net._portal.call(transport.get_write_buffer_size) < 2**20
    assert set(client.codes(asked)) == {214}
    assert client.ask(b"NOOP") == 250


@pytest.mark.parametrize(("ending", "code"), [(b"QUIT\r\n", 221), (b"NONSENSE\r\n" * 5, 421)])
def test_last_words_arrive_although_more_was_sent(
    net: MailNet, connect: Connect, ending: bytes, code: int
) -> None:
    """RFC 9293 §3.6: a close with data unread resets the connection, and what the server still had to send is lost."""
    net.find_host("mx1.example.org").configure(max_errors=4)
    # The answers are more than the client's system takes in, so the last of them wait at the server.
    client = connect(receive=4096)
    client.send(HELLO + b"HELP\r\n" * 200 + ending + b"NOOP\r\n" * 100_000)
    codes = client.read_to_end()
    assert codes.count(214) == 200
    assert codes[-1] == code


def test_client_that_reads_at_last_gets_everything(net: MailNet, connect: Connect) -> None:
    client = connect(receive=4096)
    number = 60_000
    octets = HELLO + b"NOOP\r\n" * number + b"QUIT\r\n"
    client.socket.setblocking(False)
    sent = 0
    while sent < len(octets):
        try:
            sent += client.socket.send(octets[sent : sent + 65536])
        except BlockingIOError:
            client.socket.settimeout(PATIENCE)
            client._replies += client._reader.feed(client.socket.recv(65536))
            client.socket.setblocking(False)
    client.socket.settimeout(PATIENCE)
    codes = client.read_to_end()
    assert (codes[:2], len(codes), codes[-1]) == ([220, 250], number + 3, 221)


def test_10000_recipients_in_one_segment(net: MailNet, connect: Connect) -> None:
    net.find_host("mx1.example.org").configure(max_recipients=10_000)
    client = connect()
    recipients = b"".join(b"RCPT TO:<bob+%d@example.org>\r\n" % number for number in range(10_000))
    client.send(HELLO + b"MAIL FROM:<a@app.test>\r\n" + recipients + b"RCPT TO:<bob@example.org>\r\nDATA\r\n")
    assert client.codes(3) == [220, 250, 250]
    assert set(client.codes(10_000)) == {250}
    assert client.codes(2) == [452, 354]
    client.send(b"Hello\r\n.\r\n")
    assert client.codes(1) == [250]
    mail = net.account("bob@example.org").inbox.one()
    assert mail.envelope is not None
    assert len(mail.envelope.recipients) == 10_000


def test_message_of_10_megabytes(net: MailNet, connect: Connect) -> None:
    line = b"." + b"x" * 70 + b"\r\n"
    content = line * (10 * 2**20 // len(line))
    client = connect()
    client.send(
        HELLO + ENVELOPE + b"DATA\r\n" + content.replace(b"\r\n.", b"\r\n..").join([b".", b".\r\nQUIT\r\n"])
    )
    assert client.read_to_end() == [*GOOD, 221]
    assert net.account("bob@example.org").inbox.one().raw.endswith(b"\r\n" + content)


def test_chunk_of_10_megabytes_inside_tls(net: MailNet, connect: Connect) -> None:
    content = bytes(range(256)) * (40 * 2**10)
    client = connect()
    client.send(HELLO + b"STARTTLS\r\n")
    assert client.codes(3) == [220, 250, 220]
    client.start_tls()
    client.send(HELLO + ENVELOPE.replace(b">\r\n", b"> BODY=BINARYMIME\r\n", 1))
    client.send(b"BDAT %d LAST\r\n" % len(content) + content + b"QUIT\r\n")
    assert client.read_to_end() == [250, 250, 250, 250, 221]
    assert net.account("bob@example.org").inbox.one().raw.endswith(content)


def test_line_of_10_megabytes(net: MailNet, connect: Connect) -> None:
    client = connect()
    client.send(b"x" * (10 * 2**20))
    client.send(b"\r\n" + MESSAGE + b"QUIT\r\n")
    assert client.read_to_end() == [220, 500, *GOOD[1:], 221]


def test_message_that_is_too_big_is_read_to_its_end(net: MailNet, connect: Connect) -> None:
    net.find_host("mx1.example.org").configure(max_message_size=1000)
    client = connect()
    client.send(HELLO + ENVELOPE + b"DATA\r\n" + b"x" * (10 * 2**20) + b"\r\n.\r\n" + ENVELOPE + b"DATA\r\n")
    assert client.codes(9) == [*GOOD[:5], 552, 250, 250, 354]
    client.send(b"Hello\r\n.\r\n")
    assert client.codes(1) == [250]
    assert len(net.account("bob@example.org").inbox) == 1
