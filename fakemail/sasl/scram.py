"""SCRAM-SHA-1 and SCRAM-SHA-256, with and without channel binding (RFC 5802, RFC 7677). Both sides."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from functools import lru_cache

from fakemail.errors import ProtocolError
from fakemail.sasl.exchange import (
    INVALID_CREDENTIALS,
    ClientFacts,
    ClientResponse,
    ClientSteps,
    ExchangeFailed,
    ServerFacts,
    ServerSteps,
    authorize,
    read_utf8,
)
from fakemail.sasl.gs2 import Gs2Header, decode_saslname, encode_saslname, read_gs2_header
from fakemail.sasl.saslprep import comparable
from fakemail.types.dataclass import dataclass

ITERATIONS = 4096  # RFC 7677 §4: at least 4096; more would only cost test time.
# A server that asks for more than this is attacking the client's processor.
_MOST_ITERATIONS = 1_000_000
# RFC 5929 §4; the one binding type that the standard library can provide under TLS 1.3.
_BINDING = "tls-server-end-point"
_PLUS_FLAG = f"p={_BINDING}"

# RFC 5802 §7: printable = %x21-2B / %x2D-7E (no comma).
_CLIENT_FIRST = re.compile(r"n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,]+)*")
_CLIENT_FINAL = re.compile(
    r"(c=([A-Za-z0-9+/=]*),r=([\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,]+)*?),p=([A-Za-z0-9+/=]+)"
)
_SERVER_FIRST = re.compile(
    r"r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=([1-9][0-9]{0,9})(?:,[A-Za-z]=[^,]+)*"
)
_SERVER_FINAL = re.compile(r"(?:v=([A-Za-z0-9+/=]+)|e=([^,]+))(?:,[A-Za-z]=[^,]+)*")


@dataclass(frozen=True)
class ScramKeys:
    """Keys that a SCRAM server keeps of a password (RFC 5802 §3), and the client's key."""

    client: bytes
    stored: bytes
    server: bytes


@lru_cache(maxsize=4096)
def _keys(hash_name: str, password: str, salt: bytes, iterations: int) -> ScramKeys:
    """Cached: the 4096 rounds take milliseconds, and both sides of each login need the same ones."""
    salted = hashlib.pbkdf2_hmac(hash_name, password.encode("utf-8", "surrogatepass"), salt, iterations)
    client = hmac.digest(salted, b"Client Key", hash_name)
    return ScramKeys(
        client, hashlib.new(hash_name, client).digest(), hmac.digest(salted, b"Server Key", hash_name)
    )


def keys_of(hash_name: str, password: str, salt: bytes, iterations: int = ITERATIONS) -> ScramKeys:
    """The keys of a password; ``hash_name`` is ``sha1`` or ``sha256``."""
    return _keys(hash_name, comparable(password), salt, iterations)


def _salt_of(seed: int, login: str) -> bytes:
    """A user's salt, made of the seed: the same at each attempt, for users who do not exist as well."""
    # The login comes from the wire decoded strictly, so it has no lone surrogates.
    return hashlib.sha256(f"salt {seed} {login}".encode()).digest()[:16]


def _decode(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ProtocolError(f"{what} is not base64") from None


def _encode(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _check_binding_flag(header: Gs2Header, facts: ServerFacts, *, plus: bool) -> None:
    """RFC 5802 §6: what the server does about each channel binding flag."""
    if plus:
        if not header.flag.startswith("p="):
            raise ProtocolError("a -PLUS mechanism needs channel binding")
        if header.flag != _PLUS_FLAG:
            raise ProtocolError(f"unsupported channel binding type {header.flag[2:]!r}, not {_BINDING!r}")
        if facts.channel_binding is None:
            raise ProtocolError("there is no TLS connection to bind to")
    elif header.flag.startswith("p="):
        raise ProtocolError("channel binding is for the -PLUS mechanisms")
    elif header.flag == "y" and facts.offers_plus:
        # The client believes that we offer no channel binding: somebody took it out of the list.
        raise ProtocolError("server does support channel binding: the list of mechanisms was tampered with")


def serve_scram(
    facts: ServerFacts,
    *,
    hash_name: str,
    plus: bool,
    nonce: str | None = None,
    salt: bytes | None = None,
) -> ServerSteps:
    """The server's side. Nonce and salt come from the seed unless they are given."""
    client_first = read_utf8((yield b""), "the client's first message")
    header, bare = read_gs2_header(client_first)
    _check_binding_flag(header, facts, plus=plus)
    if bare.startswith("m="):
        # RFC 5802 §5.1: the reserved mandatory extension; a server that does not know it must fail.
        raise ProtocolError("extensions are not supported")
    match = _CLIENT_FIRST.fullmatch(bare)
    if match is None:
        raise ProtocolError("malformed first message of the client")
    login = comparable(decode_saslname(match[1]))
    salt = _salt_of(facts.chance.seed, login) if salt is None else salt
    nonce = match[2] + (_encode(facts.chance.randbytes(18)) if nonce is None else nonce)
    server_first = f"r={nonce},s={_encode(salt)},i={ITERATIONS}"
    client_final = read_utf8((yield server_first.encode()), "the client's final message")

    match = _CLIENT_FINAL.fullmatch(client_final)
    if match is None:
        raise ProtocolError("malformed final message of the client")
    if match[3] != nonce:
        raise ProtocolError("the nonce is not the one that was agreed")
    bound = header.raw.encode() + ((facts.channel_binding or b"") if plus else b"")
    if not hmac.compare_digest(_decode(match[2], "the channel binding"), bound):
        # RFC 5802 §7: channel-bindings-dont-match. Something sits between the two ends.
        return ExchangeFailed("channel bindings do not match")
    proof = _decode(match[4], "the proof")
    signed = f"{bare},{server_first},{match[1]}".encode()
    password = facts.credentials.password_of(login)
    keys = keys_of(hash_name, password or "", salt)
    if not _proves(proof, signed, keys, hash_name) or not comparable(password or ""):
        return ExchangeFailed(INVALID_CREDENTIALS)
    outcome = authorize(facts.credentials, login, header.authorization_id)
    if isinstance(outcome, ExchangeFailed):
        return outcome
    signature = hmac.digest(keys.server, signed, hash_name)
    # None of SMTP, IMAP and POP3 has room for data beside a success, so this is one more challenge.
    if (yield f"v={_encode(signature)}".encode()):
        raise ProtocolError("the client's answer to the last challenge is empty")
    return outcome


def _proves(proof: bytes, signed: bytes, keys: ScramKeys, hash_name: str) -> bool:
    """RFC 5802 §3: the proof, freed of the signature, is a key whose hash the server stored."""
    if len(proof) != len(keys.stored):
        return False
    client_key = _xor(proof, hmac.digest(keys.stored, signed, hash_name))
    return hmac.compare_digest(hashlib.new(hash_name, client_key).digest(), keys.stored)


def speak_scram(facts: ClientFacts, *, hash_name: str, plus: bool, nonce: str | None = None) -> ClientSteps:
    """The client's side. It checks the server's signature: only after that is the exchange complete."""
    if plus and facts.channel_binding is None:
        raise ProtocolError("a -PLUS mechanism needs a TLS connection to bind to")
    if nonce is None:
        if facts.chance is None:
            raise ProtocolError("SCRAM needs chance for its nonce")
        nonce = _encode(facts.chance.randbytes(18))
    header = f"{_flag(facts, plus=plus)},{_authzid(facts)},"
    bare = f"n={encode_saslname(comparable(facts.login))},r={nonce}"
    server_first = read_utf8((yield ClientResponse((header + bare).encode())), "the server's first message")

    match = _SERVER_FIRST.fullmatch(server_first)
    if match is None:
        raise ProtocolError("malformed first message of the server")
    if not match[1].startswith(nonce) or match[1] == nonce:
        # RFC 5802 §5.1: the client MUST verify that its nonce is the initial part.
        raise ProtocolError("the server's nonce does not continue the client's")
    if int(match[3]) > _MOST_ITERATIONS:
        raise ProtocolError(f"the server asks for {match[3]} iterations")
    keys = keys_of(hash_name, facts.password, _decode(match[2], "the salt"), int(match[3]))
    bound = header.encode() + ((facts.channel_binding or b"") if plus else b"")
    without_proof = f"c={_encode(bound)},r={match[1]}"
    signed = f"{bare},{server_first},{without_proof}".encode()
    proof = _xor(keys.client, hmac.digest(keys.stored, signed, hash_name))
    final = ClientResponse(f"{without_proof},p={_encode(proof)}".encode())
    server_final = read_utf8((yield final), "the server's final message")

    match = _SERVER_FINAL.fullmatch(server_final)
    if match is None:
        raise ProtocolError("malformed final message of the server")
    if match[2] is not None:
        # RFC 5802 §7: server-error. The refusal itself is still to come.
        yield ClientResponse(b"")
        return
    signature = hmac.digest(keys.server, signed, hash_name)
    if not hmac.compare_digest(_decode(match[1], "the server's signature"), signature):
        raise ProtocolError("the server does not know the password: its signature is wrong")
    yield ClientResponse(b"", last=True)


def _flag(facts: ClientFacts, *, plus: bool) -> str:
    """RFC 5802 §6: the client could bind and is not offered it: "y", so that a server can tell tampering."""
    if plus:
        return _PLUS_FLAG
    return "y" if facts.channel_binding is not None and not facts.server_offers_plus else "n"


def _authzid(facts: ClientFacts) -> str:
    return f"a={encode_saslname(facts.authorization_id)}" if facts.authorization_id else ""
