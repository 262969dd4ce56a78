"""The marker's redirect and real ports, and the guard against connections that leave."""

from __future__ import annotations

import os
import sys

import pytest


def test_a_marked_test_is_redirected(project):
    project.makepyfile(
        """
        import smtplib, socket
        import pytest

        @pytest.mark.mailnet(redirect=True)
        def test_inside(mailnet):
            bob = mailnet.account("bob@example.org")
            with smtplib.SMTP("mx1.example.org") as client:
                client.sendmail("hello@shop.test", [bob.address], "Subject: News\\n\\nAll new.")
            assert bob.inbox.wait_for_one().subject == "News"

        def test_outside():
            assert "connect" not in vars(socket.socket)
        """
    )
    project.runpytest().assert_outcomes(passed=2)


def test_an_escape_that_nobody_heard_of_is_an_error_at_the_end(project):
    project.makepyfile(
        """
        import socket
        import pytest

        @pytest.mark.mailnet(redirect=True)
        def test_it(mailnet):
            with socket.socket() as sock:
                sock.connect_ex(("192.88.99.1", 25))
        """
    )
    result = project.runpytest()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*192.88.99.1 port 25*"])


@pytest.mark.parametrize("said", ["redirect='yes'", "real_ports=1"])
def test_wrong_values_are_told(project, said):
    project.makepyfile(
        f"""
        import pytest

        @pytest.mark.mailnet({said})
        def test_it(mailnet):
            pass
        """
    )
    result = project.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{said.partition('=')[0]}= is True or False, not*"])


ESCAPING = """
import errno
import socket
import pytest

def swallow(port, kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as sock:
        try:
            if kind == socket.SOCK_STREAM:
                sock.connect(("192.88.99.1", port))
            else:
                sock.sendto(b"?", ("192.88.99.1", port))
        except OSError as error:
            assert "192.88.99.1 port" in str(error)

def test_mail():
    swallow(25)
    swallow(25)

def test_dns():
    swallow(53, socket.SOCK_DGRAM)

@pytest.fixture
def client():
    swallow(993)

def test_in_a_fixture(client):
    pass

def test_by_number():
    with socket.socket() as sock:
        assert sock.connect_ex(("192.88.99.1", 25)) == errno.ENETUNREACH

def test_at_home_by_other_names():
    for name in (b"127.0.0.1", "LocalHost"):
        with socket.socket() as sock:
            assert sock.connect_ex((name, 993)) in (0, errno.ECONNREFUSED)

def test_at_home():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass
"""


def test_no_escape_fails_who_tries(project):
    project.makepyfile(ESCAPING)
    result = project.runpytest("--mailnet-no-escape")
    result.assert_outcomes(passed=2, failed=3, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*no connection to a mail or DNS port off this machine (--mailnet-no-escape)*",
            "*192.88.99.1 port 25, 2 times*",
            "*redirect it: @pytest.mark.mailnet(redirect=True)*",
        ]
    )


def test_no_escape_in_the_ini_file(project):
    project.makeini(
        "[pytest]\nmailnet_no_escape = true\nasyncio_default_fixture_loop_scope = function\n"
        "addopts = -p no:cacheprovider -p no:hypothesispytest\n"
    )
    project.makepyfile(ESCAPING)
    project.runpytest().assert_outcomes(passed=2, failed=3, errors=1)


def test_no_escape_and_a_redirect(project):
    project.makepyfile(
        """
        import socket
        import pytest

        @pytest.mark.mailnet(redirect=True)
        def test_it(mailnet):
            mailnet.domain("example.org")
            with socket.create_connection(("mx1.example.org", 25)) as sock:
                assert sock.recv(3) == b"220"
        """
    )
    project.runpytest("--mailnet-no-escape").assert_outcomes(passed=1)


CHILD = """
import subprocess, sys
import pytest

LEAVE = "import socket; print(socket.socket().connect_ex(('192.88.99.1', {})))"

def start(port):
    command = [sys.executable, "-I", "-c", LEAVE.format(port)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout

def test_mail():
    assert start(25) == "101\\n"  # ENETUNREACH

def test_at_home():
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"
    subprocess.run([sys.executable, "-I", "-c", code], check=True)

@pytest.fixture(scope="session")
def server():
    with subprocess.Popen([sys.executable, "-I", "-c", "input(); " + LEAVE.format(465)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process

def test_that_begins_it(server):
    pass

def test_in_which_it_tries(server):
    assert server.communicate("\\n")[0] == "101\\n"

@pytest.mark.parametrize("command", ["sendmail", "/usr/sbin/sendmail"])
def test_its_own_command(command, tmp_path, monkeypatch):
    fake = tmp_path / "sendmail"
    fake.write_text("#!/bin/sh\\ntouch " + str(tmp_path / "called"))
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    if command == "sendmail":
        command = str(fake)
    subprocess.run(["sh", "-c", command + " </dev/null bob@example.org"])
    assert not (tmp_path / "called").exists()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux holds programs")
def test_no_escape_holds_programs_that_tests_start(project):
    project.makepyfile(CHILD)
    result = project.runpytest("--mailnet-no-escape")
    there = os.path.exists("/usr/sbin/sendmail")
    result.assert_outcomes(passed=2 if there else 3, failed=4 if there else 3)
    result.stdout.fnmatch_lines(["*192.88.99.1 port 25*"])
    result.stdout.fnmatch_lines(["*192.88.99.1 port 465*"])
    result.stdout.fnmatch_lines(["*/sendmail, a mail server's own command*"])


START = """
import subprocess
import pytest

@pytest.mark.mailnet(redirect=True{said})
def test_redirected(mailnet):
    subprocess.run(["true"], check=True)

def test_guarded():
    subprocess.run(["true"], check=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux holds programs")
@pytest.mark.parametrize(
    ("options", "said", "failed"),
    [
        ([], "", 0),
        (["--mailnet-children=held"], "", 0),
        (["--mailnet-children=free"], "", 0),
        (["--mailnet-children=refused"], "", 2),
        (["--mailnet-children=refused"], ", children='held'", 1),
        ([], ", children='refused'", 1),
    ],
)
def test_what_becomes_of_programs(project, options, said, failed):
    project.makepyfile(START.format(said=said))
    project.runpytest("--mailnet-no-escape", *options).assert_outcomes(passed=2 - failed, failed=failed)


def test_what_becomes_of_programs_in_words_that_there_are_not(project):
    project.makepyfile(START.format(said=""))
    result = project.runpytest("--mailnet-children=hold")
    result.stderr.fnmatch_lines(["*--mailnet-children is one of held, refused, free, not 'hold'*"])


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux holds programs")
def test_workers_are_not_held_and_what_they_start_is(project):
    project.makepyfile(CHILD)
    result = project.runpytest_subprocess("--mailnet-no-escape", "-n1", "-p", "xdist")
    result.stdout.fnmatch_lines(["*192.88.99.1 port 25*"])
    assert "RuntimeWarning" not in result.stdout.str()
