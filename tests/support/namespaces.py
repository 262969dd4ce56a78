"""Whether this machine lets tests make network namespaces, or listen on low ports: else skipped, but not in CI."""

from __future__ import annotations

import os
from functools import cache

import pytest

from fakemail import DeclarationError, MailNet, NamespaceUnavailable


@cache
def refusal() -> str:
    """Why not; empty if it does."""
    try:
        with MailNet() as net:
            net.namespace().close()
    except NamespaceUnavailable as error:
        return str(error)
    return ""


@cache
def refusal_of_low_ports() -> str:
    """Why not; empty if it does."""
    try:
        MailNet(real_ports=True).start().close()
    except DeclarationError as error:
        return str(error)
    return ""


def require_namespaces() -> None:
    _require(refusal())


def require_low_ports() -> None:
    _require(refusal_of_low_ports())


def _require(refusal: str) -> None:
    if refusal:
        if os.environ.get("CI"):
            pytest.fail(f"continuous integration has to allow this: {refusal}")
        pytest.skip(refusal)


def runs(pid: int) -> bool:
    """Whether a process is there, and has not just ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
