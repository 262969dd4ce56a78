"""The fixture ``smtp_controller``: controllers for handlers written for aiosmtpd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fakemail import MailNet
    from fakemail.compat.aiosmtpd import Controller


@pytest.fixture
def smtp_controller(mailnet: MailNet) -> Iterator[Callable[..., Controller]]:
    """A maker of started aiosmtpd controllers: smtp_controller(handler, auth_required=True, ...)."""
    from fakemail.compat.aiosmtpd import Controller

    with ExitStack() as stack:

        def start(handler: object, *, port: int = 0, **parameters: Any) -> Controller:
            return stack.enter_context(Controller(handler, port=port, mailnet=mailnet, **parameters))

        yield start
