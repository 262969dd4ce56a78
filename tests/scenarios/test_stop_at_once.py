"""A fake internet that ends while somebody connects to it leaves nothing open."""

import socket

import pytest

from fakemail import MailNet, Stage
from fakemail.events.kinds import Disconnected
from leaks import nothing_left_open

rounds = pytest.mark.parametrize("rounds", [25, pytest.param(200, marks=pytest.mark.slow)])
"""How often it is tried, since what is wrong here goes wrong sometimes."""


def ended(client: socket.socket) -> bool:
    """Whether the server ended the connection, after whatever it said."""
    try:
        while client.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


@rounds
def test_a_connection_made_right_before_the_end_is_closed(rounds: int) -> None:
    with nothing_left_open():
        for _ in range(rounds):
            with MailNet() as net:
                mx = net.domain("example.org").mx
                client = socket.create_connection((mx.host, mx.port), timeout=5)
            with client:
                assert ended(client)


@rounds
def test_a_dns_connection_made_right_before_the_end_is_closed(rounds: int) -> None:
    with nothing_left_open():
        for _ in range(rounds):
            with MailNet() as net:
                client = socket.create_connection(("127.0.0.1", net.dns.port), timeout=5)
            with client:
                assert ended(client)


@rounds
def test_a_host_switched_off_while_somebody_connects_leaves_nothing_open(rounds: int) -> None:
    with nothing_left_open(), MailNet() as net:
        mx = net.domain("example.org").mx
        for _ in range(rounds):
            client = socket.create_connection((mx.host, mx.port), timeout=5)
            mx.server.stop()
            with client:
                assert ended(client)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((mx.host, mx.port), timeout=5)
            mx.server.start()
        ends = [each for each in net.events(Stage.DISCONNECT) if isinstance(each, Disconnected)]
        assert len(ends) == len(net.events(Stage.CONNECT))


def test_a_test_may_end_while_its_mail_travels() -> None:
    with nothing_left_open():
        for _ in range(20):
            with MailNet() as net:
                bob = net.account("bob@example.org")
                with net.submission.smtplib() as client:
                    client.sendmail("hello@shop.test", [bob.address], "Subject: x\n\ny")
