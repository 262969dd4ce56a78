"""One question to a real scanner, over TCP on this machine or a Unix socket, which has a limited time to answer it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from fakemail.policy.scanners import SCANNERS, ScannerKind, ScanRequest, ScanResult, failed

MAX_ANSWER: Final = 1024 * 1024
"""Bytes of an answer that are read; no scanner says as much."""
_READ: Final = 64 * 1024

Place = str | tuple[str, int]
"""The path of a Unix socket, or a loopback address and a port."""


async def scan(name: str, place: Place, question: ScanRequest, *, max_wait: float) -> ScanResult:
    """Ask a scanner; ``max_wait`` is in real seconds. Failures are described in :attr:`ScanResult.failure`."""
    scanner = SCANNERS[name]
    try:
        async with asyncio.timeout(max_wait):
            return scanner.read(await _ask(scanner, place, question))
    except TimeoutError:
        return failed(name, f"no answer from {_shown_place(place)} within {max_wait:g} s")
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        return failed(name, f"no answer from {_shown_place(place)}: {why}")


async def scan_all(
    scanners: Iterable[tuple[str, Place]], question: ScanRequest, *, max_wait: float
) -> tuple[ScanResult, ...]:
    """Ask several at once, and give their answers in the order of the scanners."""
    return tuple(
        await asyncio.gather(*(scan(name, place, question, max_wait=max_wait) for name, place in scanners))
    )


async def _ask(scanner: ScannerKind, place: Place, question: ScanRequest) -> bytes:
    loop = asyncio.get_running_loop()
    is_path = isinstance(place, str)
    family = socket.AF_UNIX if is_path else socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, place)
        # A scanner that has had enough says so, and then reads no more. Each knows from what it is told how much
        # will come, and ends the connection behind its answer; some take a half-closed one for a client that left.
        with suppress(BrokenPipeError, ConnectionResetError):
            await loop.sock_sendall(sock, scanner.request(question))
        answer = bytearray()
        while len(answer) < MAX_ANSWER:
            octets = await loop.sock_recv(sock, _READ)
            if not octets:
                break
            answer += octets
        return bytes(answer)


def _shown_place(place: Place) -> str:
    return place if isinstance(place, str) else f"{place[0]} port {place[1]}"
