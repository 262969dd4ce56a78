"""Each preset is a row: its method and its word in a configuration declare the same, where the row says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fakemail import DeclarationError, MailNet, Stage, seconds
from fakemail.api.faults import AccountFaults, DnsFaults, Faults, declare
from fakemail.faults.actions import ACTIONS
from fakemail.faults.presets import Preset, presets_of
from fakemail.faults.stages import CONDITIONS_AT

MX: dict[str, Any] = {"name": "example.org", "type": "MX"}
GIVEN: dict[str, tuple[dict[str, Any], object]] = {
    "http_body": ({"body": "not today"}, "not today"),
    "http_status": ({"status": 404}, 404),
    "inject_after_starttls": ({"octets": "250 ok"}, "250 ok"),
    "only_ciphers": ({"ciphers": "NULL-SHA256"}, "NULL-SHA256"),
    "only_tls": ({"versions": ("TLSv1.2",)}, ["TLSv1.2"]),
    "present_certificate": ({"flaw": "expired"}, "expired"),
    "rcode": ({"rcode": "NOTAUTH"}, "NOTAUTH"),
    "records": ({"values": ("10 mx.example.",)} | MX, ["10 mx.example."]),
    "reply": ({"code": 450}, "450"),
    "rotate_records": ({"sets": ("10 mx.example.", ())} | MX, [["10 mx.example."], []]),
    "send_untagged": ({"responses": ("3 EXISTS",)}, ["3 EXISTS"]),
    "throttle": ({"rate": 100}, 100),
    "throttle_login": ({"span": seconds(5)}, 5),
    "delay": ({"span": seconds(5)}, 5),
    "ttl": ({"ttl": 0}, 0),
}
"""What presets must be given, by the names of their parameters; and as a value of a configuration."""
NOT_PLAIN = "stale_answer"
"""It holds what the name server knew when it was declared."""
ROWS = [(kind, row) for kind in (Faults, AccountFaults, DnsFaults) for row in presets_of(kind).values()]
IDS = [f"{kind.__name__}.{row.name}" for kind, row in ROWS]


@pytest.fixture(scope="module")
def net() -> Iterator[MailNet]:
    with MailNet() as made:
        made.account("bob@example.org")
        yield made


def target(net: MailNet, kind: type) -> Any:
    if kind is AccountFaults:
        return net.account("bob@example.org").faults
    return net.dns.faults if kind is DnsFaults else net.faults


def call(net: MailNet, kind: type, row: Preset) -> list[str]:
    """Declare a preset by its method; returns its rules."""
    values = dict(GIVEN.get(row.name, ({}, None))[0])
    if not row.knows_stage:
        values["stage"] = some_stage(kind, row)
    args: list[object] = []
    for parameter in list(row.signature.parameters.values())[1:]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            args += values.pop(parameter.name, ())
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.name in values:
            args.append(values.pop(parameter.name))
    with getattr(target(net, kind), row.name)(*args, **values) as fault:
        return rules(fault)


def some_stage(kind: type, row: Preset) -> Stage:
    stages = sorted(ACTIONS[row.name].at, key=str)
    if kind is AccountFaults:
        stages = [
            each for each in stages if each.value[:4] in ("imap", "pop3") and "login" in CONDITIONS_AT[each]
        ]
    return stages[0]


def rules(fault: Any) -> list[str]:
    return [f"{rule.title}, at {rule.scope}" for rule in fault._rules]


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=IDS)
def test_a_method_declares_what_its_row_says(net: MailNet, kind: type, row: Preset) -> None:
    declared = call(net, kind, row)
    assert declared
    for rule in declared:
        assert not row.stages or any(rule.startswith(str(stage)) for stage in row.stages)
        assert ("login bob@example.org" in rule) is (kind is AccountFaults)


@pytest.mark.parametrize(
    ("kind", "row"),
    [row for row in ROWS if row[0] is not AccountFaults and row[1].knows_stage and row[1].name != NOT_PLAIN],
    ids=lambda each: getattr(each, "name", ""),
)
def test_a_word_declares_what_the_method_does(net: MailNet, kind: type, row: Preset) -> None:
    plain = GIVEN.get(row.name, ({}, None))[1]
    table: dict[str, Any] = {"do": row.name if plain is None else {row.name: plain}}
    if GIVEN.get(row.name, ({}, None))[0].keys() >= MX.keys():
        table |= {"query": "example.org", "query_type": "MX"}
    with declare(net._portal, table) as fault:
        assert rules(fault) == call(net, kind, row)


def test_what_is_missing_is_named(net: MailNet) -> None:
    with pytest.raises(TypeError, match=r"^delay\(\): missing a required argument: 'span'"):
        net.faults.delay(Stage.SMTP_MAIL)  # type: ignore[call-arg]
    with pytest.raises(DeclarationError, match=r"^every host: there is no certificate flaw 'expird'"):
        net.faults.present_certificate("expird")
