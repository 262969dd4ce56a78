"""What the benchmarks share: a stopwatch for wall and processor time, and tables on paper."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence


class Stopwatch:
    """Measures a ``with`` block: seconds on the wall, and of the processor for all threads of this process."""

    wall = 0.0
    cpu = 0.0

    def __enter__(self) -> Stopwatch:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu


def median(values: Iterable[float]) -> float:
    """The median: a shared machine makes means worthless."""
    return statistics.median(values)


def verdict(value: float, limit: float, *, at_least: bool = False) -> str:
    """``ok`` or ``OVER`` (``UNDER``), next to the limit."""
    if at_least:
        return f"at least {limit:g}: {'ok' if value >= limit else 'UNDER'}"
    return f"at most {limit:g}: {'ok' if value <= limit else 'OVER'}"


def print_table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns that are as wide as they need to be."""
    table = [list(head), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    print(f"\n{title}")
    for number, row in enumerate(table):
        cells = [
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  " + "  ".join(cells).rstrip())
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))
