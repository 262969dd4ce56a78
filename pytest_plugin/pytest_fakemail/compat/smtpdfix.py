"""The fixture ``smtpd`` of smtpdfix."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fakemail import MailNet
    from fakemail.compat.smtpdfix import AuthController


@pytest.fixture
def smtpd(mailnet: MailNet) -> Iterator[AuthController]:
    """A mail server that keeps what it is sent, as smtpdfix has it: smtpd.messages, smtpd.config, smtpd.mailnet."""
    from fakemail.compat.smtpdfix import CERTIFICATE, SMTPDFix, default_certificate

    with pytest.MonkeyPatch.context() as patch:
        if CERTIFICATE not in os.environ:
            patch.setenv(CERTIFICATE, str(default_certificate()))
        with SMTPDFix(mailnet=mailnet) as controller:
            yield controller
