"""Logins by PASS and APOP (RFC 1939 §7)."""

from __future__ import annotations

import hashlib
import hmac

from fakemail.sasl.exchange import CredentialStore, ExchangeSucceeded
from fakemail.sasl.passwords import check_password
from fakemail.sasl.saslprep import comparable


def login_of_password(credentials: CredentialStore, name: str, password: str) -> str:
    """Who USER and PASS prove to be, empty for nobody."""
    outcome = check_password(credentials, name, password)
    return outcome.authorization_id if isinstance(outcome, ExchangeSucceeded) else ""


def login_of_digest(credentials: CredentialStore, name: str, digest: str, timestamp: str) -> str:
    """Who APOP proves to be, empty for nobody.

    RFC 1939 §7: the MD5 of the timestamp of the banner, angle brackets included, and the shared secret.
    """
    login = comparable(name)
    password = credentials.password_of(login)
    right = False
    # RFC 6856 §2.2 wants the prepared password; clients that have never heard of it use it as it is.
    for secret in (comparable(password or ""), password or ""):
        octets = timestamp.encode() + secret.encode("utf-8", "surrogatepass")
        said = hashlib.md5(octets, usedforsecurity=False).hexdigest()
        right |= hmac.compare_digest(said.encode(), digest.lower().encode("utf-8", "surrogateescape"))
    return login if right and password else ""
