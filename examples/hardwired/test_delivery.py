"""The program is left as it is; the process in which it runs is redirected."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from delivery import deliver

from fakemail import MailNet

pytestmark = pytest.mark.mailnet(redirect=True)


def news(*to: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "news@example.com", ", ".join(to), "News"
    message.set_content("All new.")
    return message


def test_each_recipient_has_an_outcome(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")

    outcome = deliver(news(bob.address, "gone@example.org", "eve@nowhere.example"))

    assert outcome == {
        "bob@example.org": "taken by mx1.example.org",
        "gone@example.org": "refused with 550",
        "eve@nowhere.example": "no such domain",
    }
    assert bob.inbox.one().subject == "News"


def test_the_second_mail_host_is_tried(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    first, _ = mailnet.domain("example.org").set_mx("mx1", "mx2")
    first.faults.refuse_connections()

    assert deliver(news(bob.address)) == {bob.address: "taken by mx2.example.org"}
