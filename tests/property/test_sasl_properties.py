"""SASL: garbage is a failure and never an exception; any login and password gets through."""

from __future__ import annotations

import stringprep
from dataclasses import dataclass

import pytest
import scramp
import scramp.utils
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials import Passwords
from fakemail.sasl.exchange import (
    Challenge,
    ClientFacts,
    ExchangeFailed,
    ExchangeSucceeded,
    ServerFacts,
    Step,
)
from fakemail.sasl.mechanisms import MECHANISMS, mechanism
from fakemail.sasl.saslprep import comparable
from fakemail.types.seeded_random import SeededRandom

NAMES = sorted(MECHANISMS)
PASSWORD = sorted(name for name, row in MECHANISMS.items() if row.secret == "password")

texts = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(comparable)
# Octets that look enough like a message to get past the first check.
pieces = st.sampled_from(
    [
        b"n,,",
        b"y,,",
        b"p=tls-server-end-point,,",
        b"n=",
        b"r=",
        b",",
        b"=",
        b"c=biws",
        b"p=",
        b"\0",
        b"\x01",
        b"a=",
        b"user=",
        b"auth=Bearer ",
        b"bob",
        b"\xff",
        b" ",
    ]
)
messages = st.one_of(st.binary(max_size=60), st.lists(pieces, max_size=10).map(b"".join))


# The other implementation prepares "stored" strings, in which unassigned code points are forbidden.
assigned = st.characters(exclude_categories=["Cs", "Cn"]).filter(lambda c: not stringprep.in_table_a1(c))


@dataclass
class OneUser(Passwords):
    login: str
    password: str

    def password_of(self, login: str) -> str | None:
        return self.password if login == self.login else None


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60)
@given(data=st.lists(messages, min_size=5, max_size=5), initial=st.booleans())
def test_garbage_is_a_failure(name: str, data: list[bytes], initial: bool) -> None:
    users = OneUser("owner", "secret")
    facts = ServerFacts(
        credentials=users, chance=SeededRandom(1), channel_binding=b"x", certificate_names=("a",)
    )
    server = mechanism(name).server(facts)
    step: Step = server.start(data[0] if initial else None)
    for response in data[1:]:
        if not isinstance(step, Challenge):
            break
        step = server.respond(response)
    assert isinstance(step, ExchangeFailed)


@pytest.mark.parametrize("name", PASSWORD)
@settings(max_examples=20)
@given(login=texts, password=texts, other=texts)
def test_any_login_and_password(name: str, login: str, password: str, other: str) -> None:
    facts = ServerFacts(
        credentials=OneUser(comparable(login), password), chance=SeededRandom(1), channel_binding=b"binding"
    )
    for given_password in (password, other):
        server = mechanism(name).server(facts)
        client = mechanism(name).client(
            ClientFacts(
                login=login, password=given_password, chance=SeededRandom(2), channel_binding=b"binding"
            )
        )
        step: Step = server.start(client.begin())
        while isinstance(step, Challenge):
            step = server.respond(client.respond(step.data))
        same = given_password == password or (
            name != "CRAM-MD5" and comparable(given_password) == comparable(password)
        )
        if same:
            assert step == ExchangeSucceeded(comparable(login), comparable(login))
            assert client.complete
        else:
            assert isinstance(step, ExchangeFailed)
            assert client.complete is (not name.startswith("SCRAM"))


@settings(max_examples=100)
@given(st.text(assigned, max_size=8))
def test_preparation_agrees_with_another_implementation(text: str) -> None:
    try:
        expected = scramp.utils.saslprep(text)
    except scramp.ScramException:
        expected = text
    assert comparable(text) == expected
