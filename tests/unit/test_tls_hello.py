"""The name in a ClientHello, and that no name, however odd, prints an exception."""

from __future__ import annotations

import ssl
import struct
import subprocess
import sys

import pytest

from fakemail.tls.contexts import server_context
from fakemail.tls.hello import MAX_HELLO, HelloReader
from fakemail.tls.layer import ServerLayer


def real_hello(name: str | None = "mx.example.org") -> bytes:
    context = ssl.create_default_context()
    if name is None:
        context.check_hostname = False
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def renamed(hello: bytes, name: bytes) -> bytes:
    """The same hello asking for another name of the same length."""
    assert hello.count(b"mx.example.org") == 1
    assert len(name) == len(b"mx.example.org")
    return hello.replace(b"mx.example.org", name)


def records(hello: bytes, size: int) -> bytes:
    """The same message in records of that size (RFC 8446 §5.1)."""
    body = hello[5:]
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"\x16\x03\x01" + struct.pack("!H", len(piece)) + piece for piece in pieces)


def name_in(octets: bytes) -> str | None:
    reader = HelloReader()
    assert reader.feed(octets)
    return reader.server_name


def test_the_name_in_a_real_hello() -> None:  # RFC 6066 §3
    assert name_in(real_hello()) == "mx.example.org"
    assert name_in(real_hello(None)) is None


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_a_hello_in_many_records(size: int) -> None:
    assert name_in(records(real_hello(), size)) == "mx.example.org"


def test_a_name_that_is_not_ascii() -> None:
    assert name_in(renamed(real_hello(), "mx.exämple.or".encode())) == "mx.ex\\xc3\\xa4mple.or"


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x80\x2e\x01\x03\x01",  # a hello of SSL 2
        b"\x16\x02\x00\x00\x05",
        b"\x16\x03\x01\x00\x00",  # an empty record
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",  # another handshake message
        b"\x16\x03\x01\x00\x04\x01" + (MAX_HELLO + 1).to_bytes(3),
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",  # a hello of no octets
    ],
)
def test_what_is_no_hello_has_no_name(octets: bytes) -> None:
    assert name_in(octets) is None


def test_more_is_awaited() -> None:
    hello = real_hello()
    reader = HelloReader()
    assert not any(reader.feed(hello[at : at + 1]) for at in range(len(hello) - 1))
    assert reader.feed(hello[-1:])


def test_a_server_goes_on_with_a_hello_in_pieces() -> None:
    server = ServerLayer(server_context("mx.example.org", "b.example.org"))
    hello = real_hello()
    for at in range(len(hello)):
        assert server.take_outgoing() == b""
        server.receive(hello[at : at + 1])
    assert server.failed is None
    assert server.take_outgoing()[:1] == b"\x16"


_ODD = """
import sys
from fakemail.tls.contexts import server_context
from fakemail.tls.layer import ServerLayer
sys.unraisablehook = lambda args: sys.exit(f"unraisable: {args.exc_value!r}")
server = ServerLayer(server_context("mx.example.org", "b.example.org"))
server.receive(bytes.fromhex(sys.argv[1]))
print(server.failed, server.take_outgoing()[:1].hex())
"""


def test_a_name_that_is_not_ascii_prints_no_exception() -> None:
    hello = renamed(real_hello(), b"mx.ex\xff\xfemple.or")
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", _ODD, hello.hex()], capture_output=True, text=True, timeout=50
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.strip() == "None 16"
