"""Commands for which the fake internet is the internet: names, addresses, ports, and how they begin and end."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from fakemail import AsyncMailNet, BlockingCallInLoop, ClosedError, DeclarationError, MailNet, Stage, faults
from namespaces import require_namespaces, runs

SHELL = "/bin/sh"
# The system's own where there is one: an ordinary user can read it, wherever the one of this test may lie.
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable


@pytest.fixture(autouse=True)
def _allowed():
    require_namespaces()


def python(text: str, *arguments: str) -> list[str]:
    return [PYTHON, "-I", "-c", text, *arguments]


def said(net, *command, **options) -> str:
    return net.run(list(command), capture_output=True, text=True, check=True, timeout=30, **options).stdout


SEND = """
import smtplib, sys
with smtplib.SMTP(sys.argv[1], 25) as client:
    client.starttls()
    client.sendmail('news@shop.test', [sys.argv[2]], 'Subject: News\\n\\nAll new.')
"""


def test_a_program_finds_a_mail_host_by_its_real_name_and_port(mailnet):
    bob = mailnet.account("bob@example.org")
    mailnet.run(python(SEND, "mx1.example.org", bob.address), check=True)
    mail = bob.inbox.one()
    assert mail.subject == "News"
    assert mail.envelope.origin.peer.name == "app"
    assert mail.envelope.origin.peer.address in ("203.0.113.250", "2001:db8:a::250")
    assert mail.envelope.origin.tls


def test_ipv6_is_there_as_well(mailnet):
    bob = mailnet.account("bob@example.org")
    host = mailnet.domain("example.org").hosts[0]
    mailnet.run(python(SEND.replace("client.starttls()", ""), host.ipv6, bob.address), check=True)
    assert bob.inbox.one().envelope.origin.peer.address == "2001:db8:a::250"


def test_names_come_from_our_dns_and_from_nowhere_else(mailnet):
    mailnet.domain("example.org")
    ask = "import socket,sys; print(socket.getaddrinfo(sys.argv[1], 25)[0][4][0])"
    address = said(mailnet, *python(ask, "mx1.example.org")).strip()
    host = mailnet.domain("example.org").hosts[0]
    assert address in (host.ipv4, host.ipv6)
    failed = mailnet.run(python(ask, "nothing.test"), capture_output=True, text=True)
    assert "gaierror" in failed.stderr
    assert {query.answer for query in mailnet.dns.queries(name="nothing.test")} == {"NXDOMAIN"}
    assert {query.client.name for query in mailnet.dns.queries()} == {"app"}


def test_an_address_outside_the_fake_internet_cannot_be_reached(mailnet):
    code = "import socket; socket.create_connection(('192.88.99.1', 25), timeout=5)"
    failed = mailnet.run(python(code), capture_output=True, text=True)
    assert "Network is unreachable" in failed.stderr


def test_hosts_that_are_declared_later_are_there_too(mailnet):
    assert mailnet.run(["true"]).returncode == 0
    eve = mailnet.account("eve@late.test")
    mailnet.run(python(SEND, "mx1.late.test", eve.address), check=True)
    assert eve.inbox.one()


def test_faults_hold_inside(mailnet):
    bob = mailnet.account("bob@example.org")
    fault = mailnet.mx("example.org").faults.refuse_connections()
    failed = mailnet.run(python(SEND, "mx1.example.org", bob.address), capture_output=True, text=True)
    assert "ConnectionRefusedError" in failed.stderr
    fault.remove()
    mailnet.run(python(SEND, "mx1.example.org", bob.address), check=True)
    assert bob.inbox.one()


def test_connections_that_hang_do_so_inside(mailnet):
    mailnet.domain("example.org")
    code = (
        "import socket\ntry: socket.create_connection(('mx1.example.org', 25), timeout=0.3)\n"
        "except TimeoutError: print('hangs')"
    )
    with mailnet.mx("example.org").faults.add(stage=Stage.CONNECT, do=faults.hang_connections()):
        assert said(mailnet, *python(code)) == "hangs\n"


def test_streams_directory_environment_and_status_are_those_of_subprocess(mailnet, tmp_path):
    done = mailnet.run(
        [SHELL, "-c", "cat; pwd; echo $COLOUR; echo oh >&2; exit 3"],
        input="in\n",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"COLOUR": "green", "PATH": os.environ["PATH"]},
    )
    assert (done.stdout, done.stderr, done.returncode) == (f"in\n{tmp_path}\ngreen\n", "oh\n", 3)
    assert done.args == [SHELL, "-c", "cat; pwd; echo $COLOUR; echo oh >&2; exit 3"]


def test_nothing_of_how_it_was_started_is_left_in_the_process(mailnet):
    env = {"PATH": os.environ["PATH"]}
    shown = said(
        mailnet, SHELL, "-c", "env; ls /proc/self/fd | wc -l; grep SigIgn /proc/self/status", env=env
    )
    assert "LC_CTYPE" not in shown
    assert "\n4\n" in shown  # the three streams, and the folder that ls reads
    # Python itself ignores two signals, and takes that back for what it starts; nohup's is for all.
    [ignored] = re.findall(r"SigIgn:\t(\w+)", Path("/proc/self/status").read_text())
    of_python = 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1
    assert f"SigIgn:\t{int(ignored, 16) & ~of_python:016x}" in shown


def test_the_authority_is_where_programs_look(mailnet):
    shown = said(mailnet, SHELL, "-c", 'echo "$SSL_CERT_FILE $CURL_CA_BUNDLE"; cat "$SSL_CERT_FILE"')
    with open(mailnet.ca_file, encoding="ascii") as file:
        assert file.read().strip() in shown
    assert said(mailnet, SHELL, "-c", "echo $SSL_CERT_FILE", env={"SSL_CERT_FILE": "/mine"}) == "/mine\n"
    assert os.environ.get("SSL_CERT_FILE", "") != "/mine"


def test_commands_that_cannot_be_run(mailnet):
    with pytest.raises(FileNotFoundError, match="no-such-command"):
        mailnet.run(["no-such-command"])
    with pytest.raises(PermissionError, match="/etc/passwd"):
        mailnet.popen(["/etc/passwd"])
    with pytest.raises(FileNotFoundError, match="/no/such/place"):
        mailnet.run(["true"], cwd="/no/such/place")
    with pytest.raises(ValueError, match="no command"):
        mailnet.run([])
    with pytest.raises(ValueError, match="preexec_fn= cannot be combined"):
        mailnet.run(["true"], preexec_fn=print)
    with pytest.raises(subprocess.CalledProcessError, match="returned non-zero exit status 1"):
        mailnet.run(["false"], check=True)


def test_options_that_contradict_each_other(mailnet):
    with pytest.raises(ValueError, match="stdin and input"):
        mailnet.run(["true"], input=b"", stdin=subprocess.DEVNULL)
    with pytest.raises(ValueError, match="capture_output"):
        mailnet.run(["true"], capture_output=True, stderr=subprocess.DEVNULL)


def test_a_shell_of_another_kind_is_called_by_its_own_name(mailnet):
    options = {"shell": True, "executable": "/bin/bash", "capture_output": True}
    for command in ("echo $0; shopt -o posix", ["echo $0 $1", "one", "two"]):
        assert mailnet.run(command, **options).stdout == subprocess.run(command, **options).stdout


def test_a_command_that_dies_by_a_signal(mailnet):
    assert mailnet.run([SHELL, "-c", "kill -9 $$"]).returncode == -signal.SIGKILL


def test_a_command_that_takes_too_long_is_ended(mailnet):
    with pytest.raises(subprocess.TimeoutExpired):
        mailnet.run(["sleep", "600"], timeout=0.2)
    assert mailnet.run(["true"]).returncode == 0


def test_a_flood_of_output_is_read_to_its_end(mailnet):
    code = "import sys; sys.stdout.write('x' * 3_000_000)"
    assert len(said(mailnet, *python(code))) == 3_000_000


def test_what_stays_behind_is_ended_with_the_namespace():
    with MailNet() as net:
        inside = net.namespace()
        stubborn = "trap '' TERM HUP; echo up; sleep 600"
        children = f'setsid {SHELL} -c "{stubborn}" & setsid sleep 600 &'
        process = inside.popen([SHELL, "-c", children], stdout=subprocess.PIPE, text=True)
        with process:
            assert process.stdout.readline() == "up\n"
            left = inside._inside.namespace.processes()
            assert len(left) >= 2
            inside.close()
    assert [pid for pid in left if runs(pid)] == []


def test_a_process_that_was_forked_meanwhile_does_not_keep_a_namespace_open():
    with MailNet() as net:
        net.run(["true"])
        daemon = net._own_namespace._inside.namespace._daemon
        held, release = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(release)
            os.read(held, 1)
            os._exit(0)
        os.close(held)
    assert daemon.returncode == 0  # the child, which has all that was open, is there still
    os.close(release)
    assert os.waitpid(child, 0)[1] == 0


def test_nothing_is_left_behind_on_the_machine():
    with open("/proc/self/mounts", encoding="utf-8") as file:
        mounts = file.read()
    names = socket.gethostname()
    with MailNet() as net:
        net.run(["true"])
        folder = net._own_namespace._inside.namespace._folder.name
        assert os.path.exists(folder)
    assert not os.path.exists(folder)
    with open("/proc/self/mounts", encoding="utf-8") as file:
        assert file.read() == mounts
    assert socket.gethostname() == names
    # This process has its own network still.
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def test_a_service_of_this_machine_is_passed_through(mailnet):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve():
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as file:
                connection.sendall(file.read()[::-1])

        thread = threading.Thread(target=serve)
        thread.start()
        code = (
            "import socket,sys; s=socket.create_connection(('127.0.0.1', int(sys.argv[1])));"
            "s.sendall(b'abc' * 300_000); s.shutdown(socket.SHUT_WR);"
            "print(len(s.makefile('rb').read()))"
        )
        assert said(mailnet, *python(code, str(port)), expose=[f"127.0.0.1:{port}"]) == "900000\n"
        thread.join()


def test_a_service_is_passed_through_for_each_command_that_asks_for_it(mailnet):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        look = python(f"import socket; socket.create_connection(('127.0.0.1', {port}))")
        for _ in range(2):
            mailnet.run(look, expose=[f"127.0.0.1:{port}"], check=True)


def test_real_servers_that_are_attached_are_reached_inside(mailnet):
    mailnet.domain("example.org")
    greet = "import socket,sys; print(socket.create_connection((sys.argv[1], 25)).recv(9).decode())"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            for _ in range(3):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b"220 real\n")

        thread = threading.Thread(target=serve)
        thread.start()
        mailnet.add_external_host("before.test", *server.getsockname())
        assert said(mailnet, *python(greet, "before.test")) == "220 real\n\n"
        mailnet.add_external_host("after.test", *server.getsockname())
        assert said(mailnet, *python(greet, "after.test")) == "220 real\n\n"
        mailnet.add_external_host("mx1.example.org", *server.getsockname())  # where a server of ours has been
        assert said(mailnet, *python(greet, "mx1.example.org")) == "220 real\n\n"
        thread.join()


def test_a_passage_to_where_nobody_listens(mailnet):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    code = f"import socket; socket.create_connection(('127.0.0.1', {port})).recv(1)"
    failed = mailnet.run(python(code), expose=f"127.0.0.1:{port}", capture_output=True, text=True)
    assert "ConnectionResetError" in failed.stderr or "ConnectionRefusedError" in failed.stderr


@pytest.mark.parametrize("text", ["5432", "127.0.0.1", "192.0.2.1:25", "localhost:5432", "127.0.0.1:0"])
def test_what_cannot_be_passed_through(mailnet, text):
    with pytest.raises(DeclarationError, match="expose"):
        mailnet.run(["true"], expose=[text])


def test_two_programs_at_two_addresses(mailnet):
    bob = mailnet.account("bob@example.org")
    with mailnet.namespace() as one, mailnet.namespace(host="crm.shop.test") as other:
        assert said(other, "uname", "-n") == "crm.shop.test\n"
        for each in (one, other):
            each.run(python(SEND, "mx1.example.org", bob.address), check=True)
    peers = [mail.envelope.origin.peer for mail in bob.inbox]
    crm = mailnet.host("crm.shop.test")
    assert [peer.name for peer in peers] == ["app", "crm.shop.test"]
    assert peers[1].address in (crm.ipv4, crm.ipv6)


def test_two_namespaces_with_one_address(mailnet):
    with mailnet.namespace(), pytest.raises(DeclarationError, match=r"203\.0\.113\.250 .* already"):
        mailnet.namespace()
    with mailnet.namespace() as again:
        assert again.run(["true"]).returncode == 0


def test_threads_that_all_run_their_first_command_share_one_network(mailnet):
    names = []

    def look():
        names.append(said(mailnet, SHELL, "-c", "readlink /proc/self/ns/net"))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 4
    assert len(set(names)) == 1


def test_a_namespace_that_is_closed(mailnet):
    with mailnet.namespace() as inside:
        pass
    with pytest.raises(ClosedError, match="this namespace has been closed"):
        inside.run(["true"])
    inside.close()


def test_many_commands_share_one_network(mailnet):
    server = mailnet.popen(
        python(
            "import socket; s=socket.create_server(('127.0.0.1', 4000)); print('up', flush=True); s.accept()"
        ),
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stdout.readline() == "up\n"
        mailnet.run(python("import socket; socket.create_connection(('127.0.0.1', 4000))"), check=True)


def test_a_world_waits_for_nobody_inside(mailnet):
    with mailnet.popen(["sleep", "600"]) as process:
        mailnet.settle()
        process.kill()


@pytest.mark.asyncio
async def test_commands_are_awaited_in_an_event_loop(async_mailnet):
    bob = async_mailnet.account("bob@example.org")
    await async_mailnet.run(python(SEND, "mx1.example.org", bob.address), check=True)
    assert bob.inbox.one()
    assert isinstance(async_mailnet, AsyncMailNet)


@pytest.mark.asyncio
async def test_a_command_whose_caller_is_cancelled_is_ended(async_mailnet):
    running = asyncio.create_task(
        async_mailnet.run([SHELL, "-c", "echo up; sleep 600"], stdout=(pipe := os.pipe())[1])
    )
    await asyncio.get_running_loop().run_in_executor(None, os.read, pipe[0], 3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    for end in pipe:
        os.close(end)
    for thread in threading.enumerate():  # which fails the test if it ends with an error of its own
        if thread.name == "fakemail command":
            thread.join(10)
            assert not thread.is_alive()


@pytest.mark.asyncio
async def test_a_blocking_run_in_an_event_loop(mailnet):
    with pytest.raises(BlockingCallInLoop, match="async_mailnet"):
        mailnet.run(["true"])


def test_connections_from_inside_are_in_the_record(mailnet):
    mailnet.domain("example.org")
    mailnet.run(python("import smtplib; smtplib.SMTP('mx1.example.org', 25).quit()"), check=True)
    [event] = mailnet.events(Stage.CONNECT)
    assert (event.host, event.peer.name) == ("mx1.example.org", "app")


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user; others are one already")
def test_all_of_this_as_an_ordinary_user():
    """Once more in a process of its own, whose only right is to read the files that this test's Python consists of."""
    with tempfile.TemporaryDirectory(prefix="fakemail-test-") as folder:
        os.chown(folder, 65534, 65534)
        _run_as_an_ordinary_user(folder)


def _run_as_an_ordinary_user(base: str) -> None:
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    rights = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    pytest_ = [
        sys.executable,
        "-B",
        "-m",
        "pytest",
        "-n0",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--basetemp={base}/tmp",
    ]
    done = subprocess.run(
        [*become, *rights, *pytest_, __file__, "-m", "not slow"],
        capture_output=True,
        text=True,
        check=False,
        timeout=55,
        cwd="/",  # that of this test may be closed to him
        env={**os.environ, "PATH": "/usr/bin:/bin", "HOME": base, "CI": "1"},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout
