"""What curl makes of faults: its exit code says what it has seen."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from fakemail import Account, MailNet, Settings, Stage, faults, samples
from fakemail.api.faults import Faults
from fakemail.faults.presets import MailboxPresets, TlsPresets

pytestmark = pytest.mark.interop

# https://curl.se/libcurl/c/libcurl-errors.html
PARTIAL_FILE, SSL_CONNECT, RECV, BAD_CERTIFICATE, NO_SSL, LOGIN_DENIED, WEIRD = 18, 35, 56, 60, 64, 67, 8


@pytest.fixture
def net():
    with MailNet() as mailnet:
        yield mailnet


@pytest.fixture
def bob(net) -> Account:
    bob = net.account("bob@example.org", password="s3cret")
    bob.inbox.put(samples.plain(text="A line of text.\n" * 500))
    return bob


def curl(program: Callable[[str], str], settings: Settings, path: str) -> int:
    command = [
        program("curl"),
        *("--silent", "--ssl-reqd", "--max-time", "20", "--output", "/dev/null"),
        *("--cacert", settings.ca_file, "--user", f"{settings.username}:{settings.password}"),
        f"{settings.url.partition('://')[0]}://{settings.host}:{settings.port}/{path}",
    ]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode


TLS: dict[str, tuple[Callable[[TlsPresets], object], set[int]]] = {
    "expired": (lambda faults: faults.expired_certificate(), {BAD_CERTIFICATE}),
    "unknown": (lambda faults: faults.unknown_authority(), {BAD_CERTIFICATE}),
    "alert": (lambda faults: faults.tls_alert(), {SSL_CONNECT}),
    "reset": (lambda faults: faults.reset_handshake(), {SSL_CONNECT}),
    "garbage": (lambda faults: faults.garbage_handshake(), {SSL_CONNECT}),
    "cipher": (lambda faults: faults.weak_cipher(), {SSL_CONNECT}),
}


@pytest.mark.parametrize("service", ["imap", "imaps", "pop3", "pop3s"])
@pytest.mark.parametrize("name", TLS)
def test_handshakes(bob, program, service, name):
    make, codes = TLS[name]
    settings = getattr(bob, service)
    path = "INBOX;MAILINDEX=1" if service.startswith("imap") else "1"
    assert curl(program, settings, path) == 0
    make(settings.faults)
    assert curl(program, settings, path) in codes


IMAP: dict[str, tuple[Callable[[MailboxPresets], object], set[int]]] = {
    "login": (lambda faults: faults.reject_login("UNAVAILABLE"), {LOGIN_DENIED}),
    "banner": (lambda faults: faults.refuse(Stage.IMAP_BANNER, "UNAVAILABLE"), {WEIRD}),
    "fetch": (lambda faults: faults.refuse(Stage.IMAP_FETCH), {78, WEIRD}),
    "literal": (lambda faults: faults.truncate_literal(), {PARTIAL_FILE, RECV}),
    "starttls": (lambda faults: faults.refuse(Stage.IMAP_STARTTLS), {NO_SSL}),
}


@pytest.mark.parametrize("name", IMAP)
def test_imap(bob, program, name):
    make, codes = IMAP[name]
    make(bob.imap.faults)
    assert curl(program, bob.imap, "INBOX;MAILINDEX=1") in codes


POP3: dict[str, tuple[Callable[[Faults], object], set[int]]] = {
    "locked": (lambda faults: faults.lock_maildrop(), {LOGIN_DENIED}),
    # Of a message that ends with its connection curl says nothing, so it takes the half for the whole.
    "half": (lambda faults: faults.partial_retr(), {0, PARTIAL_FILE, RECV}),
    "reset": (lambda faults: faults.partial_retr(then="reset"), {RECV}),
    "stls": (lambda faults: faults.refuse(Stage.POP3_STLS), {NO_SSL}),
    "hidden": (lambda faults: _hide_stls(faults), {NO_SSL}),
}


def _hide_stls(presets: Faults) -> object:
    return presets.add(Stage.POP3_CAPA, faults.hide("STLS"))


@pytest.mark.parametrize("name", POP3)
def test_pop3(bob, program, name):
    make, codes = POP3[name]
    make(bob.pop3.faults)
    assert curl(program, bob.pop3, "1") in codes
