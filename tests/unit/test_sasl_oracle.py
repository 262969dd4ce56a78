"""SCRAM against another implementation, in both directions."""

from __future__ import annotations

import pytest
import scramp

from credentials import Passwords
from fakemail.sasl.exchange import Challenge, ClientFacts, ExchangeFailed, ExchangeSucceeded, ServerFacts
from fakemail.sasl.mechanisms import mechanism
from fakemail.types.seeded_random import SeededRandom

PLAIN_NAMES = ["SCRAM-SHA-1", "SCRAM-SHA-256"]
PLUS_NAMES = ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"]
LOGIN, PASSWORD = "b=o,b\u00aa", "pén cil\u00ad\u2168"
BINDING = ("tls-server-end-point", b"\x01" * 32)


class Users(Passwords):
    def password_of(self, login: str) -> str | None:
        return PASSWORD if login == "b=o,ba" else None


def server_facts(binding: bytes | None, *, offers_plus: bool = False) -> ServerFacts:
    return ServerFacts(
        credentials=Users(), chance=SeededRandom(1), channel_binding=binding, offers_plus=offers_plus
    )


@pytest.mark.parametrize("name", PLAIN_NAMES + PLUS_NAMES)
def test_their_client_at_our_server(name: str) -> None:
    plus = name in PLUS_NAMES
    client = scramp.ScramClient([name], LOGIN, PASSWORD, channel_binding=BINDING if plus else None)
    server = mechanism(name).server(server_facts(BINDING[1] if plus else None))
    step = server.start(client.get_client_first().encode())
    assert isinstance(step, Challenge)
    client.set_server_first(step.data.decode())
    step = server.respond(client.get_client_final().encode())
    assert isinstance(step, Challenge)
    client.set_server_final(step.data.decode())
    assert server.respond(b"") == ExchangeSucceeded("b=o,ba", "b=o,ba")


def test_their_client_with_another_binding_fails() -> None:
    client = scramp.ScramClient(PLUS_NAMES, LOGIN, PASSWORD, channel_binding=BINDING)
    server = mechanism("SCRAM-SHA-256-PLUS").server(server_facts(b"\x02" * 32))
    step = server.start(client.get_client_first().encode())
    assert isinstance(step, Challenge)
    client.set_server_first(step.data.decode())
    assert server.respond(client.get_client_final().encode()) == ExchangeFailed(
        "channel bindings do not match"
    )


def test_their_client_notices_a_missing_plus() -> None:
    client = scramp.ScramClient(PLAIN_NAMES, LOGIN, PASSWORD, channel_binding=BINDING)
    step = (
        mechanism("SCRAM-SHA-256")
        .server(server_facts(BINDING[1], offers_plus=True))
        .start(client.get_client_first().encode())
    )
    assert isinstance(step, ExchangeFailed)
    assert "tampered" in step.text


@pytest.mark.parametrize("name", PLAIN_NAMES + PLUS_NAMES)
def test_our_client_at_their_server(name: str) -> None:
    plus = name in PLUS_NAMES
    scheme = scramp.ScramMechanism(name)
    known = scheme.make_auth_info(PASSWORD, salt=b"0123456789abcdef")
    asked = []
    server = scheme.make_server(
        lambda user: asked.append(user) or known, channel_binding=BINDING if plus else None
    )
    facts = ClientFacts(
        login=LOGIN, password=PASSWORD, chance=SeededRandom(2), channel_binding=BINDING[1] if plus else None
    )
    client = mechanism(name).client(facts)
    first = client.begin()
    assert first is not None
    server.set_client_first(first.decode())
    server.set_client_final(client.respond(server.get_server_first().encode()).decode())
    assert client.respond(server.get_server_final().encode()) == b""
    assert client.complete
    assert asked == ["b=o,ba"]


def test_our_client_with_a_wrong_password_at_their_server() -> None:
    scheme = scramp.ScramMechanism("SCRAM-SHA-256")
    known = scheme.make_auth_info(PASSWORD)
    server = scheme.make_server(lambda user: known)
    client = mechanism("SCRAM-SHA-256").client(
        ClientFacts(login=LOGIN, password="other", chance=SeededRandom(2))
    )
    first = client.begin()
    assert first is not None
    server.set_client_first(first.decode())
    final = client.respond(server.get_server_first().encode()).decode()
    with pytest.raises(scramp.ScramException):
        server.set_client_final(final)
    refusal = server.get_server_final()
    assert refusal.startswith("e=")
    assert client.respond(refusal.encode()) == b""
    assert not client.complete
