"""The reader of a ClientHello: any cutting gives the same name, and garbage never an exception."""

from __future__ import annotations

import ssl

from hypothesis import given
from hypothesis import strategies as st

from fakemail.tls.hello import HelloReader, read_server_name


def _hello() -> bytes:
    outgoing = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="mx.example.org")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a server")


HELLO = _hello()


@given(st.lists(st.integers(1, 200), min_size=1, max_size=30))
def test_any_cutting(sizes: list[int]) -> None:
    reader, at, turn = HelloReader(), 0, 0
    while not reader.is_done:
        size = sizes[turn % len(sizes)]
        reader.feed(HELLO[at : at + size])
        at, turn = at + size, turn + 1
    assert reader.server_name == "mx.example.org"
    assert at >= len(HELLO)


@given(st.integers(5, len(HELLO) - 1), st.binary(min_size=1, max_size=40))
def test_damage(at: int, damage: bytes) -> None:
    reader = HelloReader()
    reader.feed(HELLO[:at] + damage + HELLO[at + len(damage) :])
    assert reader.server_name is None or reader.server_name.isascii()


@given(st.binary(max_size=300))
def test_garbage(octets: bytes) -> None:
    HelloReader().feed(octets)
    HelloReader().feed(b"\x16\x03\x01\x01\x00" + octets)
    read_server_name(octets)
