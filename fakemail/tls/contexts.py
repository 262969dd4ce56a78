"""Server contexts made from the authority: which certificate, which versions, whose client certificates.

Client contexts come from the authority itself. No handshakes here.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Callable, Iterable
from typing import Literal

from fakemail.tls.authority import Authority, KeyType, process_authority
from fakemail.tls.leaf import ANY_STRENGTH, Leaf
from fakemail.types.domains import a_labels

ClientCertificates = Literal["ignore", "ask", "require"]

_VERIFY = {
    "ignore": ssl.CERT_NONE,
    "ask": ssl.CERT_OPTIONAL,
    "require": ssl.CERT_REQUIRED,
}
VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
"""The versions that can be spoken, by the names that OpenSSL has for them."""
NO_ENCRYPTION = "ECDHE-ECDSA-NULL-SHA"
"""Cipher without encryption. No client takes it by itself."""
_OLD_VERSIONS = {ssl.TLSVersion.SSLv3, ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1}


class ServerContext(ssl.SSLContext):
    """A server's context that knows its own certificate, which ``ssl`` does not tell, and its siblings."""

    leaf: Leaf
    _make: Callable[[str], ServerContext]
    _others: dict[str, ServerContext | None]

    def for_name(self, asked: str | None) -> ServerContext:
        """The context for a client that asks for a name: the one of that name, or this one."""
        name = a_labels(asked or "")
        if name not in self._others:
            return self
        # Made at the first question: most names are never asked for.
        made = self._others[name] or self._make(name)
        self._others[name] = made
        return made


def server_context(
    *names: str,
    addresses: Iterable[str] = (),
    leaf: Leaf | None = None,
    authority: Authority | None = None,
    client_certificates: ClientCertificates = "ignore",
    minimum_version: ssl.TLSVersion | None = None,
    maximum_version: ssl.TLSVersion | None = None,
    ciphers: str | None = None,
    key_type: KeyType = "ecdsa",
) -> ServerContext:
    """A new context for a server that answers to these host names, the first its own name.

    A client that asks for one of the names (SNI, RFC 6066 §3) gets a certificate for that name. One that
    asks for none, or for a name that is not ours, gets the server's own, which is good for all the
    names. Each is also good for ``addresses``, since clients connect to a literal loopback address.

    ``leaf`` is presented to everybody in place of all these: expired, for another name, whatever it is.
    Client certificates are trusted when the authority issued them.
    """
    authority = authority or process_authority()
    addresses = tuple(addresses)
    own = leaf or authority.leaf(*names, addresses=addresses, key_type=key_type)

    def make(leaf: Leaf) -> ServerContext:
        context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
        context.leaf = leaf
        context._others = {}
        leaf.install(context)
        context.options |= ssl.OP_NO_RENEGOTIATION
        if client_certificates != "ignore":
            context.load_verify_locations(cadata=authority.ca_pem.decode("ascii"))
            context.verify_mode = _VERIFY[client_certificates]
        if ciphers is not None:
            # Those of TLS 1.3 cannot be chosen, and are all good. Whoever asks for bad ones means it.
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
        _limit_versions(context, minimum_version, maximum_version)
        return context

    context = make(own)
    if leaf is None and len(names) > 1:
        context._others = {a_labels(name): None for name in names}
        context._make = lambda name: make(authority.leaf(name, addresses=addresses, key_type=key_type))
    return context


def _limit_versions(
    context: ssl.SSLContext, minimum: ssl.TLSVersion | None, maximum: ssl.TLSVersion | None
) -> None:
    if not _OLD_VERSIONS & {minimum, maximum}:
        if minimum is not None:
            context.minimum_version = minimum
        if maximum is not None:
            context.maximum_version = maximum
        return
    # OpenSSL forbids TLS before 1.2 at its default level of security, and Python warns of it. Whoever
    # asks for an old server in a test means it.
    context.set_ciphers(ANY_STRENGTH)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = minimum or ssl.TLSVersion.MINIMUM_SUPPORTED
        if maximum is not None:
            context.maximum_version = maximum
