"""Durations: ``seconds(5)``, ``minutes(10)``, ``hours(2)``, ``days(1)``."""

from __future__ import annotations

from datetime import timedelta


def seconds(number: float) -> timedelta:
    """Duration of so many seconds."""
    return timedelta(seconds=number)


def minutes(number: float) -> timedelta:
    """Duration of so many minutes."""
    return timedelta(minutes=number)


def hours(number: float) -> timedelta:
    """Duration of so many hours."""
    return timedelta(hours=number)


def days(number: float) -> timedelta:
    """Duration of so many days."""
    return timedelta(days=number)


def require_span(what: str, span: object) -> timedelta:
    """The duration itself; ``TypeError`` for what is none, ``ValueError`` for a negative one."""
    __tracebackhide__ = True
    if not isinstance(span, timedelta):
        raise TypeError(f"{what} is a duration such as hours(2) or minutes(5), not {span!r}.")
    if span < timedelta():
        raise ValueError(f"{what} is a duration and cannot be negative: -{-span} (h:mm:ss).")
    return span
