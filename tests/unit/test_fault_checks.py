"""What an action cannot do is refused where the fault is declared, whichever way it is declared."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fakemail import Stage, faults
from fakemail.errors import DeclarationError
from fakemail.faults.action import FaultAction
from fakemail.faults.actions import ACTIONS
from fakemail.faults.declaration import read_rule
from fakemail.faults.rule import FaultScope

MX = {"query": "example.org", "query_type": "MX"}

NONSENSE: list[tuple[str, Callable[[], FaultAction], str]] = [
    (
        "present_certificate",
        lambda: faults.present_certificate("expird"),
        "no certificate flaw 'expird'; did you mean 'expired'",
    ),
    ("tls_alert", lambda: faults.tls_alert("unknown_cas"), "did you mean 'unknown_ca'"),
    ("only_tls", lambda: faults.only_tls("TLSv1.4"), "no version of TLS 'TLSv1.4'"),
    ("only_tls", lambda: faults.only_tls("TLSv1", "TLSv1.3"), "neighbours, of .*; not TLSv1, TLSv1.3"),
    ("only_tls", lambda: faults.only_tls(), "not none"),
    ("only_ciphers", lambda: faults.only_ciphers("ROT13"), "knows no cipher 'ROT13'"),
    ("rcode", lambda: faults.rcode("NOERROR"), "no DNS response code of an error 'NOERROR'"),
    ("rotate_records", lambda: faults.rotate_records(), "one after the other"),
    ("split_text", lambda: faults.split_text(256), "from 1 to 255, not 256"),
    ("ttl", lambda: faults.ttl(-1), "a time to live of DNS is a number from 0"),
    ("remove_message", lambda: faults.remove_message(0), "from 1 on, or from -1 down, not 0"),
    ("wrong_size", lambda: faults.wrong_size(0), "from 1 on, or from -1 down, not 0"),
    ("send_untagged", lambda: faults.send_untagged(), "without line ends"),
    ("send_untagged", lambda: faults.send_untagged("1 EXISTS\r\n"), "without line ends"),
    ("refuse", lambda: faults.refuse(status="MAYBE"), "no status of a refusal 'MAYBE'"),
    ("refuse", lambda: faults.refuse("UNAVAILABLE", "not\r\ntoday"), "is one line, not 'not"),
    ("bye_mid_response", lambda: faults.bye_mid_response(text="a\nb"), "is one line"),
    ("advertise", lambda: faults.advertise(), "keywords to advertise are given"),
    ("advertise", lambda: faults.advertise("SIZE\r\nX"), "without line ends"),
    ("hide", lambda: faults.hide(), "keywords to hide are given"),
    (
        "accept_smuggled_end",
        lambda: faults.accept_smuggled_end("\n.\n", ""),
        "end of a message is some octets",
    ),
    ("http_status", lambda: faults.http_status(99), "from 200 to 599, not 99"),
    ("throttle", lambda: faults.throttle(0), "rate of a fault is a whole number from 1 on"),
    ("oversized_line", lambda: faults.oversized_line(0), "octets of a fault is a whole number from 1 on"),
    ("truncate", lambda: faults.truncate(-1), "keep of a fault is a whole number from 0 on"),
]
NONSENSE_THERE = [
    (faults.records("nonsense"), MX, "record example.org MX"),
    (faults.records("10 mx.example."), {}, "needs query_type"),
    (faults.rotate_records(["10 mx.example."], ["mx"]), MX, "record example.org MX"),
]
SENSE = [
    (Stage.TLS_HANDSHAKE, faults.present_certificate("revoked"), {}),
    (Stage.TLS_HANDSHAKE, faults.only_tls("TLSv1.1", "TLSv1.2"), {}),
    (Stage.DNS_QUERY, faults.records("10 mx.example."), {"query": "*", "query_type": "MX"}),
    (Stage.DNS_QUERY, faults.rotate_records(["10 mx.example."], []), MX),
    (Stage.DNS_QUERY, faults.ttl(2**32 - 1), {}),
    (Stage.IMAP_FETCH, faults.remove_message(-1), {}),
    (Stage.SMTP_RCPT, faults.drop(), {}),
]


@pytest.mark.parametrize(("make", "text"), [row[1:] for row in NONSENSE], ids=[row[0] for row in NONSENSE])
def test_nonsense_is_refused(make: Callable[[], FaultAction], text: str) -> None:
    with pytest.raises(DeclarationError, match=text):
        make()


@pytest.mark.parametrize(("action", "options", "text"), NONSENSE_THERE, ids=lambda value: str(value)[:40])
def test_what_an_action_cannot_do_there_is_refused(
    action: FaultAction, options: dict[str, str], text: str
) -> None:
    with pytest.raises(DeclarationError, match=text) as caught:
        read_rule(FaultScope("mx.example.org"), Stage.DNS_QUERY, action, options)
    assert str(caught.value).startswith("mx.example.org: ")


@pytest.mark.parametrize(("stage", "action", "options"), SENSE, ids=str)
def test_sense_is_not(stage: Stage, action: FaultAction, options: dict[str, str]) -> None:
    assert read_rule(FaultScope("mx.example.org"), stage, action, options).action is action


def test_each_check_is_tried() -> None:
    with_checks = {name for name, kind in ACTIONS.items() if kind.check is not FaultAction.check}
    assert {name for name, _, _ in NONSENSE} == with_checks
    with_conditions = {kind for kind in ACTIONS.values() if kind.check_match is not FaultAction.check_match}
    assert {type(action) for action, _, _ in NONSENSE_THERE} == with_conditions
