"""The authority: lazy, cached, private, and accepted by strict verifiers."""

from __future__ import annotations

import gc
import hashlib
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from fakemail.clock import RealClock
from fakemail.tls.authority import Authority, process_authority
from fakemail.tls.contexts import server_context
from fakemail.tls.layer import ClientLayer, ServerLayer
from fakemail.tls.leaf import tls_server_end_point


def test_leaf_is_made_once_for_the_same_names() -> None:
    authority = Authority()
    leaf = authority.leaf("MX.example.org.", addresses=["127.0.0.2"])
    assert authority.leaf("mx.example.org", addresses=("127.0.0.2",)) is leaf
    assert authority.leaf("mx.example.org") is not leaf
    assert authority.leaf("mx.example.org", addresses=["127.0.0.2"], key_type="rsa") is not leaf
    assert authority.client_certificate("Bob@x.test") is authority.client_certificate("Bob@x.test")
    assert authority.client_certificate("Bob@x.test") is not authority.client_certificate("bob@x.test")
    assert authority.client_certificate("relay.x.test") is authority.leaf("relay.x.test")


def test_leaf_needs_a_name() -> None:
    with pytest.raises(ValueError, match="at least one name"):
        Authority().leaf()


def test_leaf_dates_suit_real_clients() -> None:
    certificate = x509.load_der_x509_certificate(process_authority().leaf("mx.example.org").der)
    now = RealClock().now()
    assert certificate.not_valid_before_utc < now - timedelta(hours=23)
    assert certificate.not_valid_after_utc > now + timedelta(days=90)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc < timedelta(days=398)


@pytest.mark.parametrize(
    ("key_type", "kind"), [("ecdsa", ec.EllipticCurvePublicKey), ("rsa", rsa.RSAPublicKey)]
)
def test_key_types(key_type: str, kind: type) -> None:
    leaf = process_authority().leaf("mx.example.org", key_type=key_type)  # type: ignore[arg-type]
    assert isinstance(x509.load_der_x509_certificate(leaf.der).public_key(), kind)


def test_rsa_leaves_share_a_key_and_are_accepted() -> None:
    authority = process_authority()
    one, two = (authority.leaf(f"{name}.example.org", key_type="rsa") for name in ("one", "two"))
    assert one.key_pem == two.key_pem
    context = authority.client_context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    client = ClientLayer(context, server_hostname="two.example.org")
    server = ServerLayer(server_context("two.example.org", key_type="rsa"))
    for _ in range(2):
        server.receive(client.take_outgoing())
        client.receive(server.take_outgoing())
    assert client.failed is server.failed is None
    assert client.facts.peer is not None
    assert client.facts.peer.der == two.der


def test_long_and_international_names() -> None:
    long = ".".join(["a" * 60, "b" * 60, "example"])
    leaf = process_authority().leaf(long, "bücher.example", "*.w.example", addresses=["::1"])
    names = x509.load_der_x509_certificate(leaf.der).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == [long, "xn--bcher-kva.example", "*.w.example"]


def test_files_are_private_and_removed_with_the_authority() -> None:
    authority = Authority()
    ca, leaf = authority.ca_file(), authority.leaf("mx.example.org").file
    assert authority.ca_file() == ca
    assert ca.read_bytes() == authority.ca_pem
    directory = ca.parent
    assert leaf.parent == directory
    assert directory.stat().st_mode & 0o777 == 0o711
    assert {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()} == {
        ca.name: 0o644,
        leaf.name: 0o600,
        ".owner": 0o600,
    }
    del authority
    gc.collect()
    assert not directory.exists()


def test_files_are_removed_at_exit_and_nothing_is_imported_before_need() -> None:
    program = """if True:
        import os, sys
        from fakemail.tls.authority import process_authority
        from fakemail.tls import contexts, layer
        authority = process_authority()
        print(sorted({"trustme", "cryptography"} & set(sys.modules)))
        print(authority.ca_file())
        sys.stdout.flush()
        if os.fork() == 0:
            sys.exit()
        os.wait()
        print(authority.ca_file().exists())
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, path, after = done.stdout.split("\n")[:3]
    assert before == "[]"
    assert after == "True"
    assert path.endswith("ca.pem")
    assert not Path(path).exists()


def test_client_context_is_new_each_time_and_trusts_nobody_else() -> None:
    authority = Authority()
    one, two = authority.client_context(), authority.client_context()
    assert one is not two
    assert one.check_hostname
    assert one.cert_store_stats() == {"x509": 1, "crl": 0, "x509_ca": 1}


@pytest.mark.parametrize("name", ["mx.example.org", "127.0.0.9", "::1"])
@pytest.mark.parametrize("strict", [False, True])
def test_names_and_addresses_are_verified(name: str, strict: bool) -> None:
    context = ssl.create_default_context(cafile=str(process_authority().ca_file()))
    if strict:
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    client = ClientLayer(context, server_hostname=name)
    server = ServerLayer(server_context("mx.example.org", addresses=["127.0.0.9", "::1"]))
    for _ in range(3):
        server.receive(client.take_outgoing())
        client.receive(server.take_outgoing())
    assert client.failed is None
    assert client.handshake_done
    wrong = ClientLayer(context, server_hostname="127.0.0.8")
    server = ServerLayer(server_context("mx.example.org", addresses=["127.0.0.9", "::1"]))
    server.receive(wrong.take_outgoing())
    wrong.receive(server.take_outgoing())
    assert wrong.failed is not None
    assert "127.0.0.8" in wrong.failed.detail


def self_signed(algorithm: hashes.HashAlgorithm | None) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1()) if algorithm else ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.OID_COMMON_NAME, "x")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, day, day + timedelta(days=1))
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        (hashes.SHA256(), "sha256"),
        (hashes.SHA384(), "sha384"),
        (hashes.SHA3_256(), "sha3_256"),
        (None, "sha256"),
    ],
)
def test_channel_binding_uses_the_hash_of_the_signature(
    algorithm: hashes.HashAlgorithm | None, name: str
) -> None:
    der = self_signed(algorithm)
    assert tls_server_end_point(der) == hashlib.new(name, der).digest()


def test_channel_binding_of_something_unreadable() -> None:
    assert tls_server_end_point(b"junk") == hashlib.sha256(b"junk").digest()
