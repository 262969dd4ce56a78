"""A shell script, as it is: it runs where the fake internet is the internet."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from fakemail import MailNet, Reply, Stage

SCRIPT = Path(__file__).with_name("report.sh")

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="namespaces are a thing of Linux"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="the script needs curl"),
]


def test_the_report_arrives(mailnet: MailNet) -> None:
    mailnet.account("reports@example.com", password="s3cret")
    boss = mailnet.account("boss@example.org")

    mailnet.run([SCRIPT, boss.address, "42"], env={"REPORT_PASSWORD": "s3cret"}, check=True)

    report = boss.inbox.wait_for_one()
    assert report.subject == "Report"
    assert "42 orders" in report.text


def test_the_script_tells_when_the_server_is_busy(mailnet: MailNet) -> None:
    shop = mailnet.account("reports@example.com", password="s3cret")
    shop.submission.faults.reply(Stage.SMTP_MAIL, Reply(451, "4.3.2", "too busy"))

    done = mailnet.run(
        [SCRIPT, "boss@example.org", "42"], env={"REPORT_PASSWORD": "s3cret"}, capture_output=True, text=True
    )

    assert done.returncode != 0
    assert "451" in done.stderr
