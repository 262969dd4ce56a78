"""Lengths of time, written as people say them."""

from __future__ import annotations

from datetime import timedelta


def seconds(number: float) -> timedelta:
    """That many seconds."""
    return timedelta(seconds=number)


def minutes(number: float) -> timedelta:
    """That many minutes."""
    return timedelta(minutes=number)


def hours(number: float) -> timedelta:
    """That many hours."""
    return timedelta(hours=number)


def days(number: float) -> timedelta:
    """That many days."""
    return timedelta(days=number)
