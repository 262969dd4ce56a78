"""POP3 over real sockets: poplib in every way it can log in, raw SASL, two sessions, rude and slow clients."""

from __future__ import annotations

import base64
import hashlib
import poplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing

import pytest
from scramp import ScramClient

from fakemail import DeclarationError, MailNet, Reason, Stage, minutes, samples
from fakemail.events.kinds import CommandCompleted
from fakemail.intercept.ca_bundles import BUNDLE_VARIABLES
from fakemail.sasl.passwords import cram_md5_response
from fakemail.tls.leaf import tls_server_end_point

PATIENCE = 20.0  # real seconds, until a test that would hang fails instead


@pytest.fixture
def net() -> Iterator[MailNet]:
    with MailNet(seed=7) as mailnet:
        yield mailnet


@pytest.fixture
def bob(net):
    account = net.account("bob@example.org", password="pä$$ wörd")
    account.pop3.server.configure(auth_mechanisms="all")
    return account


def implicit(settings, context=None):
    return poplib.POP3_SSL(
        settings.host, settings.port, context=context or settings.ssl_context, timeout=PATIENCE
    )


def test_mail_that_came_by_smtp_is_read_and_deleted_by_pop3(net, bob):
    with net.submission.smtplib() as smtp:
        smtp.sendmail("hello@shop.test", [bob.address], "Subject: Hi\n\n.a dot\n..\nHello")
    mail = bob.inbox.wait_for_one()
    client = bob.pop3.poplib()
    assert client.stat() == (1, len(mail.raw))
    _, lines, octets = client.retr(1)
    assert (b"\r\n".join(lines) + b"\r\n", octets) == (mail.raw, len(mail.raw))
    assert bob.inbox.one().flags == {"\\Seen"}
    client.dele(1)
    assert len(bob.inbox) == 1
    client.quit()
    assert bob.inbox.is_empty
    quitting = net.events(Stage.POP3_QUIT).one()
    assert (quitting.status, quitting.host) == ("+OK", "mail.example.org")


@pytest.mark.parametrize("service", ["pop3", "pop3s"])
def test_the_ready_client(net, bob, service):
    bob.inbox.put(samples.plain(subject="one"))
    settings = getattr(bob, service)
    with closing(settings.poplib()) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.stat()[0] == 1
        assert "TLS_AES" in net.events(Stage.TLS_HANDSHAKE).one().cipher


def test_the_ready_client_of_another_protocol_is_refused(bob):
    with pytest.raises(
        DeclarationError, match=r"smtplib\(\) is for SMTP, and these are the settings of 'pop3'"
    ):
        bob.pop3.smtplib()
    with pytest.raises(DeclarationError, match=r"poplib\(\) is for POP3"):
        bob.submission.poplib()


def test_in_clear_text_where_the_host_allows_it(net):
    bob = net.account("bob@example.org", password="s3cret")
    settings = bob.pop3
    client = poplib.POP3(settings.host, settings.port, timeout=PATIENCE)
    with closing(client), pytest.raises(poplib.error_proto, match="start TLS first"):
        client.user(bob.address)
    settings.server.configure(auth_in_clear=True)
    with closing(poplib.POP3(settings.host, settings.port, timeout=PATIENCE)) as client:
        assert b"APOP" not in client.welcome
        client.apop(bob.address, bob.password)
        assert client.stat() == (0, 0)


def test_apop_with_a_password_beyond_ascii(net, bob):
    """RFC 6856 §2.2: it is prepared by SASLprep; poplib leaves it as it is, which is the same here."""
    with closing(implicit(bob.pop3s)) as client:
        with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
            client.apop(bob.address, "wrong")
        client.apop(bob.address, bob.password)
        assert client.stat() == (0, 0)


def test_utf8_and_capabilities_with_poplib(bob):
    bob.inbox.put("Subject: Crème\r\n\r\nbrûlée\r\n")
    with closing(implicit(bob.pop3s)) as client:
        client.utf8()
        client.user(bob.address)
        client.pass_(bob.password)
        assert client.capa()["EXPIRE"] == ["NEVER"]
        assert "Crème".encode() in client.top(1, 0)[1][0]


# SASL ---------------------------------------------------------------------------------------------


def command(client, line):
    """The rest of the answer to a line, without its plus sign."""
    return client._shortcmd(line).removeprefix(b"+OK").removeprefix(b"+").strip()


def encoded(octets):
    return base64.b64encode(octets).decode()


def test_plain_with_and_without_an_initial_response(bob):
    """RFC 5034 §4."""
    message = encoded(f"\0{bob.address}\0{bob.password}".encode())
    with closing(implicit(bob.pop3s)) as client:
        assert command(client, f"AUTH PLAIN {message}") == b"0 messages (0 octets)"
        client.quit()
    with closing(implicit(bob.pop3s)) as client:
        assert command(client, "AUTH PLAIN") == b""
        assert command(client, message) == b"0 messages (0 octets)"


def test_login(bob):
    with closing(implicit(bob.pop3s)) as client:
        assert base64.b64decode(command(client, "AUTH LOGIN")) == b"Username:"
        assert base64.b64decode(command(client, encoded(bob.address.encode()))) == b"Password:"
        assert command(client, encoded(bob.password.encode())).startswith(b"0 messages")


def test_cram_md5(bob):
    with closing(implicit(bob.pop3s)) as client:
        challenge = base64.b64decode(command(client, "AUTH CRAM-MD5"))
        assert challenge.endswith(b"@mail.example.org>")
        response = cram_md5_response(bob.address, bob.password, challenge)
        assert command(client, encoded(response)).startswith(b"0 messages")


@pytest.mark.parametrize(
    "mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"]
)
def test_scram_with_scramp(bob, mechanism):
    with closing(implicit(bob.pop3s)) as client:
        binding = None
        if mechanism.endswith("-PLUS"):
            binding = (
                "tls-server-end-point",
                tls_server_end_point(client.sock.getpeercert(binary_form=True)),
            )
        scram = ScramClient([mechanism], bob.address, bob.password, channel_binding=binding)
        first = command(client, f"AUTH {mechanism} {encoded(scram.get_client_first().encode())}")
        scram.set_server_first(base64.b64decode(first).decode())
        final = command(client, encoded(scram.get_client_final().encode()))
        scram.set_server_final(base64.b64decode(final).decode())
        assert command(client, "").startswith(b"0 messages")


def test_bearer_tokens(net, bob):
    x = f"user={bob.address}\1auth=Bearer {bob.token}\1\1"
    bearer = f"n,a={bob.address},\1auth=Bearer {bob.token}\1\1"
    for mechanism, message in (("XOAUTH2", x), ("OAUTHBEARER", bearer)):
        with closing(implicit(bob.pop3s)) as client:
            assert command(client, f"AUTH {mechanism} {encoded(message.encode())}").startswith(b"0 messages")
            client.quit()
    long = encoded(f"user={bob.address}\1auth=Bearer {'x' * 2000}\1\1".encode())
    with closing(implicit(bob.pop3s)) as client:
        assert b'"status"' in base64.b64decode(command(client, f"AUTH XOAUTH2 {long}"))
        with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
            client._shortcmd("")
    assert bob.token not in net.export()


def test_external_with_a_client_certificate(bob):
    with closing(implicit(bob.pop3s, bob.ssl_context)) as client:
        assert client.capa()["SASL"][0] == "EXTERNAL"
        assert command(client, "AUTH EXTERNAL =").startswith(b"0 messages")


# Sessions -----------------------------------------------------------------------------------------


def test_two_sessions_of_one_account(net, bob):
    """RFC 1939 §4, RFC 2449 §8.1.2; once the first is gone, however it went, the next one may come."""
    bob.inbox.put(samples.plain())
    first = bob.pop3s.poplib()
    first.dele(1)
    with closing(implicit(bob.pop3s)) as second:
        second.user(bob.address)
        with pytest.raises(poplib.error_proto, match=r"^b?'?-ERR \[IN-USE\]"):
            second.pass_(bob.password)
        first.close()
        net.wait_for(Stage.DISCONNECT)
        second.user(bob.address)
        second.pass_(bob.password)
        assert second.stat()[0] == 1, "who hangs up without QUIT has removed nothing"
    [refused] = [event for event in net.events(Stage.POP3_PASS) if event.reason]
    assert refused.reason is Reason.MAILDROP_IN_USE


def test_unique_ids_stay_from_session_to_session(bob):
    for subject in ("one", "two", "three"):
        bob.inbox.put(samples.plain(subject=subject))
    client = bob.pop3s.poplib()
    before = client.uidl()[1]
    client.dele(1)
    client.quit()
    client = bob.pop3s.poplib()
    assert [line.split()[1] for line in client.uidl()[1]] == [line.split()[1] for line in before[1:]]
    client.quit()


def test_login_delay(net, bob):
    """RFC 2449 §6.5; the delay runs on the clock of the fake internet, which only the test moves."""
    bob.pop3s.server.configure(login_delay=600)
    client = bob.pop3s.poplib()
    assert client.capa()["LOGIN-DELAY"] == ["600"]
    client.quit()
    with pytest.raises(poplib.error_proto, match="LOGIN-DELAY"):
        bob.pop3s.poplib()
    net.clock.advance(minutes(10))
    bob.pop3s.poplib().quit()


def test_who_belongs_elsewhere_does_not_get_in(net, bob):
    ann = net.account("ann@shop.test", password="s3cret")
    with closing(implicit(bob.pop3s)) as client:
        client.user(ann.address)
        with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
            client.pass_(ann.password)
    bob.configure(disabled=True)
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
        bob.pop3s.poplib()


def test_a_host_that_lets_everybody_in(net):
    settings = net.account("bob@example.org").pop3s
    settings.server.configure(accept_any_login=True)
    with closing(implicit(settings)) as client:
        client.user("somebody")
        client.pass_("whatever")
        assert client.stat() == (0, 0)


def test_the_host_is_made_when_somebody_asks(net):
    bob = net.account("bob@example.org")
    assert not net.dns.records("_pop3._tcp.example.org", "SRV")
    host = bob.pop3.server
    assert host == bob.domain.imap_host
    assert (host.name, host.services) == ("mail.example.org", ("imap", "imaps", "pop3", "pop3s"))
    resolver = net.dns.resolver()
    for name, port in (("pop3", 110), ("pop3s", 995)):
        [record] = resolver.resolve(f"_{name}._tcp.example.org", "SRV")  # RFC 6186 §3.3
        assert (record.port, str(record.target)) == (port, "mail.example.org.")
    assert str(resolver.resolve("mail.example.org", "A")[0]) == host.ipv4


def test_what_a_test_has_published_stays(net):
    net.dns.add("_pop3s._tcp.example.org", "SRV", "0 1 1 elsewhere.example.org.")
    bob = net.account("bob@example.org")
    assert bob.pop3s.port
    [record] = net.dns.records("_pop3s._tcp.example.org", "SRV")
    assert record.endswith("elsewhere.example.org.")


def test_a_mail_host_of_that_name_gets_the_services(net):
    domain = net.domain("example.org", mx=["mail"])
    bob = domain.account("bob")
    with bob.domain.mx.smtplib() as smtp:  # its certificate was made before it had the other ports
        smtp.sendmail("a@shop.test", [bob.address], "Subject: Hi\n\nHello")
    assert bob.pop3s.server.services == ("smtp", "imap", "imaps", "pop3", "pop3s")
    with closing(bob.pop3s.poplib()) as client:
        assert client.stat()[0] == 1


def test_a_host_inside_the_domain_may_be_declared_for_reading(net):
    bob = net.account("bob@example.org")
    host = net.host("pop.example.org", services=["pop3s"])
    settings = host.settings("pop3s", username=bob.address, password=bob.password)
    with closing(settings.poplib()) as client:
        assert client.stat() == (0, 0)


def test_settings(net, bob):
    assert (
        bob.pop3.url == f"pop3://bob%40example.org:p%C3%A4%24%24%20w%C3%B6rd@{bob.pop3.host}:{bob.pop3.port}"
    )
    assert bob.pop3s.url.startswith("pop3s://")
    assert bob.submissions.url.startswith("smtps://")
    assert (bob.pop3.security, bob.pop3s.security) == ("starttls", "tls")
    assert set(bob.pop3.env()) == {
        *(f"POP3_{name}" for name in ("HOST", "PORT", "USERNAME", "PASSWORD", "SECURITY", "URL")),
        *BUNDLE_VARIABLES,
    }
    assert "MAIL_HOST" in bob.pop3.env("MAIL")


def test_the_record_has_every_command_and_no_secret(net, bob):
    bob.inbox.put(samples.plain())
    client = bob.pop3s.poplib()
    client.list()
    client.retr(1)
    client.quit()
    told = [event for event in net.events() if isinstance(event, CommandCompleted)]
    assert [(str(event.stage), event.line) for event in told] == [
        ("pop3.banner", ""),
        ("pop3.user", "USER bob@example.org"),
        ("pop3.pass", "PASS ********"),
        ("pop3.list", "LIST"),
        ("pop3.retr", "RETR 1"),
        ("pop3.quit", "QUIT"),
    ]
    assert bob.password not in net.transcript() + net.export()
    assert "   C: RETR 1\n   S: +OK " in net.transcript()
    digest = hashlib.md5(b"x").hexdigest()
    with closing(implicit(bob.pop3s)) as other, pytest.raises(poplib.error_proto):
        other._shortcmd(f"APOP {bob.address} {digest}")
    assert digest not in net.export()


def test_stop_and_start(net, bob):
    settings = bob.pop3s
    client = settings.poplib()
    settings.server.stop()
    assert client.file.readline() == b"-ERR [SYS/TEMP] shutting down\r\n"
    client.close()
    with pytest.raises(ConnectionRefusedError):
        settings.poplib()
    settings.server.start()
    settings.poplib().quit()


def test_an_idle_client_hears_nothing_and_is_gone(net, bob):
    """RFC 1939 §3: no removal, and not a word."""
    bob.inbox.put(samples.plain())
    bob.pop3s.server.configure(reading_timeout=0.2)
    client = bob.pop3s.poplib()
    client.dele(1)
    assert client.file.read() == b""
    client.close()
    assert net.wait_for(Stage.DISCONNECT)[-1].reason is Reason.TIMEOUT
    assert len(bob.inbox) == 1
    bob.pop3s.server.configure(reading_timeout=600.0)
    bob.pop3s.poplib().quit()


def test_an_open_session_does_not_keep_the_world_from_settling(net, bob):
    client = bob.pop3s.poplib()
    net.settle()
    client.quit()


# Much, slowly, rudely -----------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "megabytes"), [("pop3", 100), ("pop3s", 20)])
def test_a_huge_message_to_a_client_that_does_not_read_stays_bounded(net, service, megabytes):
    bob = net.account("bob@example.org", password="s3cret")
    line = b".%s\r\n" % (b"x" * 1021)
    raw = b"Subject: huge\r\n\r\n" + line * (1000 * megabytes)
    bob.inbox.put(raw)
    settings = getattr(bob, service)
    settings.server.configure(auth_in_clear=True)
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    plain.settimeout(PATIENCE)
    plain.connect((settings.host, settings.port))
    with closing(
        settings.ssl_context.wrap_socket(plain, server_hostname=settings.host)
        if service == "pop3s"
        else plain
    ) as client:
        client.sendall(b"USER bob@example.org\r\nPASS s3cret\r\nRETR 1\r\nSTAT\r\n")
        net.wait_for(Stage.POP3_RETR)
        with closing(net.account("ann@example.org").pop3s.poplib()) as other:  # is served meanwhile
            assert other.stat() == (0, 0)
        [connection] = [
            each
            for each in net._portal.simulation.hosts.running["mail.example.org"].connections
            if each.in_progress
        ]
        assert connection.in_progress == "inside the answer to RETR 1"
        waiting = net._portal.call(connection._transport.get_write_buffer_size)
        assert waiting < 1024 * 1024
        assert net.events(Stage.POP3_STAT, host="mail.example.org")[-1].connection != connection.number
        received, tail = 0, b""
        while not tail.endswith(b"\r\n.\r\n+OK 1 %d\r\n" % len(raw)):
            octets = client.recv(2**20)
            assert octets
            received += len(octets)
            tail = (tail + octets)[-100:]
        assert received > len(raw) + 1000 * megabytes
    assert bob.inbox.one().flags == {"\\Seen"}


def test_a_client_that_hangs_up_in_the_middle_of_a_message(net):
    bob = net.account("bob@example.org")
    bob.inbox.put(b"Subject: big\r\n\r\n" + (b"x" * 98 + b"\r\n") * 160_000)  # more than sockets hold
    client = bob.pop3s.poplib()
    client._putcmd("RETR 1")
    client.file.readline()
    client.close()
    lost = net.wait_for(Stage.DISCONNECT)[-1]
    assert (lost.reason, lost.detail) == (Reason.CONNECTION_LOST, "inside the answer to RETR 1")
    assert bob.inbox.one().flags == set()
    bob.pop3s.poplib().quit()


def test_half_closed_clients_get_all_their_answers(net):
    bob = net.account("bob@example.org", password="s3cret")
    bob.inbox.put(b"Subject: big\r\n\r\n" + (b"x" * 98 + b"\r\n") * 20_000)
    settings = bob.pop3
    settings.server.configure(auth_in_clear=True)
    with closing(socket.create_connection((settings.host, settings.port), timeout=PATIENCE)) as client:
        client.sendall(b"USER bob@example.org\r\nPASS s3cret\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n")
        client.shutdown(socket.SHUT_WR)
        said = b""
        while octets := client.recv(2**20):
            said += octets
    assert said.endswith(b"\r\n.\r\n+OK message 1 deleted\r\n+OK closing the connection\r\n")
    assert bob.inbox.is_empty
