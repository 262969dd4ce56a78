"""Client lint: each rule with something that breaks it and something that does not, over real sockets."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.utils import localtime, make_msgid

import pytest

from fakemail import DeclarationError, MailNet, Reply, Settings, Stage
from fakemail.events.kinds import Connected, Handshake
from fakemail.lint.rules import RULES, Severity
from fakemail.types.peer import Peer

HEAD = (
    "From: ann@shop.test\r\nTo: bob@example.org\r\nSubject: Hi\r\n"
    "Date: Tue, 24 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@shop.test>\r\n"
)
BODY = "\r\nHello\r\n"
EHLO, MAIL, RCPT = "EHLO app.shop.test", "MAIL FROM:<ann@shop.test>", "RCPT TO:<bob@example.org>"


class Talk:
    """A client that says exactly what it is told to."""

    def __init__(self, server: Settings) -> None:
        self._socket: socket.socket = socket.create_connection((server.host, server.port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = self._socket.makefile("rb")
        self.reply()

    def reply(self) -> str:
        text = ""
        while line := self._read.readline().decode():
            text += line
            if line[3:4] != "-":
                break
        return text

    def say(self, *lines: str) -> str:
        """Say lines one by one, and wait for the reply to each; the last reply."""
        last = ""
        for line in lines:
            self.send(f"{line}\r\n")
            last = self.reply()
        return last

    def send(self, text: str) -> None:
        self._socket.sendall(text.encode("utf-8", "surrogateescape"))

    def message(self, text: str, *, mail: str = MAIL, end: str = "\r\n.\r\n") -> str:
        self.say(EHLO, mail, RCPT, "DATA")
        self.send(text.removesuffix("\r\n") + end)
        return self.reply()

    def close(self) -> None:
        self._read.close()
        self._socket.close()


@contextmanager
def talk(net: MailNet, server: Settings | None = None) -> Iterator[Talk]:
    """A connection that ends with QUIT."""
    client = Talk(net.mx("example.org") if server is None else server)
    yield client
    with suppress(OSError):
        client.say("QUIT")
    client.close()


def said(*lines: str, server: Callable[[MailNet], Settings] | None = None) -> Callable[[MailNet], None]:
    """Says those lines, one by one."""

    def run(net: MailNet) -> None:
        with talk(net, server and server(net)) as client:
            client.say(*lines)

    return run


def sent(text: str, **how: str) -> Callable[[MailNet], None]:
    """Sends that message, octet for octet."""

    def run(net: MailNet) -> None:
        with talk(net) as client:
            client.message(text, **how)

    return run


def together(*lines: str, after: int, hide: frozenset[str] = frozenset()) -> Callable[[MailNet], None]:
    """Says the first lines one by one, and the rest in one piece."""

    def run(net: MailNet) -> None:
        server = net.mx("example.org")
        server.server.configure(hide=hide)
        with talk(net, server) as client:
            client.say(*lines[:after])
            client.send("".join(f"{line}\r\n" for line in lines[after:]))
            for _ in lines[after:]:
                client.reply()

    return run


def early(net: MailNet) -> None:
    server = net.mx("example.org")

    def speak() -> socket.socket:
        # In the loop's own thread, so that it cannot greet before this has spoken.
        client = socket.create_connection((server.host, server.port), timeout=10)
        client.sendall(b"EHLO app.shop.test\r\n")
        return client

    with net._portal.call(speak) as client:
        assert client.recv(100).startswith(b"220 ")


def hung_up(net: MailNet) -> None:
    client = Talk(net.mx("example.org"))
    client.say(EHLO)
    client.close()


def dropped_by_a_fault(net: MailNet) -> None:
    server = net.mx("example.org")
    server.server.faults.reply(Stage.SMTP_MAIL, Reply(421, "4.3.2", "shutting down"))
    client = Talk(server)
    client.say(EHLO, MAIL)
    client.close()


def left_imap(net: MailNet) -> None:
    box = net.account("bob@example.org").imaps
    client = imaplib.IMAP4_SSL(box.host, box.port, ssl_context=net.ssl_context)
    client.login(box.username, box.password)
    client.shutdown()


def logged_out_of_imap(net: MailNet) -> None:
    box = net.account("bob@example.org").imaps
    with imaplib.IMAP4_SSL(box.host, box.port, ssl_context=net.ssl_context) as client:
        client.login(box.username, box.password)


def one_connection_each(net: MailNet) -> None:
    for to in ("bob@example.org", "eve@example.org"):
        _send(net, _message(), to)


def one_connection_for_all(net: MailNet) -> None:
    _send(net, _message(), "bob@example.org", "eve@example.org")


def two_messages(net: MailNet) -> None:
    for to in ("bob@example.org", "eve@example.org"):
        _send(net, _message(message_id=make_msgid(domain="shop.test")), to)


def _message(message_id: str = "<1@shop.test>") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ann@shop.test", "bob@example.org", "Hi"
    message["Date"], message["Message-ID"] = localtime(), message_id
    message.set_content("Hello\n.dot\n")
    return message


def _send(net: MailNet, message: EmailMessage, *to: str) -> None:
    server = net.mx("example.org")
    with smtplib.SMTP(server.host, server.port, local_hostname="app.shop.test") as client:
        client.starttls(context=net.ssl_context)
        client.send_message(message, to_addrs=list(to))


def over_tls(net: MailNet) -> None:
    _send(net, _message(), "bob@example.org")


def old_version(version: str) -> Callable[[MailNet], None]:
    def run(net: MailNet) -> None:
        log = net._portal.simulation.log
        app = Peer("203.0.113.250", 50000, "app")

        def write() -> None:
            log.append(Connected(host="mx1.example.org", connection=99, protocol="smtp", peer=app))
            log.append(
                Handshake(
                    host="mx1.example.org",
                    connection=99,
                    version=version,
                    cipher="",
                    server_name="",
                    client_certificate="",
                    refused_by="",
                    alert="",
                    detail="",
                )
            )

        net._portal.call(write)

    return run


def submission(net: MailNet) -> Settings:
    return net.account("ann@shop.test").submission


def clear_submission(net: MailNet) -> Settings:
    server = submission(net)
    server.server.configure(auth_in_clear=True, hide={"STARTTLS"})
    return server


def plain_pop3(net: MailNet) -> None:
    box = net.account("bob@example.org").pop3
    box.server.configure(auth_in_clear=True)
    client = poplib.POP3(box.host, box.port, timeout=10)
    client.user(box.username)
    client.pass_(box.password)
    client.quit()


def pop3_over_tls(net: MailNet) -> None:
    box = net.account("bob@example.org").pop3
    client = poplib.POP3(box.host, box.port, timeout=10)
    client.stls(context=net.ssl_context)
    client.user(box.username)
    client.pass_(box.password)
    client.quit()


def lenient(text: str) -> Callable[[MailNet], None]:
    """Sends a message to a host that takes bare line ends."""

    def run(net: MailNet) -> None:
        server = net.mx("example.org")
        server.server.configure(accept_bare_line_ends=True)
        with talk(net, server) as client:
            client.message(text)

    return run


def bare_command(net: MailNet) -> None:
    with talk(net) as client:
        client.send("EHLO app.shop.test\n")
        client.reply()


def helo_after_ehlo(net: MailNet) -> None:
    server = net.mx("example.org")
    server.server.faults.reply(Stage.SMTP_HELO, Reply(502, "5.5.1", "no such thing"), times=1)
    with talk(net, server) as client:
        client.say(EHLO, "HELO app.shop.test")


LONG = "x" * 999
TWO_FROM = HEAD + "From: eve@shop.test\r\n" + BODY
GOOD = sent(HEAD + BODY)


def without(name: str) -> str:
    return "".join(line for line in HEAD.splitlines(keepends=True) if not line.startswith(name)) + BODY


def instead(name: str, line: str) -> str:
    return without(name).replace(BODY, f"{line}\r\n{BODY}")


Run = Callable[[MailNet], None]

CASES: dict[str, tuple[tuple[Run, ...], tuple[Run, ...]]] = {
    "early_talker": ((early,), (said(EHLO),)),
    "no_quit": ((hung_up,), (said(EHLO), dropped_by_a_fault)),
    "no_logout": ((left_imap,), (logged_out_of_imap,)),
    "connection_per_recipient": ((one_connection_each,), (one_connection_for_all, two_messages)),
    "no_tls": ((GOOD,), (over_tls,)),
    "old_tls": ((old_version("TLSv1"), old_version("SSLv3")), (old_version("TLSv1.2"),)),
    "auth_before_tls": (
        (said(EHLO, "AUTH PLAIN AGFubgBzM2NyZXQ=", server=submission),),
        (said(EHLO, "NOOP", server=submission),),
    ),
    "password_in_clear": (
        (said(EHLO, "AUTH PLAIN AGFubgBzM2NyZXQ=", server=clear_submission), plain_pop3),
        (said(EHLO, "AUTH CRAM-MD5", "*", server=clear_submission), pop3_over_tls),
    ),
    "helo_instead_of_ehlo": ((said("HELO app.shop.test"),), (said(EHLO), helo_after_ehlo)),
    "helo_bare_address": (
        (said("EHLO 192.0.2.7"), said("EHLO 2001:db8::7")),
        (said("EHLO [192.0.2.7]"), said("EHLO [IPv6:2001:db8::7]")),
    ),
    "helo_localhost": ((said("EHLO localhost"), said("EHLO localhost.localdomain")), (said(EHLO),)),
    "helo_unqualified": ((said("EHLO laptop"),), (said(EHLO), said("EHLO [192.0.2.7]"))),
    "helo_malformed": ((said("EHLO my_laptop.lan"), said("EHLO [192.0.2]"), said("EHLO")), (said(EHLO),)),
    "bare_line_end": (
        (
            sent(HEAD + "\r\nHello\nthere\r\n"),
            lenient(HEAD + "\r\nHello\rthere\r\n"),
            bare_command,
        ),
        (GOOD, lenient(HEAD + BODY)),
    ),
    "line_too_long": (
        (sent(f"{HEAD}\r\n{LONG}\r\n"), said(f"NOOP {LONG}")),
        (sent(f"{HEAD}\r\n{LONG[1:]}\r\n"),),
    ),
    "pipelining_not_offered": (
        (together(EHLO, MAIL, RCPT, after=1, hide=frozenset({"PIPELINING"})),),
        (together(EHLO, MAIL, RCPT, after=1), said(EHLO, MAIL, RCPT)),
    ),
    "pipelining_past_barrier": (
        (
            together(EHLO, MAIL, after=0),
            together(EHLO, "NOOP", MAIL, after=1),
            together(EHLO, MAIL, RCPT, "DATA", HEAD + BODY + ".", after=3),
        ),
        (together(EHLO, MAIL, RCPT, after=1), together(EHLO, MAIL, "BDAT 2\r\nhi", "RSET", after=1)),
    ),
    "unnegotiated": (
        (
            together(EHLO, f"{MAIL} SIZE=100", after=2, hide=frozenset({"SIZE"})),
            together(EHLO, MAIL, f"{RCPT} NOTIFY=NEVER", after=3, hide=frozenset({"DSN"})),
            said(EHLO, f"{MAIL} X-COLOUR=blue"),
            said("HELO app.shop.test", f"{MAIL} BODY=8BITMIME"),
            together(EHLO, "AUTH PLAIN", after=2, hide=frozenset({"STARTTLS"})),
        ),
        (said(EHLO, f"{MAIL} SIZE=100 BODY=8BITMIME SMTPUTF8 RET=HDRS", f"{RCPT} NOTIFY=NEVER"),),
    ),
    "space_after_colon": ((said(EHLO, "MAIL FROM: <ann@shop.test>"),), (said(EHLO, MAIL),)),
    "no_angle_brackets": ((said(EHLO, "MAIL FROM:ann@shop.test"),), (said(EHLO, MAIL),)),
    "final_dot": ((said(EHLO, "MAIL FROM:<ann@shop.test.>"),), (said(EHLO, MAIL),)),
    "source_route": (
        (said(EHLO, MAIL, "RCPT TO:<@mx.test,@mx2.test:bob@example.org>"),),
        (said(EHLO, MAIL, RCPT),),
    ),
    "recipient_repeated": (
        (said(EHLO, MAIL, RCPT, "RCPT TO:<Bob@EXAMPLE.org>"), said(EHLO, MAIL, RCPT, RCPT)),
        (said(EHLO, MAIL, RCPT, "RCPT TO:<eve@example.org>"), said(EHLO, MAIL, RCPT, "RSET", MAIL, RCPT)),
    ),
    "refusal_ignored": (
        (
            said(EHLO, MAIL, "RCPT TO:<gone@example.org>", "DATA"),
            said(EHLO, f"{MAIL} SIZE=999999999999", RCPT),
        ),
        (
            said(EHLO, MAIL, "RCPT TO:<gone@example.org>", "RSET"),
            said(EHLO, MAIL, "RCPT TO:<gone@example.org>", RCPT, "RSET"),
            together(EHLO, MAIL, "RCPT TO:<gone@example.org>", "DATA", after=1),
        ),
    ),
    "out_of_order": (
        (said(MAIL), said(EHLO, RCPT), said(EHLO, MAIL, "DATA"), said(EHLO, MAIL, MAIL)),
        (said(EHLO, MAIL, RCPT, "RSET"), together(EHLO, f"{MAIL} SIZE=999999999999", RCPT, "DATA", after=1)),
    ),
    "unknown_command": ((said(EHLO, "GET / HTTP/1.1"),), (said(EHLO, "NOOP"),)),
    "bad_syntax": ((said(EHLO, "RSET now"), said(EHLO, "MAIL FROM:<>>")), (said(EHLO, "RSET"),)),
    "missing_dot_stuffing": ((sent(f"{HEAD}\r\n.one\r\n"),), (sent(f"{HEAD}\r\n..one\r\n...\r\n"), over_tls)),
    "eight_bit_undeclared": (
        (sent(f"{HEAD}\r\nGrüße\r\n"),),
        (sent(f"{HEAD}\r\nGrüße\r\n", mail=f"{MAIL} BODY=8BITMIME"), GOOD),
    ),
    "header_not_ascii": (
        (sent(instead("Subject", "Subject: Grüße")),),
        (
            sent(instead("Subject", "Subject: Grüße"), mail=f"{MAIL} SMTPUTF8"),
            sent(instead("Subject", "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=")),
        ),
    ),
    "malformed_header": (
        (sent(f"{HEAD}no field\r\n{BODY}"), sent("Hello\r\n")),
        (sent(f"{HEAD}X-Y: a\r\n b\r\n{BODY}"),),
    ),
    "duplicate_field": ((sent(TWO_FROM),), (sent(f"Received: a\r\nReceived: b\r\n{HEAD}{BODY}"),)),
    "no_date": ((sent(without("Date")),), (GOOD,)),
    "bad_date": ((sent(instead("Date", "Date: yesterday")),), (GOOD,)),
    "no_message_id": ((sent(without("Message-ID")),), (GOOD,)),
    "bad_message_id": ((sent(instead("Message-ID", "Message-ID: 12345")),), (GOOD,)),
    "no_from": ((sent(without("From")),), (GOOD,)),
    "no_to": ((sent(without("To")),), (GOOD, sent(instead("To", "Cc: eve@example.org")))),
    "bcc_left_in": ((sent(f"{HEAD}Bcc: eve@example.org\r\n{BODY}"),), (sent(f"{HEAD}Bcc:\r\n{BODY}"), GOOD)),
    "return_path_left_in": ((sent(f"Return-Path: <ann@shop.test>\r\n{HEAD}{BODY}"),), (GOOD,)),
    "no_mime_version": (
        (sent(f"{HEAD}Content-Type: text/plain\r\n{BODY}"),),
        (sent(f"{HEAD}MIME-Version: 1.0\r\nContent-Type: text/plain\r\n{BODY}"), GOOD),
    ),
}


def test_every_rule_has_a_case() -> None:
    assert list(CASES) == list(RULES)


def _net() -> MailNet:
    net = MailNet()
    net.start()
    net.accounts("bob@example.org", "eve@example.org")
    return net


BAD = [
    pytest.param(name, run, id=f"{name}-{number}")
    for name, (bad, _) in CASES.items()
    for number, run in enumerate(bad)
]
KEPT = [
    pytest.param(name, run, id=f"{name}-{number}")
    for name, (_, good) in CASES.items()
    for number, run in enumerate(good)
]


@pytest.mark.parametrize(("name", "run"), BAD)
def test_what_breaks_a_rule_is_found(name: str, run: Run) -> None:
    with _net() as net:
        run(net)
        found = net.lint(name=name)
        assert len(found) == 1, net.transcript()
        assert found[0].severity == RULES[name].severity.value
        assert RULES[name].fix in str(found[0])


@pytest.mark.parametrize(("name", "run"), KEPT)
def test_what_keeps_a_rule_is_not(name: str, run: Run) -> None:
    with _net() as net:
        run(net)
        assert net.lint(name=name) == [], net.transcript()


def test_a_careful_client_has_no_finding() -> None:
    with _net() as net:
        over_tls(net)
        logged_out_of_imap(net)
        pop3_over_tls(net)
        assert net.lint() == []


def test_our_own_hosts_are_not_looked_at() -> None:
    with _net() as net:
        shop = net.account("ann@shop.test").submission
        net.mx("example.org").server.configure(hide={"STARTTLS", "PIPELINING"})
        with smtplib.SMTP(shop.host, shop.port, local_hostname="app.shop.test") as client:
            client.starttls(context=net.ssl_context)
            client.login(shop.username, shop.password)
            client.send_message(_message(), to_addrs=["bob@example.org", "gone@example.org"])
        net.settle()
        assert len(net.events(Stage.SMTP_END)) == 3  # the last is the bounce
        assert net.lint() == []


def test_a_refused_message_is_looked_at_all_the_same() -> None:
    with _net() as net:
        net.mx("example.org").server.faults.reply(Stage.SMTP_END, Reply(554, "5.7.1", "no"))
        sent(without("Date"))(net)
        assert [finding.name for finding in net.lint(severity="error")] == ["no_date"]


def test_smtplib_is_not_blamed_for_what_it_cannot_do_better() -> None:
    """It hangs up on a refused banner, and sends text of eight bits as it is."""
    with _net() as net:
        message = _message()
        message.set_content("Grüße\n", cte="8bit")
        with net.mx("example.org").smtplib(local_hostname="app.shop.test") as client:
            client.send_message(message)
        net.domain("example.org").policy(dnsbl="zen.example")
        net.dns.blocklist("zen.example").add("app")
        with pytest.raises(smtplib.SMTPConnectError):
            net.mx("example.org").smtplib()
        assert net.lint(severity="warning") == []
        assert [finding.name for finding in net.lint()] == ["eight_bit_undeclared"]


def test_findings_can_be_chosen() -> None:
    with _net() as net:
        sent(without("Date") + "Grüße\r\n")(net)
        every = net.lint()
        assert {finding.name for finding in every} == {"no_tls", "eight_bit_undeclared", "no_date"}
        assert [finding.name for finding in net.lint(allow=["no_tls", "no_date"])] == ["eight_bit_undeclared"]
        assert net.lint(host="mx1.example.org") == every
        assert net.lint(connection=99) == []
        assert {finding.severity for finding in net.lint(severity="error")} == {Severity.ERROR.value}
        assert net.lint(name="no_date").one().recipients == ("bob@example.org",)


def test_names_that_are_none_are_refused() -> None:
    with _net() as net:
        with pytest.raises(
            DeclarationError, match="there is no lint rule 'no_quite'; did you mean 'no_quit'"
        ):
            net.lint(allow=["no_quite"])
        with pytest.raises(DeclarationError, match="there is no severity 'errors'; did you mean 'error'"):
            net.lint(severity="errors")


def test_a_finding_reads_well(monkeypatch: pytest.MonkeyPatch) -> None:
    _called("app.example.org", monkeypatch)
    with _net() as net:
        said("EHLO localhost")(net)
        assert str(net.lint().one()) == (
            "helo_localhost (hint): the app greeted as localhost\n"
            "  where: connection 1 to mx1.example.org (smtp)\n"
            "  line:  EHLO localhost\n"
            "  why:   that is the name of every machine; many servers refuse it or count it for spam "
            "(RFC 5321 §2.3.5)\n"
            "  fix:   say the full host name: smtplib.SMTP(..., local_hostname='app.example.org')"
        )


def _called(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine has that name."""
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    monkeypatch.setattr(socket, "getfqdn", lambda *_: name)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("localhost", "helo_localhost"),
        ("Localhost.Localdomain", "helo_localhost"),
        ("laptop", "helo_unqualified"),
        ("ci_runner.example.org", "helo_malformed"),
        ("192.0.2.7", "helo_bare_address"),
    ],
)
def test_the_name_of_the_machine_is_not_the_fault_of_the_app(
    name: str, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _net() as net:
        said(f"EHLO {name}")(net)
        _called(name, monkeypatch)
        found = net.lint().one()
        assert (found.name, found.severity, found.is_machines) == (rule, "hint", True)
        assert "which is what this machine calls itself" in str(found)
        _called("app.example.org", monkeypatch)
        found = net.lint().one()
        assert (found.name, found.severity, found.is_machines) == (rule, RULES[rule].severity.value, False)


def test_no_secret_is_told() -> None:
    with _net() as net:
        said(EHLO, "AUTH PLAIN AGFubgBzM2NyZXQ=", server=submission)(net)
        plain_pop3(net)
        text = "\n".join(map(str, net.lint()))
        assert "AGFubgBzM2NyZXQ" not in text
        assert net.account("bob@example.org").password not in text
        assert "********" in text
