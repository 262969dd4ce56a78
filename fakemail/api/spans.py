"""Checks of the durations that tests pass in; what is done with them does not belong here."""

from __future__ import annotations

from datetime import timedelta


def require_span(what: str, span: object) -> timedelta:
    """The duration itself; ``TypeError`` for what is none, ``ValueError`` for a negative one."""
    __tracebackhide__ = True
    if not isinstance(span, timedelta):
        raise TypeError(f"{what} is a duration such as hours(2) or minutes(5), not {span!r}.")
    if span < timedelta():
        raise ValueError(f"{what} is a duration and cannot be negative: -{-span} (h:mm:ss).")
    return span
