"""Each preset has an example that runs, and each stage can fail or says why not."""

from __future__ import annotations

import re
from pathlib import Path

from fakemail import Stage
from fakemail.api.faults import AccountFaults, DnsFaults, Faults
from fakemail.faults.catalogue import rows
from fakemail.faults.presets import presets_of
from fakemail.faults.stages import WATCHED

ROOT = Path(__file__).parents[2]


def test_every_preset_has_an_example_on_a_how_to_page() -> None:
    blocks = [
        block
        for page in (ROOT / "docs" / "how-to").glob("*.md")
        for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    ]
    shown = {name for block in blocks for name in re.findall(r"\bfaults\.(\w+)\(", block)}
    presets = {name for kind in (Faults, DnsFaults, AccountFaults) for name in presets_of(kind)}
    assert {*presets, "add"} - shown == set()


def test_every_stage_can_fail_or_says_why_not() -> None:
    told = {*rows(), *WATCHED}
    assert [stage for stage in Stage if stage not in told] == []
    assert set(rows()) & set(WATCHED) == set()
