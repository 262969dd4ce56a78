"""Every SASL mechanism over SMTP, with real clients: smtplib, and scramp for SCRAM."""

from __future__ import annotations

import base64
import smtplib

import pytest
from scramp import ScramClient

from fakemail import MailNet, Reason, Stage
from fakemail.tls.leaf import tls_server_end_point


@pytest.fixture
def net():
    with MailNet() as mailnet:
        yield mailnet


@pytest.fixture
def shop(net):
    account = net.account("hello@shop.test", password="pä$$ wörd")
    account.submission.server.configure(auth_mechanisms="all")
    return account


def connect(settings, context=None):
    client = smtplib.SMTP(settings.host, settings.port, timeout=10)
    client.starttls(context=context or settings.ssl_context)
    client.ehlo()
    return client


def send_mail(client, account):
    assert client.sendmail(account.address, ["bob@example.org"], b"Subject: x\r\n\r\n") == {}


def test_what_providers_offer_is_offered_by_default(net):
    account = net.account("hello@example.org", password="secret")
    with connect(account.submission) as client:
        assert client.esmtp_features["auth"].split() == ["OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN"]
        client.login(account.address, account.password)
    assert "AUTH PLAIN" in net.transcript()


def test_the_strongest_mechanism_comes_first(shop):
    with connect(shop.submission) as client:
        assert client.esmtp_features["auth"].split() == [
            "SCRAM-SHA-256-PLUS",
            "SCRAM-SHA-1-PLUS",
            "SCRAM-SHA-256",
            "SCRAM-SHA-1",
            "CRAM-MD5",
            "OAUTHBEARER",
            "XOAUTH2",
            "PLAIN",
            "LOGIN",
        ]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_passwords_with_smtplib(net, mechanism):
    shop = net.account("hello@shop.test", password="p$ss w0rd")  # smtplib sends ASCII only
    shop.submission.server.configure(auth_mechanisms="all")
    with connect(shop.submission) as client:
        client.user, client.password = shop.address, shop.password
        method = getattr(client, f"auth_{mechanism.lower().replace('-', '_')}")
        assert client.auth(mechanism, method)[0] == 235
        send_mail(client, shop)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_a_wrong_password_is_refused_and_says_nothing_about_the_user(net, shop, mechanism):
    replies = set()
    for login in (shop.address, "nobody@shop.test"):
        with connect(shop.submission) as client:
            client.user, client.password = login, "wrong"
            method = getattr(client, f"auth_{mechanism.lower().replace('-', '_')}")
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                client.auth(mechanism, method)
            replies.add(refused.value.args)
    assert replies == {(535, b"5.7.8 authentication credentials invalid")}
    assert [event.reason for event in net.events(Stage.SMTP_AUTH) if event.reply.code == 535] == [
        Reason.AUTH_FAILED,
        Reason.AUTH_FAILED,
    ]


@pytest.mark.parametrize(
    "mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"]
)
def test_scram_with_scramp(shop, mechanism):
    with connect(shop.submission) as client:
        end_point = tls_server_end_point(client.sock.getpeercert(binary_form=True))
        binding = ("tls-server-end-point", end_point) if "PLUS" in mechanism else None
        scram = ScramClient([mechanism], shop.address, shop.password, channel_binding=binding)
        code, challenge = client.docmd("AUTH", f"{mechanism} {b64(scram.get_client_first())}")
        assert code == 334
        scram.set_server_first(base64.b64decode(challenge).decode())
        code, final = client.docmd(b64(scram.get_client_final()))
        assert code == 334
        scram.set_server_final(base64.b64decode(final).decode())  # raises if the server is an impostor
        assert client.docmd("")[0] == 235
        send_mail(client, shop)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [
        ("XOAUTH2", "user={login}\x01auth=Bearer {token}\x01\x01"),
        ("OAUTHBEARER", "n,a={login},\x01host=smtp.shop.test\x01port=587\x01auth=Bearer {token}\x01\x01"),
    ],
)
def test_bearer_tokens(shop, mechanism, response):
    with connect(shop.submission) as client:
        good = response.format(login=shop.address, token=shop.token)
        assert client.auth(mechanism, lambda challenge=None: good)[0] == 235
        send_mail(client, shop)
    with connect(shop.submission) as client:
        bad = response.format(login=shop.address, token="stolen")
        code, challenge = client.docmd("AUTH", f"{mechanism} {b64(bad)}")
        assert code == 334
        assert b'"status"' in base64.b64decode(challenge)  # RFC 7628 §3.2.2
        assert client.docmd(b64("\x01"))[0] == 535


def test_external_with_a_client_certificate(net, shop):
    with connect(shop.submission, shop.ssl_context) as client:
        assert "EXTERNAL" in client.esmtp_features["auth"].split()
        assert client.docmd("AUTH", "EXTERNAL =")[0] == 235
        send_mail(client, shop)
    handshake = net.events(Stage.TLS_HANDSHAKE)[0]
    assert handshake.client_certificate == shop.address
    with connect(shop.submission) as client:
        assert (
            client.docmd("AUTH", "EXTERNAL =")[0] == 504
        )  # nobody showed a certificate, so it is not offered


def test_auth_before_tls_is_refused_by_default(net, shop):
    settings = shop.submission
    with smtplib.SMTP(settings.host, settings.port, timeout=10) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert client.docmd("AUTH", "PLAIN AGFAYgBj")[0] == 538
    settings.server.configure(auth_in_clear=True)
    with smtplib.SMTP(settings.host, settings.port, timeout=10) as client:
        client.ehlo()
        client.user, client.password = shop.address, shop.password
        assert client.has_extn("auth")


def test_implicit_tls_offers_auth_at_once(shop):
    with smtplib.SMTP_SSL(
        shop.submissions.host, shop.submissions.port, context=shop.submissions.ssl_context, timeout=10
    ) as client:
        client.ehlo()
        assert client.has_extn("auth")
        assert not client.has_extn("starttls")


def test_no_secret_reaches_the_record(net):
    shop = net.account("hello@shop.test", password="verysecret")
    shop.submission.server.configure(auth_mechanisms="all")
    for mechanism in ("plain", "login", "cram_md5"):
        with connect(shop.submission) as client:
            client.user, client.password = shop.address, shop.password
            client.auth(mechanism.upper().replace("_", "-"), getattr(client, f"auth_{mechanism}"))
    everything = (
        net.transcript() + net.export() + repr(list(net.events())) + repr(shop) + repr(shop.submission)
    )
    for secret in (
        "verysecret",
        base64.b64encode(b"verysecret").decode(),
        b64(f"\0{shop.address}\0verysecret"),
    ):
        assert secret not in everything


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_a_host_can_let_everybody_in(net, shop, mechanism):
    shop.submission.server.configure(accept_any_login=True)
    with connect(shop.submission) as client:
        assert client.esmtp_features["auth"].split() == ["CRAM-MD5", "PLAIN", "LOGIN"]
        client.user, client.password = "whoever", "whatever"
        method = getattr(client, f"auth_{mechanism.lower().replace('-', '_')}")
        assert client.auth(mechanism, method)[0] == 235
        assert client.sendmail("anyone@x.example", ["bob@example.org"], b"Subject: x\r\n\r\n") == {}
