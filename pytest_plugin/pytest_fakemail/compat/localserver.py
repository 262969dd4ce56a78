"""The fixture ``smtpserver`` of pytest-localserver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fakemail import MailNet
    from fakemail.compat.localserver import SmtpServer


@pytest.fixture
def smtpserver(mailnet: MailNet) -> Iterator[SmtpServer]:
    """A mail server as pytest-localserver has it: smtpserver.addr, smtpserver.outbox, smtpserver.mailnet."""
    from fakemail.compat.localserver import SmtpServer

    server = SmtpServer(mailnet=mailnet)
    server.start()
    yield server
    server.stop()
