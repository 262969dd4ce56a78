"""The authority of a sandbox: the same at each start, readable by everybody, its key by nobody else."""

from __future__ import annotations

import json
import os
import smtplib
import ssl
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from command_line import fakemail
from fakemail.sandbox.up import state_directory


@contextmanager
def up(*options: str, **variables: str):
    """What a sandbox says of itself while it stands."""
    command = [sys.executable, "-m", "fakemail", "up", "--ephemeral", "--json", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **variables})
    with process:
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.communicate(timeout=30)


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def greet(facts: dict, ca_file: str) -> None:
    """Log in at the smarthost as a program that trusts a file, by address and by name."""
    port, login = facts["submission"], facts["smarthost"]
    for host in (port["address"], "localhost"):
        with smtplib.SMTP(host, port["port"], timeout=10) as client:
            client.starttls(context=ssl.create_default_context(cafile=ca_file))
            client.login(login["user"], login["password"])


@pytest.mark.parametrize(
    "given", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["the user's own", "--ca-dir"]
)
def test_the_authority_stays_the_same(tmp_path, given):
    place = tmp_path / "kept" if given else tmp_path / "fakemail"
    options = ("--ca-dir", str(place)) if given else ()
    told = []
    for _ in range(2):
        with up(*options, XDG_STATE_HOME=str(tmp_path)) as facts:
            assert facts["ca_file"] == facts["env"]["FAKEMAIL_CA_FILE"] == str(place / "ca.pem")
            assert facts["env"]["NODE_EXTRA_CA_CERTS"] == facts["env"]["SSL_CERT_FILE"] == facts["ca_file"]
            told.append(Path(facts["ca_file"]).read_bytes())
            first = tmp_path / "trusted.pem"
            if not first.exists():
                first.write_bytes(told[0])
            greet(facts, str(first))
    assert told[0] == told[1]
    assert (mode(place), mode(place / "ca.pem"), mode(place / "ca-key.pem")) == (0o755, 0o644, 0o600)
    assert {path.name for path in place.iterdir()} == {"ca.pem", "ca-key.pem"}
    assert b"PRIVATE" not in told[0]


def test_whatever_the_umask_others_can_read_it(tmp_path):
    before = os.umask(0o077)
    try:
        with up(XDG_STATE_HOME=str(tmp_path)):
            assert (mode(tmp_path / "fakemail"), mode(tmp_path / "fakemail" / "ca.pem")) == (0o755, 0o644)
    finally:
        os.umask(before)


def test_two_that_start_at_once_have_one_authority(tmp_path):
    with up("--ca-dir", str(tmp_path / "new")) as one, up("--ca-dir", str(tmp_path / "new")) as two:
        for facts in (one, two):
            greet(facts, str(tmp_path / "new" / "ca.pem"))


def test_a_removed_certificate_is_written_again(tmp_path):
    with up("--ca-dir", str(tmp_path)) as facts:
        before = Path(facts["ca_file"]).read_bytes()
    (tmp_path / "ca.pem").unlink()
    with up("--ca-dir", str(tmp_path)) as facts:
        assert Path(facts["ca_file"]).read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"", b"no key", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_that_is_no_authority_is_named(tmp_path, content):
    (tmp_path / "ca-key.pem").write_bytes(content)
    status, _, err = fakemail("up", "--ephemeral", "--ca-dir", str(tmp_path))
    assert status == 1
    assert err == (
        f"Error: {tmp_path}/ca-key.pem holds no key and certificate of an authority; remove it, or name another "
        "directory with --ca-dir.\n"
    )


def test_the_file_of_another_authority_is_left_alone(tmp_path):
    (tmp_path / "ca.pem").write_bytes(b"mine")
    status, _, err = fakemail("up", "--ephemeral", "--ca-dir", str(tmp_path))
    assert status == 1
    assert err == (
        f"Error: {tmp_path}/ca.pem is of another authority, whose key is not beside it; remove it, or name another "
        "directory with --ca-dir.\n"
    )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"ca.pem": b"mine"}


def test_a_directory_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").touch()
    status, _, err = fakemail("up", "--ephemeral", "--ca-dir", str(tmp_path / "file" / "ca"))
    assert status == 1
    assert "the authority cannot be kept there: Not a directory." in err


def test_who_has_no_place_for_it_gets_a_new_one_each_time(tmp_path):
    (tmp_path / "file").touch()
    with up(XDG_STATE_HOME=str(tmp_path / "file")) as facts:
        assert not facts["ca_file"].startswith(str(tmp_path / "file"))
        assert mode(facts["ca_file"]) == 0o644
        greet(facts, facts["ca_file"])


@pytest.mark.parametrize(
    ("platform", "environment", "wanted"),
    [
        ("linux", {"HOME": "/home/ann"}, "/home/ann/.local/state/fakemail"),
        ("linux", {"HOME": "/home/ann", "XDG_STATE_HOME": "/state"}, "/state/fakemail"),
        ("linux", {"HOME": "/home/ann", "XDG_STATE_HOME": "state"}, "/home/ann/.local/state/fakemail"),
        ("darwin", {"HOME": "/Users/ann"}, "/Users/ann/Library/Application Support/fakemail"),
        ("win32", {"HOME": "/home/ann", "LOCALAPPDATA": "/local"}, "/local/fakemail"),
    ],
)
def test_where_it_is_kept(platform, environment, wanted):
    assert state_directory(environment, platform=platform) == Path(wanted)
