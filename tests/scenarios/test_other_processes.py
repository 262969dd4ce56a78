"""Settings that go to another process, and a fake internet that a fork has taken with it."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import textwrap

import pytest

from fakemail import MailNet
from fakemail.errors import ClosedError


def test_settings_go_to_a_process_of_their_own() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        shop = net.account("hello@shop.test").submission
        script = textwrap.dedent("""
            import pickle, sys
            settings, to = pickle.load(sys.stdin.buffer)
            with settings.smtplib() as client:
                client.sendmail(settings.username, [to], "Subject: From afar\\r\\n\\r\\nHello")
            print(settings.url, settings.ca_file, settings.env()["SMTP_HOST"])
        """)
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=pickle.dumps((shop, bob.address)),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == b""
        assert done.stdout.decode().split() == [shop.url, shop.ca_file, shop.host]
        mail = bob.inbox.wait_for_one()
        assert mail.subject == "From afar"
        assert mail.tls.startswith("TLS")


def test_what_settings_are_after_the_journey() -> None:
    with MailNet() as net:
        shop = net.account("hello@shop.test").submission
        brought = pickle.loads(pickle.dumps(shop))
        assert brought == shop
        assert brought.ca_file == shop.ca_file
        assert brought.django_settings() == shop.django_settings()
        assert pickle.loads(pickle.dumps(brought)) == shop
        for member in ("server", "faults"):
            with pytest.raises(ClosedError, match="these settings came from another process"):
                getattr(brought, member)
        with pytest.raises(AttributeError, match="'Settings' object has no attribute 'hots'"):
            _ = brought.hots
        assert copy.copy(shop) is copy.deepcopy(shop) is shop
        assert shop.server.name == "smtp.shop.test"
        with brought.smtplib() as client:
            assert client.noop()[0] == 250


FORKED = """
import os, sys, threading
from fakemail import MailNet, seconds
from fakemail.errors import ClosedError

with MailNet() as net:
    bob = net.account("bob@example.org")
    shop = net.account("hello@shop.test").submission
    child = os.fork()
    if child == 0:
        told = []
        for ask in (
            lambda: net.account("new@example.org"),
            lambda: net.settle(timeout=1),
            lambda: bob.inbox.wait_for_one(timeout=1),
            lambda: net.clock.advance(seconds(1)),
            lambda: shop.server.stop(),
        ):
            try:
                ask()
            except ClosedError as error:
                told.append(str(error))
        assert len(told) == 5, told
        assert f"runs in process {os.getppid()}, and this is process {os.getpid()}" in told[0], told[0]
        with shop.smtplib() as client:
            client.sendmail("hello@shop.test", [bob.address], "Subject: From the child\\r\\n\\r\\nHello")
        with MailNet() as own:
            assert own.account("ann@example.org").inbox.is_empty
    else:
        _, status = os.waitpid(child, 0)
        assert status == 0, status
        assert bob.inbox.wait_for_one().subject == "From the child"
        print("parent is well")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_is_told_and_can_leave() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "parent is well\n", "")
