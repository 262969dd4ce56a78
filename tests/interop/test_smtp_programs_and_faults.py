"""What curl, swaks, smtplib and aiosmtplib make of faults: each sees what was promised."""

from __future__ import annotations

import asyncio
import smtplib
import subprocess

import aiosmtplib
import pytest

from fakemail import MailNet, Stage, faults

pytestmark = pytest.mark.interop

MAIL = "Subject: News\r\n\r\nHello\r\n"


@pytest.fixture
def smtp():
    with MailNet() as net:
        net.account("bob@example.org")
        yield net.mx("example.org")


def curl(program, smtp, *options):
    command = [
        program("curl"),
        *("--silent", "--show-error", "--verbose"),
        *("--url", f"smtp://{smtp.host}:{smtp.port}/client.test"),
        *("--mail-from", "ann@shop.test", "--mail-rcpt", "bob@example.org", "--upload-file", "-"),
        *options,
    ]
    return subprocess.run(command, input=MAIL, capture_output=True, text=True, timeout=60, check=False)


# The exit codes of curl: 7 cannot connect, 8 weird greeting, 28 timeout, 52 and 56 nothing received, 55 send error.
@pytest.mark.parametrize(
    ("stage", "action", "codes", "said"),
    [
        (Stage.CONNECT, faults.refuse_connections(), (7,), "refused"),
        (Stage.CONNECT, faults.hang_connections(), (28,), "timed out"),
        (Stage.SMTP_BANNER, faults.no_reply(), (28,), "timed out"),
        (Stage.SMTP_BANNER, faults.reply(554, "5.3.2", "no service"), (8, 56), "554"),
        (Stage.SMTP_RCPT, faults.reply(452, "4.2.2", "full"), (55,), "452"),
        (Stage.SMTP_RCPT, faults.reset(), (56,), "reset by peer"),
        (Stage.SMTP_MAIL, faults.drop(), (52, 55, 56), "curl:"),
        (Stage.SMTP_END, faults.drop_reply(), (52, 55, 56, 8), "curl:"),
        (Stage.SMTP_MAIL, faults.trickle(), (0,), "< 250 2.1.0 sender OK"),
        (Stage.SMTP_MAIL, faults.wrong_line_ends(), (0,), "< 250 2.1.0 sender OK"),
    ],
    ids=str,
)
def test_curl(program, smtp, stage, action, codes, said):
    smtp.faults.add(stage, action)
    done = curl(program, smtp, "--max-time", "0.4" if 28 in codes else "20")
    assert done.returncode in codes, done.stderr
    assert said in done.stderr


# The exit codes of swaks (its manual, EXIT CODES): 2 connection, 21 banner, 22 EHLO, 23 MAIL, 24 RCPT, 25 DATA, 26 end.
@pytest.mark.parametrize(
    ("stage", "code"),
    [
        (Stage.SMTP_BANNER, 21),
        (Stage.SMTP_MAIL, 23),
        (Stage.SMTP_RCPT, 24),
        (Stage.SMTP_DATA, 25),
        (Stage.SMTP_END, 26),
    ],
)
def test_swaks(program, smtp, stage, code):
    smtp.faults.reply(stage, faults.reply(451, "4.9.9", "line one\nline two").reply)
    command = [program("swaks"), "--server", smtp.host, "--port", str(smtp.port), "--from", "ann@shop.test"]
    done = subprocess.run(
        [*command, "--to", "bob@example.org"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stdout
    assert "451-4.9.9 line one" in done.stdout or stage is Stage.SMTP_BANNER
    assert "line two" in done.stdout


@pytest.mark.parametrize(
    ("stage", "action", "error"),
    [
        (Stage.SMTP_BANNER, faults.reply(421, None, "busy"), aiosmtplib.SMTPConnectResponseError),
        (Stage.SMTP_BANNER, faults.no_reply(), aiosmtplib.SMTPConnectTimeoutError),
        (Stage.SMTP_HELO, faults.no_reply(), aiosmtplib.SMTPReadTimeoutError),
        (Stage.SMTP_MAIL, faults.reply(452, "4.3.1", "full"), aiosmtplib.SMTPSenderRefused),
        (Stage.SMTP_RCPT, faults.drop(), aiosmtplib.SMTPServerDisconnected),
        (Stage.SMTP_DATA, faults.reset(), aiosmtplib.SMTPServerDisconnected),
        (Stage.SMTP_END, faults.close(), aiosmtplib.SMTPException),
        (Stage.SMTP_END, faults.garbage(), aiosmtplib.SMTPException),
    ],
    ids=str,
)
def test_aiosmtplib(smtp, stage, action, error):
    smtp.faults.add(stage, action)

    async def send():
        async with aiosmtplib.SMTP(
            hostname=smtp.host, port=smtp.port, start_tls=False, timeout=0.3
        ) as client:
            await client.sendmail("ann@shop.test", ["bob@example.org"], MAIL)

    with pytest.raises(error):
        asyncio.run(send())


@pytest.mark.parametrize(
    ("stage", "action", "error"),
    [
        (Stage.SMTP_BANNER, faults.reply(554, None, "no"), smtplib.SMTPConnectError),
        (Stage.SMTP_HELO, faults.reply(550, None, "no"), smtplib.SMTPHeloError),
        (Stage.SMTP_MAIL, faults.reply(452, "4.3.1", "full"), smtplib.SMTPSenderRefused),
        (Stage.SMTP_RCPT, faults.reply(450, "4.2.1", "later"), smtplib.SMTPRecipientsRefused),
        (Stage.SMTP_DATA, faults.reply(451, "4.3.0", "later"), smtplib.SMTPDataError),
        (Stage.SMTP_END, faults.reply(554, "5.6.0", "spam"), smtplib.SMTPDataError),
        (Stage.SMTP_END, faults.oversized_line(100_000), smtplib.SMTPResponseException),
        (Stage.SMTP_BODY, faults.drop(), smtplib.SMTPServerDisconnected),
    ],
    ids=str,
)
def test_smtplib(smtp, stage, action, error):
    smtp.faults.add(stage, action)
    with pytest.raises(error), smtplib.SMTP(smtp.host, smtp.port, timeout=2) as client:
        client.sendmail("ann@shop.test", ["bob@example.org"], MAIL)
