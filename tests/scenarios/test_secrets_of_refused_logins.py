"""What a client was refused to tell in secret is not recorded in clear, whatever it took for a command."""

from __future__ import annotations

import base64
import socket

import pytest

from fakemail import MailNet
from fakemail.events.secrets import MASK, SecretDetector, mask_line, mask_unknown
from fakemail.types.stage import Stage

SECRET = "S3cretSecret"
CODED = base64.b64encode(SECRET.encode()).decode()
PLAIN = base64.b64encode(f"\0bob\0{SECRET}".encode()).decode()


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        (f"AUTHPLAIN {PLAIN}", f"AUTH{MASK}"),
        (f"PASS{SECRET}", f"PASS{MASK}"),
        (f"xPASS {SECRET}", f"xPASS{MASK}"),
        (f"a1 AUTHENTICATEPLAIN {PLAIN}", f"a1 AUTHENTICATE{MASK}"),
        (f"a1 XLOGIN bob {SECRET}", f"a1 XLOGIN{MASK}"),
        (f"AUTH\tPLAIN\t{PLAIN}", f"AUTH\tPLAIN\t{MASK}"),
        ("XAUTH", "XAUTH"),
        ("BOOM now", "BOOM now"),
        ("", ""),
    ],
)
def test_a_line_that_is_no_command(line: str, masked: str) -> None:
    assert mask_unknown(line) == masked
    assert mask_unknown(masked) == masked
    for stage in (Stage.SMTP_UNKNOWN, Stage.POP3_UNKNOWN, Stage.IMAP_UNKNOWN):
        assert mask_line(stage, line) == masked


def test_suspicion_lasts_until_somebody_ends_it() -> None:
    suspicion = SecretDetector()
    assert suspicion.mask("BOOM") == "BOOM"
    assert suspicion.mask(f"PASS{SECRET}") == f"PASS{MASK}"
    assert suspicion.mask(CODED) == MASK
    assert suspicion.mask("BOOM") == MASK
    suspicion.is_awake = False
    assert suspicion.mask("BOOM") == "BOOM"


def said_to(port: str, *lines: str, in_clear: bool = True) -> tuple[str, str]:
    """Everything that a record of a session shows, and its transcript, when a client sends those lines at once."""
    with MailNet() as net:
        bob = net.account("bob@example.org", password=SECRET)
        settings = {"smtp": bob.submission, "pop3": bob.pop3, "imap": bob.imap}[port]
        settings.server.configure(auth_in_clear=in_clear)
        with socket.create_connection((settings.host, settings.port), timeout=10) as client:
            client.sendall("".join(f"{line}\r\n" for line in lines).encode())
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
        net.settle()
        transcript = net.transcript()
        return transcript + net.export() + "\n".join(map(repr, net.events())), transcript


REFUSED = {
    "smtp": [
        ["EHLO c", "AUTH LOGIN", "Ym9i", "not base64", CODED],
        ["EHLO c", "AUTH LOGIN !", "Ym9i", CODED],
        ["EHLO c", "AUTH NEVER", "Ym9i", CODED, "RSET", "BOOM"],
        ["EHLO c", f"AUTHPLAIN {PLAIN}", CODED],
        ["EHLO c", f"PASS{SECRET}"],
        [f"AUTH PLAIN {PLAIN}", CODED],
        ["EHLO c", f"\0AUTH PLAIN {PLAIN}"],
    ],
    "pop3": [
        ["AUTH LOGIN", "Ym9i", "not base64", CODED],
        ["AUTH NEVER", "Ym9i", CODED, "NOOP", "BOOM"],
        [f"AUTHPLAIN {PLAIN}", CODED],
        [f"PASS{SECRET}", f"xPASS {SECRET}", SECRET],
    ],
    "imap": [
        ["a AUTHENTICATE LOGIN", "Ym9i", "not base64", CODED, f"b {CODED}"],
        ["a AUTHENTICATE NEVER", "Ym9i", CODED, f"b {CODED}", "c NOOP", "d BOOM"],
        [f"a AUTHENTICATEPLAIN {PLAIN}", CODED],
        [f"a LOGINX bob {SECRET}", f"a XLOGIN{SECRET}", f"b {SECRET}"],
    ],
}


@pytest.mark.parametrize("in_clear", [True, False])
@pytest.mark.parametrize(
    ("port", "lines"), [(port, lines) for port, dialogues in REFUSED.items() for lines in dialogues]
)
def test_no_secret_of_a_refused_login_is_recorded(port: str, lines: list[str], in_clear: bool) -> None:
    everything, transcript = said_to(port, *lines, in_clear=in_clear)
    for secret in (SECRET, CODED, PLAIN):
        assert secret.lower() not in everything.lower()
    assert MASK in transcript
    if "BOOM" in lines[-1]:
        assert "BOOM" in transcript  # after a command that is one, nothing is hidden any more


@pytest.mark.parametrize(
    ("port", "lines"),
    [
        ("smtp", ["EHLO c", "AUTH PLAIN {}", "BOOM"]),
        ("pop3", ["AUTH PLAIN {}", "BOOM"]),
        ("imap", ["a AUTHENTICATE PLAIN {}", "b BOOM"]),
    ],
)
def test_after_a_login_nothing_is_hidden(port: str, lines: list[str]) -> None:
    login = base64.b64encode(f"\0bob@example.org\0{SECRET}".encode()).decode()
    everything, transcript = said_to(port, *[line.format(login) for line in lines])
    assert login not in everything
    assert "BOOM" in transcript
