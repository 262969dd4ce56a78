"""Faults that are written down: in a configuration, and in a fake internet that is written down itself."""

from __future__ import annotations

import smtplib

import pytest

from fakemail import DeclarationError, MailNet, Stage, faults, hours, seconds

WORLD = """
[domains."example.org"]
accounts = ["ann", "bob"]

[[faults]]
host = "mx1.example.org"
stage = "smtp.rcpt"
do = { reply = "452 4.2.2 the mailbox is full" }
to = "bob@example.org"
times = 1

[[faults]]
domain = "example.org"
stage = "smtp.quit"
do = "drop"
until = 2031-01-01T00:00:00Z
"""


def test_faults_of_a_configuration():
    with MailNet(config=WORLD) as net:
        full, lost = (
            net.faults.all() + net.mx("example.org").faults.all(),
            net.domain("example.org").faults.all(),
        )
        assert (len(full), len(lost)) == (1, 1)
        smtp = net.mx("example.org")
        with smtplib.SMTP(smtp.host, smtp.port) as client:
            client.ehlo()
            client.mail("shop@shop.test")
            assert [client.rcpt("bob@example.org")[0] for _ in range(2)] == [452, 250]
            with pytest.raises(smtplib.SMTPServerDisconnected):
                client.quit()


def test_what_is_in_force_is_written_down():
    with MailNet() as net:
        net.accounts("ann@example.org", "bob@example.org")
        mx = net.mx("example.org")
        mx.faults.greylist_first(client="app", must_fire=True)
        net.faults.delay(
            Stage.SMTP_END, seconds(2.5), since=net.clock.now(), until=net.clock.now() + hours(1)
        )
        net.domain("example.org").faults.add(
            Stage.SMTP_DATA, faults.accept_smuggled_end("\n.\n"), probability=0.5, every=2, skip=1, times=3
        )
        mx.faults.refuse_connections()
        told = [repr(fault) for where in (net, mx, net.domain("example.org")) for fault in where.faults.all()]
        text = net.to_toml()
    with MailNet(config=text) as again:
        mx = again.mx("example.org")
        found = [
            repr(fault) for where in (again, mx, again.domain("example.org")) for fault in where.faults.all()
        ]
        assert found == told
        assert again.to_toml() == text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('stage = "smtp.rcp"\ndo = "drop"', "there is no stage 'smtp.rcp'; did you mean 'smtp.rcpt'"),
        ('stage = "smtp.rcpt"', "a fault needs do"),
        ('stage = "smtp.rcpt"\ndo = "drop"\nnever = 1', "a fault has no 'never'"),
        ('stage = "smtp.rcpt"\ndo = "drop"\nhost = "mx9.example.org"', "no host 'mx9.example.org'"),
        ('stage = "smtp.quit"\ndo = "drop"\nto = "bob@example.org"', "to= cannot fit at smtp.quit"),
        ('stage = "smtp.quit"\ndo = "drop"\nmust_fire = 1', "must_fire of a fault is true or false"),
    ],
)
def test_mistakes_are_told_by_line(line, text):
    with pytest.raises(DeclarationError) as caught:
        MailNet(config=f'[domains."example.org"]\n\n[[faults]]\n{line}\n').start()
    assert text in str(caught.value)
    assert "line 3: [[faults]]" in str(caught.value)
