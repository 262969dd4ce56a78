"""Exim, a real mail server, on both sides: it delivers to our mail hosts, and takes mail from our queues."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakemail import Bounced, MailNet, Relayed, Reply, Settings, Stage, minutes

pytestmark = pytest.mark.interop

_CONFIG = """
exim_user = {user}
exim_group = {group}
primary_hostname = exim.example.net
spool_directory = {home}/spool
log_file_path = {home}/log-%s
keep_environment =
tls_advertise_hosts =
rfc1413_query_timeout = 0s
host_lookup =
acl_smtp_rcpt = acl_rcpt

begin acl
acl_rcpt:
  deny local_parts = refused
       message = nobody of that name
  accept

begin routers
here:
  driver = accept
  domains = exim.example.net : real.test
  transport = mailbox
onward:
  driver = manualroute
  transport = smtp
  route_list = * {host} byname
  self = send

begin transports
smtp:
  driver = smtp
  port = {port}
  hosts_try_dane =
  tls_verify_certificates = {home}/ca.pem
  hosts_require_tls = ${{if exists{{{home}/ca.pem}}{{*}}{{}}}}
  allow_localhost
mailbox:
  driver = appendfile
  file = {home}/mailbox
  user = {user}
  group = {group}

begin retry
* * F,5d,1m
"""


class Exim:
    """A private Exim: a folder, a configuration, and the program."""

    def __init__(self, program: str, home: Path) -> None:
        self.program = program
        self.home = home
        self.user = pwd.getpwnam("Debian-exim")
        (home / "spool").mkdir()
        for path in (home, home / "spool"):
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def configure(self, *, host: str = "127.0.0.1", port: int = 25) -> None:
        """Where everything that is not its own goes."""
        text = _CONFIG.format(user="Debian-exim", group="Debian-exim", home=self.home, host=host, port=port)
        (self.home / "exim.conf").write_text(text)

    def deliver_to(self, settings: Settings) -> None:
        """Everything that is not its own goes there."""
        self.configure(host=settings.host, port=settings.port)

    def trust(self, ca_file: str) -> None:
        """Insist on TLS, and on certificates of that authority."""
        (self.home / "ca.pem").write_text(Path(ca_file).read_text())

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, "-C", str(self.home / "exim.conf"), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def send(self, to: str) -> None:
        """Hand it a message, and wait until it has tried to deliver it."""
        message = f"From: hello@exim.example.net\nTo: {to}\nSubject: from Exim\n\nHello\n"
        done = self.run("-odf", "-f", "hello@exim.example.net", to, stdin=message)
        assert done.returncode == 0, done.stderr

    def queue(self) -> str:
        return self.run("-bp").stdout

    @property
    def mail(self) -> str:
        """What it has delivered itself."""
        path = self.home / "mailbox"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def exim(program: Callable[[str], str]) -> Iterator[Exim]:
    path = program("exim4")
    if os.geteuid() != 0:
        pytest.skip("Exim takes a configuration of our own from root only")
    # Not pytest's own folder: it is closed to other users, and Exim is one.
    with tempfile.TemporaryDirectory(prefix="fakemail-exim-") as home:
        server = Exim(path, Path(home))
        server.configure()
        yield server


@pytest.fixture
def listening(exim: Exim) -> Iterator[int]:
    """A port on which that Exim answers, one process for each connection, as behind inetd."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    subprocess.run(
                        [exim.program, "-C", str(exim.home / "exim.conf"), "-bs", "-odf"],
                        stdin=connection,
                        stdout=connection,
                        stderr=subprocess.DEVNULL,
                        timeout=60,
                        check=False,
                    )

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.fixture
def net() -> Iterator[MailNet]:
    with MailNet() as mailnet:
        yield mailnet


def test_it_delivers_to_our_mail_host_over_tls(net: MailNet, exim: Exim) -> None:
    bob = net.account("bob@example.org")
    exim.deliver_to(net.mx("example.org"))
    exim.trust(net.ca_file)
    exim.send(bob.address)
    mail = bob.inbox.one()
    assert (mail.subject, mail.tls) == ("from Exim", "TLSv1.3")
    assert mail.envelope is not None
    assert mail.envelope.origin.helo == "exim.example.net"
    assert exim.queue() == ""


def test_it_honours_our_not_now_and_comes_back(net: MailNet, exim: Exim) -> None:
    bob = net.account("bob@example.org")
    net.domain("example.org").policy(greylist=minutes(5))
    exim.deliver_to(net.mx("example.org"))
    exim.send(bob.address)
    assert bob.inbox.is_empty
    assert "bob@example.org" in exim.queue()
    net.clock.advance(minutes(5))
    exim.run("-qff")
    assert bob.inbox.one().subject == "from Exim"
    assert exim.queue() == ""


def test_it_bounces_on_our_refusal(net: MailNet, exim: Exim) -> None:
    net.domain("example.org")
    exim.deliver_to(net.mx("example.org"))
    exim.send("gone@example.org")
    assert "550 5.1.1 <gone@example.org>: no such user here" in exim.mail
    assert "X-Failed-Recipients: gone@example.org" in exim.mail


def test_our_queue_delivers_to_it_as_a_mail_host(net: MailNet, exim: Exim, listening: int) -> None:
    shop = net.account("hello@shop.test")
    net.add_external_host("mx.real.test", "127.0.0.1", listening)
    net.domain("real.test", mx=["mx.real.test"])
    with shop.submission.smtplib() as client:
        client.sendmail(
            shop.address, ["ann@real.test", "refused@real.test"], b"Subject: to Exim\r\n\r\n.dots\r\n"
        )
    shop.inbox.wait_for_one(timeout=30)  # it is real, and may be slow
    net.settle()
    assert "Subject: to Exim" in exim.mail
    assert "\n.dots\n" in exim.mail
    refused = net.journey(to="refused@real.test")
    assert refused.fate == Bounced(Stage.SMTP_RCPT, Reply(550), None)
    assert shop.inbox.one().delivery_report is not None
    assert net.journey(to="ann@real.test").fate == Relayed()
