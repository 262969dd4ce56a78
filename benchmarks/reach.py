"""What it costs to bring a program's traffic here: a namespace around a command, a redirect around a connect.

Run it: ``python benchmarks/reach.py``. It takes about ten seconds, and needs Linux.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable

from measure import median, print_table, verdict

from fakemail import MailNet

COMMANDS, CONNECTS, BATCH = 40, 40, 50
LIMIT_RUN, LIMIT_CONNECT = 60.0, 20.0  # milliseconds, microseconds


def timed(action: Callable[[], object]) -> float:
    """How long it takes, in seconds."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def connect(address: tuple[str, int]) -> None:
    """Connect many sockets: those of UDP, so that nobody has to take them in meanwhile."""
    for _ in range(BATCH):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(address)


def commands(net: MailNet) -> list[tuple[str, ...]]:
    """Rows about commands."""
    first = timed(lambda: net.run(["true"])) * 1e3
    plain, inside = [], []
    for _ in range(COMMANDS):
        plain.append(timed(lambda: subprocess.run(["true"], check=True)) * 1e3)
        inside.append(timed(lambda: net.run(["true"])) * 1e3)
    added = median(inside) - median(plain)
    return [
        ("subprocess.run(['true'])", f"{median(plain):.1f} ms", ""),
        ("mailnet.run(['true']), the first", f"{first:.1f} ms", ""),
        ("mailnet.run(['true']), the next", f"{median(inside):.1f} ms", ""),
        ("  added", f"{added:.1f} ms", verdict(added, LIMIT_RUN)),
    ]


def connects(net: MailNet) -> list[tuple[str, ...]]:
    """Rows about connects."""
    host = net.domain("example.org").hosts[0]
    real = (net.mx("example.org").host, net.mx("example.org").port)
    plain, redirected, local = [], [], []
    for _ in range(CONNECTS):
        plain.append(timed(lambda: connect(real)) / BATCH * 1e6)
        with net.redirect():
            redirected.append(timed(lambda: connect((host.ipv4, 25))) / BATCH * 1e6)
            local.append(timed(lambda: connect(real)) / BATCH * 1e6)
    rows = [("connect, no redirect", f"{median(plain):.1f} us", "")]
    for name, times in (("to a fake host", redirected), ("to this machine", local)):
        added = median(times) - median(plain)
        rows.append((f"  added by a redirect, {name}", f"{added:.1f} us", verdict(added, LIMIT_CONNECT)))
    return rows


def main() -> None:
    """Print one table."""
    with MailNet() as net:
        net.account("bob@example.org")
        rows = [*commands(net), *connects(net)]
    print_table("Reach (medians)", ["", "takes", "aim"], rows)


if __name__ == "__main__":
    main()
