"""SASL: each mechanism's two sides against each other, RFC examples, and every way to fail."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import pytest

from fakemail.errors import DeclarationError, ProtocolError
from fakemail.sasl.exchange import (
    INVALID_CREDENTIALS,
    NOT_AUTHORIZED,
    Challenge,
    ClientExchange,
    ClientFacts,
    ExchangeFailed,
    ExchangeSucceeded,
    ServerExchange,
    ServerFacts,
    Step,
)
from fakemail.sasl.mechanisms import MECHANISMS, mechanism, strongest
from fakemail.sasl.passwords import cram_md5_response
from fakemail.sasl.saslprep import comparable, saslprep
from fakemail.sasl.scram import keys_of, serve_scram, speak_scram
from fakemail.types.seeded_random import SeededRandom


@dataclass
class Users:
    passwords: dict[str, str] = field(default_factory=lambda: {"bob@example.org": "pencil", "user": "pencil"})
    tokens: dict[str, str] = field(default_factory=lambda: {"good-token": "bob@example.org"})
    certificates: dict[str, str] = field(default_factory=lambda: {"bob@example.org": "bob@example.org"})
    delegates: frozenset[tuple[str, str]] = frozenset({("bob@example.org", "ann@example.org")})

    def password_of(self, login: str) -> str | None:
        return self.passwords.get(login)

    def token_owner(self, token: str) -> str | None:
        return self.tokens.get(token)

    def owner_of_certificate(self, subject: str) -> str | None:
        return self.certificates.get(subject)

    def may_act_as(self, authentication_id: str, authorization_id: str) -> bool:
        return (authentication_id, authorization_id) in self.delegates


SERVER = ServerFacts(
    credentials=Users(),
    chance=SeededRandom(1),
    host="mx.example.org",
    channel_binding=b"binding",
    certificate_names=("nobody@example.org", "bob@example.org"),
)
CLIENT = ClientFacts(
    login="bob@example.org",
    password="pencil",
    token="good-token",
    chance=SeededRandom(2),
    channel_binding=b"binding",
    server_offers_plus=True,
    host="mx.example.org",
    port=587,
)
ALL = sorted(MECHANISMS)
PASSWORD = sorted(name for name, row in MECHANISMS.items() if row.secret == "password")
TOKEN = sorted(name for name, row in MECHANISMS.items() if row.secret == "token")


def play(server: ServerExchange, client: ClientExchange, *, initial: bool = True) -> Step:
    step = server.start(client.begin() if initial else None)
    for _ in range(5):
        if not isinstance(step, Challenge):
            return step
        step = server.respond(client.respond(step.data))
    raise AssertionError("the exchange does not end")


def run(
    name: str, client: ClientFacts = CLIENT, server: ServerFacts = SERVER, *, initial: bool = True
) -> tuple[Step, bool]:
    row = mechanism(name)
    speaker = row.client(client)
    return play(row.server(server), speaker, initial=initial), speaker.complete


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("name", ALL)
def test_both_sides_agree(name: str, initial: bool) -> None:
    token = "good-token" if name in TOKEN else None
    assert run(name, initial=initial) == (
        ExchangeSucceeded("bob@example.org", "bob@example.org", token),
        True,
    )


@pytest.mark.parametrize("name", PASSWORD)
def test_wrong_password_and_unknown_user_look_the_same(name: str) -> None:
    wrong, _ = run(name, replace(CLIENT, password="eraser"))
    unknown, _ = run(name, replace(CLIENT, login="gone@example.org"))
    assert wrong == unknown == ExchangeFailed(INVALID_CREDENTIALS)


@pytest.mark.parametrize("name", PASSWORD)
def test_an_account_without_a_password_cannot_log_in(name: str) -> None:
    server = replace(SERVER, credentials=Users(passwords={"bob@example.org": ""}))
    outcome, _ = run(name, replace(CLIENT, password=""), server)
    assert isinstance(outcome, ExchangeFailed)


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("LOGIN", "CRAM-MD5")])
def test_acting_as_somebody_else(name: str) -> None:
    server = replace(
        SERVER, credentials=Users(delegates=frozenset({("bob@example.org", "x=,y@example.org")}))
    )
    allowed, _ = run(name, replace(CLIENT, authorization_id="x=,y@example.org"), server)
    assert isinstance(allowed, ExchangeSucceeded)
    assert (allowed.authentication_id, allowed.authorization_id) == ("bob@example.org", "x=,y@example.org")
    refused, _ = run(name, replace(CLIENT, authorization_id="eve@example.org"), server)
    assert refused == ExchangeFailed(NOT_AUTHORIZED)


@pytest.mark.parametrize("name", PASSWORD)
def test_login_and_password_are_prepared(name: str) -> None:
    # RFC 4013 §3: U+00AA and "a" are the same, and a soft hyphen is nothing. CRAM-MD5 prepares no password.
    password = "pencil" if name == "CRAM-MD5" else "pen\u00adcil"
    outcome, _ = run(name, replace(CLIENT, login="bob\u00ad@example.org", password=password))
    assert isinstance(outcome, ExchangeSucceeded)


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
    ],
)
def test_rfc_4013_examples(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize("text", ["\u0007", "\u06271", "\u0627a\u0627", "\ud800", "\ue000"])
def test_saslprep_prohibits(text: str) -> None:
    with pytest.raises(ProtocolError, match="SASLprep"):
        saslprep(text)
    assert comparable(text) == text


def test_rfc_5802_section_5() -> None:
    facts = ClientFacts(login="user", password="pencil")
    client = ClientExchange(
        speak_scram(facts, hash_name="sha1", plus=False, nonce="fyko+d2lbbFgONRv9qkxdawL")
    )
    salt = b"A%\xc2G\xe4:\xb1\xe9<m\xffv"
    server = ServerExchange(
        serve_scram(SERVER, hash_name="sha1", plus=False, nonce="3rfcNHYJY1ZVvWVs7j", salt=salt),
        takes_initial=True,
    )
    first = client.begin()
    assert first == b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"
    step = server.start(first)
    assert step == Challenge(b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096")
    final = client.respond(step.data)
    assert final == b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
    step = server.respond(final)
    assert step == Challenge(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")
    assert not client.complete
    assert server.respond(client.respond(step.data)) == ExchangeSucceeded("user", "user")
    assert client.complete


def test_rfc_7677_section_3() -> None:
    facts = ClientFacts(login="user", password="pencil")
    client = ClientExchange(speak_scram(facts, hash_name="sha256", plus=False, nonce="rOprNGfwEbeRWgbNEkqO"))
    assert client.begin() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    first = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    assert client.respond(first) == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert client.respond(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") == b""
    assert client.complete


def test_rfc_2195_section_2() -> None:
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    assert cram_md5_response("tim", "tanstaaftanstaaf", challenge) == b"tim b913a602c7eda7a495b4e6e7334d3890"


def test_rfc_4616_section_4() -> None:
    users = Users(passwords={"tim": "tanstaaftanstaaf", "Kurt": "xipj3plmq"})
    facts = replace(SERVER, credentials=users)
    assert mechanism("plain").server(facts).start(b"\0tim\0tanstaaftanstaaf") == ExchangeSucceeded(
        "tim", "tim"
    )
    assert mechanism("plain").server(facts).start(b"Ursel\0Kurt\0xipj3plmq") == ExchangeFailed(NOT_AUTHORIZED)


def test_cram_md5_challenge_is_a_message_id_of_the_server_and_never_the_same() -> None:
    row, facts = mechanism("CRAM-MD5"), replace(SERVER, chance=SeededRandom(7))
    one, two = row.server(facts).start(), row.server(facts).start()
    assert isinstance(one, Challenge)
    assert one.data.startswith(b"<")
    assert one.data.endswith(b"@mx.example.org>")
    assert one != two
    assert row.server(replace(SERVER, chance=SeededRandom(7))).start() == one


def test_login_prompts_and_initial_response() -> None:
    server = mechanism("LOGIN").server(SERVER)
    assert server.start() == Challenge(b"Username:")
    assert server.respond(b"bob@example.org") == Challenge(b"Password:")
    assert isinstance(server.respond(b"pencil"), ExchangeSucceeded)
    server = mechanism("LOGIN").server(SERVER)
    assert server.start(b"bob@example.org") == Challenge(b"Password:")


MALFORMED = {
    "PLAIN": [b"", b"bob", b"\0bob@example.org", b"\0\0pencil", b"\0bob\0", b"\0a\0b\0c", b"\0bob\0\xff"],
    "LOGIN": [b"\xff"],
    "EXTERNAL": [b"\xff", b"a\0b"],
    "XOAUTH2": [
        b"",
        b"user=bob\x01auth=Bearer x",
        b"auth=Bearer x\x01\x01",
        b"user=b\x01auth=Basic x\x01\x01",
        b"user=b\x01auth=Bearer \x01\x01",
        b"user=b\x01junk\x01\x01",
        b"\xff",
    ],
    "OAUTHBEARER": [
        b"",
        b"\x01",
        b"n,,auth=Bearer x\x01\x01",
        b"p=tls-server-end-point,,\x01auth=Bearer x\x01\x01",
        b"n,a=,\x01auth=Bearer x\x01\x01",
        b"n,,\x01\x01",
    ],
    "SCRAM-SHA-256": [
        b"",
        b"n,,",
        b"n,,n=,r=abc",
        b"n,,n=user",
        b"n,,r=abc,n=user",
        b"n,,n=user,r=",
        b"n,,n=user,r=a\x7fb",
        b"n,,n=us=er,r=abc",
        b"n,,n=us=2cer,r=abc",
        b"n,,m=more,n=user,r=abc",
        b"x,,n=user,r=abc",
        b"n,bob,n=user,r=abc",
        b"n,a=b=40,n=user,r=abc",
        b"p=tls-server-end-point,,n=user,r=abc",
        b"n,,n=\xff,r=abc",
    ],
    "SCRAM-SHA-256-PLUS": [
        b"n,,n=user,r=abc",
        b"y,,n=user,r=abc",
        b"p=tls-unique,,n=user,r=abc",
        b"p=,,n=u,r=a",
    ],
}


@pytest.mark.parametrize(("name", "message"), [(n, m) for n, messages in MALFORMED.items() for m in messages])
def test_malformed_first_message(name: str, message: bytes) -> None:
    server = mechanism(name).server(SERVER)
    step = server.start(message)
    if name == "LOGIN":
        assert step == Challenge(b"Password:")
        step = server.respond(b"pencil")
    assert isinstance(step, ExchangeFailed)
    assert step.protocol_error
    assert step.text
    assert server.outcome == step


@pytest.mark.parametrize(
    ("response", "protocol_error"),
    [
        (b"", True),
        (b"bob", True),
        (b" 00", True),
        (b"\xff 00", True),
        (b"user b913a602c7eda7a495b4e6e7334d3890", False),
        ("user \N{SNOWMAN}".encode(), False),
    ],
)
def test_bad_cram_md5_responses(response: bytes, protocol_error: bool) -> None:
    server = mechanism("CRAM-MD5").server(SERVER)
    server.start()
    step = server.respond(response)
    assert isinstance(step, ExchangeFailed)
    assert step.protocol_error is protocol_error


def scram_final(change: object = None, *, name: str = "SCRAM-SHA-256", **facts: object) -> Step:
    """Play SCRAM up to the client's final message, changed on its way."""
    row = mechanism(name)
    server, client = row.server(SERVER), row.client(replace(CLIENT, **facts))  # type: ignore[arg-type]
    step = server.start(client.begin())
    assert isinstance(step, Challenge)
    final = client.respond(step.data)
    return server.respond(change(final) if callable(change) else final)


@pytest.mark.parametrize(
    "change",
    [
        lambda final: b"",
        lambda final: final.replace(b",r=", b",r=X"),
        lambda final: final.replace(b"c=", b"d="),
        lambda final: final.partition(b",p=")[0],
        lambda final: final.partition(b",p=")[0] + b",p=a",
        lambda final: final.replace(b"c=biws", b"c=b"),
        lambda final: b"\xff" + final,
    ],
)
def test_malformed_final_message(change: object) -> None:
    step = scram_final(change)
    assert isinstance(step, ExchangeFailed)
    assert step.protocol_error


def test_scram_short_proof_is_a_wrong_proof() -> None:
    assert scram_final(lambda final: final.partition(b",p=")[0] + b",p=AAAA") == ExchangeFailed(
        INVALID_CREDENTIALS
    )


def test_channel_binding_of_another_connection() -> None:
    step = scram_final(name="SCRAM-SHA-256-PLUS", channel_binding=b"man in the middle")
    assert step == ExchangeFailed("channel bindings do not match")


def test_changed_gs2_header_is_noticed() -> None:
    assert scram_final(lambda final: final.replace(b"c=biws", b"c=eSws")) == ExchangeFailed(
        "channel bindings do not match"
    )


def test_downgrade_is_noticed() -> None:
    step, _ = run(
        "SCRAM-SHA-256", replace(CLIENT, server_offers_plus=False), replace(SERVER, offers_plus=True)
    )
    assert isinstance(step, ExchangeFailed)
    assert "tampered" in step.text
    step, complete = run("SCRAM-SHA-256", replace(CLIENT, server_offers_plus=False))
    assert isinstance(step, ExchangeSucceeded)
    assert complete


def test_last_answer_of_scram_is_empty() -> None:
    row = mechanism("SCRAM-SHA-1")
    server, client = row.server(SERVER), row.client(CLIENT)
    step = server.start(client.begin())
    assert isinstance(step, Challenge)
    assert isinstance(server.respond(client.respond(step.data)), Challenge)
    step = server.respond(b"more")
    assert isinstance(step, ExchangeFailed)
    assert step.protocol_error


def test_salt_is_the_same_for_a_seed_and_differs_between_users_known_or_not() -> None:
    def salt(login: str, seed: int = 1) -> bytes:
        step = (
            mechanism("SCRAM-SHA-256")
            .server(replace(SERVER, chance=SeededRandom(seed)))
            .start(f"n,,n={login},r=x".encode())
        )
        assert isinstance(step, Challenge)
        return step.data.split(b",")[1]

    assert salt("bob@example.org") == salt("bob@example.org")
    assert len({salt("bob@example.org"), salt("gone"), salt("gone2"), salt("gone", 2)}) == 4
    assert salt("gone") == salt("gone")


def test_plus_without_tls_fails_on_both_sides() -> None:
    row = mechanism("SCRAM-SHA-1-PLUS")
    step = row.server(replace(SERVER, channel_binding=None)).start(b"p=tls-server-end-point,,n=u,r=a")
    assert isinstance(step, ExchangeFailed)
    with pytest.raises(ProtocolError, match="TLS"):
        row.client(replace(CLIENT, channel_binding=None))
    with pytest.raises(ProtocolError, match="chance"):
        row.client(replace(CLIENT, chance=None))


@pytest.mark.parametrize(
    ("first", "text"),
    [
        (b"", "malformed"),
        (b"\xff", "UTF-8"),
        (b"r=abc,s=QUJD,i=4096", "nonce"),
        (b"r=client,s=QUJD,i=4096", "nonce"),
        (b"r=clientserver,s=QUJD,i=9999999", "iterations"),
        (b"r=clientserver,s=Q,i=4096", "base64"),
        (b"r=clientserver,s=QUJD,i=0", "malformed"),
        (b"m=x,r=clientserver,s=QUJD,i=4096", "malformed"),
    ],
)
def test_client_refuses_a_bad_first_message(first: bytes, text: str) -> None:
    client = ClientExchange(speak_scram(CLIENT, hash_name="sha1", plus=False, nonce="client"))
    client.begin()
    with pytest.raises(ProtocolError, match=text):
        client.respond(first)
    assert not client.complete


@pytest.mark.parametrize("final", [b"v=AAAA", b"v=A", b"", b"x", b"\xff"])
def test_client_refuses_a_server_that_does_not_prove_itself(final: bytes) -> None:
    client = ClientExchange(speak_scram(CLIENT, hash_name="sha1", plus=False, nonce="client"))
    client.begin()
    client.respond(b"r=clientserver,s=QUJD,i=4096")
    assert not client.complete
    with pytest.raises(ProtocolError):
        client.respond(final)
    assert not client.complete


def test_client_goes_on_to_the_refusal_after_a_server_error() -> None:
    client = ClientExchange(speak_scram(CLIENT, hash_name="sha1", plus=False, nonce="client"))
    client.begin()
    client.respond(b"r=clientserver,s=QUJD,i=4096")
    assert client.respond(b"e=invalid-proof") == b""
    assert not client.complete


@pytest.mark.parametrize(("name", "dummy"), [("XOAUTH2", b""), ("OAUTHBEARER", b"\x01")])
def test_bad_token_gets_an_error_challenge_first(name: str, dummy: bytes) -> None:
    row = mechanism(name)
    server, client = row.server(SERVER), row.client(replace(CLIENT, token="bad"))
    step = server.start(client.begin())
    assert isinstance(step, Challenge)
    assert json.loads(step.data)["schemes"] == "bearer"
    answer = client.respond(step.data)
    assert answer == dummy
    assert server.respond(answer) == ExchangeFailed(INVALID_CREDENTIALS)


def test_rfc_7628_section_4_message() -> None:
    facts = ClientFacts(
        login="user@example.com",
        token="vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==",
        host="server.example.com",
        port=143,
    )
    assert mechanism("OAUTHBEARER").client(facts).begin() == (
        b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01"
        b"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
    )


def test_external_without_a_known_certificate() -> None:
    step, _ = run("EXTERNAL", server=replace(SERVER, certificate_names=("eve@example.org",)))
    assert step == ExchangeFailed(INVALID_CREDENTIALS)


def test_initial_response_where_the_server_speaks_first() -> None:
    step = mechanism("CRAM-MD5").server(SERVER).start(b"")
    assert step == ExchangeFailed("this mechanism takes no initial response", protocol_error=True)


def test_empty_initial_response_is_a_response() -> None:
    assert isinstance(mechanism("EXTERNAL").server(SERVER).start(b""), ExchangeSucceeded)
    assert mechanism("EXTERNAL").server(SERVER).start() == Challenge(b"")


def test_an_ended_exchange_says_so() -> None:
    server = mechanism("PLAIN").server(SERVER)
    server.start(b"x")
    with pytest.raises(RuntimeError, match="has ended"):
        server.respond(b"x")


def test_client_refuses_challenges_out_of_turn() -> None:
    client = mechanism("PLAIN").client(CLIENT)
    with pytest.raises(ProtocolError, match="speaks first"):
        client.respond(b"surprise")
    client.begin()
    with pytest.raises(ProtocolError, match="after the last step"):
        client.respond(b"")
    with pytest.raises(ProtocolError, match="NUL"):
        mechanism("PLAIN").client(replace(CLIENT, password="a\0b"))


def test_keys_are_kept() -> None:
    assert keys_of("sha1", "pencil", b"salt" * 4) is keys_of("sha1", "pen\u00adcil", b"salt" * 4)


def test_unknown_mechanism_names_the_nearest() -> None:
    with pytest.raises(DeclarationError, match="SCRAM-SHA-256"):
        mechanism("scram-sha256")


def test_table_tells_who_needs_tls() -> None:
    clear = {name for name, row in MECHANISMS.items() if row.secret_in_clear}
    assert clear == {"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"}
    assert {name for name, row in MECHANISMS.items() if row.needs_channel_binding} == {
        "SCRAM-SHA-1-PLUS",
        "SCRAM-SHA-256-PLUS",
    }
    assert [name for name, row in MECHANISMS.items() if row.needs_client_certificate] == ["EXTERNAL"]


@pytest.mark.parametrize("name", ALL)
def test_client_first_row_tells_the_truth(name: str) -> None:
    row = mechanism(name)
    assert (row.client(CLIENT).begin() is not None) is row.client_first
    assert (row.server(SERVER).start() == Challenge(b"")) is row.client_first


@pytest.mark.parametrize(
    ("facts", "certificate", "best"),
    [
        (CLIENT, True, "EXTERNAL"),
        (CLIENT, False, "SCRAM-SHA-256-PLUS"),
        (replace(CLIENT, channel_binding=None), False, "SCRAM-SHA-256"),
        (ClientFacts(login="x", token="t"), False, "OAUTHBEARER"),
        (ClientFacts(login="x"), False, None),
    ],
)
def test_strongest(facts: ClientFacts, certificate: bool, best: str | None) -> None:
    row = strongest([name.lower() for name in ALL], facts, has_certificate=certificate)
    assert (row.name if row else None) == best
    assert strongest([], facts) is None
