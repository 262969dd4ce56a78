"""Mechanisms that carry an OAuth 2.0 bearer token: OAUTHBEARER (RFC 7628), XOAUTH2. Both sides of each."""

from __future__ import annotations

import json

from fakemail.errors import ProtocolError
from fakemail.sasl.exchange import (
    INVALID_CREDENTIALS,
    ClientFacts,
    ClientResponse,
    ClientSteps,
    ExchangeFailed,
    Outcome,
    ServerFacts,
    ServerSteps,
    authorize,
    read_utf8,
)
from fakemail.sasl.gs2 import encode_saslname, read_gs2_header

_SOH = "\x01"
# RFC 7628 §3.2.2: what is wrong, as JSON in a challenge. XOAUTH2 has an HTTP status in its place.
_OAUTHBEARER_ERROR = json.dumps({"status": "invalid_token", "schemes": "bearer", "scope": "mail"}).encode()
_XOAUTH2_ERROR = json.dumps({"status": "401", "schemes": "bearer", "scope": "mail"}).encode()


def _key_values(text: str, what: str) -> dict[str, str]:
    # RFC 7628 §3.1: kvpair = key "=" value kvsep; kvsep = %x01; client-resp = ... kvsep *kvpair kvsep
    if not text.endswith(_SOH + _SOH):
        raise ProtocolError(f"{what} ends with two %x01")
    values: dict[str, str] = {}
    for pair in text[:-2].split(_SOH):
        key, equals, value = pair.partition("=")
        # RFC 7628 §3.1: key = 1*(ALPHA)
        if not equals or not (key.isascii() and key.isalpha()):
            raise ProtocolError(f"{what} has a part that is no key=value pair")
        values[key.lower()] = value
    return values


def _token(values: dict[str, str], what: str) -> str:
    # RFC 6750 §2.1: credentials = "Bearer" 1*SP b64token; RFC 7235 §2.1: the scheme has no case.
    scheme, _, token = values.get("auth", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ProtocolError(f"{what} has no auth=Bearer token")
    return token.strip()


def _check_token(facts: ServerFacts, user: str, token: str) -> Outcome:
    owner = facts.credentials.token_owner(token)
    if owner is None:
        return ExchangeFailed(INVALID_CREDENTIALS)
    return authorize(facts.credentials, owner, user, token=token)


def serve_oauthbearer(facts: ServerFacts) -> ServerSteps:
    """OAUTHBEARER (RFC 7628)."""
    message = read_utf8((yield b""), "the OAUTHBEARER message")
    # RFC 7628 §3.1: client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep
    header, rest = read_gs2_header(message)
    if header.flag.startswith("p"):
        raise ProtocolError("OAUTHBEARER has no channel binding")
    if not rest.startswith(_SOH):
        raise ProtocolError("the OAUTHBEARER message has %x01 after its GS2 header")
    values = _key_values(rest[1:], "the OAUTHBEARER message")
    outcome = _check_token(facts, header.authorization_id, _token(values, "the OAUTHBEARER message"))
    if isinstance(outcome, ExchangeFailed):
        # RFC 7628 §3.2.3: the client answers with a single %x01, and then the exchange fails.
        yield _OAUTHBEARER_ERROR
    return outcome


def speak_oauthbearer(facts: ClientFacts) -> ClientSteps:
    """OAUTHBEARER (RFC 7628)."""
    name = facts.authorization_id or facts.login
    pairs = [f"n,{'a=' + encode_saslname(name) if name else ''},"]
    if facts.host:
        pairs += [f"host={facts.host}", f"port={facts.port}"]
    pairs.append(f"auth=Bearer {facts.token or ''}")
    yield ClientResponse((_SOH.join(pairs) + _SOH + _SOH).encode(), last=True)
    yield ClientResponse(_SOH.encode())


def serve_xoauth2(facts: ServerFacts) -> ServerSteps:
    """XOAUTH2, the forerunner of OAUTHBEARER that large providers still speak."""
    message = read_utf8((yield b""), "the XOAUTH2 message")
    # "user=" user %x01 "auth=Bearer " token %x01 %x01
    values = _key_values(message, "the XOAUTH2 message")
    user = values.get("user", "")
    if not user:
        raise ProtocolError("the XOAUTH2 message has no user")
    outcome = _check_token(facts, user, _token(values, "the XOAUTH2 message"))
    if isinstance(outcome, ExchangeFailed):
        # The client answers with an empty response, and then the exchange fails.
        yield _XOAUTH2_ERROR
    return outcome


def speak_xoauth2(facts: ClientFacts) -> ClientSteps:
    """XOAUTH2."""
    user = facts.authorization_id or facts.login
    yield ClientResponse(f"user={user}{_SOH}auth=Bearer {facts.token or ''}{_SOH}{_SOH}".encode(), last=True)
    yield ClientResponse(b"")
