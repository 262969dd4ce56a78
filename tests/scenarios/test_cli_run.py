"""``fakemail run``: a command for which a fake internet is the internet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from command_line import fakemail
from namespaces import require_namespaces, runs

COMMAND = [sys.executable, "-m", "fakemail", "run"]
LOOK = "import socket; print(socket.getaddrinfo('mx1.example.org', 25)[0][4][0])"


@pytest.fixture(autouse=True)
def _allowed():
    require_namespaces()


def run(*words: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, timeout=60, check=False, **options
    )


def test_a_command_finds_the_default_world():
    done = run("--", sys.executable, "-I", "-c", LOOK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(("198.51.100.", "2001:db8:"))


def test_streams_and_status_are_the_command_s():
    done = run("sh", "-c", "cat; echo oh >&2; exit 7", input="hello\n")
    assert (done.stdout, done.stderr, done.returncode) == ("hello\n", "oh\n", 7)
    assert run("--", "sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM


def test_a_signal_to_end_is_for_the_command_and_leaves_nothing_behind(tmp_path):
    ends = "trap 'echo told; exit 3' TERM; sleep 600 & echo $!; wait"
    with subprocess.Popen(
        [*COMMAND, "--", "sh", "-c", ends],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        sleeper = int(process.stdout.readline())
        process.terminate()
        assert process.stdout.read() == "told\n"
        assert process.wait() == 3
    assert not runs(sleeper)
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_and_the_journeys_at_the_end(tmp_path):
    config = tmp_path / "world.toml"
    config.write_text('[domains."club.example"]\naccounts = ["ann"]\n')
    send = (
        "import smtplib; smtplib.SMTP('mx1.club.example').sendmail("
        "'hello@example.com', ['ann@club.example'], 'Subject: Hi\\n\\nHello.')"
    )
    done = run("--config", str(config), "--journeys", "--", sys.executable, "-I", "-c", send)
    assert done.returncode == 0, done.stderr
    assert "<hello@example.com> to <ann@club.example>" in done.stderr
    assert "Fate: delivered to ann@club.example, INBOX" in done.stderr


def test_commands_that_cannot_be_run(tmp_path):
    done = run("--", "no-such-command")
    assert (done.returncode, done.stderr) == (127, "Error: no-such-command: No such file or directory.\n")
    plain = tmp_path / "plain"
    plain.write_text("")
    done = run("--", str(plain))
    assert (done.returncode, done.stderr) == (126, f"Error: {plain}: Permission denied.\n")
    status, _, complaints = fakemail("run")
    assert (status, "Missing argument" in complaints) == (2, True)
    status, _, complaints = fakemail("run", "--expose", "here", "--", "true")
    assert (status, "expose: 'here' is not an address and a port" in complaints) == (1, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user; others are one already")
def test_an_ordinary_user_can_do_it():
    """Without any right but to read the files that this test's Python consists of."""
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    rights = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    script = "id -u; getent hosts mx1.example.org"
    done = subprocess.run(
        [*become, *rights, *COMMAND, "--", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd="/",  # that of this test may be closed to him
        env={**os.environ, "HOME": "/nonexistent"},
    )
    assert done.returncode == 0, done.stderr
    user, found = done.stdout.splitlines()
    assert user == "65534"
    assert found.split() == [found.split()[0], "mx1.example.org"]
