"""OpenDKIM checks what our domains sign, with keys that it asks the fake DNS for (RFC 6376, RFC 8463)."""

from __future__ import annotations

import subprocess

import pytest

from fakemail import MailNet, samples
from fakemail.model.dkim import CANONICALIZATIONS
from namespaces import require_namespaces

pytestmark = pytest.mark.interop


@pytest.fixture
def net():
    require_namespaces()
    with MailNet(seed=15) as mailnet:
        yield mailnet


@pytest.fixture
def verifies(net, program):
    command = program("opendkim-testmsg")

    def check(raw: bytes) -> bool:
        run = net.run(
            [command, "-C"], input=raw, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30
        )
        assert run.returncode == 0 or b"dkim_eom()" in run.stdout, run.stdout
        return run.returncode == 0

    return check


@pytest.mark.parametrize("canonicalization", CANONICALIZATIONS)
@pytest.mark.parametrize("algorithm", ["rsa-2048", "rsa-1024"])
def test_it_takes_what_is_signed(net, verifies, algorithm, canonicalization):
    net.domain("shop.test").dkim("k2", algorithm=algorithm, canonicalization=canonicalization)
    raw = net.dkim_sign(samples.html(sender="Shop <hello@shop.test>"), domain="shop.test")
    assert verifies(raw)
    assert not verifies(raw.replace(b"Subject: ", b"Subject: Re: "))


def test_it_takes_what_went_through_the_fake_internet(net, verifies):
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    with shop.submission.smtplib() as client:
        client.sendmail(shop.address, [bob.address], samples.plain(sender=shop.address, to=bob.address))
    assert verifies(bob.inbox.wait_for_one().raw)


@pytest.mark.parametrize(
    "flaw", ["dkim_key_missing", "dkim_key_revoked", "dkim_key_rotated", "dkim_key_malformed"]
)
def test_it_agrees_on_broken_keys(net, verifies, flaw):
    domain = net.domain("shop.test").add_auth_flaw(flaw)
    raw = net.dkim_sign(samples.plain(sender="hello@shop.test"), domain="shop.test")
    assert not verifies(raw)
    domain.clear_auth_flaws()
    assert verifies(raw)
