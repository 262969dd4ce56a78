"""The command ``fakemail`` as people run it: in a process of its own, ended by signals."""

from __future__ import annotations

import imaplib
import json
import os
import random
import re
import signal
import smtplib
import socket
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from textwrap import dedent

import pytest

from command_line import fakemail

READY = "Ready. What happens is told below; Ctrl-C ends it."
COMMAND = [sys.executable, "-m", "fakemail"]


def in_a_process(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=30, check=False)


class Standing:
    """``fakemail up`` while it runs."""

    patience = 30.0
    """Real seconds for a text to come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def read_until(self, wanted: str) -> list[str]:
        """The lines up to the one with that text in it.

        Fails the test, with what was read, when the output ends before, or when the time is up: then the
        process is ended, and so is its output.
        """
        lines = []
        deadline = threading.Timer(self.patience, self.process.kill)
        deadline.start()
        try:
            for line in self.process.stdout:
                lines.append(line.rstrip("\n"))
                if wanted.lower() in line.lower():  # clients differ in the case of their commands
                    return lines
        finally:
            deadline.cancel()
        raise AssertionError("\n".join([f"{wanted!r} never came:", *lines, self.process.stderr.read()]))

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
        """Send a signal: the exit code and the rest of both outputs."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@contextmanager
def up(*options: str) -> Iterator[Standing]:
    process = subprocess.Popen(
        [*COMMAND, "up", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield Standing(process)
        finally:
            process.kill()


def env_values(text: str) -> dict[str, str]:
    first, *lines = text.splitlines()
    assert first == "# written by fakemail"
    return dict(line.split("=", 1) for line in lines)


def is_free(address: str, port: int) -> bool:
    """Whether nobody listens there. A bind would tell of TIME_WAIT as well."""
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) != 0


# demo ------------------------------------------------------------------------------------------------


def test_demo_tells_three_journeys():
    done = in_a_process("demo")
    assert (done.returncode, done.stderr) == (0, "")
    fates = re.findall(r"Fate: (.*)", done.stdout)
    assert fates == [
        "delivered to ann@example.org, INBOX",
        "bounced after a refusal at smtp.rcpt by mx1.example.org: 550 5.1.1 (no such user)",
        "bounced after a refusal at route by smtp.example.com: no such domain",
    ]
    assert re.search(r"^ +1  smtp\.example\.com +took it from app .* over ESMTPSA", done.stdout, re.MULTILINE)
    assert "Traceback" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_waiting_for_output_ends_and_tells_what_came():
    with up("--ephemeral") as sandbox:
        told = sandbox.read_until(READY)
        sandbox.patience = 0.1
        with pytest.raises(AssertionError) as caught:
            sandbox.read_until("what never happens")
        assert told
        assert str(caught.value).startswith("'what never happens' never came:\n")


# up --------------------------------------------------------------------------------------------------


def test_up_serves_what_its_env_file_says_until_ctrl_c(tmp_path):
    file = tmp_path / "fake.env"
    with up("--ephemeral", "--env-file", str(file)) as sandbox:
        told = sandbox.read_until(READY)
        facts = env_values(file.read_text())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert {f"  {name}={value}" for name, value in facts.items()} <= set(told)
        assert (facts["FAKEMAIL_USER1"], facts["FAKEMAIL_PASS1"]) == ("ann@example.org", "ann-password")
        context = ssl.create_default_context(cafile=facts["FAKEMAIL_CA_FILE"])
        submission = facts["FAKEMAIL_SUBMISSION_HOST"], int(facts["FAKEMAIL_SUBMISSION_PORT"])
        with smtplib.SMTP(*submission, timeout=10) as client:
            client.starttls(context=context)
            client.login(facts["FAKEMAIL_SUBMISSION_USER"], facts["FAKEMAIL_SUBMISSION_PASS"])
            client.sendmail("news@anywhere.test", ["bob@example.org"], "Subject: Hello Bob\r\n\r\nHi")
        delivered = sandbox.read_until('+ delivers to bob@example.org, INBOX: "Hello Bob"')
        assert any(
            "+ takes " in line and "from news@anywhere.test for bob@example.org" in line for line in delivered
        )

        with smtplib.SMTP_SSL(
            facts["FAKEMAIL_SMTPS_HOST"], int(facts["FAKEMAIL_SMTPS_PORT"]), context=context, timeout=10
        ) as client:
            client.login(facts["FAKEMAIL_USER1"], facts["FAKEMAIL_PASS1"])
        sandbox.read_until("login succeeds")

        imap = imaplib.IMAP4(facts["FAKEMAIL_IMAP_HOST"], int(facts["FAKEMAIL_IMAP_PORT"]), timeout=10)
        with imap:
            imap.starttls(context)
            with pytest.raises(imaplib.IMAP4.error):
                imap.login("bob@example.org", "wrong")
            sandbox.read_until("mail.example.org          ! refuses the login: ")
            imap.login("bob@example.org", "bob-password")
            assert imap.select() == ("OK", [b"1"])
        sandbox.read_until("login succeeds")
        secure = facts["FAKEMAIL_IMAPS_HOST"], int(facts["FAKEMAIL_IMAPS_PORT"])
        imaplib.IMAP4_SSL(*secure, ssl_context=context, timeout=10).logout()

        mx = facts["FAKEMAIL_SMTP_HOST"], int(facts["FAKEMAIL_SMTP_PORT"])
        with smtplib.SMTP(*mx, timeout=10) as client, pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("", ["nobody@example.org"], "")
        sandbox.read_until("mx1.example.org           ! refuses rcpt TO:<nobody@example.org>: 550 5.1.1")

        assert sandbox.end() == (0, "Ended.\n", "")
        assert not file.exists()
        assert Path(facts["FAKEMAIL_CA_FILE"]).exists()  # kept for the next time
        assert is_free(*mx)
        assert is_free(*submission)


def test_up_answers_dns(tmp_path):
    import dns.resolver

    file = tmp_path / "fake.env"
    with up("--ephemeral", "--env-file", str(file)) as sandbox:
        sandbox.read_until(READY)
        facts = env_values(file.read_text())
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [facts["FAKEMAIL_DNS_HOST"]], int(facts["FAKEMAIL_DNS_PORT"])
        (answer,) = resolver.resolve("example.org", "MX")
        assert str(answer) == "10 mx1.example.org."
        sandbox.read_until("app asks for example.org MX: 10 mx1.example.org.")
        assert sandbox.end(signal.SIGTERM)[0] == 0
        assert not file.exists()


def test_up_prints_json_lines():
    with up("--ephemeral", "--json", "--seed", "7") as sandbox:
        facts = json.loads(sandbox.read_until('"kind": "ready"')[0])
        assert (facts["seed"], facts["domains"]) == (7, ["example.org", "example.com"])
        assert {"user": "bob@example.org", "password": "bob-password"} in facts["accounts"]
        assert facts["env"]["FAKEMAIL_SMTP_PORT"] == str(facts["mx"]["port"])
        services = {(port["host"], port["service"]) for port in facts["ports"]}
        assert {
            ("mx1.example.com", "smtp"),
            ("smtp.mailnet.example.net", "submissions"),
            ("mail.example.org", "imap"),
            ("mail.example.org", "pop3"),
            ("mail.example.com", "pop3s"),
            ("ns.mailnet.example.net", "dns"),
        } <= services
        with smtplib.SMTP(facts["mx"]["address"], facts["mx"]["port"], timeout=10) as client:
            client.sendmail("a@example.com", ["bob@example.org"], "Subject: Hi\r\n\r\nHi")
        events = [json.loads(line) for line in sandbox.read_until('"kind": "message_delivered"')]
        assert [event["stage"] for event in events][:2] == ["connect", "smtp.banner"]
        assert events[-1]["account"] == "bob@example.org"
        code, rest, err = sandbox.end()
        assert (code, err) == (0, "")
        for line in rest.splitlines():
            json.loads(line)


def test_up_with_a_configuration(tmp_path):
    config = tmp_path / "world.toml"
    config.write_text(
        dedent("""
            [domains."acme.test"]
            mx = ["mail"]
            accounts = ["root"]
            [[accounts]]
            address = "o'neil@acme.test"
            password = "it's"
        """),
        "utf-8",
    )
    file = tmp_path / "fake.env"
    with up("--ephemeral", "--config", str(config), "--env-file", str(file)) as sandbox:
        told = sandbox.read_until(READY)
        assert any(re.match(r"  mail\.acme\.test +198\.51\.100\.\d+ +smtp", line) for line in told)
        script = f'. "{file}"; printf "%s\\n" "$FAKEMAIL_USER1" "$FAKEMAIL_PASS1" "$FAKEMAIL_USER2" "$FAKEMAIL_PASS2"'
        sourced = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert sourced.stdout.splitlines() == ["root@acme.test", "root-password", "o'neil@acme.test", "it's"]
        assert sandbox.end()[0] == 0


def test_fixed_ports_and_who_holds_them():
    """A second sandbox on the same ports says which one is taken, and leaves nothing behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        # An offset under which the smarthost's submission port, one of the last to be opened, is taken.
        port = taken.getsockname()[1]
        offset = port - 587
        done = in_a_process("up", "--port-offset", str(offset))
        if "DNS" in done.stderr or "smtp of" in done.stderr:
            pytest.skip("a neighbouring port is taken by another program as well")
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr == (
            f"Error: port {port} on 127.0.0.1 for submission of smtp.mailnet.example.net is taken by another program. "
            f"To see which: 'ss -ltnp sport = :{port}' (Linux) or 'lsof -nP -i :{port}' (macOS). Stop it, "
            "choose another port, or let the system choose (port 0; on the command line --ephemeral).\n"
        )


def test_the_ports_that_people_type_are_on_one_address():
    offset = random.randrange(20_000, 30_000)  # below the ports that systems give to clients
    with up("--json", "--port-offset", str(offset)) as sandbox:
        line = sandbox.process.stdout.readline()
        if not line:
            pytest.skip(f"a port is taken by another program: {sandbox.process.stderr.read()}")
        facts = json.loads(line)
        env = facts["env"]
        assert {env[name] for name in env if name.endswith("_HOST")} == {"127.0.0.1"}
        ports = {
            name: int(env[f"FAKEMAIL_{name}_PORT"]) - offset
            for name in ("SMTP", "SMTPS", "SUBMISSION", "DNS")
        }
        assert ports == {"SMTP": 25, "SMTPS": 465, "SUBMISSION": 587, "DNS": 53}
        endpoints = [(port["address"], port["port"]) for port in facts["ports"]]
        assert len(set(endpoints)) == len(endpoints)
        assert sandbox.end()[0] == 0


# Mistakes --------------------------------------------------------------------------------------------


def test_mistakes_of_a_configuration_are_told_without_a_traceback(tmp_path):
    config = tmp_path / "world.toml"
    config.write_text('[domains."example.org"]\nmxs = ["mx1"]\ncatch_all = 3\n', "utf-8")
    for command in (["up", "--ephemeral", "--config"], ["check"]):
        status, out, err = fakemail(*command, str(config))
        assert (status, out) == (1, "")
        assert err == (
            f"Error: 2 mistakes in {config}:\n"
            f"  {config}:2: [domains.\"example.org\"]: there is no key 'mxs'; did you mean 'mx'?\n"
            f"  {config}:3: [domains.\"example.org\"]: 'catch_all' must be a string, not the number 3.\n"
        )


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("absent.toml", None, "absent.toml: the configuration cannot be read: No such file or directory."),
        (
            "latin.toml",
            b"a = '\xe9'",
            "latin.toml: not TOML: the octet at place 5 is not UTF-8, which TOML must be.",
        ),
        ("half.toml", b"a = [1", "half.toml:1: not TOML: unclosed array at the end of the text"),
        (
            "record.toml",
            b'[[records]]\nname = "x.test"\ntype = "MXX"\nvalue = "1"',
            "record.toml:1: [[records]] number 1: record x.test MXX: 'MXX' is not a record type: did you mean 'MX'?",
        ),
        (
            "zone.toml",
            b'[domains."x.test"]\nzone = "www A 300.1.1.1"',
            'zone.toml:1: [domains."x.test"]: zone text, line 1: ',
        ),
    ],
)
def test_files_that_are_no_configuration(tmp_path, name, content, told):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    status, _, err = fakemail("check", str(path))
    assert status == 1
    assert err.startswith(f"Error: {tmp_path}/{told}")
    assert "Traceback" not in err


def test_an_env_file_that_cannot_be_written(tmp_path):
    status, _, err = fakemail("up", "--ephemeral", "--env-file", str(tmp_path / "no" / "fake.env"))
    assert status == 1
    assert err == (
        f"Error: {tmp_path}/no/fake.env: the env file cannot be written: No such file or directory.\n"
    )


def test_an_env_file_that_is_somebody_elses(tmp_path):
    path = tmp_path / ".env"
    path.write_text("SECRET=1\n")
    status, out, err = fakemail("up", "--ephemeral", "--env-file", str(path))
    assert (status, out) == (1, "")
    assert err.startswith(f"Error: {path}: this file is not fakemail's")
    assert path.read_text() == "SECRET=1\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "command", ["up --ephemeral", pytest.param("demo", marks=pytest.mark.slow), "version"]
)
def test_output_that_cannot_be_written(command):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, *command.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        "Error: the output cannot be written: No space left on device.\n",
    )


# The rest --------------------------------------------------------------------------------------------


def test_check_tells_what_would_be_declared():
    status, out, err = fakemail("check", str(Path(__file__).parents[2] / "examples" / "world.toml"))
    assert (status, err) == (0, "")
    assert "world.toml: good.\n" in out
    assert re.search(r"^  example\.org +mx1\.example\.org, mx2\.example\.org", out, re.MULTILINE)


@pytest.mark.parametrize("option", ["version", "--version"])
def test_version(option):
    assert fakemail(option) == (0, f"fakemail {version('pytest-fakemail')}\n", "")


def test_the_script_is_installed():
    script = Path(sys.executable).parent / "fakemail"
    done = subprocess.run([script, "--help"], capture_output=True, text=True, timeout=30, check=True)
    assert re.findall(r"^  (check|demo|up|version) ", done.stdout, re.MULTILINE) == [
        "check",
        "demo",
        "up",
        "version",
    ]
    assert os.access(script, os.X_OK)
