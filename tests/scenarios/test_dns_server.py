"""The DNS server, asked by dnspython and by raw sockets."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import dns.asyncquery
import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import pytest

from fakemail.dns.records import record
from fakemail.dns.responder import DnsResponse
from fakemail.dns.zones import Zones
from fakemail.errors import PortInUse, ServerError
from fakemail.wire.dns_server import DnsServer


class Log:
    """What the server told."""

    def __init__(self) -> None:
        self.queries: list[tuple[str, int, str, DnsResponse]] = []
        self.errors: list[BaseException] = []

    def query(self, client: str, port: int, transport: str, response: DnsResponse) -> None:
        self.queries.append((client, port, transport, response))


def make_zones() -> Zones:
    zones = Zones()
    zones.add_zone("example.org", name_servers=["ns1.example.org"])
    zones.add(
        record("example.org", "MX", "10 mx1.example.org"),
        record("mx1.example.org", "A", "192.0.2.1"),
        record("big.example.org", "TXT", "x" * 5000),
        record("www.example.org", "CNAME", "mx1.example.org"),
    )
    return zones


@asynccontextmanager
async def serving(log: Log, *, port: int = 0, **options: float) -> AsyncIterator[DnsServer]:
    server = DnsServer(
        make_zones(),
        port=port,
        on_query=log.query,
        on_error=log.errors.append,
        idle_timeout=options.get("idle_timeout", 30.0),
        max_connections=int(options.get("max_connections", 256)),
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def play(scene: Callable[[DnsServer, Log], Awaitable[None]], **options: float) -> Log:
    log = Log()

    async def run() -> None:
        async with asyncio.timeout(20), serving(log, **options) as server:
            await scene(server, log)

    asyncio.run(run())
    return log


def framed(*packets: bytes) -> bytes:
    return b"".join(len(packet).to_bytes(2) + packet for packet in packets)


async def take(reader: asyncio.StreamReader) -> dns.message.Message:
    length = int.from_bytes(await reader.readexactly(2))
    return dns.message.from_wire(await reader.readexactly(length))


def test_udp_and_tcp_answer_on_one_port_and_are_logged() -> None:
    async def scene(server: DnsServer, log: Log) -> None:
        query = dns.message.make_query("example.org", "MX")
        udp = await dns.asyncquery.udp(query, server.address, port=server.port, timeout=5)
        tcp = await dns.asyncquery.tcp(query, server.address, port=server.port, timeout=5)
        assert [str(each) for each in udp.answer[0]] == ["10 mx1.example.org."]
        assert udp.answer == tcp.answer

    log = play(scene)
    assert [(client, transport, response.name) for client, _, transport, response in log.queries] == [
        ("127.0.0.1", "udp", "example.org"),
        ("127.0.0.1", "tcp", "example.org"),
    ]
    assert log.queries[0][3].records == ("MX 10 mx1.example.org.",)
    assert all(port for _, port, _, _ in log.queries)
    assert log.errors == []


def test_a_truncated_reply_makes_dnspython_ask_over_tcp() -> None:
    async def scene(server: DnsServer, log: Log) -> None:
        query = dns.message.make_query("big.example.org", "TXT")
        reply, over_tcp = await dns.asyncquery.udp_with_fallback(
            query, server.address, port=server.port, timeout=5
        )
        assert over_tcp
        assert b"".join(reply.answer[0][0].strings) == b"x" * 5000

    log = play(scene)
    assert [(transport, response.truncated) for _, _, transport, response in log.queries] == [
        ("udp", True),
        ("tcp", False),
    ]


@pytest.mark.parametrize("payload", [0, 512, 1232, 4096])
def test_dnspython_s_resolver_gets_every_kind_of_answer(payload: int) -> None:
    async def scene(server: DnsServer, log: Log) -> None:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [server.address], server.port
        if payload:
            resolver.use_edns(0, 0, payload)
        assert (await resolver.resolve("www.example.org", "A"))[0].to_text() == "192.0.2.1"
        assert len((await resolver.resolve("big.example.org", "TXT"))[0].strings) == 20
        with pytest.raises(dns.resolver.NXDOMAIN):
            await resolver.resolve("nobody.test", "MX")
        with pytest.raises(dns.resolver.NoAnswer) as none:
            await resolver.resolve("example.org", "AAAA")
        assert none.value.response().authority[0].rdtype == dns.rdatatype.SOA

    assert play(scene).errors == []


def test_changes_are_seen_at_once() -> None:
    async def scene(server: DnsServer, log: Log) -> None:
        query = dns.message.make_query("new.example.org", "A")
        before = await dns.asyncquery.udp(query, server.address, port=server.port, timeout=5)
        server.zones.add(record("new.example.org", "A", "192.0.2.7"))
        after = await dns.asyncquery.udp(query, server.address, port=server.port, timeout=5)
        assert (before.rcode(), after.rcode()) == (dns.rcode.NXDOMAIN, dns.rcode.NOERROR)

    play(scene)


def test_many_pipelined_queries_on_one_connection() -> None:
    async def scene(server: DnsServer, log: Log) -> None:
        reader, writer = await asyncio.open_connection(server.address, server.port)
        writer.write(
            framed(*[dns.message.make_query("example.org", "MX", id=at).to_wire() for at in range(500)])
        )
        assert [(await take(reader)).id for _ in range(500)] == list(range(500))
        writer.write(framed(dns.message.make_query("example.org", "A", id=7).to_wire()))
        assert (await take(reader)).id == 7
        writer.close()

    assert len(play(scene).queries) == 501


def test_a_client_that_does_not_read_is_not_answered_without_end() -> None:
    number = 2000

    async def scene(server: DnsServer, log: Log) -> None:
        small = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.setblocking(False)
        await asyncio.get_running_loop().sock_connect(small, (server.address, server.port))
        reader, writer = await asyncio.open_connection(sock=small, limit=1024)
        query = framed(dns.message.make_query("big.example.org", "TXT", id=1).to_wire())
        writer.write(query * number)
        # A query over UDP is answered in a later turn of the loop than what TCP brought.
        other = dns.message.make_query("example.org", "A")
        for _ in range(50):
            await dns.asyncquery.udp(other, server.address, port=server.port, timeout=5)
        answered = sum(transport == "tcp" for _, _, transport, _ in log.queries)
        assert 0 < answered < number
        writer.write_eof()
        for _ in range(number):
            assert (await take(reader)).id == 1
        assert await reader.read() == b""
        writer.close()

    play(scene)


def test_an_idle_connection_is_closed() -> None:
    async def scene(server: DnsServer, log: Log) -> None:
        reader, writer = await asyncio.open_connection(server.address, server.port)
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()

    play(scene, idle_timeout=0.01)


def test_the_longest_idle_connection_makes_room_for_a_new_one() -> None:
    async def scene(server: DnsServer, log: Log) -> None:
        query = framed(dns.message.make_query("example.org", "MX", id=1).to_wire())
        streams = [await asyncio.open_connection(server.address, server.port) for _ in range(2)]
        for reader, writer in [streams[1], streams[0]]:
            writer.write(query)
            await take(reader)
        streams.append(await asyncio.open_connection(server.address, server.port))
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await streams[1][0].readexactly(1)
        for reader, writer in [streams[0], streams[2]]:
            writer.write(query)
            assert (await take(reader)).id == 1
        for _, writer in streams:
            writer.close()

    play(scene, max_connections=2)


def test_a_defect_of_ours_is_reported_and_answered_with_servfail(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(server: DnsServer, log: Log) -> None:
        query = dns.message.make_query("example.org", "MX")
        monkeypatch.setattr(server.zones, "zone_of", None)
        for ask in (dns.asyncquery.udp, dns.asyncquery.tcp):
            reply = await ask(query, server.address, port=server.port, timeout=5)
            assert reply.rcode() == dns.rcode.SERVFAIL
        monkeypatch.undo()
        reply = await dns.asyncquery.udp(query, server.address, port=server.port, timeout=5)
        assert reply.rcode() == dns.rcode.NOERROR

    log = play(scene)
    assert [type(error) for error in log.errors] == [TypeError, TypeError]
    assert [response.kind for _, _, _, response in log.queries] == ["SERVFAIL", "SERVFAIL", "NOERROR"]


def test_a_log_that_fails_is_reported_and_the_client_is_answered() -> None:
    async def run() -> None:
        errors: list[BaseException] = []

        def fail(*_: object) -> None:
            raise RuntimeError("the log is full")

        server = DnsServer(make_zones(), on_query=fail, on_error=errors.append)
        await server.start()
        query = dns.message.make_query("example.org", "MX")
        reply = await dns.asyncquery.udp(query, server.address, port=server.port, timeout=5)
        await server.stop()
        assert reply.rcode() == dns.rcode.NOERROR
        assert [str(error) for error in errors] == ["the log is full"]

    asyncio.run(run())


def test_stopping_closes_everything_and_frees_the_port() -> None:
    async def run() -> None:
        log = Log()
        async with serving(log) as server:
            reader, writer = await asyncio.open_connection(server.address, server.port)
            writer.write(framed(dns.message.make_query("example.org", "MX").to_wire()))
            await take(reader)
            await server.stop()
            await server.stop()
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
            writer.close()
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as other:
                    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    other.bind((server.address, server.port))
            port = server.port
            await server.start()
            assert server.port == port
            with pytest.raises(ServerError, match="runs already"):
                await server.start()
            query = dns.message.make_query("example.org", "MX")
            await dns.asyncquery.udp(query, server.address, port=port, timeout=5)

    asyncio.run(run())


@pytest.mark.parametrize(("kind", "protocol"), [(socket.SOCK_STREAM, "TCP"), (socket.SOCK_DGRAM, "UDP")])
def test_a_fixed_port_that_is_taken_is_named_with_its_protocol(kind: int, protocol: str) -> None:
    # The system chooses UDP ports without regard to TCP: take a number that was just free there.
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        port = tcp.getsockname()[1]
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            other.listen()

        async def run() -> None:
            async with serving(Log(), port=port):
                pass

        with pytest.raises(PortInUse, match=f"port {port} on 127.0.0.1 for DNS over {protocol} is taken"):
            asyncio.run(run())


def test_a_chosen_port_is_free_for_both_or_another_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    # The system hands out TCP ports without regard to UDP: take the UDP port of the first one it gives.
    import fakemail.wire.dns_server as module

    taken: list[socket.socket] = []
    real = module.bound_socket

    def bound(address: str, port: int, *, purpose: str) -> socket.socket:
        made = real(address, port, purpose=purpose)
        if not taken:
            taken.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            taken[0].bind(made.getsockname())
        return made

    monkeypatch.setattr(module, "bound_socket", bound)

    async def scene(server: DnsServer, log: Log) -> None:
        assert server.port != taken[0].getsockname()[1]
        query = dns.message.make_query("example.org", "MX")
        await dns.asyncquery.udp(query, server.address, port=server.port, timeout=5)

    try:
        play(scene)
    finally:
        taken[0].close()


def test_a_port_that_another_socket_listens_on_first_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    # With SO_REUSEADDR two sockets may be bound to one port, and the first to listen has it.
    import fakemail.wire.dns_server as module

    real = module.bound_socket
    other = real("127.0.0.1", 0, purpose="another program")
    port = other.getsockname()[1]

    def bound(address: str, port: int, *, purpose: str) -> socket.socket:
        made = real(address, port, purpose=purpose)
        other.listen()
        return made

    monkeypatch.setattr(module, "bound_socket", bound)

    async def run() -> None:
        async with serving(Log(), port=port):
            pass

    with other:
        with pytest.raises(PortInUse, match="for DNS over TCP is taken"):
            asyncio.run(run())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", port))


@pytest.mark.interop
def test_dig_gets_an_answer(tmp_path: Path) -> None:
    program = shutil.which("dig")
    if program is None:
        pytest.skip("dig is not installed (package bind9-dnsutils)")

    async def scene(server: DnsServer, log: Log) -> None:
        async def dig(*arguments: str) -> str:
            process = await asyncio.create_subprocess_exec(
                program,
                "-r",
                f"@{server.address}",
                "-p",
                str(server.port),
                *arguments,
                stdout=asyncio.subprocess.PIPE,
            )
            output, _ = await process.communicate()
            return output.decode()

        assert await dig("+short", "example.org", "MX") == "10 mx1.example.org.\n"
        assert "status: NXDOMAIN" in await dig("nobody.test", "MX")
        assert "x" * 255 in await dig("+short", "big.example.org", "TXT")
        assert "BADVERS" in await dig("+edns=1", "+noednsneg", "example.org", "MX")

    play(scene)
