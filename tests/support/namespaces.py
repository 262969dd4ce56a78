"""Whether this machine lets tests make network namespaces: skipped with the reason, but required in CI."""

from __future__ import annotations

import os
from functools import cache

import pytest

from fakemail import MailNet, NoNamespace


@cache
def refusal() -> str:
    """Why not; empty if it does."""
    try:
        with MailNet() as net:
            net.namespace().close()
    except NoNamespace as error:
        return str(error)
    return ""


def require_namespaces() -> None:
    if refusal():
        if os.environ.get("CI"):
            pytest.fail(f"continuous integration has to allow namespaces: {refusal()}")
        pytest.skip(refusal())
