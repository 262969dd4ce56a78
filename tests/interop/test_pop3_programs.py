"""Real programs as POP3 clients: curl, getmail, mpop, fetchmail. A second run finds nothing new."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fakemail import Account, MailNet, Stage

pytestmark = pytest.mark.interop


@pytest.fixture
def net():
    with MailNet() as mailnet:
        yield mailnet


@pytest.fixture
def bob(net) -> Account:
    bob = net.account("bob@example.org", password="s3cret")
    for subject in ("one", "two"):
        bob.inbox.put(f"From: ann@example.org\nSubject: {subject}\n\n.a line with a dot\n.\nend\n")
    return bob


def run(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload, no-any-return]


def curl(program: Callable[[str], str], settings, path: str, *options: str) -> str:
    done = run(
        program("curl"),
        "--silent",
        "--show-error",
        "--ssl-reqd",
        *("--cacert", settings.ca_file),
        *("--user", f"{settings.username}:{settings.password}"),
        *options,
        f"{settings.url.partition('://')[0]}://{settings.host}:{settings.port}/{path}",
        errors="surrogateescape",
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.mark.parametrize("service", ["pop3", "pop3s"])
def test_curl_lists_and_reads(bob, program, service):
    settings = getattr(bob, service)
    assert curl(program, settings, "").split() == [
        "1",
        str(len(bob.inbox[0].raw)),
        "2",
        str(len(bob.inbox[1].raw)),
    ]
    assert curl(program, settings, "2").replace("\r\n", "\n").encode() == bob.inbox[1].raw.replace(
        b"\r\n", b"\n"
    )
    assert [sorted(mail.flags) for mail in bob.inbox] == [[], ["\\Seen"]]
    assert len(curl(program, settings, "", "--request", "UIDL").split()) == 4
    curl(program, settings, "1", "--request", "DELE", "--head")
    assert [mail.subject for mail in bob.inbox] == ["two"]


@pytest.mark.parametrize("mechanism", ["AUTH=PLAIN", "AUTH=LOGIN", "AUTH=CRAM-MD5", "AUTH=+APOP"])
def test_curl_logs_in(net, bob, program, mechanism):
    bob.pop3s.server.configure(auth_mechanisms="all")
    assert curl(program, bob.pop3s, "", "--login-options", mechanism)
    stage = Stage.POP3_APOP if "APOP" in mechanism else Stage.POP3_AUTH
    assert net.events(stage)[-1].status == "+OK"


def test_curl_with_a_token(net, bob, program):
    assert curl(program, bob.pop3s, "", "--oauth2-bearer", bob.token)
    assert net.events(Stage.POP3_AUTH)[-1].status == "+OK"


def subjects(folder: Path) -> list[str]:
    """The subjects of the messages in a maildir."""
    texts = [path.read_text() for path in folder.glob("new/*")]
    assert all(text.endswith(".a line with a dot\n.\nend\n") for text in texts), texts
    return sorted(
        line.split()[1] for text in texts for line in text.splitlines() if line.startswith("Subject:")
    )


def maildir(tmp_path: Path) -> Path:
    folder = tmp_path / "mail"
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True)
    return folder


def test_getmail_leaves_mail_there_and_gets_only_what_is_new(bob, program, tmp_path):
    getmail, folder, settings = program("getmail"), maildir(tmp_path), bob.pop3s
    (tmp_path / "getmailrc").write_text(
        f"""
[retriever]
type = SimplePOP3SSLRetriever
server = {settings.host}
port = {settings.port}
username = {settings.username}
password = {settings.password}
ca_certs = {settings.ca_file}

[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat > {folder}/new/$$")
allow_root_commands = true

[options]
read_all = false
delete = false
delivered_to = false
received = false
"""
    )

    def fetch(*options: str) -> None:
        done = run(getmail, f"--getmaildir={tmp_path}", *options)
        assert done.returncode == 0, done.stdout + done.stderr

    fetch()
    assert subjects(folder) == ["one", "two"]
    fetch()
    assert subjects(folder) == ["one", "two"]
    bob.inbox.put("From: ann@example.org\nSubject: three\n\n.a line with a dot\n.\nend\n")
    fetch("--delete")
    assert subjects(folder) == ["one", "three", "two"]
    assert bob.inbox.is_empty


@pytest.mark.parametrize("auth", ["on", "user", "apop", "plain", "cram-md5", "scram-sha-256"])
def test_mpop_logs_in_and_gets_only_what_is_new(net, bob, program, tmp_path, auth):
    bob.pop3s.server.configure(auth_mechanisms="all")
    mpop, folder, settings = program("mpop"), maildir(tmp_path), bob.pop3
    config = tmp_path / "mpoprc"
    config.write_text(
        f"""
defaults
tls on
tls_starttls on
tls_trust_file {settings.ca_file}
account bob
host {settings.host}
port {settings.port}
user {settings.username}
password {settings.password}
auth {auth}
keep on
received_header off
uidls_file {tmp_path}/uidls
delivery maildir {folder}
account default : bob
"""
    )
    config.chmod(0o600)
    for _ in range(2):
        done = run(mpop, f"--file={config}")
        if "not supported" in done.stderr and "mpop" not in done.stdout:
            pytest.skip(done.stderr)
        assert done.returncode == 0, done.stdout + done.stderr
        assert subjects(folder) == ["one", "two"]
    assert len(net.events(Stage.POP3_RETR)) == 2
    assert len(bob.inbox) == 2


def test_fetchmail_hands_mail_on_by_smtp_and_deletes_it(net, bob, program, tmp_path):
    fetchmail, settings = program("fetchmail"), bob.pop3
    ann = net.account("ann@shop.test")
    mx = net.mx("shop.test")
    config = tmp_path / "fetchmailrc"
    config.write_text(
        f"""
poll bob via {settings.host} service {settings.port} proto pop3 uidl
  user "{settings.username}" password "{settings.password}" is "ann" here
  sslproto "auto" sslcertck sslcertfile "{settings.ca_file}" sslcommonname "{settings.server.name}"
  smtphost "{mx.host}/{mx.port}" smtpname "{ann.address}"
"""
    )
    config.chmod(0o600)
    done = run(
        fetchmail,
        *("--nodetach", "--nosyslog"),
        *("--fetchmailrc", str(config)),
        *("--idfile", str(tmp_path / "ids")),
        *("--pidfile", str(tmp_path / "pid")),
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [mail.subject for mail in ann.inbox] == ["one", "two"]
    assert bob.inbox.is_empty
