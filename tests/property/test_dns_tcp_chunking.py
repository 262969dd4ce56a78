"""Any cutting of a TCP stream into pieces gives the same replies in the same order."""

from __future__ import annotations

import asyncio
import socket
from itertools import pairwise

import dns.message
from hypothesis import given, settings
from hypothesis import strategies as st

from fakemail.dns.records import record
from fakemail.dns.zones import Zones
from fakemail.wire.dns_server import DnsServer

_zones = Zones()
_zones.add_zone("test")
_zones.add(record("a.test", "MX", "10 mx.test"), record("b.test", "TXT", "x" * 3000))


def _framed(packet: bytes) -> bytes:
    return len(packet).to_bytes(2) + packet


_PACKETS = [
    dns.message.make_query("a.test", "MX", id=1).to_wire(),
    dns.message.make_query("b.test", "TXT", id=2).to_wire(),
    b"",  # silence
    dns.message.make_query("no.test", "A", id=3).to_wire(),
    b"\x00\x04\x01\x00" + b"\x00" * 8,  # FORMERR
    dns.message.make_query("a.test", "MX", id=5).to_wire(),
]
_STREAM = b"".join(map(_framed, _PACKETS))


async def _replies(pieces: list[bytes]) -> list[int]:
    errors: list[BaseException] = []
    server = DnsServer(_zones, on_query=lambda *_: None, on_error=errors.append)
    await server.start()
    try:
        reader, writer = await asyncio.open_connection(server.address, server.port)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)  # lets the server read this piece alone, most times
        writer.write_eof()
        stream = await reader.read()
        writer.close()
        await writer.wait_closed()
    finally:
        await server.stop()
    assert errors == []
    ids = []
    while stream:
        length = int.from_bytes(stream[:2])
        ids.append(dns.message.from_wire(stream[2 : 2 + length]).id)
        stream = stream[2 + length :]
    return ids


@given(st.lists(st.integers(0, len(_STREAM)), max_size=12))
@settings(max_examples=40)
def test_any_cutting_gives_the_same_replies(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(_STREAM)]
    pieces = [_STREAM[start:end] for start, end in pairwise(edges)]
    assert asyncio.run(_replies(pieces)) == [1, 2, 3, 4, 5]
