"""What the installed plugin costs a pytest run that does not use it.

Run it: ``python benchmarks/plugin.py``. It takes a few seconds.
"""

from __future__ import annotations

import subprocess
import sys

from measure import median, print_table, verdict

ROUNDS = 15
LIMIT = 2.0  # milliseconds


def import_time() -> tuple[float, list[str]]:
    """Milliseconds that importing the plugin takes after pytest, and the modules that come with it."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import pytest, _pytest.config; import pytest_fakemail"],
        check=True,
        capture_output=True,
        text=True,
    )
    lines = [line.removeprefix("import time:").split("|") for line in done.stderr.splitlines() if "|" in line]
    names = [name.rstrip() for _, _, name in lines]
    place = next(number for number, name in enumerate(names) if name.strip() == "pytest_fakemail")
    # What was imported on its behalf stands before it and further to the right.
    first = place
    while first and names[first - 1].startswith("   "):
        first -= 1
    return int(lines[place][1]) / 1e3, [name.strip() for name in names[first:place]]


def main() -> None:
    """Print one table."""
    measured = [import_time() for _ in range(ROUNDS)]
    cost, brought = median(cost for cost, _ in measured), measured[0][1]
    print_table(
        "Importing the plugin (milliseconds, median)",
        ["", "cost", "target", "modules brought along"],
        [["pytest_fakemail", f"{cost:.2f}", verdict(cost, LIMIT), ", ".join(brought) or "none"]],
    )


if __name__ == "__main__":
    main()
