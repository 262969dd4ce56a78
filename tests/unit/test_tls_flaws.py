"""Each flaw of a certificate is refused, for its own reason and no other."""

from __future__ import annotations

import ssl

import pytest

from fakemail.errors import DeclarationError
from fakemail.tls.authority import process_authority
from fakemail.tls.contexts import server_context
from fakemail.tls.flaws import FLAWS, flawed_leaf
from fakemail.tls.layer import ClientLayer, ServerLayer

REFUSALS = {
    "expired": ("certificate_expired", "certificate has expired"),
    "not_yet_valid": ("bad_certificate", "certificate is not yet valid"),
    "wrong_name": ("bad_certificate", "mismatch"),
    "unknown_authority": ("unknown_ca", "local issuer certificate"),
    "self_signed": ("unknown_ca", "self-signed certificate"),
    "missing_intermediate": ("unknown_ca", "local issuer certificate"),
}


def refusal(context: ssl.SSLContext, flaw: str, name: str) -> ServerLayer:
    leaf = flawed_leaf(flaw, "mx.example.org", addresses=("127.0.0.3",))
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
    failed = refusal(process_authority().client_context(), flaw, name).failed
    assert failed is not None
    assert (failed.refused_by, failed.alert) == ("client", REFUSALS[flaw][0])


@pytest.mark.parametrize("flaw", sorted(FLAWS))
def test_a_client_that_checks_nothing_does_not_notice(flaw: str) -> None:
    careless = process_authority().client_context()
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    assert refusal(careless, flaw, "mx.example.org").handshake_done


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
