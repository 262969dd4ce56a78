"""The TLS layer, one end against the other in memory: facts, failures by name, closing."""

from __future__ import annotations

import ssl
from datetime import timedelta

import pytest

from fakemail.clock import RealClock
from fakemail.tls.alerts import ALERTS
from fakemail.tls.authority import Authority, process_authority
from fakemail.tls.contexts import server_context
from fakemail.tls.layer import ClientLayer, HandshakeFailure, ServerLayer

AUTHORITY = process_authority()
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = pytest.mark.parametrize("version", [TLS12, TLS13], ids=["tls1.2", "tls1.3"])


def exchange(client: ClientLayer, server: ServerLayer) -> tuple[bytes, bytes]:
    """Carry octets to and fro until both are silent; return what client and server read."""
    at_client, at_server = bytearray(), bytearray()
    while True:
        up, down = client.take_outgoing(), server.take_outgoing()
        if not up and not down:
            return bytes(at_client), bytes(at_server)
        if up:
            at_server += server.receive(up)
        if down:
            at_client += client.receive(down)


def client_context(
    version: ssl.TLSVersion | None = None, *, authority: Authority = AUTHORITY
) -> ssl.SSLContext:
    context = authority.client_context()
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def connect(
    client: ssl.SSLContext, server: ssl.SSLContext, name: str | None = "mx.example.org"
) -> tuple[ClientLayer, ServerLayer]:
    ends = ClientLayer(client, server_hostname=name), ServerLayer(server)
    exchange(*ends)
    return ends


@VERSIONS
def test_handshake_data_and_facts(version: ssl.TLSVersion) -> None:
    client, server = connect(client_context(version), server_context("mx.example.org"))
    assert client.handshake_done
    assert server.handshake_done
    client.send(b"EHLO")
    server.send(b"250 hello")
    assert exchange(client, server) == (b"250 hello", b"EHLO")
    assert client.facts.version == server.facts.version == {TLS12: "TLSv1.2", TLS13: "TLSv1.3"}[version]
    assert client.facts.cipher == server.facts.cipher
    assert server.facts.bits >= 128
    assert server.facts.server_name == client.facts.server_name == "mx.example.org"
    assert server.facts.peer is None
    assert client.facts.peer is not None
    assert client.facts.peer.verified
    assert client.facts.peer.names == ("mx.example.org",)
    assert "CN=mx.example.org" in client.facts.peer.subject
    assert client.tls_server_end_point == server.tls_server_end_point
    assert client.failed is server.failed is None


def test_data_sent_before_the_handshake_waits() -> None:
    server = ServerLayer(server_context("mx.example.org"))
    server.send(b"220 ")
    server.send(b"ready")
    client = ClientLayer(client_context(), server_hostname="mx.example.org")
    client.send(b"early")
    assert exchange(client, server) == (b"220 ready", b"early")


def test_large_data() -> None:
    client, server = connect(client_context(), server_context("mx.example.org"))
    data = bytes(range(256)) * 8192
    client.send(data)
    assert exchange(client, server) == (b"", data)


def test_facts_before_the_handshake() -> None:
    client = ClientLayer(client_context(), server_hostname="mx.example.org")
    assert client.tls_server_end_point is None
    with pytest.raises(RuntimeError, match="before the handshake"):
        _ = client.facts


@VERSIONS
def test_unknown_authority(version: ssl.TLSVersion) -> None:
    client, server = connect(client_context(version, authority=Authority()), server_context("mx.example.org"))
    assert client.failed is not None
    assert server.failed is not None
    assert (client.failed.refused_by, client.failed.alert) == ("client", "unknown_ca")
    assert (server.failed.refused_by, server.failed.alert) == ("client", "unknown_ca")
    assert str(client.failed).startswith("refused by the client with the alert unknown_ca: ")
    client.send(b"ignored")
    assert server.receive(b"ignored") == b""
    assert exchange(client, server) == (b"", b"")


@VERSIONS
@pytest.mark.parametrize(
    ("flaw", "alert"),
    [("name", "bad_certificate"), ("expired", "certificate_expired"), ("future", "bad_certificate")],
)
def test_flawed_certificate(version: ssl.TLSVersion, flaw: str, alert: str) -> None:
    now, day = RealClock().now(), timedelta(days=1)
    leaf = {
        "name": lambda: AUTHORITY.leaf("other.example.org"),
        "expired": lambda: AUTHORITY.leaf("mx.example.org", not_before=now - 3 * day, not_after=now - day),
        "future": lambda: AUTHORITY.leaf("mx.example.org", not_before=now + day, not_after=now + 3 * day),
    }[flaw]()
    client, server = connect(client_context(version), server_context(leaf=leaf))
    for end in (client, server):
        assert end.failed is not None
        assert (end.failed.refused_by, end.failed.alert) == ("client", alert)
        assert not end.failed.after_handshake


def test_no_shared_version() -> None:
    client, server = connect(client_context(TLS12), server_context("mx.example.org", minimum_version=TLS13))
    for end in (client, server):
        assert end.failed is not None
        assert (end.failed.refused_by, end.failed.alert) == ("server", "protocol_version")


def test_no_shared_cipher() -> None:
    context = client_context(TLS12)
    context.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")
    client, server = connect(context, server_context("mx.example.org"))
    for end in (client, server):
        assert end.failed is not None
        assert (end.failed.refused_by, end.failed.alert) == ("server", "handshake_failure")
    assert server.failed is not None
    assert server.failed.detail == "NO_SHARED_CIPHER"


def test_old_server_is_refused_by_a_modern_client() -> None:
    old = server_context("mx.example.org", maximum_version=ssl.TLSVersion.TLSv1_1)
    client, server = connect(client_context(), old)
    assert client.failed is not None
    assert server.failed is not None
    assert client.failed.alert == server.failed.alert == "protocol_version"


def test_ciphers_and_versions_can_be_chosen() -> None:
    context = server_context("mx.example.org", maximum_version=TLS12, ciphers="ECDHE-ECDSA-CHACHA20-POLY1305")
    client, _ = connect(client_context(), context)
    assert (client.facts.version, client.facts.cipher) == ("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305")


@VERSIONS
def test_client_certificate(version: ssl.TLSVersion) -> None:
    certificate = AUTHORITY.client_certificate("Bob@example.org")
    context = AUTHORITY.client_context(certificate=certificate)
    context.maximum_version = version
    _, server = connect(context, server_context("mx.example.org", client_certificates="require"))
    peer = server.facts.peer
    assert peer is not None
    assert peer.verified
    assert peer.emails == peer.names == ("Bob@example.org",)
    assert peer.der == certificate.der


def test_client_certificate_asked_for_and_not_given() -> None:
    _, server = connect(client_context(), server_context("mx.example.org", client_certificates="ask"))
    assert server.handshake_done
    assert server.facts.peer is None


@VERSIONS
def test_client_certificate_missing(version: ssl.TLSVersion) -> None:
    context = server_context("mx.example.org", client_certificates="require")
    client, server = connect(client_context(version), context)
    alert = {TLS12: "handshake_failure", TLS13: "certificate_required"}[version]
    for end in (client, server):
        assert end.failed is not None
        assert (end.failed.refused_by, end.failed.alert) == ("server", alert)
    # In TLS 1.3 the client had finished, and learns of it with its first read.
    assert client.failed is not None
    assert client.failed.after_handshake is (version is TLS13)


@VERSIONS
def test_client_certificate_of_a_stranger(version: ssl.TLSVersion) -> None:
    context = client_context(version)
    Authority().client_certificate("eve@example.org").install(context)
    client, server = connect(context, server_context("mx.example.org", client_certificates="ask"))
    for end in (client, server):
        assert end.failed is not None
        assert (end.failed.refused_by, end.failed.alert) == ("server", "unknown_ca")


def test_unverified_peer_is_marked() -> None:
    context = client_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client, _ = connect(context, server_context(leaf=Authority().leaf("elsewhere.example")))
    assert client.facts.peer is not None
    assert not client.facts.peer.verified
    assert client.facts.peer.names == ("elsewhere.example",)


@pytest.mark.parametrize(
    "garbage",
    [
        b"EHLO me\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\xff\xff" + b"x" * 70000,
        b"\x80\x2e\x01\x00\x02" + b"x" * 60,
        b"\0" * 64,
    ],
)
def test_garbage_in_place_of_a_hello(garbage: bytes) -> None:
    server = ServerLayer(server_context("mx.example.org"))
    assert server.receive(garbage) == b""
    assert server.failed is not None
    assert server.failed.refused_by == "server"
    sent = server.take_outgoing()
    assert server.failed.alert == (ALERTS[sent[6]] if sent else "")
    assert not server.handshake_done
    client = ClientLayer(client_context(), server_hostname="mx.example.org")
    client.receive(garbage)
    assert client.failed is not None
    assert client.failed.refused_by == "client"


def test_end_of_connection_in_the_handshake() -> None:
    client, server = (
        ClientLayer(client_context(), server_hostname="mx.example.org"),
        ServerLayer(server_context("mx.example.org")),
    )
    server.receive(client.take_outgoing()[:40])
    server.receive_eof()
    client.receive_eof()
    assert server.failed == HandshakeFailure("client", "", "connection closed during the handshake")
    assert client.failed == HandshakeFailure("server", "", "connection closed during the handshake")
    assert "without an alert" in str(server.failed)
    server.receive_eof()
    assert server.failed.refused_by == "client"


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (42, "bad_certificate"),
        (48, "unknown_ca"),
        (46, "certificate_unknown"),
        (40, "handshake_failure"),
        (112, "unrecognized_name"),
        (80, "internal_error"),
        (0, "close_notify"),
        (70, "protocol_version"),
        (45, "certificate_expired"),
        (116, "certificate_required"),
        (49, "access_denied"),
        (120, "no_application_protocol"),
        (90, "user_canceled"),
    ],
)
def test_plain_alert_from_the_client(number: int, name: str) -> None:
    client, server = (
        ClientLayer(client_context(TLS12), server_hostname="mx.example.org"),
        ServerLayer(server_context("mx.example.org")),
    )
    server.receive(client.take_outgoing())
    server.receive(bytes([21, 3, 3, 0, 2, 2 if number else 1, number]))
    assert server.failed is not None
    assert (server.failed.refused_by, server.failed.alert) == ("client", name)


def test_damaged_record_after_the_handshake() -> None:
    client, server = connect(client_context(), server_context("mx.example.org"))
    server.receive(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    assert server.failed is not None
    assert (server.failed.refused_by, server.failed.alert) == ("server", "bad_record_mac")
    assert server.failed.after_handshake
    client.receive(server.take_outgoing())
    assert client.failed is not None
    assert (client.failed.refused_by, client.failed.alert) == ("server", "bad_record_mac")


@VERSIONS
def test_close_notify(version: ssl.TLSVersion) -> None:
    client, server = connect(client_context(version), server_context("mx.example.org"))
    client.send(b"QUIT")
    client.close_notify()
    client.close_notify()
    client.send(b"dropped")
    assert server.receive(client.take_outgoing()) == b"QUIT"
    assert server.closed_by_peer
    assert not server.truncated
    assert not client.closed_by_peer
    server.close_notify()
    client.receive(server.take_outgoing())
    assert client.closed_by_peer
    assert client.failed is server.failed is None


def test_data_that_crosses_our_close_is_received() -> None:
    client, server = connect(client_context(TLS13), server_context("mx.example.org"))
    client.close_notify()
    server.send(b"221 bye")
    assert client.receive(server.take_outgoing()) == b"221 bye"
    assert client.failed is None


def test_connection_that_ends_without_close_notify() -> None:
    client, server = connect(client_context(), server_context("mx.example.org"))
    client.send(b"half")
    assert server.receive(client.take_outgoing()) == b"half"
    server.receive_eof()
    assert server.closed_by_peer
    assert server.truncated
    assert server.failed is None


def test_close_before_the_handshake_says_nothing() -> None:
    server = ServerLayer(server_context("mx.example.org"))
    server.close_notify()
    assert server.take_outgoing() == b""


def test_sni_chooses_the_certificate() -> None:
    context = server_context("mx.example.org", "Imap.Example.org", addresses=["127.0.0.5"])
    for name, names in [
        ("imap.example.org", ("imap.example.org", "127.0.0.5")),
        ("IMAP.example.org", ("imap.example.org", "127.0.0.5")),
        ("127.0.0.5", ("mx.example.org", "imap.example.org", "127.0.0.5")),
    ]:
        client, server = connect(client_context(), context, name)
        leaf = AUTHORITY.leaf(*names)
        assert client.facts.peer is not None
        assert client.facts.peer.der == leaf.der
        assert server.tls_server_end_point == client.tls_server_end_point == leaf.tls_server_end_point
        assert server.facts.server_name == client.facts.server_name == (None if name[0] == "1" else name)


def test_sni_for_a_stranger_gets_our_own_certificate() -> None:
    client, server = connect(
        client_context(), server_context("mx.example.org", "b.example.org"), "c.example.org"
    )
    assert client.failed is not None
    assert server.failed is not None
    assert server.failed.alert == "bad_certificate"


def test_client_certificates_are_checked_whichever_name_was_asked() -> None:
    context = server_context("mx.example.org", "b.example.org", client_certificates="require")
    client, server = connect(client_context(), context, "b.example.org")
    assert server.failed is not None
    assert server.failed.alert == "certificate_required"
    assert client.failed is not None


def test_a_foreign_context_has_no_known_certificate() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.leaf("mx.example.org").install(context)
    client, server = connect(client_context(), context)
    assert server.handshake_done
    assert server.tls_server_end_point is None
    assert server.facts.server_name == "mx.example.org"
    assert client.tls_server_end_point is not None
