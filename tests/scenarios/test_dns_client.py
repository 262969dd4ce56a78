"""The DNS client of the fake mail servers, against our server and against servers that misbehave."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import pytest

from fakemail.dns.records import record
from fakemail.dns.zones import Zones
from fakemail.errors import ClosedError, DeclarationError
from fakemail.types.seeded_random import SeededRandom
from fakemail.wire.dns_client import ClientAnswer, DnsClient
from fakemail.wire.dns_server import DnsServer


def make_zones() -> Zones:
    zones = Zones()
    zones.add_zone("example.org")
    zones.add(
        record("example.org", "MX", "10 MX1.example.org"),
        record("example.org", "MX", "20 mx2.example.org"),
        record("example.org", "TXT", "v=spf1 mx -all"),
        record("mx1.example.org", "A", "192.0.2.1"),
        record("mx1.example.org", "AAAA", "2001:db8::1"),
        record("www.example.org", "CNAME", "mx1.example.org"),
        record("big.example.org", "TXT", "x" * 5000),
        record("broken.example.org", "MX", b"\x00"),
        record("loop.example.org", "CNAME", "loop.example.org"),
        *[record(f"h{at}.example.org", "A", f"10.0.0.{at}") for at in range(200)],
    )
    return zones


@asynccontextmanager
async def asking(*, chance: SeededRandom | None = None) -> AsyncIterator[tuple[DnsClient, list[str]]]:
    transports: list[str] = []
    errors: list[BaseException] = []
    server = DnsServer(
        make_zones(), on_query=lambda *facts: transports.append(facts[2]), on_error=errors.append
    )
    await server.start()
    client = DnsClient(server.address, server.port, chance=chance)
    try:
        async with asyncio.timeout(20):
            yield client, transports
    finally:
        await client.aclose()
        await server.stop()
    assert errors == []


def ask(name: str, type: str) -> ClientAnswer:
    async def run() -> ClientAnswer:
        async with asking() as (client, _):
            return await client.query(name, type)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "type", "kind", "values"),
    [
        ("Example.org.", "MX", "NOERROR", ((10, "MX1.example.org"), (20, "mx2.example.org"))),
        ("example.org", "txt", "NOERROR", (b"v=spf1 mx -all",)),
        ("mx1.example.org", "A", "NOERROR", ("192.0.2.1",)),
        ("mx1.example.org", "AAAA", "NOERROR", ("2001:db8::1",)),
        ("www.example.org", "A", "NOERROR", ("192.0.2.1",)),
        ("www.example.org", "CNAME", "NOERROR", ("mx1.example.org",)),
        ("mx1.example.org", "MX", "NODATA", ()),
        ("www.example.org", "MX", "NODATA", ()),
        ("nobody.example.org", "MX", "NXDOMAIN", ()),
        ("nobody.test", "MX", "NXDOMAIN", ()),
        ("loop.example.org", "A", "SERVFAIL", ()),
        ("broken.example.org", "MX", "MALFORMED", ()),
        ("no..name", "MX", "NXDOMAIN", ()),
    ],
)
def test_every_kind_of_answer(name: str, type: str, kind: str, values: tuple[object, ...]) -> None:
    answer = ask(name, type)
    assert (answer.kind, answer.values()) == (kind, values)
    assert answer.is_temporary is (kind in ("SERVFAIL", "MALFORMED"))


def test_the_alias_is_among_the_records() -> None:
    assert [(each.name, each.type) for each in ask("www.example.org", "A").records] == [
        ("www.example.org", "CNAME"),
        ("mx1.example.org", "A"),
    ]


def test_a_type_that_is_none_is_refused() -> None:
    with pytest.raises(DeclarationError, match="'MXX' is not a record type"):
        ask("example.org", "MXX")


def test_a_truncated_reply_is_fetched_over_tcp() -> None:
    async def run() -> None:
        async with asking() as (client, transports):
            answer = await client.query("big.example.org", "TXT")
            assert (answer.values(), answer.transport) == ((b"x" * 5000,), "tcp")
            assert transports == ["udp", "tcp"]

    asyncio.run(run())


@pytest.mark.parametrize("seed", [None, 7])
def test_many_queries_at_once_get_their_own_answers(seed: int | None) -> None:
    async def run() -> None:
        async with asking(chance=None if seed is None else SeededRandom(seed)) as (client, _):
            answers = await asyncio.gather(*[client.query(f"h{at}.example.org", "A") for at in range(200)])
            assert [answer.values() for answer in answers] == [(f"10.0.0.{at}",) for at in range(200)]

    asyncio.run(run())


def test_nobody_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]

    async def run() -> None:
        client = DnsClient("127.0.0.1", port)
        answer = await client.query("example.org", "MX")
        await client.aclose()
        assert (answer.kind, answer.is_temporary) == ("UNREACHABLE", True)

    asyncio.run(run())


class Odd(asyncio.DatagramProtocol):
    """A server that answers each query with the packets a function makes of it."""

    def __init__(self, make: Callable[[dns.message.Message], list[bytes]]) -> None:
        self.make = make
        self.queries: list[dns.message.Message] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.queries.append(dns.message.from_wire(data))
        for packet in self.make(self.queries[-1]):
            self.transport.sendto(packet, addr)


def ask_odd(
    make: Callable[[dns.message.Message], list[bytes]], *, timeout: float = 5.0
) -> tuple[ClientAnswer, Odd]:
    async def run() -> tuple[ClientAnswer, Odd]:
        loop = asyncio.get_running_loop()
        transport, odd = await loop.create_datagram_endpoint(lambda: Odd(make), local_addr=("127.0.0.1", 0))
        client = DnsClient(*transport.get_extra_info("sockname"), timeout=timeout)
        try:
            answer = await client.query("example.org", "MX")
            for _ in range(3):
                await asyncio.sleep(0)  # what has come to the socket is read in the next turns of the loop
            return answer, odd
        finally:
            await client.aclose()
            transport.close()

    return asyncio.run(run())


def reply_to(query: dns.message.Message) -> dns.message.Message:
    return dns.message.make_response(query)


def test_no_reply_is_a_timeout_after_two_tries() -> None:
    answer, odd = ask_odd(lambda query: [], timeout=0.01)
    assert (answer.kind, answer.is_temporary) == ("TIMEOUT", True)
    assert len(odd.queries) == 2


def test_replies_to_other_questions_are_passed_over() -> None:
    def make(query: dns.message.Message) -> list[bytes]:
        other_id = reply_to(query)
        other_id.id ^= 1
        other_name = reply_to(dns.message.make_query("example.net", "MX", id=query.id))
        other_type = reply_to(dns.message.make_query("example.org", "A", id=query.id))
        right = reply_to(query)
        right.set_rcode(dns.rcode.REFUSED)
        return [b"", b"short"] + [each.to_wire() for each in (other_id, other_name, other_type, right, right)]

    answer, odd = ask_odd(make)
    assert (answer.kind, len(odd.queries)) == ("REFUSED", 1)


def test_a_reply_that_cannot_be_read_is_malformed() -> None:
    answer, odd = ask_odd(lambda query: [reply_to(query).to_wire()[:-1]])
    assert (answer.kind, answer.is_temporary, len(odd.queries)) == ("MALFORMED", True, 2)


def test_truncation_without_tcp_is_unreachable() -> None:
    def make(query: dns.message.Message) -> list[bytes]:
        reply = reply_to(query)
        reply.flags |= dns.flags.TC
        return [reply.to_wire()]

    answer, _ = ask_odd(make)
    assert (answer.kind, answer.transport) == ("UNREACHABLE", "tcp")


def test_a_reply_over_tcp_that_breaks_off_is_malformed() -> None:
    async def run() -> ClientAnswer:
        def truncated(query: dns.message.Message) -> list[bytes]:
            reply = reply_to(query)
            reply.flags |= dns.flags.TC
            return [reply.to_wire()]

        async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(2)
            writer.write(b"\x01\x00half")
            writer.close()

        server = await asyncio.start_server(break_off, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: Odd(truncated), local_addr=address)
        client = DnsClient(*address)
        try:
            return await client.query("example.org", "MX")
        finally:
            await client.aclose()
            transport.close()
            server.close()

    assert asyncio.run(run()).kind in ("MALFORMED", "UNREACHABLE")  # a reset may overtake the half reply


def test_closing_ends_queries_under_way() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        came = asyncio.Event()

        def make(query: dns.message.Message) -> list[bytes]:
            came.set()
            return []

        transport, _ = await loop.create_datagram_endpoint(lambda: Odd(make), local_addr=("127.0.0.1", 0))
        client = DnsClient(*transport.get_extra_info("sockname"))
        query = asyncio.create_task(client.query("example.org", "MX"))
        await came.wait()
        await client.aclose()
        with pytest.raises(ClosedError, match="closed during a query"):
            await query
        with pytest.raises(ClosedError, match="is closed"):
            await client.query("example.org", "MX")
        transport.close()

    asyncio.run(run())


def test_a_cancelled_query_leaves_the_client_usable() -> None:
    async def run() -> None:
        async with asking() as (client, _):
            query = asyncio.create_task(client.query("example.org", "MX"))
            await asyncio.sleep(0)
            query.cancel()
            with pytest.raises(asyncio.CancelledError):
                await query
            assert (await client.query("example.org", "MX")).kind == "NOERROR"

    asyncio.run(run())
