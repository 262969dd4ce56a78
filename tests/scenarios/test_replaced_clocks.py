"""The first use of everything while a test has replaced the clock or the file system for its app.

Each in a process of its own, since what is loaded while something else stands in its place stays so.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

# One message over every kind of connection: TLS both ways, IMAP with dates, DKIM, DNSSEC, SPF, a client certificate.
_STORY = """
import contextlib, datetime, smtplib, sys
from unittest import mock

from fakemail import MailNet, hours


def story(net, number):
    bob = net.account("bob@example.org")
    fields = ["From: bob@example.org", "To: bob@example.org", f"Subject: Hi {number}"]
    text = "\\r\\n".join([*fields, "Date: Thu, 01 Jan 2026 12:00:00 +0100", "", "Text.", ""])
    net.domain("example.org").dkim()
    net.dns.enable_dnssec("example.org")
    net.domain("example.org").policy(spf="quarantine", dkim="quarantine", dmarc="quarantine")
    with smtplib.SMTP(bob.submission.host, bob.submission.port) as client:
        client.starttls(context=bob.submission.ssl_context)
        client.login(bob.address, bob.password)
        client.sendmail(bob.address, [bob.address], text)
    found = bob.inbox.wait_for_one(subject=f"Hi {number}")
    assert found.tls == "TLSv1.3"
    assert str(found.auth.dkim) == "pass", found.auth.dkim.sentence
    assert found.date.isoformat() == "2026-01-01T12:00:00+01:00"
    assert type(found.date) is real
    with bob.imaps.imaplib() as client:
        client.append("INBOX", None, '"01-Feb-2026 12:00:00 +0000"', b"Subject: put\\r\\n\\r\\n")
        client.select("INBOX")
        assert client.search(None, "SINCE", "1-Jan-2026")[0] == "OK"
    bob.client_certificate.file
    net.settle()
    net.clock.advance(hours(1))


real = datetime.datetime


class Fake(real):
    @classmethod
    def now(cls, tz=None):
        return real(2041, 7, 1, tzinfo=tz)


@contextlib.contextmanager
def replaced():
    {replaced}
        yield
"""

_WAYS = {
    "freezegun": "import freezegun\n    with freezegun.freeze_time('2041-07-01'):",
    "mock": "with mock.patch('datetime.datetime'):",
    "subclass": "with mock.patch('datetime.datetime', Fake):",
    "pyfakefs": "from pyfakefs.fake_filesystem_unittest import Patcher\n    with Patcher():",
}
_ORDERS = {
    "world before": """
        with MailNet() as net:
            with replaced():
                story(net, 1)
            story(net, 2)
    """,
    "world inside": """
        with replaced():
            with MailNet() as net:
                story(net, 1)
    """,
}
_AFTERWARDS = """
with MailNet() as net:
    story(net, 3)
from cryptography import x509
from fakemail.tls.authority import Authority
leaf = x509.load_der_x509_certificate(Authority().leaf("x.test").der)
assert type(leaf.not_valid_after_utc) is real
assert leaf.not_valid_after_utc.year < 2041
ours = [(name, module) for name, module in sys.modules.items()
        if name.startswith(("fakemail", "dns.", "trustme", "cryptography"))]
fakes = [f"{name}.{key}" for name, module in ours for key, value in vars(module).items()
         if value is Fake or isinstance(value, mock.Mock)]
assert not fakes, fakes
print("well")
"""


_STARTS = [
    *((way, "world inside") for way in _WAYS),
    ("freezegun", "world before"),
    *(pytest.param(way, "world before", marks=pytest.mark.slow) for way in _WAYS if way != "freezegun"),
]


@pytest.mark.parametrize(("way", "order"), _STARTS)
def test_everything_works_meanwhile_and_afterwards(way: str, order: str) -> None:
    if way == "pyfakefs":
        pytest.importorskip("pyfakefs")
    code = "import pyfakefs.fake_filesystem_unittest\n" if way == "pyfakefs" else ""
    code += _STORY.replace("{replaced}", _WAYS[way]) + textwrap.dedent(_ORDERS[order]) + _AFTERWARDS
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=55)
    assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr
