"""TLS between mail hosts: what a sender demands, DANE, MTA-STS and REQUIRETLS, over real sockets."""

from __future__ import annotations

import smtplib
import socket
import ssl
import urllib.error
import urllib.request

import dns.flags
import dns.message
import dns.query
import pytest

from fakemail import Bounced, Expired, MailNet, Reason, Stage, days, hours, minutes
from fakemail.errors import DeclarationError
from fakemail.tls.flaws import FLAWS

LETTER = "Subject: {}\r\n\r\nHello"


@pytest.fixture
def net():
    with MailNet() as mailnet:
        mailnet.account("bob@example.org")
        mailnet.account("hello@shop.test")
        yield mailnet


@pytest.fixture
def domain(net):
    return net.domain("example.org")


@pytest.fixture
def mx(domain):
    return domain.hosts[0]


def send(net, subject="Hi", *, content=None, options=(), sender="hello@shop.test", to="bob@example.org"):
    """Hand a message in, let it travel, and return the last attempt to hand it on."""
    with net.account("hello@shop.test").submission.smtplib() as client:
        client.sendmail(sender, [to], (content or LETTER).format(subject), mail_options=options)
    net.settle()
    return net.journey(subject=subject, to=to).attempts[-1]


def told(attempt):
    return attempt.policy, attempt.reason, attempt.tls


# What a host demands by itself ----------------------------------------------------------------------


@pytest.mark.parametrize("flaw", [None, *FLAWS])
def test_opportunistic_tls_takes_any_certificate(net, mx, flaw):  # RFC 7435
    mx.certificate(flaw=flaw)
    assert told(send(net)) == ("opportunistic", None, "TLSv1.3")


def test_opportunistic_tls_does_without(net, mx):
    mx.offer_starttls(False)
    assert told(send(net)) == ("opportunistic", None, "")


def test_no_tls_at_all(net):
    net.find_host("smtp.shop.test").configure(sending_tls="none")
    assert told(send(net)) == ("none", None, "")


def test_required_tls_takes_any_certificate(net, mx):
    net.find_host("smtp.shop.test").configure(sending_tls="required")
    mx.certificate(flaw="self_signed")
    assert told(send(net)) == ("required", None, "TLSv1.3")


def test_required_tls_waits_for_tls_and_gives_up_in_the_end(net, mx):
    net.find_host("smtp.shop.test").configure(sending_tls="required")
    mx.offer_starttls(False)
    attempt = send(net)
    assert told(attempt) == ("required", Reason.TLS_REQUIRED, "")
    assert attempt.at is Stage.SMTP_STARTTLS
    assert len(net.queue) == 1
    net.clock.advance(days(5))
    assert net.journey(subject="Hi").fate == Expired(None, Reason.TLS_REQUIRED)
    delay, bounce = net.account("hello@shop.test").inbox
    assert (delay.delivery_report.status, bounce.delivery_report.status) == ("4.7.10", "5.7.10")
    assert net.account("bob@example.org").inbox.is_empty


def test_required_tls_goes_when_tls_is_back(net, mx):
    net.find_host("smtp.shop.test").configure(sending_tls="required")
    mx.offer_starttls(False)
    send(net)
    mx.offer_starttls()
    net.clock.advance(minutes(5))
    assert net.account("bob@example.org").inbox.one().tls == "TLSv1.3"


@pytest.mark.parametrize("flaw", FLAWS)
def test_verified_tls_takes_good_certificates_only(net, mx, flaw):
    net.find_host("smtp.shop.test").configure(sending_tls="verified")
    assert told(send(net, "good")) == ("verified", None, "TLSv1.3")
    mx.certificate(flaw=flaw)
    assert told(send(net, "bad")) == ("verified", Reason.CERTIFICATE_REFUSED, "")
    mx.certificate()
    net.clock.advance(minutes(5))
    assert len(net.account("bob@example.org").inbox) == 2


def test_another_host_is_tried_when_one_fails_the_demand(net, domain):
    net.find_host("smtp.shop.test").configure(sending_tls="verified")
    first, second = domain.set_mx("mx1", "mx2")
    first.certificate(flaw="expired")
    send(net)
    assert [(each.mail_host, each.reason, each.final) for each in net.journey(subject="Hi").attempts] == [
        (first.name, Reason.CERTIFICATE_REFUSED, False),
        (second.name, None, True),
    ]


def test_the_journey_and_the_transcript_tell_the_policy(net, mx):
    net.find_host("smtp.shop.test").configure(sending_tls="verified")
    mx.certificate(flaw="wrong_name")
    send(net)
    said = "certificate not verified (the certificate is for wrong-name.invalid, not mx1.example.org)"
    assert f"{said}, TLS policy verified" in str(net.journey(subject="Hi"))
    assert "TLS policy verified: no reply (certificate not verified: the certificate" in net.transcript()


def test_a_demand_that_there_is_not(net):
    with pytest.raises(DeclarationError, match="there is no 'verify'"):
        net.find_host("smtp.shop.test").configure(sending_tls="verify")


def test_a_flaw_that_there_is_not(mx, domain):
    with pytest.raises(DeclarationError, match="no certificate flaw 'expire'; did you mean 'expired'"):
        mx.certificate(flaw="expire")
    with pytest.raises(DeclarationError, match="hexadecimal, not 'xyz'"):
        mx.publish_tlsa(data="xyz")
    with pytest.raises(DeclarationError, match="from 0 to 255"):
        mx.publish_tlsa(usage=256)
    with pytest.raises(DeclarationError, match="no flaw 'bogos' of signatures; did you mean 'bogus'"):
        domain.enable_dnssec(flaw="bogos")
    with pytest.raises(DeclarationError, match="no flaw 'redirekt' of policies"):
        domain.mta_sts(flaw="redirekt")
    with pytest.raises(DeclarationError, match="no MTA-STS mode 'enforced'"):
        domain.mta_sts("enforced")


def test_hidden_words_stay_hidden(mx):
    mx.configure(hide={"DSN"}).offer_starttls(False)
    assert mx.options.hide == {"DSN", "STARTTLS"}
    assert mx.offer_starttls().options.hide == {"DSN"}


# DNSSEC ---------------------------------------------------------------------------------------------


def ask(net, name, type, *, flags=dns.flags.RD | dns.flags.AD, dnssec=False):
    query = dns.message.make_query(name, type, flags=flags, want_dnssec=dnssec)
    return dns.query.udp(query, net.dns.host, port=net.dns.port, timeout=5)


def test_ad_is_for_signed_zones_and_those_who_ask(net, domain):  # RFC 4035 §3.2.3, RFC 6840 §5.7
    domain.enable_dnssec()
    assert ask(net, "example.org", "MX").flags & dns.flags.AD
    assert ask(net, "nobody.example.org", "MX").flags & dns.flags.AD
    assert not ask(net, "example.org", "MX", flags=dns.flags.RD).flags & dns.flags.AD
    assert ask(net, "example.org", "MX", flags=dns.flags.RD, dnssec=True).flags & dns.flags.AD
    assert not ask(net, "shop.test", "MX").flags & dns.flags.AD


def test_signatures_are_for_those_who_want_them(net, domain):  # RFC 4035 §3.1.1
    domain.enable_dnssec()
    types = [dns.rdatatype.to_text(each.rdtype) for each in ask(net, "example.org", "MX", dnssec=True).answer]
    assert types == ["MX", "RRSIG"]
    assert len(ask(net, "example.org", "MX").answer) == 1


def test_an_alias_out_of_signed_zones_is_not_authentic(net, domain):
    net.dns.add("www.example.org", "CNAME", "mx1.shop.test.")
    domain.enable_dnssec()
    assert not ask(net, "www.example.org", "A", dnssec=True).flags & dns.flags.AD


@pytest.mark.parametrize("flaw", ["expired", "bogus", "missing_signature"])
def test_flawed_signatures_are_servfail_unless_cd(net, domain, flaw):  # RFC 4035 §5.5, §3.2.2
    domain.enable_dnssec(flaw=flaw)
    assert ask(net, "example.org", "MX").rcode() == dns.rcode.SERVFAIL
    unchecked = ask(net, "example.org", "MX", flags=dns.flags.RD | dns.flags.AD | dns.flags.CD, dnssec=True)
    assert unchecked.rcode() == dns.rcode.NOERROR
    assert not unchecked.flags & dns.flags.AD
    attempt = send(net)
    assert attempt.reason is Reason.DNS_TEMPORARY
    domain.enable_dnssec()
    net.clock.advance(minutes(5))
    assert len(net.account("bob@example.org").inbox) == 1


def test_a_zone_can_be_unsigned_again(net, domain):
    domain.enable_dnssec()
    net.dns.disable_dnssec("example.org")
    assert not ask(net, "example.org", "MX").flags & dns.flags.AD
    with pytest.raises(DeclarationError, match=r"'example\.org' is not signed"):
        net.dns.trust_anchor("example.org")


def test_trust_anchors_in_both_forms(net, domain):
    domain.enable_dnssec()
    key = str(ask(net, "example.org", "DNSKEY").answer[0][0])
    assert net.dns.trust_anchor(form="zone") == f"example.org. 300 IN DNSKEY {key}\n"
    flags, protocol, algorithm, octets = key.split(" ", 3)
    assert net.dns.trust_anchor("example.org") == (
        "trust-anchors {\n"
        f'    example.org. static-key {flags} {protocol} {algorithm} "{octets.replace(" ", "")}";\n'
        "};\n"
    )
    with pytest.raises(DeclarationError, match="no form 'pem'"):
        net.dns.trust_anchor(form="pem")


# DANE -----------------------------------------------------------------------------------------------


def test_a_signed_domain_has_dane(net, domain):  # RFC 7672 §2.2
    domain.enable_dnssec()
    assert told(send(net)) == ("dane", None, "TLSv1.3")
    assert net.dns.queries(name="_25._tcp.mx1.example.org", type="TLSA").one().answer == "NOERROR"


def test_a_new_mail_host_of_a_signed_domain_has_dane_too(net, domain):
    domain.enable_dnssec()
    domain.set_mx("backup")
    assert net.dns.records("_25._tcp.backup.example.org", "TLSA")
    assert told(send(net)) == ("dane", None, "TLSv1.3")


def test_without_dnssec_there_is_no_dane(net, domain, mx):
    mx.publish_tlsa()
    assert told(send(net)) == ("opportunistic", None, "TLSv1.3")
    assert net.dns.queries(type="TLSA") == []


def test_a_host_can_do_without_dane(net, domain, mx):
    domain.enable_dnssec()
    mx.certificate(flaw="self_signed")
    net.find_host("smtp.shop.test").configure(dane=False)
    assert told(send(net)) == ("opportunistic", None, "TLSv1.3")


def test_a_new_key_without_a_new_record_is_not_taken(net, domain, mx):
    domain.enable_dnssec()
    mx.certificate(flaw="unknown_authority")
    assert told(send(net)) == ("dane", Reason.DANE_FAILED, "")
    assert net.account("bob@example.org").inbox.is_empty
    mx.publish_tlsa()
    net.clock.advance(minutes(5))
    assert len(net.account("bob@example.org").inbox) == 1


def test_dane_needs_starttls(net, domain, mx):  # RFC 7672 §2.2
    domain.enable_dnssec()
    mx.offer_starttls(False)
    assert told(send(net)) == ("dane", Reason.TLS_REQUIRED, "")


@pytest.mark.parametrize("kind", [(3, 1, 1), (3, 0, 1), (3, 1, 2), (3, 0, 0), (3, 1, 0)])
@pytest.mark.parametrize("flaw", ["expired", "wrong_name", "self_signed", "unknown_authority"])
def test_dane_ee_looks_at_the_key_alone(net, domain, mx, kind, flaw):  # RFC 7672 §3.1.1
    domain.enable_dnssec()
    mx.certificate(flaw=flaw).publish_tlsa(usage=kind[0], selector=kind[1], matching=kind[2])
    assert told(send(net)) == ("dane", None, "TLSv1.3")


@pytest.mark.parametrize("kind", [(2, 0, 1), (2, 1, 1), (2, 0, 0), (2, 1, 2)])
def test_dane_ta_looks_at_names_and_dates_too(net, domain, mx, kind):  # RFC 7672 §3.1.2
    domain.enable_dnssec()
    mx.publish_tlsa(usage=kind[0], selector=kind[1], matching=kind[2])
    assert told(send(net, "good")) == ("dane", None, "TLSv1.3")
    for flaw in ("expired", "wrong_name", "unknown_authority", "self_signed"):
        mx.certificate(flaw=flaw)
        assert told(send(net, flaw)) == ("dane", Reason.DANE_FAILED, "")


@pytest.mark.parametrize(("usage", "data"), [(0, None), (1, None), (3, "00ff"), (200, "aa" * 32)])
def test_records_that_cannot_be_used_still_demand_tls(net, domain, mx, usage, data):  # RFC 7672 §2.2
    domain.enable_dnssec()
    mx.certificate(flaw="self_signed").publish_tlsa(usage=usage, data=data)
    assert told(send(net, "with")) == ("dane-unusable", None, "TLSv1.3")
    mx.offer_starttls(False)
    assert told(send(net, "without")) == ("dane-unusable", Reason.TLS_REQUIRED, "")


def test_a_tlsa_lookup_that_fails_defers(net, domain):  # RFC 7672 §2.1.2
    net.host("mx.provider.test", services=["smtp"])
    domain.set_mx("mx.provider.test")
    domain.enable_dnssec()
    net.dns.enable_dnssec("provider.test")
    net.dns.enable_dnssec("_tcp.mx.provider.test", flaw="bogus")
    attempt = send(net)
    assert (attempt.reason, attempt.detail) == (Reason.DNS_TEMPORARY, "TLSA of mx.provider.test")
    assert len(net.queue) == 1


# MTA-STS --------------------------------------------------------------------------------------------


def requests(net):
    return [event.line for event in net.events(Stage.HTTP_REQUEST)]


def test_a_policy_is_fetched_once_and_kept(net, domain):  # RFC 8461 §3.3, §5.1
    domain.mta_sts("enforce", max_age=86400)
    assert told(send(net, "one")) == ("sts", None, "TLSv1.3")
    assert told(send(net, "two")) == ("sts", None, "TLSv1.3")
    assert requests(net) == ["GET /.well-known/mta-sts.txt"]
    domain.mta_sts("enforce", max_age=86400)  # a new id
    send(net, "three")
    assert len(requests(net)) == 2
    net.clock.advance(hours(25))
    send(net, "four")
    assert len(requests(net)) == 3


def test_nobody_asks_where_there_is_no_policy(net):
    send(net)
    assert net.dns.queries(name="_mta-sts.example.org") == []


@pytest.mark.parametrize("flaw", FLAWS)
def test_enforce_takes_good_certificates_only(net, domain, mx, flaw):  # RFC 8461 §4.2
    domain.mta_sts("enforce")
    mx.certificate(flaw=flaw)
    assert told(send(net)) == ("sts", Reason.STS_FAILED, "")
    net.clock.advance(days(5))
    assert net.journey(subject="Hi").fate == Expired(None, Reason.STS_FAILED)


def test_enforce_needs_tls(net, domain, mx):
    domain.mta_sts("enforce")
    mx.offer_starttls(False)
    assert told(send(net)) == ("sts", Reason.TLS_REQUIRED, "")


def test_enforce_goes_to_hosts_of_the_policy_only(net, domain):  # RFC 8461 §4.1
    first, second = domain.set_mx("mx1", "mx2")
    domain.mta_sts("enforce", mx=["mx2.example.org"])
    send(net)
    assert [(each.mail_host, each.reason) for each in net.journey(subject="Hi").attempts] == [
        (first.name, Reason.STS_WRONG_HOST),
        (second.name, None),
    ]
    domain.mta_sts("enforce", mx=["*.example.org"])
    assert told(send(net, "wild")) == ("sts", None, "TLSv1.3")
    assert net.journey(subject="wild").attempts[0].mail_host == first.name


@pytest.mark.parametrize("mode", ["testing", "none"])
def test_other_modes_stop_nothing(net, domain, mx, mode):
    domain.mta_sts(mode, mx=["elsewhere.example.org"])
    mx.certificate(flaw="expired")
    name = "sts-testing" if mode == "testing" else "opportunistic"
    assert told(send(net, "bad")) == (name, None, "TLSv1.3")
    mx.offer_starttls(False)
    assert told(send(net, "clear")) == (name, None, "")


@pytest.mark.parametrize("flaw", ["not_found", "malformed", "too_large", "redirect"])
def test_a_policy_that_cannot_be_had_counts_for_nothing(net, domain, mx, flaw):  # RFC 8461 §3.3
    domain.mta_sts("enforce", mx=["elsewhere.example.org"], flaw=flaw)
    assert told(send(net)) == ("opportunistic", None, "TLSv1.3")
    assert requests(net) == ["GET /.well-known/mta-sts.txt"]


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_policy_from_a_host_with_a_bad_certificate_counts_for_nothing(net, domain, flaw):
    domain.mta_sts("enforce", mx=["elsewhere.example.org"])
    net.find_host("mta-sts.example.org").certificate(flaw=flaw)
    assert told(send(net)) == ("opportunistic", None, "TLSv1.3")
    assert requests(net) == []


def test_what_is_kept_outlives_a_broken_policy(net, domain, mx):  # RFC 8461 §3.3
    domain.mta_sts("enforce", max_age=3600)
    send(net, "first")
    domain.mta_sts("none", flaw="not_found")
    mx.certificate(flaw="expired")
    assert told(send(net, "kept")) == ("sts", Reason.STS_FAILED, "")
    domain.mta_sts(None)
    assert told(send(net, "without a record")) == ("sts", Reason.STS_FAILED, "")
    net.clock.advance(hours(2))
    assert told(send(net, "too old")) == ("opportunistic", None, "TLSv1.3")


def test_a_policy_host_that_is_down(net, domain):
    domain.mta_sts("enforce", mx=["elsewhere.example.org"])
    net.find_host("mta-sts.example.org").stop()
    assert told(send(net)) == ("opportunistic", None, "TLSv1.3")


def test_a_host_can_do_without_mta_sts(net, domain):
    domain.mta_sts("enforce", mx=["elsewhere.example.org"])
    net.find_host("smtp.shop.test").configure(mta_sts=False)
    assert told(send(net)) == ("opportunistic", None, "TLSv1.3")


def test_dane_goes_before_mta_sts(net, domain, mx):  # RFC 8461 §2
    domain.mta_sts("enforce")
    domain.enable_dnssec()
    mx.certificate(flaw="unknown_authority")
    assert told(send(net, "bad")) == ("dane", Reason.DANE_FAILED, "")
    mx.publish_tlsa()
    assert told(send(net, "good")) == ("dane", None, "TLSv1.3")


def test_an_app_can_fetch_the_policy(net, domain):
    domain.mta_sts("testing", max_age=60)
    site = net.find_host("mta-sts.example.org").settings("https")
    context = net.ssl_context
    url = f"https://{site.host}:{site.port}/.well-known/mta-sts.txt"
    with urllib.request.urlopen(url, context=context, timeout=5) as answer:
        assert answer.headers["Content-Type"] == "text/plain"
        assert answer.read() == b"version: STSv1\r\nmode: testing\r\nmx: mx1.example.org\r\nmax_age: 60\r\n"
    with pytest.raises(urllib.error.HTTPError, match="404") as refusal:
        urllib.request.urlopen(url + "x", context=context, timeout=5)
    refusal.value.close()
    with pytest.raises(urllib.error.HTTPError, match="405") as refusal:
        urllib.request.urlopen(url, data=b"x", context=context, timeout=5)
    refusal.value.close()


def test_what_is_no_http_gets_400(net, domain):
    domain.mta_sts()
    site = net.find_host("mta-sts.example.org").settings("https")
    with (
        socket.create_connection((site.host, site.port), timeout=5) as sock,
        net.ssl_context.wrap_socket(sock, server_hostname="mta-sts.example.org") as tls,
    ):
        tls.sendall(b"EHLO app.test\r\n\r\n")
        assert tls.recv(1000).startswith(b"HTTP/1.1 400 ")


# REQUIRETLS -----------------------------------------------------------------------------------------


def test_requiretls_over_dane(net, domain):  # RFC 8689 §4.2.1
    domain.enable_dnssec()
    assert told(send(net, options=["REQUIRETLS"])) == ("requiretls", None, "TLSv1.3")
    assert any("REQUIRETLS" in event.line for event in net.events(Stage.SMTP_MAIL, host="mx1.example.org"))
    assert net.account("bob@example.org").inbox.one().envelope.requiretls


def test_requiretls_over_mta_sts(net, domain):
    domain.mta_sts()
    assert told(send(net, options=["REQUIRETLS"])) == ("requiretls", None, "TLSv1.3")


def test_requiretls_needs_somebody_who_vouches_for_the_host(net):
    attempt = send(net, options=["REQUIRETLS"])
    assert told(attempt) == ("requiretls", Reason.REQUIRETLS_FAILED, "")
    assert net.journey(subject="Hi").fate == Bounced(Stage.CONNECT, None, Reason.REQUIRETLS_FAILED)
    [bounce] = net.account("hello@shop.test").inbox
    assert bounce.delivery_report.status == "5.7.10"


def test_requiretls_has_to_be_offered(net, domain, mx):
    domain.enable_dnssec()
    mx.configure(hide={"REQUIRETLS"})
    assert send(net, options=["REQUIRETLS"]).reason is Reason.REQUIRETLS_NOT_OFFERED
    [bounce] = net.account("hello@shop.test").inbox
    assert bounce.delivery_report.status == "5.7.30"


def test_requiretls_needs_a_good_certificate(net, domain, mx):
    domain.enable_dnssec()
    mx.certificate(flaw="expired")
    assert send(net, options=["REQUIRETLS"]).reason is Reason.REQUIRETLS_FAILED
    assert net.account("bob@example.org").inbox.is_empty


def test_requiretls_needs_tls(net, domain, mx):
    domain.enable_dnssec()
    mx.offer_starttls(False)
    attempt = send(net, options=["REQUIRETLS"])
    assert (attempt.reason, attempt.at) == (Reason.REQUIRETLS_FAILED, Stage.SMTP_STARTTLS)


def test_the_bounce_of_such_a_message_has_its_header_only(net, domain, mx):  # RFC 8689 §5
    net.domain("shop.test").enable_dnssec()
    domain.enable_dnssec()
    send(net, options=["REQUIRETLS", "RET=FULL"], to="gone@example.org")
    [bounce] = net.account("hello@shop.test").inbox
    assert bounce.envelope.requiretls
    assert b"\r\n\r\nHello" not in bounce.raw
    assert bounce.delivery_report.status == "5.1.1"


def test_requiretls_in_clear_text_is_refused(net):
    smtp = net.mx("example.org")
    with smtplib.SMTP(smtp.host, smtp.port, timeout=5) as client:
        client.ehlo()
        assert not client.has_extn("REQUIRETLS")
        assert client.docmd("MAIL", "FROM:<a@app.test> REQUIRETLS")[0] == 555
        client.starttls(context=ssl._create_unverified_context())
        client.ehlo()
        assert client.has_extn("REQUIRETLS")


@pytest.mark.parametrize("header", ["TLS-Required: No", "tls-required:\r\n no"])
def test_a_message_can_put_delivery_first(net, domain, mx, header):  # RFC 8689 §3
    domain.enable_dnssec()
    mx.certificate(flaw="expired")
    content = f"{header}\r\n{LETTER}"
    assert told(send(net, "bad", content=content)) == ("TLS-Required: No", None, "TLSv1.3")
    mx.offer_starttls(False)
    assert told(send(net, "clear", content=content)) == ("TLS-Required: No", None, "")


def test_only_the_header_counts(net, domain, mx):
    domain.enable_dnssec()
    mx.certificate(flaw="expired")
    attempt = send(net, content="Subject: {}\r\n\r\nTLS-Required: No\r\n")
    assert attempt.reason is Reason.DANE_FAILED


def test_requiretls_goes_before_the_header(net, domain, mx):  # RFC 8689 §4.1
    domain.enable_dnssec()
    mx.certificate(flaw="expired")
    attempt = send(net, content="TLS-Required: No\r\n" + LETTER, options=["REQUIRETLS"])
    assert attempt.reason is Reason.REQUIRETLS_FAILED


# Reports --------------------------------------------------------------------------------------------


@pytest.fixture
def reports(net, domain):
    box = net.account("tls@example.org")
    domain.tls_reports(box)
    return box.inbox


def test_a_report_of_the_day(net, domain, mx, reports):  # RFC 8460 §4.4
    domain.mta_sts()
    send(net, "good")
    send(net, "good as well")
    mx.certificate(flaw="expired")
    send(net, "bad")
    net.queue.drop()
    net.clock.advance(days(1))
    report = reports.one().tls_report
    assert (report.organization, report.successes, report.failures) == ("smtp.shop.test", 2, 1)
    [policy] = report.policies
    assert (policy.type, policy.domain) == ("sts", "example.org")
    assert policy.strings[:2] == ("version: STSv1", "mode: enforce")
    [failure] = report.details
    assert (failure.type, failure.count, failure.mail_host) == ("certificate-expired", 1, mx.name)
    assert report.since[10:] == report.until[10:] == "T00:00:00Z"
    message = reports.one()
    assert message.headers["TLS-Report-Domain"] == "example.org"
    assert message.headers["TLS-Report-Submitter"] == "smtp.shop.test"


def test_reports_are_not_about_reports(net, reports):
    send(net)
    net.clock.advance(days(4))
    assert len(reports) == 1


@pytest.mark.parametrize(
    ("prepare", "policy", "failure"),
    [
        (lambda net, domain, mx: None, "no-policy-found", None),
        (lambda net, domain, mx: mx.offer_starttls(False), "no-policy-found", "starttls-not-supported"),
        (lambda net, domain, mx: domain.enable_dnssec(), "tlsa", None),
        (
            lambda net, domain, mx: (domain.enable_dnssec(), mx.certificate(flaw="expired")),
            "tlsa",
            "validation-failure",
        ),
        (
            lambda net, domain, mx: (domain.mta_sts("testing"), mx.certificate(flaw="wrong_name")),
            "sts",
            "certificate-host-mismatch",
        ),
        (
            lambda net, domain, mx: (domain.mta_sts("testing"), mx.certificate(flaw="unknown_authority")),
            "sts",
            "certificate-not-trusted",
        ),
        (
            lambda net, domain, mx: domain.mta_sts("testing", mx=["other.example.org"]),
            "sts",
            "validation-failure",
        ),
        (lambda net, domain, mx: domain.mta_sts(flaw="not_found"), "sts", "sts-policy-fetch-error"),
        (lambda net, domain, mx: domain.mta_sts(flaw="malformed"), "sts", "sts-policy-invalid"),
        (
            lambda net, domain, mx: (
                domain.mta_sts(),
                net.find_host("mta-sts.example.org").certificate(flaw="expired"),
            ),
            "sts",
            "sts-webpki-invalid",
        ),
    ],
)
def test_what_reports_say(net, domain, mx, reports, prepare, policy, failure):  # RFC 8460 §4.3
    prepare(net, domain, mx)
    send(net)
    net.queue.drop()
    net.clock.advance(days(1))
    report = reports.one().tls_report
    assert [each.type for each in report.policies] == [policy]
    assert [each.type for each in report.details] == ([] if failure is None else [failure])
    assert (report.successes, report.failures) == ((1, 0) if failure is None else (0, 1))


def test_a_host_can_do_without_reports(net, reports):
    net.find_host("smtp.shop.test").configure(tls_reports=False)
    send(net)
    net.clock.advance(days(2))
    assert len(reports) == 0


def test_no_reports_any_more(net, domain, reports):
    domain.tls_reports(None)
    send(net)
    net.clock.advance(days(2))
    assert len(reports) == 0


def test_an_ordinary_message_is_no_report(net):
    send(net)
    assert net.account("bob@example.org").inbox.one().tls_report is None
