"""Postfix and Exim with their plain ways of finding mail hosts, inside a namespace: DNS on port 53, mail on port 25."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakemail import MailNet, Stage, minutes
from namespaces import require_namespaces

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="mail servers change their user, which needs root"),
]

_POSTFIX_DAEMONS = Path("/usr/lib/postfix/sbin")

_MAIN_CF = """
compatibility_level = 3.6
queue_directory = {home}/spool
data_directory = {home}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
shlib_directory = /usr/lib/postfix
meta_directory = {home}
mail_owner = postfix
setgid_group = postdrop
sendmail_path = {daemons}/sendmail
maillog_file = {home}/log
maillog_file_prefixes = /tmp
myhostname = app.shop.test
mydestination =
inet_interfaces = loopback-only
smtp_tls_security_level = {tls}
smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt
smtp_host_lookup = dns
"""
_MASTER_CF = """
pickup  unix        n - n 60   1 pickup
cleanup unix        n - n -    0 cleanup
qmgr    unix        n - n 300  1 qmgr
tlsmgr  unix        - - n 1000 1 tlsmgr
rewrite unix        - - n -    - trivial-rewrite
bounce  unix        - - n -    0 bounce
defer   unix        - - n -    0 bounce
trace   unix        - - n -    0 bounce
flush   unix        n - n 1000 0 flush
smtp    unix        - - n -    - smtp
error   unix        - - n -    - error
retry   unix        - - n -    - error
showq   unix        n - n -    - showq
postlog unix-dgram  n - n -    1 postlogd
"""
_EXIM = """
exim_user = {user}
exim_group = {group}
primary_hostname = app.shop.test
spool_directory = {home}/spool
log_file_path = {home}/log-%s
keep_environment =
trusted_users = root
untrusted_set_sender = *

begin routers
world:
  driver = dnslookup
  domains = *
  transport = smtp

begin transports
smtp:
  driver = smtp
  hosts_try_dane =
  tls_verify_certificates = /etc/ssl/certs/ca-certificates.crt
  {tls}

begin retry
* * F,1h,15m
"""


class Mta:
    """A mail server inside a namespace: it takes mail by its ``sendmail``."""

    def __init__(self, net: MailNet, home: Path, sendmail: list[str], again: list[str]) -> None:
        self.net = net
        self._home = home
        self._sendmail = sendmail
        self._again = again

    def send(self, to: str, subject: str) -> None:
        text = f"From: hello@shop.test\nTo: {to}\nSubject: {subject}\n\nHello.\n"
        self._run([*self._sendmail, "-f", "hello@shop.test", to], text)

    def flush(self) -> None:
        """Let it try again at once what it has queued."""
        self._run(self._again, "")

    def _run(self, command: list[str], text: str) -> None:
        done = self.net.run(command, input=text, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr + self.log

    @property
    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self._home.glob("log*")))


def _postfix(net: MailNet, home: Path, tls: bool) -> Mta:
    for name in ("post-install", "postfix-files", "postfix-script"):
        shutil.copy(Path("/etc/postfix", name), home / name)
    level = "verify" if tls else "none"
    (home / "main.cf").write_text(_MAIN_CF.format(home=home, daemons=_POSTFIX_DAEMONS, tls=level))
    (home / "master.cf").write_text(_MASTER_CF)
    (home / "spool").mkdir()
    (home / "data").mkdir()
    shutil.chown(home / "data", "postfix")
    # It goes into the background, and is ended with its namespace.
    start = net.run(
        ["postfix", "-c", str(home), "start"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=30,
    )
    assert start.returncode == 0, (home / "log").read_text()
    return Mta(
        net, home, [str(_POSTFIX_DAEMONS / "sendmail"), "-C", str(home)], ["postqueue", "-c", str(home), "-f"]
    )


def _exim(net: MailNet, home: Path, tls: bool) -> Mta:
    user = pwd.getpwnam("Debian-exim")
    shutil.chown(home, user.pw_uid, user.pw_gid)
    require = "hosts_require_tls = *" if tls else "hosts_avoid_tls = *"
    (home / "exim.conf").write_text(
        _EXIM.format(home=home, user="Debian-exim", group=user.pw_gid, tls=require)
    )
    (home / "exim.conf").chmod(0o644)
    exim = ["exim4", "-C", str(home / "exim.conf")]
    return Mta(net, home, [*exim, "-odf", "-i"], [*exim, "-qff"])


_MAKERS: dict[str, Callable[[MailNet, Path, bool], Mta]] = {"postfix": _postfix, "exim4": _exim}


@pytest.fixture(params=_MAKERS)
def start(request, program, mailnet) -> Iterator[Callable[..., Mta]]:
    """Starts each of them in turn; all of them end with the fake internet, which ends before their files do."""
    require_namespaces()
    program(request.param)
    with tempfile.TemporaryDirectory(prefix="mta-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)
        yield lambda tls=True: _MAKERS[request.param](mailnet, home, tls)
        mailnet.close()


def test_it_finds_our_mail_host_and_delivers_over_verified_tls(mailnet, start):
    bob = mailnet.account("bob@example.org")
    mta = start()
    mta.send(bob.address, "Welcome")
    mail = bob.inbox.wait_for_one(timeout=20)
    assert mail.subject == "Welcome"
    assert mail.envelope.origin.helo == "app.shop.test"
    assert mail.envelope.origin.tls == "TLSv1.3"
    assert mailnet.dns.queries(name="example.org", type="MX")


def test_it_prefers_the_host_that_is_preferred_and_falls_back(mailnet, start):
    bob = mailnet.account("bob@example.org")
    first, second = mailnet.domain("example.org").set_mx("mx1", "mx2")
    mta = start()
    mta.send(bob.address, "One")
    assert bob.inbox.wait_for_one(timeout=20).received_by == first
    first.faults.refuse_connections()
    mta.send(bob.address, "Two")
    assert bob.inbox.wait_for_count(2, timeout=20)[-1].received_by == second


def test_it_honours_our_4yz(mailnet, start):
    bob = mailnet.account("bob@example.org")
    mailnet.domain("example.org").policy(greylist=minutes(5))
    mta = start()
    mta.send(bob.address, "Later")
    mailnet.wait_for(Stage.SMTP_RCPT, timeout=20)
    assert bob.inbox.is_empty
    mailnet.clock.advance(minutes(6))
    mta.flush()
    assert bob.inbox.wait_for_one(timeout=20).subject == "Later"


def test_it_bounces_on_our_550(mailnet, start):
    shop = mailnet.account("hello@shop.test")
    mailnet.domain("example.org")
    mta = start()
    mta.send("gone@example.org", "Anybody?")
    bounce = shop.inbox.wait_for_one(timeout=20)
    assert bounce.delivery_report.recipient == "gone@example.org"
    assert bounce.delivery_report.action == "failed"
    assert "no such user here" in str(bounce.delivery_report.diagnostic)


def test_a_domain_that_does_not_exist(mailnet, start):
    shop = mailnet.account("hello@shop.test")
    mta = start(tls=False)
    mta.send("somebody@nowhere.test", "Anybody?")
    bounce = shop.inbox.wait_for_one(timeout=20)
    assert bounce.delivery_report.recipient == "somebody@nowhere.test"
