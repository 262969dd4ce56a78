"""The command ``sendmail`` and the mail server on localhost inside a namespace, for programs that know no other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fakemail import Stage
from fakemail.faults import drop, reply
from namespaces import require_namespaces

SENDMAIL = "/usr/sbin/sendmail"
# The system's own where there is one: an ordinary user can read it, wherever the one of this test may lie.
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable
SPOOLS = (
    "/var/spool/postfix/maildrop",
    "/var/spool/exim4/input",
    "/var/spool/mqueue",
    "/var/spool/clientmqueue",
)


@pytest.fixture(autouse=True)
def _allowed():
    require_namespaces()


@pytest.fixture(autouse=True)
def _spools_stay_as_they_are():
    """Nothing may ever get into the queues of this machine's own mail servers."""
    before = {spool: sorted(os.listdir(spool)) for spool in SPOOLS if os.path.isdir(spool)}
    yield
    assert {spool: sorted(os.listdir(spool)) for spool in before} == before


@pytest.fixture
def bob(mailnet):
    return mailnet.account("bob@example.org")


def sendmail(net, *words: str, text: str = "Subject: News\n\nAll new.\n", command: str = SENDMAIL):
    return net.run([command, *words], input=text.encode(), capture_output=True, timeout=50)


def test_recipients_on_the_command_line(mailnet, bob):
    done = sendmail(mailnet, "-i", "-f", "hello@shop.test", bob.address)
    assert (done.returncode, done.stderr) == (0, b"")
    mail = bob.inbox.wait_for_one()
    assert (mail.subject, mail.text) == ("News", "All new.\n")
    assert str(mail.envelope.sender) == "hello@shop.test"
    assert mail.headers["From"] == "hello@shop.test"
    took = mailnet.journey(subject="News").hops[0]
    assert (took.host, took.peer.name) == ("smtp.mailnet.example.net", "app")


@pytest.mark.parametrize("command", [SENDMAIL, "/usr/lib/sendmail", "sendmail"])
def test_recipients_in_the_header(mailnet, bob, command):
    ann, eve, dan = mailnet.accounts("ann@example.org", "eve@example.org", "dan@example.org")
    text = (
        f"From: Shop <hello@shop.test>\nTo: Bob <{bob.address}>,\n {ann.address}\nCc: friends: {eve.address};\n"
        f"Bcc: {dan.address}\nSubject: News\n\nAll new.\n"
    )
    assert sendmail(mailnet, "-t", "-oi", "-fhello@shop.test", text=text, command=command).returncode == 0
    for each in (bob, ann, eve, dan):
        mail = each.inbox.wait_for_one()
        assert "Bcc" not in mail.headers
        assert mail.headers["From"] == "Shop <hello@shop.test>"


def test_recipients_beyond_ascii(mailnet):
    """RFC 6532 §3.2: in a header in UTF-8, as on the command line."""
    bob, ann = mailnet.accounts("bob@bücher.example", "änn@example.org")
    text = "From: Shop <hello@käse.test>\nTo: Jürgen <bob@bücher.example>\nCc: änn@example.org\nSubject: {}\n\nHi\n"
    assert sendmail(mailnet, "-t", "-f", "hello@käse.test", text=text.format("Header")).returncode == 0
    words = ("-f", "hello@käse.test", "bob@bücher.example", "änn@example.org")
    assert sendmail(mailnet, *words, text=text.format("Words")).returncode == 0
    mailnet.settle()
    assert [mail.subject for mail in bob.inbox] == [mail.subject for mail in ann.inbox] == ["Header", "Words"]


def test_it_submits_as_the_host_of_its_namespace(mailnet, bob):
    with mailnet.namespace(host="crm.shop.test") as crm:
        assert sendmail(crm, bob.address).returncode == 0
    mail = bob.inbox.wait_for_one()
    took = mailnet.journey(subject="News").hops[0]
    assert took.peer.name == "crm.shop.test"
    assert took.peer.address == mailnet.host("crm.shop.test").ipv4
    assert str(mail.envelope.sender).endswith("@crm.shop.test")


def test_a_dot_alone(mailnet, bob):
    text = "Subject: Dots\n\none\n.\n..two\n"
    assert sendmail(mailnet, bob.address, text=text).returncode == 0
    assert bob.inbox.wait_for_one().text == "one\n"
    for option in ("-i", "-oi", "-ti", "-OIgnoreDots"):
        mailnet_text = f"To: {bob.address}\nSubject: {option}\n\none\n.\n..two\n"
        assert sendmail(mailnet, option, bob.address, text=mailnet_text).returncode == 0
        assert bob.inbox.wait_for_one(subject=option).text == "one\n.\n..two\n"


def test_a_full_name_a_null_sender_and_what_means_nothing_to_us(mailnet, bob):
    usual = [
        "-oem",
        "-odb",
        "-om",
        "-O",
        "DeliveryMode=b",
        "-B8BITMIME",
        "-Am",
        "-G",
        "-U",
        "-n",
        "-h",
        "3",
        "-bm",
    ]
    done = sendmail(
        mailnet, "-F", "Jörg Müller", "-f", "<>", *usual, "--", bob.address, text="Subject: ü\n\nä\n"
    )
    assert done.returncode == 0, done.stderr
    mail = bob.inbox.wait_for_one()
    assert not str(mail.envelope.sender).strip("<>")
    assert mail.text == "ä\n"
    assert mail.headers["From"].startswith("Jörg Müller <")


def test_delivery_notices(mailnet, bob):
    shop = mailnet.account("hello@shop.test")
    words = ["-N", "success", "-R", "hdrs", "-V", "ID-7", "-f", shop.address, bob.address]
    assert sendmail(mailnet, *words).returncode == 0
    report = shop.inbox.wait_for_one().delivery_report
    assert report.recipients[0].action == "delivered"
    assert report.envelope_id == "ID-7"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["-Z", "bob@example.org"], 64),
        (["-bt"], 64),
        (["-f"], 64),
        ([], 64),
        (["-t"], 64),
        (["-bp"], 0),
        (["-bi"], 0),
        (["-bd"], 0),
        (["-q"], 0),
        (["-q15m"], 0),
        (["-bv", "bob@example.org"], 0),
    ],
)
def test_exit_status_without_a_message(mailnet, bob, words, status):
    done = sendmail(mailnet, *words)
    assert done.returncode == status
    assert bool(done.stderr) == (status != 0)


@pytest.mark.parametrize(
    ("said", "stage", "status"),
    [
        ((550, "5.1.1", "no such user"), Stage.SMTP_RCPT, 67),
        ((550, "5.7.1", "relaying denied"), Stage.SMTP_RCPT, 69),
        ((451, "4.3.0", "later"), Stage.SMTP_RCPT, 75),
        ((421, "4.3.2", "not now"), Stage.SMTP_BANNER, 75),
        ((554, "5.3.2", "no service"), Stage.SMTP_BANNER, 69),
        ((553, "5.1.8", "who is that"), Stage.SMTP_MAIL, 67),
        ((452, "4.3.1", "no room"), Stage.SMTP_DATA, 75),
        ((554, "5.6.0", "bad content"), Stage.SMTP_END, 65),
    ],
)
def test_exit_status_of_a_refusal(mailnet, bob, said, stage, status):
    mailnet.submission.faults.add(stage=stage, do=reply(*said))
    done = sendmail(mailnet, bob.address)
    assert (done.returncode, said[2] in done.stderr.decode()) == (status, True)
    assert len(bob.inbox) == 0


@pytest.mark.parametrize("stage", [Stage.SMTP_BANNER, Stage.SMTP_HELO, Stage.SMTP_RCPT, Stage.SMTP_END])
def test_exit_status_of_a_lost_connection(mailnet, bob, stage):
    mailnet.submission.faults.add(stage=stage, do=drop())
    assert sendmail(mailnet, bob.address).returncode == 75


def test_one_recipient_of_two_is_refused(mailnet, bob):
    mailnet.submission.faults.add(stage=Stage.SMTP_RCPT, to="eve@example.org", do=reply(550, "5.1.1", "no"))
    done = sendmail(mailnet, bob.address, "eve@example.org")
    assert (done.returncode, b"<eve@example.org>" in done.stderr) == (67, True)
    assert bob.inbox.wait_for_one()


def test_no_server(mailnet, bob):
    mailnet.submission.faults.refuse_connections()
    assert sendmail(mailnet, bob.address).returncode == 75


def test_smtp_on_the_standard_streams(mailnet, bob):
    said = f"EHLO app\nMAIL FROM:<a@shop.test>\nRCPT TO:<{bob.address}>\nDATA\nSubject: By hand\n\nHi.\n.\nQUIT\n"
    done = sendmail(mailnet, "-bs", text=said.replace("\n", "\r\n"))
    assert done.stdout.startswith(b"220 smtp.mailnet.example.net")
    assert b"\r\n221 " in done.stdout
    assert bob.inbox.wait_for_one().subject == "By hand"


@pytest.mark.parametrize("port", [25, 587])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_mail_server_is_on_localhost(mailnet, bob, host, port):
    code = (
        f"import smtplib\nwith smtplib.SMTP({host!r}, {port}) as client:\n"
        f"    client.sendmail('hello@shop.test', ['{bob.address}'], 'Subject: News\\n\\nAll new.')"
    )
    mailnet.run([PYTHON, "-I", "-c", code], check=True)
    assert bob.inbox.wait_for_one().subject == "News"
    took = mailnet.journey(subject="News").hops[0]
    assert (took.peer.name, took.peer.address) == ("app", "203.0.113.250")


def test_logging_by_mail(mailnet, bob):
    code = (
        "import logging, logging.handlers\n"
        f"handler = logging.handlers.SMTPHandler('localhost', 'log@shop.test', ['{bob.address}'], 'It broke')\n"
        "log = logging.getLogger(); log.addHandler(handler); log.error('badly')"
    )
    mailnet.run([PYTHON, "-I", "-c", code], check=True)
    assert bob.inbox.wait_for_one().subject == "It broke"


@pytest.mark.interop
def test_php_mail(mailnet, bob, program):
    code = f"exit(mail('{bob.address}', 'From PHP', \"Hello.\\n\", 'From: hello@shop.test') ? 0 : 1);"
    mailnet.run([program("php"), "-n", "-r", code], check=True, timeout=50)
    mail = bob.inbox.wait_for_one()
    assert (mail.subject, mail.text) == ("From PHP", "Hello.\n\n")


@pytest.mark.interop
def test_mutt(mailnet, bob, program, tmp_path):
    command = [program("mutt"), "-n", "-F", "/dev/null", "-s", "From mutt", bob.address]
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "EMAIL": "hello@shop.test"}
    mailnet.run(command, input=b"Hello.\n", env=env, check=True, timeout=50)
    assert bob.inbox.wait_for_one().subject == "From mutt"


@pytest.mark.interop
def test_a_mail_server_of_this_machine_that_is_called_by_its_own_name(mailnet, bob, program):
    """Exim would leave a message in its spool: it finds an empty one, and the one outside stays as it is."""
    mailnet.run([program("exim4"), "-odq", "-i", bob.address], input=b"Subject: Left\n\nHere.\n", timeout=50)


def test_where_a_machine_has_no_sendmail(tmp_path, bob, mailnet, monkeypatch):
    """A directory gets an entry that it does not have; the one outside stays without."""
    place = tmp_path / "sbin"
    place.mkdir()
    (place / "other").write_text("#!/bin/sh\necho still here\n")
    (place / "other").chmod(0o755)
    tmp_path.chmod(0o755)
    monkeypatch.setattr("fakemail.intercept.namespace._SENDMAIL", (f"{place}/sendmail",))
    assert sendmail(mailnet, bob.address, command=f"{place}/sendmail").returncode == 0
    assert bob.inbox.wait_for_one()
    assert mailnet.run([f"{place}/other"], capture_output=True).stdout == b"still here\n"
    assert [each.name for each in place.iterdir()] == ["other"]


def test_the_real_one_stays_outside(mailnet):
    mailnet.run(["true"], check=True)
    if os.path.lexists(SENDMAIL):
        assert b"fakemail" not in Path(SENDMAIL).read_bytes()[:200]
    assert subprocess.run(["true"], check=False).returncode == 0
