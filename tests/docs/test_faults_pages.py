"""Each fault with a plain name has an example that runs, and each stage is tried with a fault on a real socket."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from fakemail import Stage
from fakemail.api.faults import FaultPresets
from fakemail.api.presets.account import AccountPresets
from fakemail.api.presets.dns import DnsPresets
from fakemail.faults.catalogue import WATCHED, rows

ROOT = Path(__file__).parents[2]
HOW_TO = "\n".join(
    block
    for page in sorted((ROOT / "docs" / "how-to").glob("*.md"))
    for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
)
ON_SOCKETS = "\n".join(
    path.read_text("utf-8") for path in sorted((ROOT / "tests" / "scenarios").glob("*fault*.py"))
)


def presets(*kinds):
    names = {name for kind in kinds for name, _ in inspect.getmembers(kind, inspect.isfunction)}
    return sorted(name for name in names if not name.startswith("_") and name not in ("all", "clear"))


@pytest.mark.parametrize("name", presets(FaultPresets, DnsPresets, AccountPresets))
def test_a_plain_name_has_an_example(name):
    assert re.search(rf"\bfaults\.{name}\(", HOW_TO), f"show {name}() on a page of docs/how-to"


def test_every_stage_can_fail_or_says_why_not():
    told = {*rows(), *WATCHED}
    assert [stage for stage in Stage if stage not in told] == []
    assert set(rows()) & set(WATCHED) == set()


@pytest.mark.parametrize("stage", sorted(rows(), key=str), ids=str)
def test_a_stage_is_tried_on_a_real_socket(stage):
    assert f"Stage.{stage.name}" in ON_SOCKETS, f"try a fault at {stage} in tests/scenarios/test_*fault*.py"
