"""Every reason there is has a small story that ends in it.

A new member of :class:`~fakemail.Reason` needs a row in one of the tables here, or the last test fails: a line of
``SAID`` where a dialogue with a host is enough, of ``SENT`` where a message is, of ``JUDGED`` for what a policy finds,
or else a function with ``@ends_in``. A reason for which no story can be told is one that nobody needs.
"""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import pytest

from fakemail import MailNet, Reason, Reply, ServerError, Stage, minutes, samples

MAIL = b"From: ann@shop.test\r\nTo: bob@example.org\r\nSubject: Hello\r\n\r\nHello.\r\n"
MX, SUBMISSION = "mx", "submission"
TO_BOB = ("EHLO app.test", "MAIL FROM:<ann@shop.test>", "RCPT TO:<bob@example.org>")


def said(net: MailNet, where: str, *lines: str) -> None:
    """Say lines to the mail host of example.org, or to the submission host of bob."""
    settings = net.mx("example.org") if where == MX else net.account("bob@example.org").submission
    with socket.create_connection((settings.host, settings.port), timeout=10) as connection:
        connection.recv(1000)
        for line in lines:
            connection.sendall(line.encode() if line.endswith("\n") else f"{line}\r\n".encode())
            connection.recv(4000)


def sent(
    net: MailNet, *, sender: str = "ann@shop.test", to: str = "bob@example.org", raw: bytes = MAIL
) -> None:
    """Hand a message to the mail host of example.org."""
    with suppress(smtplib.SMTPException):
        mx = net.mx("example.org")
        with smtplib.SMTP(mx.host, mx.port, local_hostname="app.test", timeout=10) as smtp:
            smtp.sendmail(sender, [to], raw)


def submitted(net: MailNet, *, to: str = "bob@example.org", **options: Any) -> None:
    """Hand a message to the submission host of ann, and let it travel."""
    with suppress(smtplib.SMTPException), net.account("ann@shop.test").submission.smtplib() as smtp:
        smtp.sendmail("ann@shop.test", [to], MAIL, **options)
    net.settle()


def host(net: MailNet) -> Any:
    return net.mx("example.org").server


# What is said to a host ----------------------------------------------------------------------------

SAID: dict[Reason, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    Reason.NO_SUCH_USER: ({}, MX, (*TO_BOB[:2], "RCPT TO:<gone@example.org>")),
    Reason.RELAY_DENIED: ({}, MX, (*TO_BOB[:2], "RCPT TO:<x@else.test>")),
    Reason.TOO_MANY_RECIPIENTS: ({"max_recipients": 1}, MX, (*TO_BOB, TO_BOB[2])),
    Reason.AUTH_REQUIRED: ({}, SUBMISSION, TO_BOB[:2]),
    Reason.AUTH_CANCELLED: ({"auth_in_clear": True}, SUBMISSION, ("EHLO app.test", "AUTH PLAIN", "*")),
    Reason.AUTH_MECHANISM: ({"auth_in_clear": True}, SUBMISSION, ("EHLO app.test", "AUTH X")),
    Reason.AUTH_FAILED: ({"auth_in_clear": True}, SUBMISSION, ("EHLO app.test", "AUTH PLAIN AGEAYg==")),
    Reason.TLS_REQUIRED: ({"require_tls": True}, MX, TO_BOB[:2]),
    Reason.MESSAGE_TOO_BIG: (
        {"max_message_size": 10},
        MX,
        ("EHLO app.test", "MAIL FROM:<ann@shop.test> SIZE=11"),
    ),
    Reason.BARE_LINE_END: ({}, MX, ("NOOP\n",)),
    Reason.NOT_NEGOTIATED: ({}, MX, ("EHLO app.test", "MAIL FROM:<ann@shop.test> COLOUR=red")),
    Reason.BAD_SYNTAX: ({}, MX, ("EHLO app.test", "MAIL TO:<bob@example.org>")),
    Reason.BAD_SEQUENCE: ({}, MX, ("DATA",)),
    Reason.UNKNOWN_COMMAND: ({}, MX, ("HELLO",)),
    Reason.LINE_TOO_LONG: ({}, MX, (f"NOOP {'x' * 600}",)),
    Reason.NO_VALID_RECIPIENTS: ({}, MX, (*TO_BOB[:2], "DATA")),
    Reason.TOO_MANY_ERRORS: ({"max_errors": 1}, MX, ("HELLO", "HELLO")),
    Reason.NOT_ALLOWED: ({"xclient_from": {"192.0.2.0/24"}}, MX, ("EHLO app.test", "XCLIENT ADDR=192.0.2.1")),
    Reason.CONNECTION_LOST: ({}, MX, TO_BOB),
}


@pytest.mark.parametrize("reason", SAID, ids=lambda reason: reason.name)
def test_what_is_said(net, reason):
    options, where, lines = SAID[reason]
    if options:
        (host(net) if where == MX else net.account("bob@example.org").submission.server).configure(**options)
    said(net, where, *lines)
    if reason is Reason.CONNECTION_LOST:
        net.wait_for(Stage.DISCONNECT)
    assert_ends_in(net, reason)


# What is sent, in a world that was changed -----------------------------------------------------------------

SENT: dict[Reason, Callable[[MailNet], object]] = {
    Reason.MAILBOX_DISABLED: lambda net: net.account("bob@example.org").configure(disabled=True),
    Reason.MAILBOX_MOVED: lambda net: net.account("bob@example.org").set_moved("bob@new.test"),
    Reason.OVER_QUOTA: lambda net: net.account("bob@example.org").configure(quota=0),
    Reason.MAIL_LOOP: lambda net: host(net).configure(max_hops=0),
    Reason.FAULT: lambda net: host(net).faults.reply(Stage.SMTP_RCPT, Reply(550, "5.0.0", "no")),
    Reason.HANDLER: lambda net: host(net).attach_handler(Unwilling()),
}


class Unwilling:
    async def handle_RCPT(self, *_: object) -> str:
        return "550 not today"


@pytest.mark.parametrize("reason", SENT, ids=lambda reason: reason.name)
def test_what_is_sent(net, reason):
    SENT[reason](net)
    sent(net)
    assert_ends_in(net, reason)


# What policies find -----------------------------------------------------------------------------------------


def listed(net: MailNet, entry: str) -> None:
    net.dns.blocklist("list.example").add(entry)


def publish(net: MailNet, **records: str) -> None:
    net.domain("shop.test").publish(**records)


UNSIGNED = b"DKIM-Signature: v=1; d=shop.test\r\n" + MAIL
JUDGED: dict[Reason, tuple[dict[str, Any], Callable[[MailNet], object], dict[str, Any]]] = {
    Reason.GREYLISTED: ({"greylist": minutes(5)}, lambda net: None, {}),
    Reason.TOO_MANY_CONNECTIONS: ({"max_connections": 0}, lambda net: None, {}),
    Reason.RATE_LIMITED: ({"sender_rate": (0, minutes(5))}, lambda net: None, {}),
    Reason.BLOCKLISTED: ({"dnsbl": "list.example"}, lambda net: listed(net, "app"), {}),
    Reason.NO_REVERSE_DNS: ({"ptr": "refuse"}, lambda net: None, {}),
    Reason.BAD_HELO: ({"helo": "refuse"}, lambda net: None, {}),
    Reason.SENDER_DOMAIN: ({"sender_domain": "refuse"}, lambda net: None, {"sender": "x@nowhere.test"}),
    Reason.SENDER_TAKES_NO_MAIL: (
        {"sender_domain": "refuse"},
        lambda net: net.domain("shop.test").set_mx(None),
        {},
    ),
    Reason.SENDER_FORGED: ({"own_domain": "refuse"}, lambda net: None, {"sender": "ann@example.org"}),
    Reason.NULL_SENDER: ({"null_sender": "refuse"}, lambda net: None, {"sender": ""}),
    Reason.SPF_FAIL: ({"spf": "refuse"}, lambda net: publish(net, spf="v=spf1 -all"), {}),
    Reason.SPF_ERROR: ({"spf": {"permerror": "refuse"}}, lambda net: publish(net, spf="v=spf1 colour"), {}),
    Reason.DKIM_FAIL: (
        {"dkim": dict.fromkeys(("fail", "neutral", "permerror"), "refuse")},
        lambda net: None,
        {"raw": UNSIGNED},
    ),
    Reason.POLICY: ({"dmarc": {"none": "refuse"}}, lambda net: publish(net, dmarc=""), {}),
    Reason.DMARC_REJECT: ({}, lambda net: publish(net, dmarc="v=DMARC1; p=reject"), {}),
    Reason.DMARC_QUARANTINE: ({}, lambda net: publish(net, dmarc="v=DMARC1; p=quarantine"), {}),
    Reason.BAD_MESSAGE: ({"content": {"nul": "refuse"}}, lambda net: None, {"raw": MAIL + b"\0\r\n"}),
    Reason.BAD_HEADER: (
        {"content": {"required_fields": "refuse"}},
        lambda net: None,
        {"raw": b"\r\nHello\r\n"},
    ),
    Reason.HEADER_TOO_BIG: (
        {"content": {"header_size": "refuse"}, "content_rules": {"max_fields": 1}},
        lambda net: None,
        {},
    ),
    Reason.ATTACHMENT_REFUSED: (
        {"content": {"files": "refuse"}},
        lambda net: None,
        {"raw": bytes(samples.with_attachment(filename="a.exe"))},
    ),
    Reason.SPAM: ({"spam": {"refuse": 5}}, lambda net: None, {"raw": bytes(samples.spam())}),
    Reason.VIRUS: ({"content": {"eicar": "refuse"}}, lambda net: None, {"raw": bytes(samples.virus())}),
    Reason.LINK_LISTED: (
        {"content": {"link_blocklist": "refuse"}, "content_rules": {"url_blocklists": ["list.example"]}},
        lambda net: listed(net, "bad.test"),
        {"raw": MAIL + b"https://bad.test/offer\r\n"},
    ),
}


@pytest.mark.parametrize("reason", JUDGED, ids=lambda reason: reason.name)
def test_what_policies_find(net, reason):
    policy, prepare, mail = JUDGED[reason]
    prepare(net)
    net.domain("example.org").policy(**policy)
    net.mx("example.org")
    sent(net, **mail)
    assert_ends_in(net, reason)


# The rules of large receivers --------------------------------------------------------------------------------

NOT_AUTHENTIC = {"spf": "", "dkim": ""}
BULK: dict[Reason, tuple[str, ...]] = {
    # What else a pack would refuse first is only noted, so that the story is about one rule.
    Reason.UNAUTHENTICATED: ("authenticated",),
    Reason.SPF_REQUIRED: ("spf",),
    Reason.DKIM_REQUIRED: ("dkim",),
    Reason.DMARC_REQUIRED: ("dmarc_record",),
    Reason.NOT_ALIGNED: ("alignment",),
    Reason.REVERSE_DNS_REQUIRED: ("reverse_dns",),
    Reason.IMPERSONATION: ("impersonation",),
    Reason.UNSUBSCRIBE_REQUIRED: ("one_click",),
}
LIKE_US = b"From: News <news@example.org>\r\nTo: bob@example.org\r\nSubject: News\r\n\r\nNews.\r\n"


@pytest.mark.parametrize("reason", BULK, ids=lambda reason: reason.name)
def test_what_large_receivers_ask_for(net, reason):
    from fakemail.model.content_rules import BULK_RULES

    (rule,) = BULK[reason]
    outcomes = {each: "refuse" if each == rule else "accept" for each in BULK_RULES}
    net.domain("example.org").policy(bulk_sender={"like": "gmail-like", "outcomes": outcomes}, dmarc="accept")
    publish(net, spf="v=spf1 -all", dmarc="")
    sent(net, raw=LIKE_US if reason is Reason.IMPERSONATION else MAIL)
    assert_ends_in(net, reason)


# Longer stories ------------------------------------------------------------------------------------------------

STORIES: dict[Reason, Callable[[MailNet], object]] = {}


def ends_in(reason: Reason) -> Callable[[Callable[[MailNet], object]], Callable[[MailNet], object]]:
    def register(story: Callable[[MailNet], object]) -> Callable[[MailNet], object]:
        assert reason not in STORIES
        STORIES[reason] = story
        return story

    return register


@ends_in(Reason.NO_SUCH_DOMAIN)
def to_a_domain_that_nobody_has(net):
    submitted(net, to="x@nowhere.test")


@ends_in(Reason.NULL_MX)
def to_a_domain_that_takes_no_mail(net):
    net.domain("silent.test").set_mx(None)
    submitted(net, to="x@silent.test")


@ends_in(Reason.SENDER_NOT_OWNED)
def as_somebody_else(net):
    with net.account("ann@shop.test").submission.smtplib() as smtp:
        smtp.mail("bob@example.org")


@ends_in(Reason.SCANNER_UNAVAILABLE)
def a_scanner_that_is_not_there(net):
    net.domain("example.org").policy(scanners={"clamav": "/nowhere/clamd.sock"}, scan={"temperror": "defer"})
    sent(net)


@ends_in(Reason.TLS_FAILED)
def garbage_instead_of_a_handshake(net):
    settings = net.account("ann@shop.test").submissions
    with socket.create_connection((settings.host, settings.port), timeout=10) as connection:
        connection.sendall(b"EHLO app.test\r\n")
        connection.recv(100)
    net.wait_for(Stage.DISCONNECT)


@ends_in(Reason.CERTIFICATE_REFUSED)
def a_sender_that_verifies(net):
    host(net).certificate(flaw="expired")
    net.account("ann@shop.test").submission.server.configure(sending_tls="verified")
    submitted(net)


@ends_in(Reason.DANE_FAILED)
def another_key_than_dns_says(net):
    net.domain("example.org").enable_dnssec()
    host(net).certificate(flaw="unknown_authority")
    submitted(net)


@ends_in(Reason.STS_FAILED)
def a_bad_certificate_for_an_enforced_policy(net):
    net.domain("example.org").mta_sts("enforce")
    host(net).certificate(flaw="expired")
    submitted(net)


@ends_in(Reason.STS_WRONG_HOST)
def a_mail_host_that_the_policy_does_not_know(net):
    net.domain("example.org").mta_sts("enforce", mx=["mx9.example.org"])
    submitted(net)


@ends_in(Reason.REQUIRETLS_FAILED)
def requiretls_without_a_promise(net):
    submitted(net, mail_options=["REQUIRETLS"])


@ends_in(Reason.REQUIRETLS_NOT_OFFERED)
def requiretls_at_a_host_without_it(net):
    net.domain("example.org").enable_dnssec()
    host(net).configure(hide={"REQUIRETLS"})
    submitted(net, mail_options=["REQUIRETLS"])


@ends_in(Reason.TIMEOUT)
def silence(net):
    host(net).configure(idle_timeout=0.05)
    mx = net.mx("example.org")
    with socket.create_connection((mx.host, mx.port), timeout=10) as connection:
        while connection.recv(1000):
            pass


@ends_in(Reason.CONNECTION_REFUSED)
def a_host_that_is_off(net):
    host(net).stop()
    submitted(net)


@ends_in(Reason.SHUTTING_DOWN)
def a_host_that_goes_off(net):
    mx = net.mx("example.org")
    with socket.create_connection((mx.host, mx.port), timeout=10) as connection:
        connection.recv(1000)
        host(net).stop()


@ends_in(Reason.PROTOCOL_ERROR)
def no_proxy_header(net):
    host(net).configure(proxy_from={"app"})
    mx = net.mx("example.org")
    with socket.create_connection((mx.host, mx.port), timeout=10) as connection, suppress(OSError):
        connection.sendall(b"HELO app.test\r\n")
        connection.recv(100)


@ends_in(Reason.DNS_TEMPORARY)
def a_name_server_that_fails(net):
    net.dns.faults.servfail("example.org")
    submitted(net)


@ends_in(Reason.NO_ADDRESS)
def a_mail_host_without_an_address(net):
    net.domain("else.test").set_mx()
    net.dns.add("else.test", "MX", "10 nowhere.else.test.")
    submitted(net, to="x@else.test")


@ends_in(Reason.DROPPED)
def thrown_out_of_the_queue(net):
    host(net).stop()
    submitted(net)
    net.queue.drop()


def imap(net: MailNet) -> imaplib.IMAP4:
    return net.account("bob@example.org").imap.imaplib()


@ends_in(Reason.NO_SUCH_MAILBOX)
def a_mailbox_that_is_not_there(net):
    with imap(net) as client:
        client.select("Nowhere")


@ends_in(Reason.MAILBOX_EXISTS)
def a_mailbox_twice(net):
    with imap(net) as client:
        client.create("Sent")


@ends_in(Reason.READ_ONLY)
def a_flag_in_a_mailbox_that_is_only_looked_at(net):
    sent(net)
    with imap(net) as client:
        client.select("INBOX", readonly=True)
        client.store("1", "+FLAGS", r"(\Seen)")


@ends_in(Reason.LIMIT_REACHED)
def too_much_metadata(net):
    with imap(net) as client:
        entries = " ".join(f'/private/{number} "x"' for number in range(1001))
        client.send(f"A1 SETMETADATA INBOX ({entries})\r\n".encode())
        client.readline()


@ends_in(Reason.MESSAGE_GONE)
def a_message_that_somebody_else_removed(net):
    sent(net)
    with imap(net) as one, imap(net) as other:
        one.select("INBOX")
        other.select("INBOX")
        other.store("1", "+FLAGS", r"(\Deleted)")
        other.expunge()
        one.store("1", "+FLAGS", r"(\Seen)")


@ends_in(Reason.CANNOT_DECODE)
def an_encoding_that_nobody_knows(net):
    sent(net, raw=b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: rot13\r\n" + MAIL)
    with imap(net) as client:
        client.select("INBOX")
        client.fetch("1", "(BINARY[1])")


@ends_in(Reason.MAILBOX_LOST)
def a_mailbox_that_is_deleted_under_the_reader(net):
    with imap(net) as one, imap(net) as other:
        one.create("Old")
        one.select("Old")
        other.delete("Old")
        with suppress(imaplib.IMAP4.abort):
            one.noop()


def pop3(net: MailNet) -> poplib.POP3:
    return net.account("bob@example.org").pop3.poplib()


@ends_in(Reason.NO_SUCH_MESSAGE)
def a_message_number_that_there_is_not(net):
    with closing(pop3(net)) as client, suppress(poplib.error_proto):
        client.retr(9)


@ends_in(Reason.MAILDROP_IN_USE)
def two_readers_of_one_maildrop(net):
    with closing(pop3(net)), suppress(poplib.error_proto):
        pop3(net)


@ends_in(Reason.LOGIN_TOO_SOON)
def a_reader_who_comes_back_at_once(net):
    net.account("bob@example.org").pop3.server.configure(login_delay=60)
    pop3(net).quit()
    with suppress(poplib.error_proto):
        pop3(net)


@pytest.mark.parametrize("reason", STORIES, ids=lambda reason: reason.name)
def test_longer_stories(net, reason):
    STORIES[reason](net)
    assert_ends_in(net, reason)


class Broken:
    async def handle_RCPT(self, *_: object) -> str:
        raise ValueError("broken")


def test_a_server_that_fails():
    with pytest.raises(ServerError, match="broken"), MailNet() as net:
        net.account("bob@example.org")
        host(net).attach_handler(Broken())
        sent(net)
        assert_ends_in(net, Reason.LOCAL_ERROR)


# All of them -----------------------------------------------------------------------------------------------------


@pytest.fixture
def net():
    with MailNet() as mailnet:
        mailnet.account("bob@example.org")
        mailnet.account("ann@shop.test")
        yield mailnet


def assert_ends_in(net: MailNet, reason: Reason) -> None:
    """Some event says so, and it is no mere note that nothing came of."""
    found = [event for event in net.events() if getattr(event, "reason", None) is reason]
    assert found, f"nothing ended in {reason.name}:\n{net.transcript()}"


def test_every_reason_has_its_story():
    tables = (SAID, SENT, JUDGED, BULK, STORIES)
    told = [Reason.LOCAL_ERROR, *(reason for table in tables for reason in table)]
    assert set(Reason) - set(told) == set(), "a reason without a story: see the top of this file"
    assert len(told) == len(set(told)), "one story is enough"
