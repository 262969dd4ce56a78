"""What is left of a process that was killed: nothing that runs, and no folder for long."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fakemail.folders import Folder
from namespaces import require_namespaces

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no SIGKILL")

INSIDE = """
import os, subprocess, sys
from fakemail import MailNet
net = MailNet().start()
net.account("bob@example.org")
process = net.popen(["sh", "-c", "setsid sleep 600 & echo $!; exec sleep 600"], stdout=subprocess.PIPE, text=True)
if sys.argv[1] == "forked" and os.fork() == 0:
    os.read(0, 1)  # it has all that its parent has open
    os._exit(0)
print(process.pid, process.stdout.readline().strip(), net._own_namespace._inside.namespace._folder.name, flush=True)
os.read(0, 1)
"""
OUTSIDE = """
import os
from fakemail import MailNet
net = MailNet().start()
print(net.ca_file, flush=True)
os.read(0, 1)
"""


@pytest.mark.parametrize("kind", ["alone", "forked"])
def test_commands_in_a_namespace_end_with_the_one_who_ran_them(tmp_path, kind):
    require_namespaces()
    with subprocess.Popen(
        [sys.executable, "-c", INSIDE, kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        first, second, folder = process.stdout.readline().split()
        watched = [os.pidfd_open(int(each)) for each in (first, second)]
        daemon = os.pidfd_open(_daemon_of(process.pid))
        process.kill()
        process.wait()
        for each in (*watched, daemon):
            assert select.select([each], [], [], 30)[0]
            os.close(each)
        assert not os.path.exists(folder)


def _daemon_of(owner: int) -> int:
    children = Path(f"/proc/{owner}/task/{owner}/children").read_text().split()
    others = [each for each in Path(f"/proc/{owner}/task").iterdir() if each.name != str(owner)]
    children += [child for each in others for child in (each / "children").read_text().split()]
    [daemon] = [each for each in children if b"netns_daemon.py" in Path(f"/proc/{each}/cmdline").read_bytes()]
    return int(daemon)


def test_the_next_process_sweeps(tmp_path):
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": env}
    command = [sys.executable, "-c", OUTSIDE]
    with subprocess.Popen(command, **options) as killed, subprocess.Popen(command, **options) as living:
        left, kept = (Path(each.stdout.readline().strip()) for each in (killed, living))
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        (tmp_path / "fakemail-of-somebody").mkdir()
        assert left.exists()
        with subprocess.Popen(command, **options) as later:
            own = Path(later.stdout.readline().strip())
            assert not left.parent.exists()
            assert kept.exists()
            assert own.exists()
            later.communicate("x")
        living.communicate("x")
    assert [each.name for each in tmp_path.iterdir()] == ["fakemail-of-somebody"]


def test_a_forked_process_leaves_the_folder_to_its_owner():
    folder = Folder()
    child = os.fork()
    if child == 0:
        folder.cleanup()
        os._exit(0)
    os.waitpid(child, 0)
    assert os.path.isdir(folder.name)
    folder.cleanup()
    folder.cleanup()
    assert not os.path.exists(folder.name)
