"""TLS: any cutting of the stream gives the same plaintext; damage is a failure and never an exception."""

from __future__ import annotations

import ssl

from hypothesis import given, settings
from hypothesis import strategies as st

from fakemail.tls.authority import process_authority
from fakemail.tls.contexts import server_context
from fakemail.tls.layer import ClientLayer, ServerLayer

SERVER = server_context("mx.example.org")
CLIENT = process_authority().client_context()
OLDER = process_authority().client_context()
OLDER.maximum_version = ssl.TLSVersion.TLSv1_2
contexts = st.sampled_from([CLIENT, OLDER])
sizes = st.lists(st.integers(1, 4000), min_size=1, max_size=20)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        pieces.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


def shake(client: ssl.SSLObject) -> bool:
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


@settings(max_examples=60)
@given(
    context=contexts,
    sizes=sizes,
    messages=st.lists(st.binary(max_size=3000), max_size=6),
    big=st.integers(0, 50000),
)
def test_any_cutting_with_the_standard_library_as_client(
    context: ssl.SSLContext, sizes: list[int], messages: list[bytes], big: int
) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="mx.example.org")
    server = ServerLayer(SERVER)
    server.send(b"220 ready")
    done = False
    received = bytearray()
    while not (done and server.handshake_done):
        done = done or shake(client)
        for piece in cut(outgoing.read(), sizes):
            received += server.receive(piece)
        incoming.write(server.take_outgoing())
    messages.append(b"x" * big)
    for message in filter(None, messages):
        client.write(message)
    for piece in cut(outgoing.read(), sizes):
        received += server.receive(piece)
    assert bytes(received) == b"".join(messages)
    assert client.read(100) == b"220 ready"
    server.send(b"".join(messages) + b"end")
    server.close_notify()
    for piece in cut(server.take_outgoing(), sizes):
        incoming.write(piece)
    answer = bytearray()
    while part := client.read(70000):
        answer += part
    assert bytes(answer) == b"".join(messages) + b"end"


@settings(max_examples=60)
@given(
    sizes=sizes,
    flip=st.integers(0, 5000),
    mask=st.integers(1, 255),
    from_client=st.booleans(),
    context=contexts,
)
def test_one_changed_octet_is_never_an_exception(
    sizes: list[int], flip: int, mask: int, from_client: bool, context: ssl.SSLContext
) -> None:
    client, server = ClientLayer(context, server_hostname="mx.example.org"), ServerLayer(SERVER)
    client.send(b"from the client")
    server.send(b"from the server")
    at_client, at_server, seen = bytearray(), bytearray(), 0
    for _ in range(6):
        for sender, receiver, got in ((client, server, at_server), (server, client, at_client)):
            data = bytearray(sender.take_outgoing())
            if (sender is client) is from_client:
                if seen <= flip < seen + len(data):
                    data[flip - seen] ^= mask
                seen += len(data)
            for piece in cut(bytes(data), sizes):
                got += receiver.receive(piece)
    # Whatever happened, nothing wrong was taken for plaintext.
    assert b"from the server".startswith(bytes(at_client))
    assert b"from the client".startswith(bytes(at_server))
    if flip >= seen:
        assert client.handshake_done
        assert server.handshake_done
        assert (at_client, at_server) == (b"from the server", b"from the client")


@given(st.binary(min_size=1, max_size=400), sizes)
def test_garbage_is_a_failure_or_more_is_wanted(data: bytes, sizes: list[int]) -> None:
    server = ServerLayer(SERVER)
    for piece in cut(data, sizes):
        assert server.receive(piece) == b""
    assert not server.handshake_done
    server.receive_eof()
    assert server.failed is not None
