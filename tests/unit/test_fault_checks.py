"""What an action cannot do is refused where the fault is declared, whichever way it is declared."""

from __future__ import annotations

import pytest

from fakemail import faults
from fakemail.api import fault_checks
from fakemail.api.fault_checks import require_sense
from fakemail.errors import DeclarationError
from fakemail.faults.actions.action import Action
from fakemail.faults.actions.reading import Refuse
from fakemail.faults.facts import Where
from fakemail.faults.rule import Scope

MX = Where(query="example.org", query_type="MX")

NONSENSE = [
    (faults.present_certificate("expird"), Where(), "no certificate flaw 'expird'; did you mean 'expired'"),
    (faults.send_alert("unknown_cas"), Where(), "did you mean 'unknown_ca'"),
    (faults.only_versions("TLSv1.4"), Where(), "no version of TLS 'TLSv1.4'"),
    (faults.only_versions("TLSv1", "TLSv1.3"), Where(), "neighbours, of .*; not TLSv1, TLSv1.3"),
    (faults.only_versions(), Where(), "not none"),
    (faults.only_ciphers("ROT13"), Where(), "knows no cipher 'ROT13'"),
    (faults.give_rcode("NOERROR"), Where(), "no DNS response code of an error 'NOERROR'"),
    (faults.give_records("nonsense"), MX, "record example.org MX"),
    (faults.give_records("10 mx.example."), Where(), "needs query_type"),
    (faults.answer_in_turn(), MX, "one after the other"),
    (faults.answer_in_turn(["10 mx.example."], ["mx"]), MX, "record example.org MX"),
    (faults.split_text(256), Where(), "from 1 to 255, not 256"),
    (faults.give_ttl(-1), Where(), "a time to live of DNS is a number from 0"),
    (faults.remove_message(0), Where(), "from 1 on, or from -1 down, not 0"),
    (faults.wrong_size(0), Where(), "from 1 on, or from -1 down, not 0"),
    (faults.say_unasked(), Where(), "without line ends"),
    (faults.say_unasked("1 EXISTS\r\n"), Where(), "without line ends"),
    (faults.refuse(status="MAYBE"), Where(), "no status of a refusal 'MAYBE'"),
    (faults.refuse("UNAVAILABLE", "not\r\ntoday"), Where(), "is one line, not 'not"),
    (faults.bye_inside(text="a\nb"), Where(), "is one line"),
    (faults.advertise(), Where(), "keywords to advertise are given"),
    (faults.advertise("SIZE\r\nX"), Where(), "without line ends"),
    (faults.hide(), Where(), "keywords to hide are given"),
    (faults.end_data_at("\n.\n", ""), Where(), "end of a message is some octets"),
    (faults.give_status(99), Where(), "from 200 to 599, not 99"),
]
SENSE = [
    (faults.present_certificate("revoked"), Where()),
    (faults.only_versions("TLSv1.1", "TLSv1.2"), Where()),
    (faults.give_records("10 mx.example."), Where(query="*", query_type="MX")),
    (faults.answer_in_turn(["10 mx.example."], []), MX),
    (faults.give_ttl(2**32 - 1), Where()),
    (faults.remove_message(-1), Where()),
    (faults.drop(), Where()),
]


@pytest.mark.parametrize(("action", "where", "text"), NONSENSE, ids=lambda value: str(value)[:40])
def test_nonsense_is_refused(action: Action, where: Where, text: str) -> None:
    with pytest.raises(DeclarationError, match=text) as caught:
        require_sense(Scope("mx.example.org"), action, where)
    assert str(caught.value).startswith("mx.example.org: ")


@pytest.mark.parametrize(("action", "where"), SENSE, ids=str)
def test_sense_is_not(action: Action, where: Where) -> None:
    require_sense(Scope("mx.example.org"), action, where)


def test_each_check_is_tried() -> None:
    assert {type(action) for action, _, _ in NONSENSE} == set(fault_checks._CHECKS)
    assert Refuse in fault_checks._CHECKS
