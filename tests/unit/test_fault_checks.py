"""What an action cannot do is refused where the fault is declared, whichever way it is declared."""

from __future__ import annotations

import pytest

from fakemail import faults
from fakemail.api import fault_checks
from fakemail.api.fault_checks import require_sense
from fakemail.errors import DeclarationError
from fakemail.faults.actions.action import FaultAction
from fakemail.faults.actions.reading import Refuse
from fakemail.faults.context import Match
from fakemail.faults.rule import FaultScope

MX = Match(query="example.org", query_type="MX")

NONSENSE = [
    (faults.present_certificate("expird"), Match(), "no certificate flaw 'expird'; did you mean 'expired'"),
    (faults.send_alert("unknown_cas"), Match(), "did you mean 'unknown_ca'"),
    (faults.only_versions("TLSv1.4"), Match(), "no version of TLS 'TLSv1.4'"),
    (faults.only_versions("TLSv1", "TLSv1.3"), Match(), "neighbours, of .*; not TLSv1, TLSv1.3"),
    (faults.only_versions(), Match(), "not none"),
    (faults.only_ciphers("ROT13"), Match(), "knows no cipher 'ROT13'"),
    (faults.rcode("NOERROR"), Match(), "no DNS response code of an error 'NOERROR'"),
    (faults.records("nonsense"), MX, "record example.org MX"),
    (faults.records("10 mx.example."), Match(), "needs query_type"),
    (faults.rotate_records(), MX, "one after the other"),
    (faults.rotate_records(["10 mx.example."], ["mx"]), MX, "record example.org MX"),
    (faults.split_text(256), Match(), "from 1 to 255, not 256"),
    (faults.ttl(-1), Match(), "a time to live of DNS is a number from 0"),
    (faults.remove_message(0), Match(), "from 1 on, or from -1 down, not 0"),
    (faults.wrong_size(0), Match(), "from 1 on, or from -1 down, not 0"),
    (faults.send_untagged(), Match(), "without line ends"),
    (faults.send_untagged("1 EXISTS\r\n"), Match(), "without line ends"),
    (faults.refuse(status="MAYBE"), Match(), "no status of a refusal 'MAYBE'"),
    (faults.refuse("UNAVAILABLE", "not\r\ntoday"), Match(), "is one line, not 'not"),
    (faults.bye_mid_response(text="a\nb"), Match(), "is one line"),
    (faults.advertise(), Match(), "keywords to advertise are given"),
    (faults.advertise("SIZE\r\nX"), Match(), "without line ends"),
    (faults.hide(), Match(), "keywords to hide are given"),
    (faults.accept_smuggled_end("\n.\n", ""), Match(), "end of a message is some octets"),
    (faults.http_status(99), Match(), "from 200 to 599, not 99"),
]
SENSE = [
    (faults.present_certificate("revoked"), Match()),
    (faults.only_versions("TLSv1.1", "TLSv1.2"), Match()),
    (faults.records("10 mx.example."), Match(query="*", query_type="MX")),
    (faults.rotate_records(["10 mx.example."], []), MX),
    (faults.ttl(2**32 - 1), Match()),
    (faults.remove_message(-1), Match()),
    (faults.drop(), Match()),
]


@pytest.mark.parametrize(("action", "where", "text"), NONSENSE, ids=lambda value: str(value)[:40])
def test_nonsense_is_refused(action: FaultAction, where: Match, text: str) -> None:
    with pytest.raises(DeclarationError, match=text) as caught:
        require_sense(FaultScope("mx.example.org"), action, where)
    assert str(caught.value).startswith("mx.example.org: ")


@pytest.mark.parametrize(("action", "where"), SENSE, ids=str)
def test_sense_is_not(action: FaultAction, where: Match) -> None:
    require_sense(FaultScope("mx.example.org"), action, where)


def test_each_check_is_tried() -> None:
    assert {type(action) for action, _, _ in NONSENSE} == set(fault_checks._CHECKS)
    assert Refuse in fault_checks._CHECKS
