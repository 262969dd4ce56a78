"""Each flaw of a certificate is refused, for its own reason and no other."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest
from cryptography import x509

from fakemail.errors import DeclarationError
from fakemail.tls.authority import Authority, process_authority
from fakemail.tls.contexts import server_context
from fakemail.tls.flaws import FLAWS, SUBTLE_FLAWS, flawed_leaf
from fakemail.tls.layer import ClientLayer, ServerLayer

REFUSALS = {
    "expired": ("certificate_expired", "certificate has expired"),
    "not_yet_valid": ("bad_certificate", "certificate is not yet valid"),
    "wrong_name": ("bad_certificate", "mismatch"),
    "unknown_authority": ("unknown_ca", "local issuer certificate"),
    "self_signed": ("unknown_ca", "self-signed certificate"),
    "missing_intermediate": ("unknown_ca", "local issuer certificate"),
    "revoked": ("certificate_revoked", "certificate revoked"),
    "weak_key": ("bad_certificate", "EE certificate key too weak"),
    "client_only": ("unsupported_certificate", "unsuitable certificate purpose"),
    "email_only": ("unsupported_certificate", "unsuitable certificate purpose"),
    "no_san": ("bad_certificate", "mismatch"),
}


def refusal(make_context: Callable[[], ssl.SSLContext], flaw: str, name: str) -> ServerLayer:
    leaf = flawed_leaf(flaw, "mx.example.org", addresses=("127.0.0.3",))
    context = make_context()
    client, server = ClientLayer(context, server_hostname=name), ServerLayer(server_context(leaf=leaf))
    for _ in range(3):
        server.receive(client.take_outgoing())
        client.receive(server.take_outgoing())
    if client.failed is not None:
        assert REFUSALS[flaw][1] in client.failed.detail
    return server


@pytest.mark.parametrize("name", ["mx.example.org", "127.0.0.3"])
@pytest.mark.parametrize("flaw", sorted(FLAWS))
def test_flaw_is_refused_for_its_own_reason(flaw: str, name: str) -> None:
    failed = refusal(process_authority().careful_context, flaw, name).failed
    assert failed is not None
    assert (failed.refused_by, failed.alert) == ("client", REFUSALS[flaw][0])


@pytest.mark.parametrize("flaw", sorted(FLAWS))
def test_an_ordinary_client_refuses_all_but_the_subtle_ones(flaw: str) -> None:
    server = refusal(process_authority().client_context, flaw, "mx.example.org")
    assert server.handshake_done is (flaw in SUBTLE_FLAWS)


@pytest.mark.parametrize("flaw", sorted(FLAWS))
def test_a_client_that_checks_nothing_does_not_notice(flaw: str) -> None:
    careless = process_authority().client_context()
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    assert refusal(lambda: careless, flaw, "mx.example.org").handshake_done


def test_the_list_of_the_revoked_is_written_anew_where_it_was_handed_out() -> None:
    authority = Authority()
    path = authority.crl_file()
    empty = path.read_bytes()
    leaf = flawed_leaf("revoked", "mx.example.org", authority=authority)
    assert path.read_bytes() != empty
    assert authority.crl_file() == path
    serials = [entry.serial_number for entry in x509.load_pem_x509_crl(path.read_bytes())]
    assert serials == [x509.load_der_x509_certificate(leaf.der).serial_number]


def test_flaws_leave_the_good_certificate_good() -> None:
    for flaw in FLAWS:
        flawed_leaf(flaw, "mx.example.org")
    client = ClientLayer(process_authority().client_context(), server_hostname="mx.example.org")
    server = ServerLayer(server_context("mx.example.org"))
    for _ in range(2):
        server.receive(client.take_outgoing())
        client.receive(server.take_outgoing())
    assert client.failed is server.failed is None
    assert server.handshake_done


def test_unknown_flaw_names_the_nearest() -> None:
    with pytest.raises(DeclarationError, match="did you mean 'expired'"):
        flawed_leaf("expire", "mx.example.org")
