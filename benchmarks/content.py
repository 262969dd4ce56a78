"""What the checks of content cost: all of them, for messages of several kinds.

Run it: ``python benchmarks/content.py``. It takes some seconds. Measured without sockets, in a warm process.
"""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime

from measure import Stopwatch, median, print_table, verdict

from fakemail.dns.lookup import failure
from fakemail.message import samples
from fakemail.model.content_rules import ContentRules
from fakemail.policy.content.checks import find, score
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.types.peer import Peer

BUDGET = 5.0  # milliseconds of processor time for a message of 10 KiB
ROUNDS = 100
TEXT = "".join(f"Line {number} says nothing in particular, to nobody at all.\n" for number in range(180))


def archive() -> bytes:
    """A zip archive with ten files."""
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w", zipfile.ZIP_DEFLATED) as packed:
        for number in range(10):
            packed.writestr(f"{number}.txt", TEXT)
    return octets.getvalue()


MESSAGES = {
    "text": samples.plain(text=TEXT),
    "text and HTML": samples.html(html=f"<p>{TEXT}</p>", text=TEXT),
    "an archive of ten files": samples.with_attachment(filename="a.zip", content=archive()),
    "a large text": samples.large(),
}


def cost(raw: bytes, rounds: int) -> float:
    """Milliseconds of processor time for all checks and the score."""
    times = []
    for _ in range(rounds):
        with Stopwatch() as watch:
            facts = TransactionFacts(
                "mx1.example.org",
                Peer("192.0.2.9", 0, "app"),
                datetime(2024, 5, 17, tzinfo=UTC),
                lambda name, type: failure("NXDOMAIN"),
                content=raw,
            )
            score(find(facts, ContentRules()))
        times.append(watch.cpu * 1000)
    return median(times)


def main() -> None:
    """Print all figures."""
    costs = {name: cost(raw, ROUNDS if len(raw) < 100_000 else 10) for name, raw in MESSAGES.items()}
    print_table(
        "Processor time of all checks of content and the score",
        ("message", "octets", "ms"),
        [(name, f"{len(MESSAGES[name])}", f"{spent:.2f}") for name, spent in costs.items()],
    )
    print(f"  text, {verdict(costs['text'], BUDGET)}")


if __name__ == "__main__":
    main()
