"""SpamAssassin, ClamAV and rspamd, as they come from Debian, with local rules only and without any network."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fakemail.clock import monotonic
from fakemail.message import samples
from fakemail.message.samples import EICAR
from fakemail.policy.scanners import ScanRequest, ScanResult
from fakemail.wire.scanning import Place, scan

pytestmark = pytest.mark.interop

SPAM = samples.spam()
VIRUS = samples.virus()
_START = 30.0
"""Real seconds that a scanner may take to read its rules."""


def ask(name: str, place: Place, raw: bytes) -> ScanResult:
    return asyncio.run(
        scan(name, place, ScanRequest(raw, "192.0.2.9", sender="ann@shop.test"), max_wait=_START)
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def started(command: list[str], name: str, place: Place, log: Path) -> Iterator[Place]:
    """Run a scanner until it answers, and end it in the end, with all that it has started."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
    try:
        end = monotonic() + _START
        while ask(name, place, samples.plain()).failure:
            if process.poll() is not None or monotonic() > end:
                pytest.fail(f"{name} does not answer:\n{log.read_text()[-2000:]}")
            asyncio.run(asyncio.sleep(0.1))
        yield place
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(_START)


@pytest.fixture
def spamd(program: Callable[[str], str], tmp_path: Path) -> Iterator[Place]:
    port = free_port()
    command = [program("spamd"), "--local", "--nouser-config", "--max-children=1", "--syslog=stderr"]
    command += [f"--listen=127.0.0.1:{port}", f"--pidfile={tmp_path / 'pid'}"]
    yield from started(command, "spamassassin", ("127.0.0.1", port), tmp_path / "log")


@pytest.fixture
def clamd(program: Callable[[str], str], tmp_path: Path) -> Iterator[Place]:
    path = str(tmp_path / "s")
    base = tmp_path / "base"
    base.mkdir()
    # Extended signatures (clamav's docs, "Body-based Signature Content Format"): name, any type, anywhere, octets.
    (base / "test.ndb").write_text(f"Fakemail.Test:0:*:{EICAR.hex()}\n")
    lines = [f"LocalSocket {path}", f"DatabaseDirectory {base}", "Foreground yes", "ScanELF no"]
    lines += [f"User {pwd.getpwuid(os.getuid()).pw_name}", f"TemporaryDirectory {tmp_path}"]
    (tmp_path / "clamd.conf").write_text("\n".join([*lines, ""]))
    command = [program("clamd"), f"--config-file={tmp_path / 'clamd.conf'}"]
    yield from started(command, "clamav", path, tmp_path / "log")


@pytest.fixture
def rspamd(program: Callable[[str], str], tmp_path: Path) -> Iterator[Place]:
    port = free_port()
    user = pwd.getpwuid(os.getuid()).pw_name
    (tmp_path / "rspamd.conf").write_text(f"""
        options {{
            pidfile = "{tmp_path}/pid";
            filters = "";
            gtube_patterns = "all";
            disable_hyperscan = true;
            dns {{ nameserver = ["127.0.0.1:1"]; }}
        }}
        logging {{ type = "console"; level = "error"; }}
        metric {{ name = "default"; actions {{ reject = 15; }} }}
        worker {{ type = "normal"; bind_socket = "127.0.0.1:{port}"; count = 1; }}
    """)
    command = [program("rspamd"), "-f", "-i", "-u", user, "-g", user, "-c", str(tmp_path / "rspamd.conf")]
    yield from started(command, "rspamd", ("127.0.0.1", port), tmp_path / "log")


def test_spamassassin(spamd: Place) -> None:
    good, spam = ask("spamassassin", spamd, samples.plain()), ask("spamassassin", spamd, SPAM)
    assert (good.failure, good.is_bad, good.required) == ("", False, 5.0)
    assert (spam.failure, spam.is_bad) == ("", True)
    assert spam.score > 900
    assert "GTUBE" in spam.names


def test_clamav(clamd: Place) -> None:
    assert ask("clamav", clamd, samples.plain()) == ScanResult("clamav")
    assert ask("clamav", clamd, samples.large(size=3_000_000)) == ScanResult("clamav")
    assert ask("clamav", clamd, VIRUS) == ScanResult(
        "clamav", is_bad=True, names=("Fakemail.Test.UNOFFICIAL",)
    )


def test_rspamd(rspamd: Place) -> None:
    good, spam = ask("rspamd", rspamd, samples.plain()), ask("rspamd", rspamd, SPAM)
    assert (good.failure, good.is_bad) == ("", False)
    assert (spam.failure, spam.is_bad, spam.advice) == ("", True, "reject")
