"""A test that freezes or moves the clock of its app moves nothing of ours."""

from __future__ import annotations

from datetime import UTC, datetime

import freezegun
import pytest
import time_machine

from fakemail import MailAssertionError, MailNet, minutes
from fakemail.clock import RealClock, machine_time
from fakemail.tls.authority import Authority

FAR = datetime(2041, 7, 1, tzinfo=UTC)


@pytest.fixture(params=["freezegun", "time-machine", "time-machine standing"])
def far_away(request):
    """The app lives in 2041."""
    if request.param == "freezegun":
        with freezegun.freeze_time(FAR):
            yield
    else:
        with time_machine.travel(FAR, tick=request.param == "time-machine"):
            yield


def test_mail_travels_and_certificates_hold(far_away):
    assert datetime.now(UTC).year == 2041
    with MailNet() as net:
        shop, bob = net.accounts("hello@shop.test", "bob@example.org")
        start = net.clock.now()
        assert start.year < 2041
        with shop.submission.smtplib() as client:
            client.sendmail(shop.address, [bob.address], b"Subject: Hi\r\n\r\n")
        assert bob.inbox.wait_for_one().received_at == start
        net.clock.advance(minutes(5))
        assert net.clock.now() - start == minutes(5)


def test_a_wait_ends_when_real_time_is_up(far_away):
    with MailNet() as net, pytest.raises(MailAssertionError, match=r"within 0\.02 s"):
        net.account("bob@example.org").inbox.wait_for_one(timeout=0.02)


def test_a_certificate_made_meanwhile_is_good_now(far_away):
    from cryptography import x509

    leaf = x509.load_der_x509_certificate(Authority().leaf("x.test").der)
    assert leaf.not_valid_before_utc < machine_time() < leaf.not_valid_after_utc
    assert machine_time().year < 2041


def test_the_real_clock_stays_real(far_away):
    clock = RealClock()
    before = clock.now()
    clock.move(minutes(3))
    assert minutes(3) <= clock.now() - before < minutes(4)
