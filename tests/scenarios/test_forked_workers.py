"""Hosts stop, refuse and come back although a worker that was forked meanwhile lives on."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fakemail import MailNet, Stage
from namespaces import require_low_ports

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

_SERVICES = ["smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s"]


@contextmanager
def _worker() -> Iterator[None]:
    """A forked process that runs already, and lives until the end of the block."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b".")
        signal.pause()
        os._exit(0)
    assert os.read(reader, 1) == b"."
    os.close(reader)
    os.close(writer)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _is_open(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=20).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("service", _SERVICES)
def test_a_host_stops_and_starts(service: str) -> None:
    with MailNet() as net:
        host = net.host("mx1.example.org", services=[service])
        there = host.settings(service)
        with _worker():
            host.stop()
            assert not _is_open(there.host, there.port)
            host.start()
            assert _is_open(there.host, there.port)
            with host.faults.refuse_connections():
                assert not _is_open(there.host, there.port)
                with _worker():
                    pass
            assert _is_open(there.host, there.port)


def test_a_worker_that_was_forked_while_the_host_rested() -> None:
    with MailNet() as net:
        there = net.domain("example.org").mx
        there.server.stop()
        with _worker():
            there.server.start()
            assert _is_open(there.host, there.port)
            there.server.stop()
            assert not _is_open(there.host, there.port)
            with there.server.faults.hang_connections():
                there.server.start()
            assert _is_open(there.host, there.port)


@pytest.mark.parametrize("how", ["drop", "stop"])
def test_clients_see_the_end_of_their_connections(how: str) -> None:
    with MailNet() as net:
        there = net.domain("example.org").mx
        if how == "drop":
            there.faults.drop(Stage.SMTP_HELO)
        with socket.create_connection((there.host, there.port), timeout=20) as client:
            assert client.recv(1000).startswith(b"220")
            if how == "stop":
                client.sendall(b"NOOP\r\n")
                assert client.recv(1000).startswith(b"250")
            with _worker():
                if how == "stop":
                    there.server.stop()
                    assert client.recv(1000).startswith(b"421")
                else:
                    client.sendall(b"EHLO x.test\r\n")
                assert client.recv(1000) == b""


def test_fixed_ports_are_free_for_the_next_fake_internet() -> None:
    offset = _free_offset()
    with MailNet(port_offset=offset) as net:
        first = net.domain("example.org").mx
        child = _worker()
        child.__enter__()
    try:
        assert not _is_open(first.host, first.port)
        with MailNet(port_offset=offset) as net:
            again = net.domain("example.org").mx
            assert (again.host, again.port) == (first.host, first.port)
            assert net.dns.resolver().resolve("example.org", "MX")
    finally:
        child.__exit__(None, None, None)


def _free_offset() -> int:
    """Away from the ports that systems give to clients (RFC 6335 §6, and 32768 on in Linux)."""
    return 10_000 + os.getpid() % 20_000


def test_real_ports_are_free_for_the_next_fake_internet() -> None:
    require_low_ports()
    with MailNet(real_ports=True) as net:
        first = net.domain("example.org").mx
        name_server = net.dns.host, net.dns.port
        child = _worker()
        child.__enter__()
    try:
        assert not _is_open(first.host, first.port)
        for kind, place in ((socket.SOCK_STREAM, (first.host, 25)), (socket.SOCK_DGRAM, name_server)):
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind == socket.SOCK_STREAM))
                probe.bind(place)
    finally:
        child.__exit__(None, None, None)
