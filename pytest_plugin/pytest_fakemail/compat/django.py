"""The fixture ``mailoutbox``, as pytest-django has it, for mail that really is sent."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fakemail import MailNet
    from fakemail.compat.django import MailOutbox


@pytest.fixture
def mailoutbox(mailnet: MailNet) -> Iterator[MailOutbox]:
    """A list of the mails that the app has sent by SMTP; a Django project sends there."""
    from fakemail.compat.django import MailOutbox

    outbox = MailOutbox(mailnet)
    django = sys.modules.get("django.conf")
    try:
        if django is not None and django.settings.configured:
            utils = import_module("django.test.utils")
            with utils.override_settings(**outbox.settings.django_settings()):
                yield outbox
        else:
            yield outbox
    finally:
        outbox.close()
