"""EXTERNAL (RFC 4422 Appendix A): the TLS client certificate is the credential. Both sides."""

from __future__ import annotations

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


def serve_external(facts: ServerFacts) -> ServerSteps:
    """Authenticate the client by the first name in its certificate that is a login."""
    message = yield b""
    authorization_id = read_utf8(message, "the authorization identity")
    # RFC 4422 §A.1: UTF8-char-no-nul
    if "\0" in authorization_id:
        raise ProtocolError("an authorization identity holds no NUL character")
    for name in facts.certificate_names:
        owner = facts.credentials.owner_of_certificate(name)
        if owner is not None:
            return authorize(facts.credentials, owner, authorization_id)
    return ExchangeFailed(INVALID_CREDENTIALS)


def speak_external(facts: ClientFacts) -> ClientSteps:
    """The authorization identity, or nothing to act as the certificate's holder."""
    yield ClientResponse(facts.authorization_id.encode(), last=True)
