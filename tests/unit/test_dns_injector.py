"""Answers that have gone wrong: what a fault makes of an answer, of its message, and for whoever asks without one."""

from __future__ import annotations

from datetime import timedelta

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import pytest

from fakemail import faults
from fakemail.dns.lookup import LookupAnswer, lookup
from fakemail.dns.records import record
from fakemail.dns.responder import DnsResponse, respond
from fakemail.dns.zones import Zones
from fakemail.faults.action import FaultAction
from fakemail.faults.dns_injector import DnsFaultInjector
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.write_script import ConnectionEnd, Pause

ZONES = Zones()
ZONES.add_zone("example.org")
ZONES.add(
    *[record("example.org", "MX", f"{number} mx{number}.example.org.") for number in range(1, 9)],
    record("mx1.example.org", "A", "192.0.2.1"),
    record("example.org", "TXT", "v=spf1 mx a:smtp.example.org -all"),
)
LATE = faults.delay(timedelta(seconds=5))
SLOW = faults.delay(timedelta(seconds=4))


def ask(
    action: FaultAction, type: str = "MX", *, transport: str = "udp", injector: DnsFaultInjector | None = None
) -> DnsResponse:
    query = dns.message.make_query("example.org", type)
    injector = injector or DnsFaultInjector(lambda: ZONES, SeededRandom(1))
    response = respond(
        ZONES,
        query.to_wire(),
        transport=transport,
        change=lambda question, answer: injector.respond(action, question, answer, transport=transport),
    )
    assert response is not None
    return response


def read(response: DnsResponse) -> dns.message.Message:
    assert response.script == (response.wire,)
    return dns.message.from_wire(response.wire)


def texts(response: DnsResponse, type: str = "MX") -> list[str]:
    message = read(response)
    return [str(each) for rrset in message.answer for each in rrset]


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR", "NXDOMAIN"])
def test_response_codes(rcode: str) -> None:
    response = ask(faults.rcode(rcode))
    message = read(response)
    assert dns.rcode.to_text(message.rcode()) == rcode
    assert (message.answer, response.kind) == ([], rcode)
    # RFC 2308 §3: that there is nothing is said by the zone, so it can be kept.
    assert bool(message.authority) is (rcode == "NXDOMAIN")


def test_no_data() -> None:
    response = ask(faults.no_data())
    message = read(response)
    assert (message.rcode(), message.answer, response.kind) == (dns.rcode.NOERROR, [], "NODATA")
    assert message.authority[0].rdtype == dns.rdatatype.SOA


def test_other_records() -> None:
    response = ask(faults.records("10 evil.example.", ttl=7))
    assert texts(response) == ["10 evil.example."]
    assert read(response).answer[0].ttl == 7
    assert response.records == ("MX 10 evil.example.",)


def test_answers_in_turn_begin_again_after_the_last() -> None:
    injector = DnsFaultInjector(lambda: ZONES, SeededRandom(1))
    action = faults.rotate_records(("1 a.example.",), ("2 b.example.", "3 c.example."), ())
    said = [texts(ask(action, injector=injector)) for _ in range(4)]
    assert said == [["1 a.example."], ["2 b.example.", "3 c.example."], [], ["1 a.example."]]


def test_an_answer_of_the_past() -> None:
    old = LookupAnswer("NOERROR", "NOERROR", (record("example.org", "MX", "0 old.example."),), (), (), True)
    assert texts(ask(faults.stale_answer(lambda name, type: old))) == ["0 old.example."]


def test_a_loop_of_aliases() -> None:
    message = read(ask(faults.cname_loop()))
    targets = {str(rrset.name): str(rrset[0].target) for rrset in message.answer}
    assert targets == {"example.org.": "loop.org.", "loop.org.": "example.org."}
    with pytest.raises(dns.message.ChainTooLong):
        message.resolve_chaining()


def test_a_server_that_knows_nothing_of_the_zone() -> None:
    message = read(ask(faults.lame_delegation()))
    assert not message.flags & dns.flags.AA
    assert (message.answer, str(message.authority[0].name)) == ([], ".")


def test_text_in_pieces() -> None:
    message = read(ask(faults.split_text(size=10), "TXT"))
    strings = message.answer[0][0].strings
    assert [len(each) for each in strings] == [10, 10, 10, 3]
    assert b"".join(strings) == b"v=spf1 mx a:smtp.example.org -all"
    assert texts(ask(faults.split_text())) == texts(
        ask(faults.duplicate_records())
    )  # other types stay as they are


def test_another_order() -> None:
    usual = [f"{number} mx{number}.example.org." for number in range(1, 9)]
    shuffled = [record.removeprefix("MX ") for record in ask(faults.shuffle_records()).records]
    assert shuffled != usual
    assert sorted(shuffled) == usual


def test_each_record_twice() -> None:
    response = ask(faults.duplicate_records())
    assert int.from_bytes(response.wire[6:8]) == 16
    assert len(texts(response)) == 8


def test_time_to_live_and_additional_section() -> None:
    assert {rrset.ttl for rrset in read(ask(faults.ttl(0))).answer} == {0}
    assert read(ask(faults.ttl(1))).additional
    assert not read(ask(faults.no_additional())).additional


def test_authentic_without_being_asked() -> None:
    assert read(ask(faults.claim_authentic())).flags & dns.flags.AD


def test_truncated_over_udp_only() -> None:
    message = read(ask(faults.truncate_answer()))
    assert (bool(message.flags & dns.flags.TC), message.answer) == (True, [])
    assert ask(faults.truncate_answer()).truncated
    assert len(texts(ask(faults.truncate_answer(), transport="tcp"))) == 8


def test_another_id_and_another_question() -> None:
    query = dns.message.make_query("example.org", "MX")
    injector = DnsFaultInjector(lambda: ZONES, SeededRandom(1))
    for action in (faults.wrong_id(), faults.wrong_question()):
        response = respond(
            ZONES,
            query.to_wire(),
            transport="udp",
            change=lambda question, answer, action=action: injector.respond(
                action, question, answer, transport="udp"
            ),
        )
        assert response is not None
        reply = read(response)
        assert not query.is_response(reply)
        assert (reply.id == query.id) is isinstance(action, faults.wrong_question)


@pytest.mark.parametrize("type", ["MX", "A"])
def test_a_message_that_ends_too_early(type: str) -> None:
    with pytest.raises(dns.exception.DNSException):
        read(ask(faults.malformed_answer(), type))


def test_what_is_done_with_the_message() -> None:
    assert ask(faults.no_reply()).script == (ConnectionEnd.HANG,)
    assert (ask(faults.no_reply()).kind, ask(faults.no_reply()).records) == ("TIMEOUT", ())
    slow = ask(SLOW)
    assert slow.script == (Pause(SLOW.span), slow.wire)
    assert ask(faults.garbage(b"what")).script == (b"what",)


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (faults.rcode("SERVFAIL"), "SERVFAIL"),
        (faults.no_data(), "NODATA"),
        (faults.no_reply(), "TIMEOUT"),
        (faults.garbage(), "TIMEOUT"),
        (faults.wrong_id(), "TIMEOUT"),
        (faults.wrong_question(), "TIMEOUT"),
        (LATE, "TIMEOUT"),
        (SLOW, "NOERROR"),
        (faults.malformed_answer(), "MALFORMED"),
        (faults.cname_loop(), "SERVFAIL"),
        (faults.lame_delegation(), "SERVFAIL"),
        (faults.shuffle_records(), "NOERROR"),
    ],
    ids=str,
)
def test_for_those_who_ask_without_a_message(action: FaultAction, kind: str) -> None:
    injector = DnsFaultInjector(lambda: ZONES, SeededRandom(1))
    answer = lookup(ZONES, "example.org", "MX")
    assert injector.resolved(action, "example.org", "MX", answer).kind == kind


def test_for_those_who_cannot_wait() -> None:
    injector = DnsFaultInjector(lambda: ZONES, SeededRandom(1))
    query = dns.message.make_query("example.org", "MX").to_wire()
    for action, is_sent in [(SLOW, True), (LATE, False), (faults.wrong_id(), False), (faults.ttl(5), True)]:
        response = respond(
            ZONES,
            query,
            transport="udp",
            change=lambda question, answer, action=action: injector.respond(
                action, question, answer, transport="udp", is_patient=False
            ),
        )
        assert response is not None
        assert response.script == ((response.wire,) if is_sent else ())
