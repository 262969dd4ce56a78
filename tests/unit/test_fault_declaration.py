"""Actions as configurations write them: what is read and written is the same, and what is wrong is told."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from fakemail import DeclarationError, Reply, faults, seconds
from fakemail.faults.actions import ACTIONS
from fakemail.faults.declaration import read_action, write_action
from fakemail.types.write_script import ConnectionEnd

SAMPLES = {
    "Reply": Reply(452, "4.2.2", "full\nreally"),
    "timedelta": timedelta(seconds=2.5),
    "End": ConnectionEnd.HANG,
    "bytes | str": b"\x80nonsense\r\n",
    "tuple[bytes, ...]": (b"\n.\n", b"\r.\r"),
    "tuple[str, ...]": ("TLSv1.2",),
    "tuple[tuple[str, ...], ...]": (("192.0.2.1",), ()),
    "frozenset[str]": frozenset({"SIZE", "DSN"}),
    "int": 7,
    "int | None": 7,
    "str": "expired",
    "bool": True,
}
SAMPLES_OF = {
    "http_status": {"status": 404},
    "only_ciphers": {"ciphers": "AES128-SHA"},
    "rcode": {"rcode": "NOTAUTH"},
    "refuse": {"status": "BAD"},
    "tls_alert": {"alert": "unknown_ca"},
}
"""Where not every value means something."""
NOT_TO_BE_WRITTEN = {"stale_answer"}
"""It holds what the name server knew when it was declared."""


@pytest.mark.parametrize("name", sorted(set(ACTIONS) - NOT_TO_BE_WRITTEN))
def test_what_is_written_is_read_again(name):
    kind = ACTIONS[name]
    fields = [
        field
        for field in getattr(kind, "__dataclass_fields__", {}).values()
        if "ClassVar" not in str(field.type)
    ]
    values = {field.name: SAMPLES[str(field.type)] for field in fields}
    action = kind.of(**values | SAMPLES_OF.get(name, {}))
    written = write_action(action)
    assert read_action(written) == action
    usual = {field.name for field in fields if field.default is dataclasses.MISSING}
    if not usual:
        assert write_action(kind()) == name
        assert read_action(name) == kind()


@pytest.mark.parametrize(
    ("plain", "action"),
    [
        ("drop", faults.drop()),
        ({"reply": "452 4.2.2 full"}, faults.reply(452, "4.2.2", "full")),
        ({"delay": 5}, faults.delay(seconds(5))),
        ({"hide": "STARTTLS"}, faults.hide("STARTTLS")),
        ({"partial_reply": "reset"}, faults.partial_reply("reset")),
        ({"truncate": {"keep": 3}}, faults.truncate(3)),
        ({"accept_smuggled_end": ["\n.\n"]}, faults.accept_smuggled_end("\n.\n")),
        (faults.drop(), faults.drop()),
    ],
)
def test_plain_values(plain, action):
    assert read_action(plain) == action


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        ("dropp", "there is no action 'dropp'; did you mean 'drop' or 'drop_reply'?"),
        ({"reply": "no"}, "the action 'reply' takes a reply such as \"452 4.2.2 full\", not 'no'."),
        ("reply", "the action 'reply' needs reply: { reply = ... }."),
        ({"drop": 1}, "the action 'drop' takes nothing, not 1."),
        ({"delay": -1}, "the action 'delay' takes seconds, not -1."),
        ({"partial_reply": "burn"}, "a connection cannot end by 'burn'"),
        ({"truncate": {"kep": 3}}, "the action 'truncate' has no 'kep'; did you mean 'keep'?"),
        ({"oversized_line": "long"}, "the action 'oversized_line' takes a whole number, not 'long'."),
        (7, "what a fault does is a name such as"),
        ({"stale_answer": 1}, "cannot be written down"),
    ],
)
def test_what_is_wrong_is_told(plain, text):
    with pytest.raises(DeclarationError) as caught:
        read_action(plain)
    assert text in str(caught.value)
