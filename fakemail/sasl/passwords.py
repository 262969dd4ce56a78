"""Mechanisms that carry or prove a password in one step: PLAIN, LOGIN, CRAM-MD5. Both sides of each."""

from __future__ import annotations

import hashlib
import hmac

from fakemail.errors import ProtocolError
from fakemail.sasl.exchange import (
    INVALID_CREDENTIALS,
    ClientFacts,
    ClientResponse,
    ClientSteps,
    CredentialStore,
    ExchangeFailed,
    Outcome,
    ServerFacts,
    ServerSteps,
    authorize,
    read_utf8,
)
from fakemail.sasl.saslprep import comparable


def _octets(text: str) -> bytes:
    # A lone surrogate cannot come from the wire, but a declared password may hold one.
    return text.encode("utf-8", "surrogatepass")


def check_password(
    credentials: CredentialStore, login: str, password: str, authorization_id: str = ""
) -> Outcome:
    """Judge a login and password that came in clear.

    An unknown login takes the same path as a wrong password, and gets the same text.
    """
    login = comparable(login)
    expected = credentials.password_of(login)
    presented = comparable(password)
    # RFC 4616 §2: if preparation results in an empty string, verification SHALL fail.
    matches = hmac.compare_digest(_octets(presented), _octets(comparable(expected or "")))
    if not matches or not presented or expected is None:
        return ExchangeFailed(INVALID_CREDENTIALS)
    return authorize(credentials, login, authorization_id)


def serve_plain(facts: ServerFacts) -> ServerSteps:
    """PLAIN (RFC 4616)."""
    message = yield b""
    # RFC 4616 §2: message = [authzid] UTF8NUL authcid UTF8NUL passwd
    parts = read_utf8(message, "the PLAIN message").split("\0")
    if len(parts) != 3:
        raise ProtocolError(f"a PLAIN message has two NUL characters, not {len(parts) - 1}")
    authorization_id, login, password = parts
    if not login or not password:
        raise ProtocolError("a PLAIN message has a login and a password")
    return check_password(facts.credentials, login, password, authorization_id)


def speak_plain(facts: ClientFacts) -> ClientSteps:
    """PLAIN (RFC 4616)."""
    parts = (facts.authorization_id, facts.login, facts.password)
    if any("\0" in part for part in parts):
        raise ProtocolError("PLAIN cannot carry a NUL character")
    yield ClientResponse("\0".join(parts).encode(), last=True)


def serve_login(facts: ServerFacts) -> ServerSteps:
    """LOGIN, which no RFC describes: the prompts are those that old clients compare with."""
    login = yield b"Username:"
    password = yield b"Password:"
    return check_password(
        facts.credentials, read_utf8(login, "the login"), read_utf8(password, "the password")
    )


def speak_login(facts: ClientFacts) -> ClientSteps:
    """LOGIN: whatever the prompts say, the first is for the login and the second for the password."""
    yield None
    yield ClientResponse(facts.login.encode())
    yield ClientResponse(facts.password.encode(), last=True)


def cram_md5_response(login: str, password: str, challenge: bytes) -> bytes:
    """RFC 2195 §2: the login, a space, and the keyed MD5 of the challenge in lower-case hex."""
    digest = hmac.new(_octets(password), challenge, hashlib.md5).hexdigest()
    return f"{login} {digest}".encode()


def serve_cram_md5(facts: ServerFacts) -> ServerSteps:
    """CRAM-MD5 (RFC 2195)."""
    # RFC 2195 §2: an arbitrary string of random digits, a timestamp, and the name of the server, in the
    # form of an RFC 822 msg-id. Seeded digits stand for both numbers, so that a seed replays them.
    unique = int.from_bytes(facts.chance.randbytes(12), "big")
    challenge = f"<{unique >> 48}.{unique & 0xFFFFFFFFFFFF}@{facts.host}>".encode()
    response = yield challenge
    # The login may hold spaces; the digest cannot.
    login, space, digest = read_utf8(response, "the CRAM-MD5 response").rpartition(" ")
    if not space or not login:
        raise ProtocolError("a CRAM-MD5 response is a login, a space and a digest")
    login = comparable(login)
    expected = facts.credentials.password_of(login)
    # The password itself is the key, unprepared: RFC 2195 knows no preparation.
    right = cram_md5_response("", expected or "", challenge)[1:]
    matches = hmac.compare_digest(digest.encode(), right)
    if not matches or not expected:
        return ExchangeFailed(INVALID_CREDENTIALS)
    return authorize(facts.credentials, login, "")


def speak_cram_md5(facts: ClientFacts) -> ClientSteps:
    """CRAM-MD5 (RFC 2195)."""
    challenge = yield None
    yield ClientResponse(cram_md5_response(facts.login, facts.password, challenge), last=True)
