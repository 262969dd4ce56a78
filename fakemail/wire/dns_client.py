"""The DNS client of the fake mail servers: real queries over real sockets to one DNS server.

What the answers mean for mail is decided by whoever asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any, Final, Protocol

from fakemail.dns.cache import time_to_live
from fakemail.dns.codec import (
    IN,
    OUR_UDP_SIZE,
    DnsQuestion,
    Edns,
    ReceivedRecord,
    ReceivedReply,
    decode_reply,
    encode_query,
)
from fakemail.dns.names import name_key, text_to_labels
from fakemail.dns.rrtypes import read_type
from fakemail.errors import ClosedError, DeclarationError, ProtocolError
from fakemail.types.dataclass import dataclass
from fakemail.types.seeded_random import SeededRandom

ClientRecord = ReceivedRecord
"""A record of an answer. Its ``value`` is, by type: A, AAAA: the address as text; MX: ``(preference, host)``;
SRV: ``(priority, weight, port, host)``; CNAME, NS, PTR, DNAME: a name; TXT, SPF: the strings joined, as
bytes; any other: the wire form, as bytes. Names are without their final dot, in the case they came in."""

# Questions under way at once. More would overrun the buffer of a socket, and what is lost there is waited for.
MAX_AT_ONCE: Final = 32
PATIENCE: Final = 5.0
"""Default time-out of an answer, in seconds."""
_CLOSED_MEANWHILE: Final = "the DNS client was closed during a query."
_EDNS: Final = Edns(OUR_UDP_SIZE, 0, dnssec_ok=False)


@dataclass(frozen=True, slots=True)
class ClientAnswer:
    """Result of a query."""

    name: str
    """The name asked for as a key."""
    type: str
    kind: str
    """``NOERROR``, ``NODATA``, ``NXDOMAIN``, or another response code; ``REFERRAL`` when the server knows nothing of
    the zone, ``LOOP`` when aliases lead back to the name, ``TIMEOUT`` when no reply came,
    ``UNREACHABLE`` when nobody listened, ``MALFORMED`` when the reply could not be read."""
    records: tuple[ClientRecord, ...] = ()
    """The answer section, CNAME records and all, in the order of the reply."""
    transport: str = "udp"
    """Transport: ``udp``, ``tcp``, or ``memory`` without a query."""
    authentic: bool = False
    """Whether the server has validated it with DNSSEC."""
    ttl: int = 0
    """Seconds for which it may be kept."""

    @property
    def is_temporary(self) -> bool:
        """Whether it says nothing about the name, so that it is worth asking again."""
        return self.kind not in ("NOERROR", "NODATA", "NXDOMAIN")

    def values(self) -> tuple[Any, ...]:
        """The values of the records of the type asked for: see :data:`ClientRecord`."""
        return tuple([each.value for each in self.records if each.type == self.type])


class DnsCache(Protocol):
    """The memory of a resolver."""

    def mark(self) -> object:
        """Mark under which the answer to a query made now is kept."""
        ...

    def recall(self, name: str, type: str) -> ClientAnswer | None:
        """The answer that is remembered."""
        ...

    def keep(self, name: str, type: str, answer: ClientAnswer, *, ttl: int, mark: object) -> None:
        """Remember an answer for that many seconds."""
        ...


class DnsClient:
    """Asks one DNS server. Use it in one event loop and close it there."""

    def __init__(
        self,
        address: str,
        port: int,
        *,
        chance: SeededRandom | None = None,
        timeout: float = PATIENCE,
        tries: int = 2,
        asks_from: Callable[[tuple[str, int]], object] = lambda _: None,
        memory: DnsCache | None = None,
    ) -> None:
        """``timeout`` is for each of the ``tries``, in real seconds. Message ids come from ``chance``, or
        count up: nobody forges replies on loopback. ``asks_from`` is told each of our own ends before
        anything is asked from it, so that the server can tell who asks. Nobody is asked for what is in the
        ``memory``."""
        self._server = (address, port)
        self._asks_from = asks_from
        self._memory = memory
        self._timeout = timeout
        self._tries = tries
        self._ids = _ids(chance)
        self._pending: dict[int, _Pending] = {}
        self._endpoint: asyncio.DatagramTransport | None = None
        self._connecting = asyncio.Lock()
        self._room = asyncio.Semaphore(MAX_AT_ONCE)
        self._streams: set[asyncio.StreamWriter] = set()
        self._closed = False

    async def query(self, name: str, type: str) -> ClientAnswer:
        """Ask, over UDP and then over TCP if the reply was truncated (RFC 7766 §5).

        A name that DNS cannot express does not exist, so the answer is NXDOMAIN without a query.
        Raises :class:`~fakemail.errors.ClosedError` when the client is closed, also meanwhile.
        """
        if self._closed:
            raise ClosedError("this DNS client is closed.")
        type = read_type(type)
        try:
            key = name_key(name)
        except DeclarationError:
            return ClientAnswer(name.lower(), type, "NXDOMAIN")
        async with self._room:
            memory = self._memory
            if memory is None:
                return await self._query(key, type)
            known = memory.recall(key, type)
            if known is None:
                mark = memory.mark()
                known = await self._query(key, type)
                if known.ttl:
                    memory.keep(key, type, replace(known, transport="memory"), ttl=known.ttl, mark=mark)
            return known

    async def _query(self, key: str, type: str) -> ClientAnswer:
        kind, transport = "TIMEOUT", "udp"
        if self._closed:
            raise ClosedError(_CLOSED_MEANWHILE)
        for _ in range(self._tries):
            question = DnsQuestion(
                self._free_id(), text_to_labels(key), key, type, IN, edns=_EDNS, wants_authentic=True
            )
            pending = self._pending[question.id] = _Pending(question)
            try:
                async with asyncio.timeout(self._timeout) as pending.patience:
                    reply = await self._ask(question, pending)
                    if reply.truncated:
                        transport = "tcp"
                        reply = await self._ask_over_tcp(question)
                return _answer(key, type, reply, transport)
            except TimeoutError:
                kind = "TIMEOUT"
            except OSError:
                kind = "UNREACHABLE"
            except (ProtocolError, asyncio.IncompleteReadError):
                kind = "MALFORMED"
            finally:
                self._pending.pop(question.id, None)
            if self._closed:
                raise ClosedError(_CLOSED_MEANWHILE)
        return ClientAnswer(key, type, kind, (), transport)

    def give_up(self, id: int) -> None:
        """Wait no longer for the reply with that id: our own name server will not send it."""
        pending = self._pending.get(id)
        if pending is not None and pending.patience is not None:
            pending.patience.reschedule(asyncio.get_running_loop().time())

    async def aclose(self) -> None:
        """Close at once. Queries under way end with :class:`~fakemail.errors.ClosedError`."""
        self._closed = True
        for pending in self._pending.values():
            pending.fail(ClosedError(_CLOSED_MEANWHILE))
        for stream in tuple(self._streams):
            stream.transport.abort()
        if self._endpoint is not None:
            self._endpoint.abort()
        # The system's socket is closed in the next turn of the loop.
        await asyncio.sleep(0)

    def _free_id(self) -> int:
        return next(id for id in self._ids if id not in self._pending)

    async def _ask(self, question: DnsQuestion, pending: _Pending) -> ReceivedReply:
        async with self._connecting:
            if self._endpoint is None:
                self._endpoint = await self._connect()
        pending.future = asyncio.get_running_loop().create_future()
        self._endpoint.sendto(encode_query(question))
        return await pending.future

    async def _connect(self) -> asyncio.DatagramTransport:
        """The one UDP endpoint, made when it is first needed."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Replies(self._pending), remote_addr=self._server
        )
        if self._closed:
            transport.abort()
            raise ClosedError(_CLOSED_MEANWHILE)
        self._asks_from(transport.get_extra_info("sockname")[:2])
        return transport

    async def _ask_over_tcp(self, question: DnsQuestion) -> ReceivedReply:
        reader, writer = await asyncio.open_connection(*self._server)
        self._streams.add(writer)
        try:
            if self._closed:
                raise ClosedError(_CLOSED_MEANWHILE)
            self._asks_from(writer.get_extra_info("sockname")[:2])
            packet = encode_query(question)
            writer.write(len(packet).to_bytes(2) + packet)
            reply = decode_reply(await reader.readexactly(int.from_bytes(await reader.readexactly(2))))
        finally:
            self._streams.discard(writer)
            writer.transport.abort()
        if not _answers(reply, question):
            raise ProtocolError("a reply to another question")
        return reply


class _Pending:
    """A query that waits for its reply."""

    def __init__(self, question: DnsQuestion) -> None:
        self.question = question
        self.future: asyncio.Future[ReceivedReply] | None = None
        self.patience: asyncio.Timeout | None = None

    def fail(self, error: Exception) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_exception(error)


class _Replies(asyncio.DatagramProtocol):
    """Brings each reply to the query that waits for it; the system lets only the server's come."""

    def __init__(self, pending: dict[int, _Pending]) -> None:
        self._pending = pending

    def datagram_received(self, data: bytes, addr: object) -> None:
        waiting = self._pending.get(int.from_bytes(data[:2])) if len(data) >= 12 else None
        if waiting is None or waiting.future is None or waiting.future.done():
            return  # late, or forged
        try:
            reply = decode_reply(data)
        except ProtocolError as error:
            waiting.fail(error)
            return
        if _answers(reply, waiting.question):
            waiting.future.set_result(reply)

    def error_received(self, exc: Exception) -> None:
        # ICMP: nobody listens on that port. It does not say whose query that was.
        for waiting in self._pending.values():
            waiting.fail(exc)


def _ids(chance: SeededRandom | None) -> Iterator[int]:
    for number in count(1):
        yield int.from_bytes(chance.randbytes(2)) if chance is not None else number & 0xFFFF


def _answers(reply: ReceivedReply, question: DnsQuestion) -> bool:
    """RFC 5452 §9.1: a reply counts only if it repeats the id and the question."""
    return (reply.id, reply.name, reply.type) == (question.id, question.name, question.type)


def _answer(key: str, type: str, reply: ReceivedReply, transport: str) -> ClientAnswer:
    kind = _kind(reply)
    ttl = time_to_live(kind, [record.ttl for record in reply.answer], reply.negative_ttl)
    return ClientAnswer(key, type, kind, reply.answer, transport, reply.authentic, ttl)


def _kind(reply: ReceivedReply) -> str:
    """RFC 2308 §2.2: NOERROR without a record of the type asked for is NODATA."""
    if reply.rcode != "NOERROR":
        return reply.rcode
    if reply.type == "ANY" and reply.answer:
        return "NOERROR"
    if any(each.type == reply.type for each in reply.answer):
        return "NOERROR"
    if not reply.answer:
        # RFC 1034 §4.3.1: who knows nothing of the zone points elsewhere, and there is nobody to ask.
        return "NODATA" if reply.authoritative else "REFERRAL"
    return "LOOP" if _goes_round(reply) else "NODATA"


def _goes_round(reply: ReceivedReply) -> bool:
    """Whether the CNAME records of a reply lead back to where they begin."""
    targets = {each.name: name_key(each.value) for each in reply.answer if each.type == "CNAME"}
    name, left = reply.name, len(targets)
    while name in targets and left >= 0:
        name, left = targets[name], left - 1
    return left < 0
