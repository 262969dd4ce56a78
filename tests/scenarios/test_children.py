"""Programs that a redirected process starts: they see the fake internet, and nothing behind it."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import smtplib
import socket
import subprocess
import sys
import threading
import warnings

import pytest

from fakemail import DeclarationError, MailAssertionError, MailNet
from fakemail.intercept import seccomp

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux holds programs")

PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable
SEND = """
import smtplib, ssl, sys
with smtplib.SMTP(sys.argv[1], int(sys.argv[2])) as client:
    if sys.argv[4:]:
        client.starttls(context=ssl.create_default_context())
    client.sendmail("hello@shop.test", [sys.argv[3]], "Subject: News\\n\\nAll new.")
    print(*client.sock.getpeername()[:2])
"""
LEAVE = "import socket, sys; socket.create_connection(('192.88.99.1', int(sys.argv[1])), timeout=30)"
MAIL = "Subject: News\n\nAll new."


def python(code: str, *words: object) -> list[str]:
    return [PYTHON, "-I", "-c", code, *map(str, words)]


def said(*command: str, **options) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_program_is_redirected_by_address_and_trusts_the_authority(mailnet):
    bob = mailnet.account("bob@example.org")
    host = mailnet.domain("example.org").hosts[0]
    with mailnet.redirect():
        for address in (host.ipv4, host.ipv6, f"::ffff:{host.ipv4}"):
            said(*python(SEND, address, 25, bob.address))
        with pytest.raises(AssertionError, match=r"certificate is not valid for '203\.|IP address mismatch"):
            said(*python(SEND, host.ipv4, 25, bob.address, "tls"))
    assert len(bob.inbox.wait_for_count(3)) == 3
    assert {mail.envelope.origin.peer.name for mail in bob.inbox} == {"app"}


def test_a_program_looks_names_up_in_our_dns(mailnet):
    bob = mailnet.account("bob@example.org")
    mailnet.domain("example.org")
    with mailnet.redirect():
        said(*python(SEND, "mx1.example.org", 25, bob.address, "tls"))
    assert bob.inbox.wait_for_one().tls
    assert mailnet.dns.queries(name="mx1.example.org")


@pytest.mark.interop
def test_a_program_in_c(mailnet):
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    bob = mailnet.account("bob@example.org")
    words = ("--mail-from", "hello@shop.test", "--mail-rcpt", bob.address, "--upload-file", "-")
    with mailnet.redirect():
        said(
            curl,
            "-sS",
            "--ssl-reqd",
            "--url",
            "smtp://mx1.example.org",
            *words,
            input=MAIL.replace("\n", "\r\n"),
        )
    assert bob.inbox.wait_for_one().subject == "News"


def _system() -> int:
    return os.waitstatus_to_exitcode(os.system(f'{PYTHON} -I -c "{LEAVE}" 25 2>/dev/null'))


def _spawn() -> int:
    return os.spawnv(os.P_WAIT, PYTHON, python(LEAVE, 25))


def _spawn_and_wait() -> int:
    return os.waitstatus_to_exitcode(
        os.waitpid(os.spawnvpe(os.P_NOWAIT, PYTHON, python(LEAVE, 25), {}), 0)[1]
    )


def _grandchild() -> int:
    return subprocess.call(
        ["sh", "-c", '"$@" & wait $!', "sh", *python(LEAVE, 25)], stderr=subprocess.DEVNULL
    )


def _leave() -> None:
    with socket.socket() as sock:
        sys.exit(sock.connect_ex(("192.88.99.1", 25)) == errno.ENETUNREACH)


def _process() -> int:
    process = multiprocessing.get_context("spawn").Process(target=_leave)
    process.start()
    process.join()
    return process.exitcode


def _popen() -> int:
    return subprocess.call(python(LEAVE, 25), stderr=subprocess.DEVNULL)


def _without_closing_files() -> int:
    return subprocess.call(python(LEAVE, 25), stderr=subprocess.DEVNULL, close_fds=False)


def _datagram() -> int:
    code = "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'?', ('192.88.99.1', 25))"
    return subprocess.call(python(code), stderr=subprocess.DEVNULL)


def _message() -> int:
    code = "import socket; socket.socket(type=socket.SOCK_DGRAM).sendmsg([b'?'], [], 0, ('192.88.99.1', 25))"
    return subprocess.call(python(code), stderr=subprocess.DEVNULL)


WAYS = (
    *(
        _popen,
        _without_closing_files,
        _system,
        _spawn,
        _spawn_and_wait,
        _grandchild,
        _process,
        _datagram,
        _message,
    ),
)


@pytest.mark.parametrize("way", WAYS)
def test_what_leads_out_fails_in_whatever_way_it_was_started(mailnet, way):
    with (
        pytest.raises(MailAssertionError, match=r"192\.88\.99\.1 port 25"),
        mailnet.redirect() as redirection,
    ):
        assert way() == 1
        assert [(each.host, each.port) for each in redirection.escapes] == [("192.88.99.1", 25)]


def test_a_datagram_socket_that_only_asks_for_a_way_is_no_escape(mailnet):
    code = "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('192.88.99.1', 53))"
    with mailnet.redirect() as redirection:
        done = subprocess.run(python(code), capture_output=True, text=True, check=False)
        assert "unreachable" in done.stderr
        assert redirection.escapes == ()


def test_this_machine_stays_reachable_for_programs(mailnet, tmp_path):
    with mailnet.redirect(), socket.create_server(("127.0.0.1", 0)) as server:
        code = (
            "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))).sendall(b'hello')"
        )
        said(*python(code, server.getsockname()[1]))
        with server.accept()[0] as connection:
            assert connection.recv(10) == b"hello"
    with mailnet.redirect(), socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        server.listen()
        code = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendmsg([b'hello'])"
        said(*python(code, tmp_path / "socket"))


def test_a_server_that_a_program_runs_is_reached_from_here(mailnet):
    serve = "s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); s.accept()"
    code = f"import socket; {serve}"
    with mailnet.redirect(), subprocess.Popen(python(code), stdout=subprocess.PIPE, text=True) as process:
        socket.create_connection(("127.0.0.1", int(process.stdout.readline()))).close()


def test_connections_that_do_not_block(mailnet):
    code = (
        "import socket, select, sys\ns = socket.socket(); s.setblocking(False)\n"
        "print(s.connect_ex((sys.argv[1], 25)) in (0, 115)); select.select([], [s], [])\n"
        "s.setblocking(True); print(s.recv(3).decode())"
    )
    mailnet.domain("example.org")
    with mailnet.redirect():
        assert said(*python(code, mailnet.find_host("mx1.example.org").ipv4)) == "True\n220\n"


def test_hosts_that_refuse_refuse_programs(mailnet):
    bob = mailnet.account("bob@example.org")
    mailnet.mx("example.org").faults.refuse_connections()
    with mailnet.redirect(), pytest.raises(AssertionError, match="ConnectionRefusedError"):
        said(*python(SEND, "mx1.example.org", 25, bob.address))


@pytest.mark.parametrize("port", [25, 587])
def test_a_mail_server_is_on_localhost(mailnet, port):
    bob = mailnet.account("bob@example.org")
    with mailnet.redirect():
        for name in ("localhost", "127.0.0.1", "::1", socket.gethostname()):
            with smtplib.SMTP(name, port) as client:
                assert b"smtp.mailnet.example.net" in client.ehlo()[1]
                client.sendmail("hello@shop.test", [bob.address], MAIL)
        assert said(*python(SEND, "127.0.0.1", port, bob.address)).startswith("127.0.0.1 ")
    assert len(bob.inbox.wait_for_count(5)) == 5
    took = mailnet.journeys(subject="News")[0].hops[0]
    assert (took.host, took.peer.name, took.peer.address) == (
        "smtp.mailnet.example.net",
        "app",
        "203.0.113.250",
    )


def test_logging_by_mail(mailnet):
    import logging.handlers

    bob = mailnet.account("bob@example.org")
    handler = logging.handlers.SMTPHandler("localhost", "log@shop.test", [bob.address], "It broke")
    with mailnet.redirect():
        handler.emit(logging.makeLogRecord({"msg": "badly"}))
    assert bob.inbox.wait_for_one().subject == "It broke"


def test_a_mail_server_of_this_machine_that_is_allowed(mailnet):
    with mailnet.redirect(allow=["localhost"]), socket.socket() as sock:
        mailnet.account("bob@example.org")
        if sock.connect_ex(("127.0.0.1", 25)) == 0:  # one that runs here
            assert b"fakemail" not in sock.recv(200)
    assert not mailnet.events()


SENDMAIL = "/usr/sbin/sendmail"


@pytest.mark.skipif(not os.path.exists(SENDMAIL), reason="this machine has no sendmail")
@pytest.mark.parametrize(
    "command", [[SENDMAIL], ["sh", "-c", "sendmail -t"], ["sh", "-c", "exec /usr/lib/sendmail -t"]]
)
def test_the_sendmail_of_this_machine(mailnet, command):
    with (
        pytest.raises(MailAssertionError, match=r"sendmail, a mail server's own command"),
        mailnet.redirect(),
    ):
        try:
            done = subprocess.run([*command, "bob@example.org"], input=MAIL.encode(), check=False, timeout=50)
        except PermissionError:
            return
        assert done.returncode not in (0, None)


def test_programs_inside_a_namespace_are_free_of_it(mailnet):
    from namespaces import require_namespaces

    require_namespaces()
    bob = mailnet.account("bob@example.org")
    with mailnet.redirect():
        mailnet.run(python(SEND, "mx1.example.org", 25, bob.address, "tls"), check=True)
    assert bob.inbox.wait_for_one().envelope.origin.peer.address in ("203.0.113.250", "2001:db8:a::250")


def test_a_process_that_was_forked_is_redirected_and_so_is_what_it_starts(mailnet):
    mailnet.domain("example.org")
    host = mailnet.find_host("mx1.example.org")
    with mailnet.redirect():
        child = os.fork()
        if child == 0:
            try:
                socket.create_connection((host.ipv4, 25)).close()
                assert _popen() == 1
            except BaseException:
                os._exit(3)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_program_in_the_place_of_a_forked_process_is_refused(mailnet):
    with mailnet.redirect():
        child = os.fork()
        if child == 0:
            try:
                os.execv("/bin/true", ["true"])
            except PermissionError as error:
                os._exit(7 if "subprocess" in str(error) else 8)
            os._exit(9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        with pytest.raises(PermissionError, match=r"os\.posix_spawn"):
            os.posix_spawn("/bin/true", ["true"], {})


def test_programs_from_many_threads_at_once(mailnet):
    bob = mailnet.account("bob@example.org")
    mailnet.domain("example.org")
    ends = []

    def start():
        ends.append(
            subprocess.call(python(SEND, "mx1.example.org", 25, bob.address), stdout=subprocess.DEVNULL)
        )

    with mailnet.redirect():
        threads = [threading.Thread(target=start) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ends == [0] * 6
    assert len(bob.inbox.wait_for_count(6)) == 6


def test_a_program_that_outlives_the_redirect_does_not_get_out_either():
    code = (
        "import socket, sys\nprint('up', flush=True); sys.stdin.readline()\n"
        "print(socket.socket().connect_ex(('192.88.99.1', 25)))"
    )
    with MailNet() as net, net.redirect():
        process = subprocess.Popen(python(code), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "up\n"
    assert process.communicate("on\n", timeout=30)[0] == f"{errno.ENETUNREACH}\n"


def test_refused(mailnet):
    with mailnet.redirect(children="refused"):
        for start in (_popen, _system, _spawn):
            with pytest.raises(PermissionError, match=r"mailnet\.run\(\)"):
                start()


def test_free(mailnet):
    with mailnet.redirect(children="free") as redirection:
        code = "import socket; print(socket.socket().connect_ex(('127.0.0.1', 9)))"
        assert said(*python(code)) == f"{errno.ECONNREFUSED}\n"
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
        assert redirection.escapes == ()


def test_a_word_that_there_is_not(mailnet):
    with pytest.raises(DeclarationError, match="children: there is no 'hold'"):
        mailnet.redirect(children="hold")


def test_where_the_kernel_has_no_filters(mailnet, monkeypatch):
    def load():
        raise OSError(errno.ENOSYS, "no filter of system calls")

    monkeypatch.setattr(seccomp, "load", load)
    with (
        mailnet.redirect(),
        pytest.warns(RuntimeWarning, match=r"can reach the real internet.*mailnet\.run\(\)"),
    ):
        assert subprocess.call(["true"]) == 0
    with mailnet.redirect(), warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            subprocess.call(["true"])


def test_what_a_program_may_do_is_as_before(mailnet):
    """Nothing of the process that starts is different: parent, group, directory, streams, status."""
    code = "import os; print(os.getppid(), os.getpgrp(), os.getcwd(), sorted(os.listdir('/proc/self/fd')))"
    before = said(*python(code))
    with mailnet.redirect():
        assert said(*python(code)) == before
        with pytest.raises(FileNotFoundError):
            subprocess.run(["no-such-command"], check=False)
        assert subprocess.run(["sh", "-c", "kill -9 $$"], check=False).returncode == -9
