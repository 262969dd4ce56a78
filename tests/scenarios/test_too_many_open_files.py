"""A process that has no file descriptor left is told so in a sentence, and goes on when it has some again."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("resource", reason="this system limits no descriptors")

BEGIN = """
import os, resource, socket
from fakemail import MailNet, Stage, TooManyOpenFiles, minutes

def use_up(left):
    '''Leave the process so many descriptors.'''
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    taken = []
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
    for _ in range(left):
        os.close(taken.pop())
    return taken

def give_back(taken):
    while taken:
        os.close(taken.pop())

resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
"""


def run(program):
    """What a process with few descriptors prints, and what it complains of."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BEGIN + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_no_port_can_be_opened():
    told, _ = run("""
        with MailNet() as net:
            net.account("ann@example.org")
            taken = use_up(0)
            try:
                net.account("bob@example.net")
            except TooManyOpenFiles as error:
                give_back(taken)
                print(error)
        """)
    assert "could not be opened: this process has no file descriptor left of 128." in told
    assert "'ulimit -n'" in told
    assert told.startswith("port ")


def test_a_connection_waits_until_there_are_descriptors_again():
    told, complaints = run("""
        with MailNet() as net:
            net.account("bob@example.org")
            mx = net.mx("example.org")
            client = socket.socket()
            taken = use_up(0)
            client.settimeout(20)
            client.connect((mx.host, mx.port))
            acceptor = net._portal.simulation.hosts.running[mx.server.name].ports["smtp"].listeners[0]._acceptor
            while net._portal.call(lambda: acceptor._retry) is None:
                pass  # until the server has tried
            give_back(taken)
            print(client.recv(100).decode())
            client.close()
        """)
    assert told.startswith("220 mx1.example.org")
    assert "could not be accepted: this process has no file descriptor left of 128" in complaints


def test_a_host_that_cannot_connect_keeps_the_mail():
    told, _ = run("""
        with MailNet() as net:
            shop, bob = net.accounts("shop@shop.test", "bob@example.org")
            with shop.submission.smtplib() as client:  # what is loaded and opened once is there
                client.sendmail(shop.address, [bob.address], "Subject: first\\n\\nHello")
            net.settle()
            net.queue.hold()
            with shop.submission.smtplib() as client:
                client.sendmail(shop.address, [bob.address], "Subject: second\\n\\nHello")
            net.host("mx1.example.org").configure(max_recipients=9)  # no kept connection is good any more
            taken = use_up(0)
            net.queue.flush()
            net.settle()
            give_back(taken)
            print(net.journeys()[1])
            net.clock.advance(minutes(10))
            print([mail.subject for mail in bob.inbox])
        """)
    assert "this process has no file descriptor left of 128" in told
    assert "['first', 'second']" in told


def test_no_port_can_be_opened_in_a_namespace():
    told, _ = run("""
        from fakemail import NamespaceUnavailable
        with MailNet() as net:
            net.account("ann@example.org")
            try:
                net.run(["true"], check=True)
            except NamespaceUnavailable:
                print("no namespace")
            else:
                taken = use_up(1)  # enough for the port on this machine
                try:
                    net.host("relay.example.net", services=["smtp"])
                except TooManyOpenFiles as error:
                    give_back(taken)
                    print(error)
        """)
    if told == "no namespace\n":
        pytest.skip("no namespace can be made here")
    assert (
        "for smtp of relay.example.net could not be opened: this process has no file descriptor left" in told
    )
