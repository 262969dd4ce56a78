"""Faults of the name server, as dnspython, dig and our own hosts see them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.resolver
import pytest

from fakemail import MailNet, Reason, Stage, days, minutes
from fakemail.api.faults import Fault
from fakemail.errors import DeclarationError

NEVER = 0.05
"""Real seconds after which the test takes it that no answer comes."""


@pytest.fixture
def net(mailnet: MailNet) -> MailNet:
    mailnet.account("bob@example.org")
    mailnet.account("ann@shop.test")
    return mailnet


def ask(net: MailNet, type: str = "MX", name: str = "example.org", **options: object) -> dns.message.Message:
    query = dns.message.make_query(name, type, use_edns=True)
    return dns.query.udp(query, net.dns.host, port=net.dns.port, timeout=5, **options)


def over_tcp(net: MailNet) -> dns.message.Message:
    query = dns.message.make_query("example.org", "MX")
    return dns.query.tcp(query, net.dns.host, port=net.dns.port, timeout=5)


def values(message: dns.message.Message) -> list[str]:
    return [str(each) for rrset in message.answer for each in rrset]


RCODES: dict[str, Callable[[MailNet], Fault]] = {
    "SERVFAIL": lambda net: net.dns.faults.servfail("example.org"),
    "NXDOMAIN": lambda net: net.dns.faults.nxdomain("example.org", type="MX"),
    "REFUSED": lambda net: net.dns.faults.refused("*.org"),
    "NOTIMP": lambda net: net.dns.faults.not_implemented(),
    "FORMERR": lambda net: net.dns.faults.format_error(type="mx"),
    "NOTAUTH": lambda net: net.dns.faults.rcode("NOTAUTH"),
}


@pytest.mark.parametrize("rcode", RCODES)
def test_dnspython_sees_the_response_code(net, rcode):
    fault = RCODES[rcode](net)
    message = ask(net)
    assert (dns.rcode.to_text(message.rcode()), message.answer) == (rcode, [])
    assert fault.fired == 1
    assert net.dns.queries(name="example.org", type="MX")[-1].answer == rcode
    fault.remove()
    assert values(ask(net)) == ["10 mx1.example.org."]


def test_whom_and_when(net):
    faults = net.dns.faults
    faults.servfail("*.example.org", type="TXT", client="app", times=1)
    assert ask(net, "TXT", "_dmarc.example.org").rcode() == dns.rcode.SERVFAIL
    assert ask(net, "TXT", "_dmarc.example.org").rcode() == dns.rcode.NOERROR
    tcp_only = faults.servfail(transport="tcp")
    assert ask(net).rcode() == dns.rcode.NOERROR
    assert over_tcp(net).rcode() == dns.rcode.SERVFAIL
    tcp_only.remove()
    faults.refused(client="smtp.shop.test", must_fire=False)
    assert ask(net).rcode() == dns.rcode.NOERROR


def test_each_one_that_fires_is_an_event(net):
    net.dns.faults.servfail("example.org")
    ask(net)
    [event] = [event for event in net.events(Stage.DNS_QUERY) if type(event).__name__ == "FaultFired"]
    assert "SERVFAIL" in event.action
    assert "query example.org" in event.rule


def test_no_data_and_other_records(net):
    with net.dns.faults.no_data("example.org", type="MX"):
        message = ask(net)
        assert (message.rcode(), values(message)) == (dns.rcode.NOERROR, [])
        with pytest.raises(dns.resolver.NoAnswer):
            net.dns.resolver().resolve("example.org", "MX")
    with net.dns.faults.records("example.org", "MX", "0 evil.example.", ttl=1):
        assert values(ask(net)) == ["0 evil.example."]
        assert ask(net).answer[0].ttl == 1
    assert net.dns.records("example.org", "MX") == ("example.org. 300 IN MX 10 mx1.example.org.",)


def test_an_answer_that_changes_between_queries(net):
    net.dns.faults.rotate_records("example.org", "A", "192.0.2.1", ["192.0.2.2", "192.0.2.3"], [])
    said = [values(ask(net, "A")) for _ in range(4)]
    assert said == [["192.0.2.1"], ["192.0.2.2", "192.0.2.3"], [], ["192.0.2.1"]]


def test_an_answer_that_is_no_longer_true(net):
    with net.dns.faults.stale_answer("example.org"):
        net.dns.replace("example.org", "MX", "5 elsewhere.example.")
        net.dns.remove("mx1.example.org")
        assert values(ask(net)) == ["10 mx1.example.org."]
    assert values(ask(net)) == ["5 elsewhere.example."]


def test_silence(net):
    query = dns.message.make_query("example.org", "MX")
    fault = net.dns.faults.timeout("example.org")
    with pytest.raises(dns.exception.Timeout):
        dns.query.udp(query, net.dns.host, port=net.dns.port, timeout=NEVER)
    with pytest.raises(dns.exception.Timeout):
        dns.query.tcp(query, net.dns.host, port=net.dns.port, timeout=NEVER)
    assert fault.fired == 2
    assert net.dns.queries(name="example.org", type="MX")[-1].answer == "TIMEOUT"


def test_a_late_answer(net):
    fault = net.dns.faults.delay(timedelta(milliseconds=1), "example.org")
    assert values(ask(net)) == values(over_tcp(net)) == ["10 mx1.example.org."]
    fault.remove()
    net.dns.faults.delay(minutes(5), "example.org")
    with pytest.raises(dns.exception.Timeout):
        dns.query.udp(
            dns.message.make_query("example.org", "MX"), net.dns.host, port=net.dns.port, timeout=NEVER
        )


def test_truncation_with_and_without_tcp(net):
    with net.dns.faults.truncate_answer("example.org"):
        assert ask(net).flags & dns.flags.TC
        assert str(net.dns.resolver().resolve("example.org", "MX")[0].exchange) == "mx1.example.org."
    assert [query.transport for query in net.dns.queries(name="example.org")] == ["udp", "udp", "tcp"]
    with net.dns.faults.truncate_answer("example.org", tcp=False):
        assert ask(net).flags & dns.flags.TC
        with pytest.raises((ConnectionResetError, EOFError)):
            over_tcp(net)
    assert not ask(net).flags & dns.flags.TC
    assert values(over_tcp(net))


@pytest.mark.parametrize("name", ["wrong_id", "wrong_question", "garbage"])
def test_an_answer_to_something_else(net, name):
    query = dns.message.make_query("example.org", "MX")
    getattr(net.dns.faults, name)("example.org")
    with pytest.raises((dns.query.BadResponse, dns.exception.DNSException)):
        dns.query.udp(
            query, net.dns.host, port=net.dns.port, timeout=5, ignore_unexpected=False, ignore_trailing=False
        )


def test_a_message_that_ends_too_early(net):
    net.dns.faults.malformed_answer("example.org")
    with pytest.raises(dns.exception.FormError):
        ask(net)


def test_aliases_that_go_round(net):
    net.dns.faults.cname_loop("example.org")
    with pytest.raises(dns.message.ChainTooLong):
        ask(net).resolve_chaining()
    with pytest.raises(dns.resolver.NoNameservers):
        net.dns.resolver().resolve("example.org", "MX")


def test_a_lame_delegation(net):
    net.dns.faults.lame_delegation("example.org")
    message = ask(net)
    assert (values(message), message.flags & dns.flags.AA) == ([], 0)
    assert str(message.authority[0].name) == "."


def test_odd_but_legal_answers(net):
    net.dns.replace("shop.test", "MX", *[f"{number} mx{number}.shop.test." for number in range(12)])
    usual = values(ask(net, name="shop.test"))
    with net.dns.faults.shuffle_records("shop.test"):
        orders = [values(ask(net, name="shop.test")) for _ in range(2)]
    assert usual not in orders
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(usual)
    with net.dns.faults.duplicate_records("shop.test", type="MX"):
        wire = ask(net, name="shop.test")
        assert values(wire) == usual  # dnspython makes a set of them
    with net.dns.faults.ttl(2**31, "example.org"):
        assert ask(net).answer[0].ttl in (0, 2**31)  # RFC 2181 §8: taken for 0
    assert ask(net).additional
    with net.dns.faults.no_additional("example.org"):
        assert not ask(net).additional
    with net.dns.faults.claim_authentic("example.org"):
        assert ask(net).flags & dns.flags.AD
    with net.dns.faults.split_text("example.org", size=9):
        [rrset] = ask(net, "TXT").answer
        assert {len(each) for each in rrset[0].strings[:-1]} == {9}
        assert b"".join(rrset[0].strings).startswith(b"v=spf1 ")


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not installed")
def test_dig(net):
    def dig(*options: str) -> str:
        command = ["dig", f"@{net.dns.host}", "-p", str(net.dns.port), "+tries=1", "+time=2", *options]
        return subprocess.run(
            [*command, "example.org", "MX"], capture_output=True, text=True, timeout=20
        ).stdout

    faults = net.dns.faults
    with faults.servfail("example.org"):
        assert "status: SERVFAIL" in dig()
    with faults.truncate_answer("example.org"):
        assert "Truncated, retrying in TCP mode" in dig()
    with faults.malformed_answer("example.org"):
        assert "malformed" in dig()
    with faults.wrong_id("example.org"):
        assert "ID mismatch" in dig("+time=1")
    with faults.wrong_question("example.org"):
        assert "Question section mismatch" in dig("+time=1")
    with faults.cname_loop("example.org"):
        assert "CNAME" in dig()


# Our own hosts ---------------------------------------------------------------------------------------


def send(net: MailNet) -> None:
    with net.account("ann@shop.test").submission.smtplib() as client:
        client.sendmail(
            "ann@shop.test", ["bob@example.org"], "From: ann@shop.test\r\nSubject: Hi\r\n\r\nHello.\r\n"
        )
    net.settle()


WAITS: dict[str, Callable[[MailNet], Fault]] = {
    "servfail": lambda net: net.dns.faults.servfail("example.org", type="MX"),
    "refused": lambda net: net.dns.faults.refused("example.org"),
    "timeout": lambda net: net.dns.faults.timeout("example.org"),
    "late": lambda net: net.dns.faults.delay(minutes(1), "example.org"),
    "wrong id": lambda net: net.dns.faults.wrong_id("example.org"),
    "wrong question": lambda net: net.dns.faults.wrong_question("example.org"),
    "garbage": lambda net: net.dns.faults.garbage("example.org"),
    "malformed": lambda net: net.dns.faults.malformed_answer("example.org"),
    "no TCP": lambda net: net.dns.faults.truncate_answer("example.org", tcp=False),
    "loop": lambda net: net.dns.faults.cname_loop("example.org"),
    "lame": lambda net: net.dns.faults.lame_delegation("example.org"),
}


@pytest.mark.parametrize("name", WAITS)
def test_mail_waits_for_a_name_server_that_fails(net, name):
    fault = WAITS[name](net)
    send(net)
    assert fault.fired
    assert net.queue.one().reason is Reason.DNS_TEMPORARY
    fault.remove()
    net.clock.advance(minutes(30))
    assert len(net.account("bob@example.org").inbox) == 1


def test_and_is_returned_in_the_end(net):
    net.dns.faults.timeout("example.org")
    send(net)
    net.clock.advance(days(5))
    actions = [mail.delivery_report.action for mail in net.account("ann@shop.test").inbox]
    assert actions == ["delayed", "failed"]


def test_mail_for_a_name_that_does_not_exist_is_returned_at_once(net):
    net.dns.faults.nxdomain("example.org")
    send(net)
    assert len(net.queue) == 0
    assert net.account("ann@shop.test").inbox.one().delivery_report.action == "failed"


@pytest.mark.parametrize(
    "fault",
    [
        lambda faults: faults.delay(timedelta(seconds=4), "example.org"),
        lambda faults: faults.truncate_answer("example.org"),
        lambda faults: faults.shuffle_records("example.org"),
        lambda faults: faults.duplicate_records("example.org"),
        lambda faults: faults.no_additional("example.org"),
        lambda faults: faults.ttl(0, "example.org"),
    ],
)
def test_mail_gets_through_what_is_only_odd(net, fault):
    fault(net.dns.faults)
    send(net)
    assert len(net.account("bob@example.org").inbox) == 1


def test_a_decision_sees_what_a_client_would(net):
    mail_host = net.domain("example.org").hosts[0].name
    resolve = net._portal.call(lambda: net._portal.simulation.resolvers.resolver(mail_host))

    def kind(name: str = "example.org", type: str = "TXT") -> str:
        return net._portal.call(lambda: resolve(name, type)).kind

    faults = net.dns.faults
    assert kind() == "NOERROR"
    with faults.timeout("example.org", type="TXT", client=mail_host):
        assert kind() == "TIMEOUT"
    with faults.servfail(type="TXT"):
        assert kind() == "SERVFAIL"
    with faults.malformed_answer("example.org"):
        assert kind() == "MALFORMED"
    with faults.lame_delegation("example.org"):
        assert kind() == "SERVFAIL"
    with faults.truncate_answer("example.org"):
        assert kind() == "NOERROR"
    with faults.truncate_answer("example.org", tcp=False):
        assert kind() == "TIMEOUT"
    with faults.timeout(client="app", must_fire=False):
        assert kind() == "NOERROR"
    assert [query.answer for query in net.dns.queries(type="TXT")] == [
        "NOERROR", "TIMEOUT", "SERVFAIL", "MALFORMED", "SERVFAIL", "NOERROR", "TIMEOUT", "NOERROR",
    ]  # fmt: skip


@pytest.mark.parametrize("fault", ["servfail", "timeout", "malformed_answer", "refused", "lame_delegation"])
def test_checks_of_the_sender_fail_for_now(net, fault):  # RFC 7208 §2.6.6, RFC 6376 §3.9
    with getattr(net.dns.faults, fault)("*shop.test", type="TXT") as declared:
        send(net)
    assert declared.fired >= 2
    auth = net.account("bob@example.org").inbox.one().auth
    assert (str(auth.spf), str(auth.dkim), str(auth.dmarc)) == ("temperror", "temperror", "temperror")


@pytest.mark.parametrize(
    "fault",
    [
        lambda faults: faults.shuffle_records("*shop.test", type="TXT"),
        lambda faults: faults.duplicate_records("*shop.test", type="TXT"),
        lambda faults: faults.split_text("*shop.test"),
        lambda faults: faults.ttl(
            0, "*shop.test", type="TXT"
        ),  # of keys too, which are made when they are asked for
    ],
)
def test_checks_of_the_sender_pass_with_odd_answers(net, fault):  # RFC 7208 §3.3
    fault(net.dns.faults)
    send(net)
    auth = net.account("bob@example.org").inbox.one().auth
    assert (str(auth.spf), str(auth.dkim), str(auth.dmarc)) == ("pass", "pass", "pass")


def test_wrong_declarations(net):
    faults = net.dns.faults
    with pytest.raises(DeclarationError, match="did you mean 'SERVFAIL'"):
        faults.rcode("SERVFAL")
    with pytest.raises(DeclarationError, match="'NOERROR'"):
        faults.rcode("NOERROR")
    with pytest.raises(DeclarationError, match="MX"):
        faults.records("example.org", "MX", "nonsense")
    with pytest.raises(DeclarationError, match="give the answers"):
        faults.rotate_records("example.org", "MX")
    with pytest.raises(DeclarationError, match="from 1 to 255, not 256"):
        faults.split_text("example.org", size=256)
    with pytest.raises(DeclarationError, match="a time to live"):
        faults.ttl(-1)
    with pytest.raises(DeclarationError, match="is not a record type"):
        faults.servfail(type="MXX")
    with pytest.raises(DeclarationError, match=r"to= cannot fit at dns\.query"):
        faults.servfail(to="bob@example.org")


def test_what_is_active_can_be_seen(net):
    fault = net.dns.faults.servfail("example.org", type="MX", must_fire=False)
    assert net.dns.faults.all().one().fired == 0
    assert "dns.query, query example.org, query type MX: rcode SERVFAIL" in repr(fault)
    net.dns.faults.clear()
    assert net.dns.faults.all() == []


CONFIGURED = """
[domains."example.org"]
accounts = ["bob"]

[[faults]]
stage = "dns.query"
do = { rcode = "SERVFAIL" }
query = "Example.org."
query_type = "mx"
transport = "udp"
times = 1

[[faults]]
stage = "dns.query"
do = { rotate_records = { sets = [["192.0.2.1"], ["192.0.2.2"]] } }
query = "www.example.org"
query_type = "A"
"""


def test_faults_of_a_configuration():
    with MailNet(config=CONFIGURED) as net:
        assert [ask(net).rcode() for _ in range(2)] == [dns.rcode.SERVFAIL, dns.rcode.NOERROR]
        assert [values(ask(net, "A", "www.example.org")) for _ in range(2)] == [["192.0.2.1"], ["192.0.2.2"]]
    wrong = CONFIGURED.replace("SERVFAIL", "SERVFALL")
    with pytest.raises(DeclarationError, match="did you mean 'SERVFAIL'"), MailNet(config=wrong):
        pass
