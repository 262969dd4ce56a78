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


def test_what_is_active_is_written_down():
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
    ("lines", "rule"),
    [
        ('do = "mailbox_full"\nto = "bob@example.org"', "smtp.rcpt, recipient bob@example.org: 452 4.2.2"),
        ("do = { mailbox_full = { for_good = true } }", "smtp.rcpt: 552 5.2.2"),
        (
            'do = "greylist_first"\ntimes = 2',
            "smtp.rcpt, 2 times at most, once for each recipient: 451 4.7.1",
        ),
        ("do = { throttle_login = 5 }", "imap.login: delay 0:00:05"),
        ('do = { only_tls = ["TLSv1", "TLSv1.1"] }', "tls.handshake: only tls TLSv1 TLSv1.1"),
        ('do = { http_body = "not today" }', "http.request: http body 'not today'"),
        ('do = "no_final_dot"', "pop3.retr: no final dot"),
        (
            'do = "servfail"\nquery = "example.org"\nquery_type = "MX"',
            "dns.query, query example.org, query type MX",
        ),
        (
            'do = { rotate_records = [["1 a.example."], []] }\nquery = "example.org"\nquery_type = "MX"',
            "rotate records",
        ),
    ],
)
def test_presets_are_words_of_a_configuration(lines, rule):
    with MailNet(config=f'[domains."example.org"]\naccounts = ["bob"]\n\n[[faults]]\n{lines}\n') as net:
        [fault] = [*net.faults.all()[:1], *net.dns.faults.all()]
        assert rule in repr(fault)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('stage = "smtp.rcp"\ndo = "drop"', "there is no stage 'smtp.rcp'; did you mean 'smtp.rcpt'"),
        ('stage = "smtp.rcpt"', "a fault needs do"),
        ('do = "drop"', "a fault needs stage"),
        ('do = "mailbox_fuld"', "there is no action 'mailbox_fuld'; did you mean 'mailbox_full'"),
        ('do = "mailbox_full"\nstage = "smtp.rcpt"', "says itself at which stage it is; leave stage out"),
        ("do = { disk_full = 1 }", "the fault 'disk_full' takes nothing, not 1"),
        ("do = { mailbox_full = { for_god = true } }", "has no 'for_god'; did you mean 'for_good'?"),
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
