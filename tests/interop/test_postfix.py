"""A private Postfix as the mail host of a domain: its own words do not mislead our queue or the journey."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakemail import Bounced, MailNet, Relayed, Reply, Stage

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix changes its user, which needs root"),
]

_DAEMONS = Path("/usr/lib/postfix/sbin")
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
maillog_file = {home}/log
maillog_file_prefixes = /tmp
myhostname = mx.real.test
mydestination = real.test
inet_interfaces = 127.0.0.1
local_transport = discard
local_recipient_maps = inline:{{ann=x, bob=x}}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
"""
_MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix        n - n -    0 cleanup
qmgr    unix        n - n 300  1 qmgr
rewrite unix        - - n -    - trivial-rewrite
bounce  unix        - - n -    0 bounce
defer   unix        - - n -    0 bounce
trace   unix        - - n -    0 bounce
discard unix        - - n -    - discard
error   unix        - - n -    - error
retry   unix        - - n -    - error
postlog unix-dgram  n - n -    1 postlogd
"""


@pytest.fixture
def postfix(program: Callable[[str], str]) -> Iterator[tuple[int, Path]]:
    """A port on which it listens, and its log."""
    path = program("postfix")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="postfix-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)
        for name in ("post-install", "postfix-files", "postfix-script"):
            shutil.copy(Path("/etc/postfix", name), home / name)
        (home / "main.cf").write_text(_MAIN_CF.format(home=home, daemons=_DAEMONS))
        (home / "master.cf").write_text(_MASTER_CF.format(port=port))
        (home / "spool").mkdir()
        (home / "data").mkdir()
        shutil.chown(home / "data", "postfix")
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = subprocess.run([path, "-c", folder, "start"], timeout=60, check=False, **quiet)
        assert started.returncode == 0, (home / "log").read_text()
        try:
            yield port, home / "log"
        finally:
            subprocess.run([path, "-c", folder, "stop"], timeout=60, check=False, **quiet)


def test_our_queue_delivers_to_it_as_a_mail_host(postfix: tuple[int, Path]) -> None:
    port, log = postfix
    with MailNet(timeout=30) as net:
        shop = net.account("hello@shop.test")
        net.add_external_host("mx.real.test", "127.0.0.1", port)
        net.domain("real.test", mx=["mx.real.test"])
        to = ["ann@real.test", "bob@real.test", "gone@real.test"]
        for number in range(3):
            with shop.submission.smtplib() as client:
                client.sendmail(shop.address, to, f"Subject: Number {number}\r\n\r\nHello\r\n")
        assert len(shop.inbox.wait_for_count(3, timeout=30)) == 3
        net.settle()
        for address in to[:2]:
            for journey in net.journeys(to=address):
                assert journey.fate == Relayed()
                assert "Ok: queued as" in journey.attempts[-1].reply.text
        for journey in net.journeys(to="gone@real.test"):
            assert journey.fate == Bounced(Stage.SMTP_RCPT, Reply(550, "5.1.1"), None)
        assert net.queue.is_empty
    assert log.read_text().count("status=sent") == 6
