"""The hardest moment of SMTP: the server has taken the message, and its reply is lost (RFC 1047).

The client cannot know whether the message was taken. If it sends again, there are two; if it does not, there may be
none. So it sends again, under the same Message-ID.
"""

from __future__ import annotations

import pytest
from outbox import Outbox

from fakemail import MailNet


@pytest.mark.parametrize("how", ["drop", "reset"])
def test_an_invoice_whose_acknowledgement_is_lost_is_sent_again_and_can_be_told(
    mailnet: MailNet, how: str
) -> None:
    bob = mailnet.account("bob@example.org")
    smtp = mailnet.mx("example.org")
    fault = smtp.faults.drop_final_reply(how, times=1)
    outbox = Outbox(smtp.host, smtp.port)
    outbox.add(bob.address, 17)

    outbox.flush()
    assert fault.fired == 1
    assert len(outbox.waiting) == 1, "nobody told the shop that it arrived"
    assert len(bob.inbox) == 1, "but it did"

    outbox.flush()
    assert outbox.waiting == []
    first, second = bob.inbox
    assert first.message_id == second.message_id


def test_an_invoice_that_was_refused_for_a_moment_comes_once(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    smtp = mailnet.mx("example.org")
    smtp.faults.disk_full(times=2)
    outbox = Outbox(smtp.host, smtp.port)
    outbox.add(bob.address, 18)

    for left in (1, 1, 0):
        outbox.flush()
        assert len(outbox.waiting) == left
    assert bob.inbox.one().subject == "Invoice 18"
