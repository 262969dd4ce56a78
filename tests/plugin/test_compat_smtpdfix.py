"""The fixture ``smtpd`` of ``mailnet_compat``: the interface of smtpdfix, and the fake internet behind it."""

from __future__ import annotations

import os
import smtplib
import ssl
from base64 import b64encode
from email.message import EmailMessage
from pathlib import Path
from unittest import mock

import pytest

from fakemail import Bounced, Delivered, MailNet, PortInUse, Reply, Stage
from fakemail.compat import capture
from fakemail.compat.localserver import SmtpServer
from fakemail.compat.smtpdfix import CERTIFICATE, AuthController, Authenticator, Config, SMTPDFix
from fakemail.tls.authority import Authority


@pytest.fixture
def mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@example.com", "bob@example.org", "Welcome"
    mail.set_content("Hello, Bob")
    return mail


def connect(smtpd: AuthController) -> smtplib.SMTP:
    return smtplib.SMTP(smtpd.hostname, smtpd.port, timeout=10)


def text(words: str) -> str:
    return b64encode(words.encode()).decode()


# Messages ----------------------------------------------------------------------------------------


def test_it_keeps_what_is_sent(smtpd: AuthController, mail: EmailMessage) -> None:
    assert smtpd.messages == []
    with connect(smtpd) as client:
        client.send_message(mail, to_addrs=["Bob@Example.org", "carol@example.net"])
    [message] = smtpd.messages
    assert message["Subject"] == "Welcome"
    assert message.get_payload() == "Hello, Bob\r\n"
    assert message["X-MailFrom"] == "shop@example.com"
    assert message["X-RcptTo"] == "Bob@Example.org, carol@example.net"
    assert message["X-Peer"].startswith("('127.0.0.1', ")


def test_the_list_is_a_copy(smtpd: AuthController, mail: EmailMessage) -> None:
    with connect(smtpd) as client:
        client.send_message(mail)
    smtpd.messages.clear()
    assert len(smtpd.messages) == 1


def test_reset_forgets_messages_only_where_asked(smtpd: AuthController, mail: EmailMessage) -> None:
    with connect(smtpd) as client:
        client.send_message(mail)
        smtpd.reset()
        assert len(smtpd.messages) == 1
        smtpd.reset(persist_messages=False)
        assert smtpd.messages == []
        client.send_message(mail)
    assert len(smtpd.messages) == 1


@pytest.mark.parametrize(
    "recipient",
    ["root@localhost", "bob@[127.0.0.1]", "bob+tag@example.org", "postmaster"],
)
def test_it_takes_every_recipient(smtpd: AuthController, recipient: str) -> None:
    with connect(smtpd) as client:
        assert client.sendmail("a@example.com", [recipient], "Subject: x\n\nx") == {}
    assert smtpd.messages[0]["X-RcptTo"] == recipient


# TLS ---------------------------------------------------------------------------------------------


def test_starttls_is_required_where_it_is_used(smtpd: AuthController, mail: EmailMessage) -> None:
    smtpd.config.use_starttls = True
    context = ssl.create_default_context(cafile=os.environ[CERTIFICATE])
    with connect(smtpd) as client:
        with pytest.raises(smtplib.SMTPSenderRefused, match="Must issue a STARTTLS command first"):
            client.send_message(mail)
        client.starttls(context=context)
        client.send_message(mail)
    assert len(smtpd.messages) == 1
    assert isinstance(smtpd.mailnet.journey(to="bob@example.org").fate, Delivered)


def test_tls_from_the_first_byte(smtpd: AuthController, mail: EmailMessage) -> None:
    port = smtpd.port
    smtpd.config.use_ssl = True
    assert smtpd.port == port
    with smtplib.SMTP_SSL(smtpd.hostname, port, context=smtpd.mailnet.ssl_context, timeout=10) as client:
        client.send_message(mail)
    smtpd.config.use_ssl = False
    with connect(smtpd) as client:
        client.send_message(mail)
    assert len(smtpd.messages) == 2


def test_a_client_without_tls_is_not_kept_waiting(
    smtpd: AuthController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "HANDSHAKE_TIMEOUT", 0.05)
    smtpd.config.use_ssl = True
    with pytest.raises(smtplib.SMTPServerDisconnected):
        connect(smtpd)


def test_a_certificate_of_the_tests_own(smtpd: AuthController, mail: EmailMessage, tmp_path: Path) -> None:
    authority = Authority()
    leaf = authority.leaf("localhost", addresses=["127.0.0.1"])
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(leaf.chain_pem)
    key.write_bytes(leaf.key_pem)
    smtpd.config.ssl_cert_files = (str(certificate), str(key))
    smtpd.config.use_starttls = True
    with connect(smtpd) as client, pytest.raises(ssl.SSLCertVerificationError):
        client.starttls(context=smtpd.mailnet.ssl_context)
    with connect(smtpd) as client:
        client.starttls(context=authority.client_context())
        client.send_message(mail)
    with pytest.raises(FileNotFoundError):
        smtpd.config.ssl_cert_files = "rubbish.pem"


def test_a_context_of_the_tests_own(mailnet: MailNet, mail: EmailMessage) -> None:
    authority = Authority()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.leaf("localhost", addresses=["127.0.0.1"]).install(context)
    server = AuthController(ssl_context=context, mailnet=mailnet)
    server.config.use_starttls = True
    server.start()
    with connect(server) as client:
        client.starttls(context=authority.client_context())
        client.send_message(mail)
    server.stop()
    assert len(server.messages) == 1


def test_files_that_were_taken_away_are_missed(mailnet: MailNet) -> None:
    config = Config()
    config.ssl_cert_files = None
    config.use_starttls = True
    server = AuthController(config=config, mailnet=mailnet)
    with pytest.raises(FileNotFoundError):
        server.start()


def test_the_certificate_is_in_the_environment_for_the_test_only(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import os, pathlib

        def test_one(smtpd):
            path, key = smtpd.config.ssl_cert_files
            assert path == os.environ[{CERTIFICATE!r}] and key is None
            assert pathlib.Path(path).read_text().count("BEGIN") >= 3

        def test_two():
            assert {CERTIFICATE!r} not in os.environ
        """
    )
    pytester.runpytest("-p", "no:cacheprovider", "--mailnet-compat=smtpdfix").assert_outcomes(passed=2)


# Logins ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", ["plain", "login", "cram_md5"])
def test_the_one_user_can_log_in(smtpd: AuthController, mail: EmailMessage, mechanism: str) -> None:
    smtpd.config.enforce_auth = True
    smtpd.config.auth_require_tls = False
    with connect(smtpd) as client:
        client.ehlo()
        assert client.esmtp_features["auth"].split() == ["CRAM-MD5", "PLAIN", "LOGIN"]
        client.user, client.password = "user", "password"
        client.auth(mechanism.upper().replace("_", "-"), getattr(client, f"auth_{mechanism}"))
        client.send_message(mail)
    assert len(smtpd.messages) == 1


def test_the_user_is_as_configured(smtpd: AuthController) -> None:
    smtpd.config.auth_require_tls = False
    smtpd.config.login_username, smtpd.config.login_password = "alice", "s3cret"
    with connect(smtpd) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError, match="Authentication credentials invalid"):
            client.login("user", "password")
        client.login("alice", "s3cret")
        assert client.docmd("AUTH", "LOGIN") == (503, b"Already authenticated")


def test_a_login_may_be_required(smtpd: AuthController, mail: EmailMessage) -> None:
    smtpd.config.enforce_auth = True
    with connect(smtpd) as client, pytest.raises(smtplib.SMTPSenderRefused) as refused:
        client.send_message(mail)
    assert (refused.value.smtp_code, refused.value.smtp_error) == (530, b"5.7.0 Authentication required")


def test_a_login_needs_tls_unless_said_otherwise(smtpd: AuthController) -> None:
    with connect(smtpd) as client:
        client.ehlo()
        code, said = client.docmd("AUTH", f"PLAIN {text('user password')}")
        assert (code, said) == (538, b"5.7.11 Encryption required for requested authentication mechanism")
    smtpd.config.use_starttls = True
    with connect(smtpd) as client:
        client.starttls(context=smtpd.mailnet.ssl_context)
        client.ehlo()
        assert (
            client.docmd("AUTH", f"PLAIN {text('user password')}")[0] == 235
        )  # with a blank, as smtpdfix has it


def test_the_steps_of_login(smtpd: AuthController) -> None:
    smtpd.config.auth_require_tls = False
    with connect(smtpd) as client:
        client.ehlo()
        assert client.docmd("AUTH", "LOGIN") == (334, b"")
        assert client.docmd(text("user")) == (334, text("Password").encode())
        assert client.docmd("*")[0] == 501
        assert client.docmd("AUTH", f"LOGIN {text('user')}") == (334, text("Password").encode())
        assert client.docmd(text("password"))[0] == 235


def test_an_authenticator_of_the_tests_own(mailnet: MailNet) -> None:
    class Everybody(Authenticator):
        def validate(self, username: str, password: str) -> bool:
            return password == username[::-1]

        def verify(self, username: str) -> bool:
            return True

        def get_password(self, username: str) -> str:
            return username[::-1]

    config = Config()
    config.auth_require_tls = False
    server = AuthController(config=config, authenticator=Everybody(), mailnet=mailnet)
    server.start()
    with connect(server) as client:
        client.login("bob", "bob"[::-1])
    server.stop()


# Configuration -----------------------------------------------------------------------------------


def test_the_configuration_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "HOST": "mail.localhost", "PORT": "5025", "READY_TIMEOUT": "2.5", "LOGIN_NAME": "name",
        "LOGIN_PASSWORD": "word", "ENFORCE_AUTH": "on", "AUTH_REQUIRE_TLS": "no", "USE_STARTTLS": "1", "USE_TLS": "yes",
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(f"SMTPD_{name}", value)
    config = Config()
    assert (config.host, config.port, config.ready_timeout) == ("mail.localhost", 5025, 2.5)
    assert (config.login_username, config.login_password) == ("name", "word")
    assert (config.enforce_auth, config.auth_require_tls, config.use_starttls, config.use_ssl) == (
        True, False, True, True,
    )  # fmt: skip
    monkeypatch.setenv("SMTPD_ENFORCE_AUTH", "maybe")
    with pytest.raises(ValueError, match="invalid truth value maybe"):
        Config()


def test_a_change_is_told() -> None:
    config, told = Config(), []
    config.OnChanged += lambda: told.append(config.use_ssl)
    config.use_ssl = "yes"
    assert told == [True]


def test_another_port_while_it_runs(smtpd: AuthController, mail: EmailMessage) -> None:
    before = smtpd.port
    smtpd.config.port = 0
    assert smtpd.port == smtpd.config.port != 0
    with connect(smtpd) as client:
        client.send_message(mail)
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP("127.0.0.1", before)


def test_a_configuration_that_is_patched(smtpd: AuthController, monkeypatch: pytest.MonkeyPatch) -> None:
    with mock.patch.object(Config, "enforce_auth", True), connect(smtpd) as client:
        client.helo()
        assert client.docmd("DATA")[0] == 530
    monkeypatch.setattr(smtpd.config, "enforce_auth", True)
    with connect(smtpd) as client:
        client.helo()
        assert client.docmd("RCPT", "TO:<bob@example.org>")[0] == 530


def test_a_server_for_a_with_block(mail: EmailMessage) -> None:
    with SMTPDFix() as server:
        with connect(server) as client:
            client.send_message(mail)
        assert len(server.messages) == 1
        with pytest.raises(PortInUse), SMTPDFix(port=server.port):
            pass
        with pytest.raises(AssertionError, match="already running"):
            server.start()
    with pytest.raises(AssertionError, match="not running"):
        server.stop()


# The fake internet behind it ---------------------------------------------------------------------


def test_mailboxes_are_made_on_arrival(smtpd: AuthController, mailnet: MailNet, mail: EmailMessage) -> None:
    assert smtpd.mailnet is mailnet
    with connect(smtpd) as client:
        client.send_message(mail, to_addrs=["bob+news@example.org"])
    assert mailnet.account("bob@example.org").inbox.one().subject == "Welcome"
    assert isinstance(mailnet.journey(to="bob+news@example.org").fate, Delivered)


def test_a_declared_domain_keeps_its_own_hosts(
    smtpd: AuthController, mailnet: MailNet, mail: EmailMessage
) -> None:
    bob = mailnet.account("bob@example.org")
    mailnet.mx("example.org").faults.reply(Stage.SMTP_RCPT, Reply(550, "5.1.1", "gone"))
    with connect(smtpd) as client:
        client.send_message(mail)
    assert len(smtpd.messages) == 1
    mailnet.settle()
    assert not bob.inbox
    fate = mailnet.journey(to="bob@example.org").fate
    assert isinstance(fate, Bounced)
    assert fate.host == "mx1.example.org"


def test_what_the_app_has_sent(smtpd: AuthController, mailnet: MailNet, mail: EmailMessage) -> None:
    with connect(smtpd) as client:
        client.send_message(mail, to_addrs=["bob@example.org", "carol@example.net"])
    assert len(mailnet.sent) == 1
    assert len(mailnet.messages) == 2


def test_two_servers_of_one_world(smtpd: AuthController, smtpserver: SmtpServer, mailnet: MailNet) -> None:
    for host, port in ((smtpd.hostname, smtpd.port), smtpserver.addr):
        with smtplib.SMTP(host, port, timeout=10) as client:
            client.sendmail("shop@example.com", ["bob@example.org"], f"Subject: {port}\n\nHello")
    mailnet.settle()
    assert (len(smtpd.messages), len(smtpserver.outbox)) == (1, 1)
    bob = mailnet.account("bob@example.org")
    assert [each.subject for each in bob.inbox] == [str(smtpd.port), str(smtpserver.addr[1])]


@pytest.mark.mailnet(grease=True)
def test_it_varies_its_words_where_asked(smtpd: AuthController, mail: EmailMessage) -> None:
    with connect(smtpd) as client:
        client.send_message(mail)
    assert len(smtpd.messages) == 1


def test_faults_at_the_server(smtpd: AuthController, mail: EmailMessage) -> None:
    smtpd.host.faults.reply(Stage.SMTP_RCPT, Reply(451, "4.3.0", "later"), times=1)
    with connect(smtpd) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.send_message(mail)
        client.send_message(mail)
    assert len(smtpd.messages) == 1
    assert "451 4.3.0 later" in smtpd.mailnet.transcript()


def test_a_bad_certificate(smtpd: AuthController) -> None:
    smtpd.config.use_starttls = True
    smtpd.host.certificate(flaw="expired")
    with connect(smtpd) as client, pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        client.starttls(context=smtpd.mailnet.ssl_context)
