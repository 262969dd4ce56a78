"""How long a client waits for the banner and for each reply.

Run it: ``python benchmarks/latency.py``. It takes a few seconds. A server that writes a reply in
two pieces, or leaves Nagle's algorithm on, shows 40 ms here: the other side's delayed ACK.
"""

from __future__ import annotations

import socket
import time

from measure import median, print_table, verdict

from fakemail import MailNet

ROUNDS = 200
LIMIT = 40.0  # milliseconds
TURNS = {
    "EHLO": b"EHLO client.test\r\n",
    "MAIL": b"MAIL FROM:<ann@shop.test>\r\n",
    "RCPT": b"RCPT TO:<bob@example.org>\r\n",
    "DATA": b"DATA\r\n",
    "message of 100 KiB": b"Subject: News\r\n\r\n"
    + b"x" * 70
    + b"\r\n"
    + b"All work and no play.\r\n" * 4700
    + b".\r\n",
    "QUIT": b"QUIT\r\n",
}


def hear(client: socket.socket) -> int:
    """Wait for one whole reply; tell in how many pieces it came."""
    heard, pieces = b"", 0
    while not heard.endswith(b"\n") or heard.splitlines()[-1][3:4] == b"-":
        heard += client.recv(65536)
        pieces += 1
    return pieces


def main() -> None:
    """Print one table."""
    waits: dict[str, list[float]] = {"connect to banner": []} | {name: [] for name in TURNS}
    pieces = dict.fromkeys(waits, 0)
    with MailNet() as net:
        net.account("bob@example.org")
        mx = net.mx("example.org")
        for _ in range(ROUNDS):
            # No TCP_NODELAY on this side: an ordinary client has not set it either.
            began = time.perf_counter()
            with socket.create_connection((mx.host, mx.port)) as client:
                for name, octets in [("connect to banner", b""), *TURNS.items()]:
                    if octets:
                        began = time.perf_counter()
                        client.sendall(octets)
                    pieces[name] = max(pieces[name], hear(client))
                    waits[name].append((time.perf_counter() - began) * 1e3)
    print_table(
        "What a client waits for (milliseconds)",
        ["", "median", "worst", "pieces at most", "target for the worst"],
        [
            [name, f"{median(kept):.3f}", f"{max(kept):.3f}", str(pieces[name]), verdict(max(kept), LIMIT)]
            for name, kept in waits.items()
        ],
    )


if __name__ == "__main__":
    main()
