"""Asking scanners over real sockets: answers, silence, and whatever else a scanner can do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fakemail.message import samples
from fakemail.policy.scanners import ScanRequest, ScanResult
from fakemail.wire import scanning
from fakemail.wire.scanning import scan, scan_all

SPAM = b"SPAMD/1.1 0 EX_OK\r\nContent-length: 7\r\nSpam: True ; 7.0 / 5.0\r\n\r\nGTUBE\r\n"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LARGE = samples.large(size=3_000_000)


async def read_spamc(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.partition(b"Content-length: ")[2].partition(b"\r\n")[0])
    return await reader.readexactly(length)


def answering(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await read_spamc(reader) in (LARGE, samples.plain()):
            writer.write(answer)
        await writer.drain()
        writer.close()

    return serve


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)
    writer.close()


async def talk_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
    except ConnectionError:
        writer.close()


async def ended() -> None:
    """Let the servers come to their end."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
    await asyncio.sleep(0)


def ask(serve: Serve, raw: bytes = samples.plain(), *, max_wait: float = 10.0) -> ScanResult:
    async def main() -> ScanResult:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            place = server.sockets[0].getsockname()[:2]
            found = await scan("spamassassin", place, ScanRequest(raw), max_wait=max_wait)
            await ended()
            return found

    return asyncio.run(main())


@pytest.mark.parametrize("raw", [samples.plain(), LARGE], ids=["small", "large"])
def test_an_answer(raw: bytes) -> None:
    assert ask(answering(SPAM), raw) == ScanResult("spamassassin", True, 7.0, 5.0, ("GTUBE",))


def test_a_scanner_that_does_not_answer() -> None:
    assert ask(stay_silent, max_wait=0.2).failure.endswith("within 0.2 s")


def test_a_scanner_that_hangs_up() -> None:
    assert "no answer" in ask(hang_up, LARGE).failure


def test_a_scanner_that_says_nothing() -> None:
    assert ask(answering(b"")).failure == "the answer is not one of spamd"


def test_no_more_is_read_than_any_scanner_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "MAX_ANSWER", 100_000)
    assert ask(talk_on).failure == "the answer is not one of spamd"


def test_nobody_is_there() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        place = closed.getsockname()
    found = asyncio.run(scan("clamav", place, ScanRequest(b""), max_wait=5))
    assert found.failure == f"no answer from 127.0.0.1 port {place[1]}: Connection refused"


def test_a_unix_socket_and_several_scanners_at_once(tmp_path: Path) -> None:
    path = str(tmp_path / "s")

    async def main() -> tuple[ScanResult, ...]:
        async with await asyncio.start_unix_server(answering(SPAM), path):
            places = [("spamassassin", path), ("clamav", str(tmp_path / "none"))]
            found = await scan_all(places, ScanRequest(samples.plain()), max_wait=10)
            await ended()
            return found

    spam, none = asyncio.run(main())
    assert spam.is_bad
    assert "No such file or directory" in none.failure
