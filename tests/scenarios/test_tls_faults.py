"""Handshakes that fail on purpose, on every protocol, as the standard library and our own hosts see them."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress

import pytest

from fakemail import Expired, MailNet, Reason, Stage, days, faults, minutes, seconds
from fakemail.api.faults import Fault
from fakemail.errors import DeclarationError
from fakemail.events.kinds import Handshake
from fakemail.faults.presets import TlsPresets
from fakemail.tls.alerts import ALERTS
from fakemail.tls.authority import process_authority
from fakemail.tls.contexts import NO_ENCRYPTION
from fakemail.tls.flaws import FLAWS, SUBTLE_FLAWS

PATIENCE = 0.2
"""Real seconds after which the test takes it that nothing comes."""


@pytest.fixture
def net(mailnet: MailNet) -> MailNet:
    mailnet.account("ann@shop.test")
    mailnet.account("bob@example.org")
    return mailnet


def shake_hands(net: MailNet, context: ssl.SSLContext | None = None, *, timeout: float = 10) -> str:
    """Shake hands, and say which version of TLS that was."""
    settings = net.account("ann@shop.test").submissions
    with (
        socket.create_connection((settings.host, settings.port), timeout) as raw,
        (context or net.ssl_context).wrap_socket(raw, server_hostname=settings.server.name) as tls,
    ):
        return tls.version() or ""


def host_faults(net: MailNet) -> TlsPresets:
    return net.account("ann@shop.test").submission.server.faults


def refused(net: MailNet) -> tuple[str, str]:
    """Who refused the last handshake, and by which alert."""
    net.wait_for(Stage.DISCONNECT)
    last = [event for event in net.events(Stage.TLS_HANDSHAKE) if isinstance(event, Handshake)][-1]
    return last.refused_by, last.alert


@pytest.mark.parametrize("flaw", FLAWS)
def test_certificates(net, flaw):
    fault = host_faults(net).present_certificate(flaw, times=1)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(net, process_authority().careful_context())
    assert (fault.fired, refused(net)[0]) == (1, "client")
    assert shake_hands(net, process_authority().careful_context()) == "TLSv1.3"


def test_every_certificate_has_a_plain_name(net):
    named = {
        "expired": host_faults(net).expired_certificate,
        "not_yet_valid": host_faults(net).not_yet_valid_certificate,
        "wrong_name": host_faults(net).wrong_name_certificate,
        "unknown_authority": host_faults(net).unknown_authority,
        "self_signed": host_faults(net).self_signed_certificate,
        "missing_intermediate": host_faults(net).missing_intermediate,
        "revoked": host_faults(net).revoked_certificate,
        "weak_key": host_faults(net).weak_key,
    }
    for flaw, preset in named.items():
        with preset() as fault:
            assert flaw in repr(fault)
            with pytest.raises(ssl.SSLCertVerificationError):
                shake_hands(net, process_authority().careful_context())


def test_a_certificate_for_those_who_ask_for_a_name(net):
    name = net.account("ann@shop.test").submission.server.name
    host_faults(net).expired_certificate(argument="other.shop.test", must_fire=False)
    assert shake_hands(net)
    host_faults(net).expired_certificate(argument=name)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(net)


# Python's own alerts that end no handshake: OpenSSL reads on after them.
WARNINGS = {"close_notify", "user_canceled", "no_renegotiation"}


@pytest.mark.parametrize("alert", sorted(set(ALERTS.values())))
def test_alerts(net, alert):
    fault = host_faults(net).tls_alert(alert)
    with pytest.raises((ssl.SSLError, ConnectionError)) as caught:
        shake_hands(net)
    assert fault.fired == 1
    assert refused(net) == ("server", alert)
    if alert not in WARNINGS:
        said = caught.value.reason or str(caught.value)
        assert "alert" in said.lower() or alert.split("_")[0] in said.lower()


ENDS: dict[str, tuple[Callable[[TlsPresets], Fault], type[Exception] | tuple[type[Exception], ...]]] = {
    "reset": (lambda faults: faults.reset_handshake(), ConnectionResetError),
    "close": (lambda faults: faults.drop_handshake(), (ssl.SSLEOFError, ssl.SSLZeroReturnError)),
    "hang": (lambda faults: faults.hang_handshake(), TimeoutError),
    "half and reset": (lambda faults: faults.partial_handshake(), ConnectionResetError),
    "half and close": (lambda faults: faults.partial_handshake(then="drop"), ssl.SSLEOFError),
    "half and hang": (lambda faults: faults.partial_handshake(then="hang"), TimeoutError),
    "garbage": (lambda faults: faults.garbage_handshake(), ssl.SSLError),
    "no TLS": (lambda faults: faults.garbage_handshake(b"500 What?\r\n"), ssl.SSLError),
}


@pytest.mark.parametrize("name", ENDS)
def test_ends_in_mid_handshake(net, name):
    make, error = ENDS[name]
    fault = make(host_faults(net))
    with pytest.raises(error):
        shake_hands(net, timeout=PATIENCE if error is TimeoutError else 10)
    assert fault.fired == 1
    fault.remove()
    assert shake_hands(net)


def test_slow_handshakes_are_handshakes(net):
    for action in (faults.trickle(seconds(0)), faults.delay(seconds(0))):
        with net.account("ann@shop.test").submission.server.faults.add(Stage.TLS_HANDSHAKE, action):
            assert shake_hands(net) == "TLSv1.3"


def lax(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = process_authority().client_context()
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    if version is not None:
        context.minimum_version = version
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions(net):
    with host_faults(net).old_tls(), pytest.raises(ssl.SSLError, match=r"(?i)protocol version"):
        shake_hands(net)
    with host_faults(net).old_tls():
        assert shake_hands(net, lax(ssl.TLSVersion.TLSv1)) == "TLSv1.1"
    with host_faults(net).only_tls("TLSv1"):
        assert shake_hands(net, lax(ssl.TLSVersion.TLSv1)) == "TLSv1"
    for version in ("TLSv1.2", "TLSv1.3"):
        with host_faults(net).only_tls(version):
            assert shake_hands(net) == version
    context = net.ssl_context
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with host_faults(net).only_tls("TLSv1.3"), pytest.raises(ssl.SSLError, match=r"(?i)protocol version"):
        shake_hands(net, context)


@pytest.mark.parametrize("cipher", [NO_ENCRYPTION, "ECDHE-ECDSA-AES128-SHA", "AES128-SHA"])
def test_weak_ciphers(net, cipher):
    host_faults(net).only_ciphers(cipher)
    with pytest.raises(ssl.SSLError, match=r"(?i)handshake failure"):
        shake_hands(net, None if cipher == NO_ENCRYPTION else strict())
    assert shake_hands(net, lax()) == "TLSv1.2"
    assert net.events(Stage.TLS_HANDSHAKE)[-1].cipher == cipher


def strict() -> ssl.SSLContext:
    context = process_authority().client_context()
    context.set_ciphers("ECDHE+AESGCM")
    return context


# Every protocol --------------------------------------------------------------------------------------


def over_smtp(net: MailNet, timeout: float = 10) -> None:
    smtp = net.account("ann@shop.test").submission
    with smtplib.SMTP(smtp.host, smtp.port, timeout=timeout) as client:
        client.starttls(context=smtp.ssl_context)


def over_imap(net: MailNet, timeout: float = 10) -> None:
    imap = net.account("ann@shop.test").imap
    client = imaplib.IMAP4(imap.host, imap.port, timeout=timeout)
    try:
        client.starttls(ssl_context=imap.ssl_context)
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            client.shutdown()


def over_imaps(net: MailNet, timeout: float = 10) -> None:
    imap = net.account("ann@shop.test").imaps
    imaplib.IMAP4_SSL(imap.host, imap.port, ssl_context=imap.ssl_context, timeout=timeout).shutdown()


def over_pop3(net: MailNet, timeout: float = 10) -> None:
    pop3 = net.account("ann@shop.test").pop3
    client = poplib.POP3(pop3.host, pop3.port, timeout=timeout)
    try:
        client.stls(context=pop3.ssl_context)
    finally:
        with suppress(OSError):  # poplib keeps the socket that it has wrapped
            client.close()


def over_pop3s(net: MailNet, timeout: float = 10) -> None:
    pop3 = net.account("ann@shop.test").pop3s
    poplib.POP3_SSL(pop3.host, pop3.port, context=pop3.ssl_context, timeout=timeout).close()


def over_https(net: MailNet, timeout: float = 10) -> None:
    net.domain("shop.test").mta_sts("testing")
    settings = net.find_host("mta-sts.shop.test").settings("https")
    url = f"https://{settings.host}:{settings.port}/.well-known/mta-sts.txt"
    try:
        urllib.request.urlopen(url, context=net.ssl_context, timeout=timeout).close()
    except urllib.error.URLError as error:
        raise error.reason from None


PROTOCOLS = {
    "smtp": over_smtp,
    "imap": over_imap,
    "imaps": over_imaps,
    "pop3": over_pop3,
    "pop3s": over_pop3s,
    "https": over_https,
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("preset", "error"),
    [
        ("expired_certificate", ssl.SSLCertVerificationError),
        ("tls_alert", ssl.SSLError),
        ("reset_handshake", ConnectionResetError),
        ("hang_handshake", TimeoutError),
        ("partial_handshake", ConnectionResetError),
    ],
)
def test_every_protocol(net, protocol, preset, error):
    connect = PROTOCOLS[protocol]
    connect(net)
    with getattr(net.faults, preset)(client="app"), pytest.raises(error):
        connect(net, PATIENCE if error is TimeoutError else 10)
    connect(net)


# Our own hosts ---------------------------------------------------------------------------------------


def send(net: MailNet) -> None:
    with net.account("ann@shop.test").submission.smtplib() as client:
        client.sendmail("ann@shop.test", ["bob@example.org"], "Subject: Hi\r\n\r\nHello.\r\n")
    net.settle()


FAILING = {
    "alert": lambda faults: faults.tls_alert(),
    "reset": lambda faults: faults.reset_handshake(),
    "close": lambda faults: faults.drop_handshake(),
    "half": lambda faults: faults.partial_handshake(),
    "garbage": lambda faults: faults.garbage_handshake(),
    "old versions": lambda faults: faults.old_tls(),
    "weak cipher": lambda faults: faults.weak_cipher(),
}


@pytest.mark.parametrize("name", FAILING)
def test_opportunistic_tls_falls_back_to_clear_text(net, name):
    fault = FAILING[name](net.mx("example.org").server.faults)
    send(net)
    assert fault.fired == 1
    assert net.account("bob@example.org").inbox.one().tls == ""


@pytest.mark.parametrize("name", FAILING)
def test_required_tls_waits_and_gives_up_in_the_end(net, name):
    net.account("ann@shop.test").submission.server.configure(sending_tls="required")
    fault = FAILING[name](net.mx("example.org").server.faults)
    send(net)
    assert net.queue.one().reason is Reason.TLS_FAILED
    fault.remove()
    net.clock.advance(minutes(5))
    assert net.account("bob@example.org").inbox.one().tls == "TLSv1.3"


def test_a_handshake_that_never_works_bounces_after_five_days(net):
    net.account("ann@shop.test").submission.server.configure(sending_tls="required")
    net.mx("example.org").server.faults.reset_handshake()
    send(net)
    net.clock.advance(days(5))
    assert net.journey(subject="Hi").fate == Expired(None, Reason.TLS_FAILED)
    report = net.account("ann@shop.test").inbox[-1].delivery_report
    assert (report.action, report.recipient) == ("failed", "bob@example.org")


def test_a_handshake_that_hangs_is_waited_for_by_the_fake_clock(net):  # RFC 5321 §4.5.3.2
    net.account("ann@shop.test").submission.server.configure(sending_tls="required")
    net.mx("example.org").server.faults.hang_handshake(times=1)
    send(net)
    assert net.queue.one().reason is None
    net.clock.advance(minutes(5))
    assert net.queue.one().reason is Reason.TLS_FAILED
    net.clock.advance(minutes(5))
    assert len(net.account("bob@example.org").inbox) == 1


def test_verified_tls_refuses_a_flaw_that_strikes_once(net):
    net.account("ann@shop.test").submission.server.configure(sending_tls="verified")
    net.mx("example.org").server.faults.revoked_certificate(times=1)
    send(net)
    assert net.queue.one().reason is Reason.CERTIFICATE_REFUSED
    net.clock.advance(minutes(5))
    assert len(net.account("bob@example.org").inbox) == 1


def test_subtle_flaws_are_subtle(net):
    for flaw in SUBTLE_FLAWS:
        with host_faults(net).present_certificate(flaw):
            assert shake_hands(net)


def test_wrong_declarations(net):
    with pytest.raises(DeclarationError, match="did you mean 'expired'"):
        host_faults(net).present_certificate("expird")
    with pytest.raises(DeclarationError, match="did you mean 'unknown_ca'"):
        host_faults(net).tls_alert("unknown_cas")
    with pytest.raises(DeclarationError, match="did you mean"):
        host_faults(net).only_tls("TLSv1.4")
    with pytest.raises(DeclarationError, match="neighbours"):
        host_faults(net).only_tls("TLSv1", "TLSv1.3")
    with pytest.raises(DeclarationError, match="neighbours"):
        host_faults(net).only_tls()
    with pytest.raises(DeclarationError, match="no cipher 'ROT13'"):
        host_faults(net).only_ciphers("ROT13")
    with pytest.raises(DeclarationError, match=r"to= cannot fit at tls\.handshake"):
        host_faults(net).tls_alert(to="bob@example.org")
