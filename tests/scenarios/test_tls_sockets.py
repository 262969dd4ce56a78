"""The TLS layer behind a real socket, met by clients that are not ours."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing

import pytest

from fakemail.tls.authority import Authority, process_authority
from fakemail.tls.contexts import server_context
from fakemail.tls.layer import ServerLayer

AUTHORITY = process_authority()


class OneConnection:
    """A server that takes one connection, answers with ``answer(request)`` and keeps its layer."""

    def __init__(self, context: ssl.SSLContext, answer: Callable[[bytes], bytes] = bytes.upper) -> None:
        self.layer = ServerLayer(context)
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with closing(self._listener), self._listener.accept()[0] as connection:
            connection.settimeout(10)
            while not self.layer.closed_by_peer and self.layer.failed is None:
                try:
                    data = connection.recv(65536)
                except ConnectionResetError:
                    data = b""
                if not data:
                    self.layer.receive_eof()
                    break
                plain = self.layer.receive(data)
                if plain:
                    self.layer.send(self._answer(plain))
                if self.layer.closed_by_peer or (plain and self._answer is _http):
                    self.layer.close_notify()
                if out := self.layer.take_outgoing():
                    connection.sendall(out)

    def finish(self) -> ServerLayer:
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.layer


def _http(request: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"


def default_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(AUTHORITY.ca_file()))


@pytest.mark.parametrize("name", ["mx.example.org", "127.0.0.1"])
def test_default_context_by_name_and_by_address(name: str) -> None:
    server = OneConnection(server_context("mx.example.org", addresses=["127.0.0.1"]))
    with (
        socket.create_connection(("127.0.0.1", server.port), 10) as raw,
        default_context().wrap_socket(raw, server_hostname=name) as tls,
    ):
        tls.sendall(b"hello")
        assert tls.recv(100) == b"HELLO"
        tls.unwrap().close()
    layer = server.finish()
    assert layer.closed_by_peer
    assert not layer.truncated
    assert layer.facts.server_name == (name if name[0] == "m" else None)


def test_client_hears_the_alert() -> None:
    server = OneConnection(server_context("mx.example.org", minimum_version=ssl.TLSVersion.TLSv1_3))
    context = default_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", server.port), 10) as raw,
        pytest.raises(ssl.SSLError, match=r"(?i)alert protocol version"),
    ):
        context.wrap_socket(raw, server_hostname="mx.example.org")
    failure = server.finish().failed
    assert failure is not None
    assert (failure.refused_by, failure.alert) == ("server", "protocol_version")


def test_client_without_its_certificate_hears_so() -> None:
    server = OneConnection(server_context("mx.example.org", client_certificates="require"))
    with (
        socket.create_connection(("127.0.0.1", server.port), 10) as raw,
        default_context().wrap_socket(raw, server_hostname="mx.example.org") as tls,
        pytest.raises(ssl.SSLError, match=r"(?i)certificate required"),
    ):
        tls.recv(1)
    failure = server.finish().failed
    assert failure is not None
    assert (failure.refused_by, failure.alert) == ("server", "certificate_required")


@pytest.mark.parametrize("leaf_name", ["mx.example.org", "other.example.org"])
def test_server_learns_why_the_client_refused(leaf_name: str) -> None:
    right_name = leaf_name == "mx.example.org"
    leaf = (Authority() if right_name else AUTHORITY).leaf(leaf_name)
    server = OneConnection(server_context(leaf=leaf))
    with (
        socket.create_connection(("127.0.0.1", server.port), 10) as raw,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        default_context().wrap_socket(raw, server_hostname="mx.example.org")
    failure = server.finish().failed
    assert failure is not None
    assert (failure.refused_by, failure.alert) == (
        "client",
        "unknown_ca" if right_name else "bad_certificate",
    )


def test_client_goes_away_in_the_handshake() -> None:
    server = OneConnection(server_context("mx.example.org"))
    with socket.create_connection(("127.0.0.1", server.port), 10) as raw:
        raw.sendall(b"\x16\x03\x01\x02\x00\x01")
    failure = server.finish().failed
    assert failure is not None
    assert (failure.refused_by, failure.alert) == ("client", "")


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("trusts", [True, False])
def test_curl(trusts: bool) -> None:
    server = OneConnection(server_context("mx.example.org", addresses=["127.0.0.1"]), _http)
    authority = AUTHORITY if trusts else Authority()
    done = subprocess.run(
        [
            "curl", "--silent", "--show-error", "--noproxy", "*", "--cacert", str(authority.ca_file()),
            "--resolve", f"mx.example.org:{server.port}:127.0.0.1", f"https://mx.example.org:{server.port}/",
        ],
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    layer = server.finish()
    if trusts:
        assert done.stdout == "hello", done.stderr
        assert layer.facts.server_name == "mx.example.org"
    else:
        assert done.returncode == 60
        assert layer.failed is not None
        assert (layer.failed.refused_by, layer.failed.alert) == ("client", "unknown_ca")
