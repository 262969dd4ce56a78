"""What a delivery report says about one recipient, in whatever form it was written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecipientReport:
    """What a report says about one recipient."""

    recipient: str
    """Its final address."""
    action: str
    """``failed``, ``delayed``, ``delivered``, ``relayed`` or ``expanded``."""
    status: str
    """The enhanced status code, such as ``5.1.1``."""
    diagnostic: str = ""
    """The words of the server that said no."""
    remote: str = ""
    """That server."""
    original_recipient: str = ""
    """The address that the sender used, if the report tells."""
