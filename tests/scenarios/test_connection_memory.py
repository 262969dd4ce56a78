"""What a connection held goes when it is gone, without the collector of cycles."""

from __future__ import annotations

import base64
import gc
import socket
import weakref

import pytest

from fakemail import Stage
from fakemail.smtp.client import ClientTransaction
from fakemail.wire.smtp_client import SmtpClient

HALF = b"x" * 99_998 + b"\r\n"


@pytest.fixture
def bob(mailnet):
    """Somebody in whose fake internet nothing but counting references frees memory."""
    account = mailnet.account("bob@example.org")
    gc.collect()
    gc.disable()
    yield account
    gc.enable()


class Client:
    """Octets over a socket, and the server's end of it."""

    def __init__(self, mailnet, settings, *, tls=False):
        self._net = mailnet
        self._socket = socket.create_connection((settings.host, settings.port), timeout=10)
        if tls:
            self._socket = settings.ssl_context.wrap_socket(self._socket, server_hostname=settings.host)
        self.say(b"")
        (connection,) = mailnet._portal.call(
            lambda: list(mailnet._portal.simulation.hosts.running[settings.server.name].connections)
        )
        self.held = [weakref.ref(connection), weakref.ref(connection._session)]

    def say(self, octets, *, is_answered=True):
        self._socket.sendall(octets)
        return self._socket.recv(65536) if is_answered else b""

    def hang_up(self, how):
        if how == "reset":
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()
        self._net.wait_for(Stage.DISCONNECT)

    def still_held(self):
        self._net.settle()
        self._net._portal.call(
            lambda: None
        )  # a turn of the loop, after which nothing of the last one is left
        return [type(each()).__name__ for each in self.held if each() is not None]


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("tls", [False, True])
def test_an_upload_that_was_broken_off(mailnet, bob, how, tls):
    settings = mailnet.submissions if tls else mailnet.mx("example.org")
    client = Client(mailnet, settings, tls=tls)
    client.say(b"EHLO app.test\r\n")
    if tls:
        secret = base64.b64encode(f"\0{settings.username}\0{settings.password}".encode())
        assert client.say(b"AUTH PLAIN " + secret + b"\r\n").startswith(b"235")
    client.say(b"MAIL FROM:<shop@shop.test>\r\n")
    client.say(b"RCPT TO:<bob@example.org>\r\n")
    assert client.say(b"DATA\r\n").startswith(b"354")
    client.say(HALF * 10, is_answered=False)
    client.hang_up(how)
    assert client.still_held() == []


def test_an_append_that_was_broken_off(mailnet, bob):
    client = Client(mailnet, bob.imaps, tls=True)
    client.say(f"a LOGIN {bob.address} {bob.password}\r\n".encode())
    assert client.say(b"b APPEND INBOX {5000000}\r\n").startswith(b"+")
    client.say(HALF * 10, is_answered=False)
    client.hang_up("close")
    assert client.still_held() == []


def test_an_imap_session_that_idled(mailnet, bob):
    client = Client(mailnet, bob.imaps, tls=True)
    client.say(f"a LOGIN {bob.address} {bob.password}\r\n".encode())
    client.say(b"b SELECT INBOX\r\n")
    client.say(b"c IDLE\r\n")
    client.hang_up("close")
    assert client.still_held() == []


def test_a_pop3_session_in_the_middle_of_a_message(mailnet, bob):
    bob.inbox.put(b"Subject: large\r\n\r\n" + HALF * 20)
    client = Client(mailnet, bob.pop3s, tls=True)
    client.say(f"USER {bob.address}\r\n".encode())
    client.say(f"PASS {bob.password}\r\n".encode())
    client.say(b"RETR 1\r\n")
    client.hang_up("close")
    assert client.still_held() == []


def clients():
    """What our own clients are made of, in this whole process."""
    return [each for each in gc.get_objects() if type(each) in (SmtpClient, ClientTransaction)]


@pytest.mark.parametrize("stage", [Stage.SMTP_BANNER, Stage.SMTP_DATA, Stage.SMTP_END])
def test_our_own_client_of_a_server_that_hung_up(mailnet, bob, stage):
    earlier = {id(each): each for each in clients()}  # of other tests
    mailnet.mx("example.org").faults.close(stage)
    shop = mailnet.account("shop@shop.test")
    with shop.submission.smtplib() as client:
        client.sendmail(shop.address, [bob.address], b"Subject: x\r\n\r\n" + HALF)
    mailnet.settle()
    assert mailnet._portal.call(lambda: [each for each in clients() if id(each) not in earlier]) == []
