"""How long a fake internet takes to start, and to stop.

Run it: ``python benchmarks/world.py``. It takes a few seconds.
"""

from __future__ import annotations

from measure import Stopwatch, median, print_table, verdict

from fakemail import MailNet

ROUNDS = 40


def one_world(domains: int) -> tuple[Stopwatch, Stopwatch]:
    """Start a world with that many domains, one account in each, and stop it again."""
    net = MailNet()
    with Stopwatch() as start:
        net.__enter__()
        for number in range(domains):
            net.account(f"bob@domain{number}.test")
    with Stopwatch() as stop:
        net.__exit__(None, None, None)
    return start, stop


def main() -> None:
    """Print one table: start and stop for no, one, ten and a hundred domains."""
    with Stopwatch() as first:
        one_world(1)
    rows = [
        [
            "first of the process, 1 domain",
            f"{first.wall * 1e3:.2f}",
            f"{first.cpu * 1e3:.2f}",
            "",
            "",
            "",
            "",
        ]
    ]
    for domains, rounds, start_limit, stop_limit in (
        (0, ROUNDS, None, 2),
        (1, ROUNDS, 5, 2),
        (10, ROUNDS, None, 2),
        (100, ROUNDS // 4, 60, None),
    ):
        measured = [one_world(domains) for _ in range(rounds)]
        start_wall, start_cpu = (
            median(getattr(start, kind) for start, _ in measured) * 1e3 for kind in ("wall", "cpu")
        )
        stop_wall, stop_cpu = (
            median(getattr(stop, kind) for _, stop in measured) * 1e3 for kind in ("wall", "cpu")
        )
        rows.append(
            [
                f"{domains} domain{'s' * (domains != 1)}",
                f"{start_wall:.2f}",
                f"{start_cpu:.2f}",
                verdict(start_wall, start_limit) if start_limit else "",
                f"{stop_wall:.2f}",
                f"{stop_cpu:.2f}",
                verdict(stop_wall, stop_limit) if stop_limit else "",
            ]
        )
    print_table(
        "A world, started and stopped (milliseconds, medians)",
        ["", "start", "its CPU", "target", "stop", "its CPU", "target"],
        rows,
    )


if __name__ == "__main__":
    main()
