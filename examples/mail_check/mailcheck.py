"""A program that lets its user choose the server, and nothing else: ports are what they are."""

from __future__ import annotations

import poplib
import ssl


def unread(server: str, user: str, password: str) -> int:
    """How many messages wait at a server."""
    client = poplib.POP3_SSL(server, context=ssl.create_default_context(), timeout=10)
    try:
        client.user(user)
        client.pass_(password)
        return client.stat()[0]
    finally:
        client.quit()
