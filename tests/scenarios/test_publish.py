"""Servers inside a namespace that are reached from the test."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.request import urlopen

import pytest

from fakemail import DeclarationError, PortInUse
from namespaces import require_namespaces

PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable
SERVE = """
import http.server, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"x" * 300_000)
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = Server((sys.argv[1], int(sys.argv[2])), Handler)
print("up", flush=True)
server.serve_forever()
"""


@pytest.fixture(autouse=True)
def _allowed():
    require_namespaces()


@contextmanager
def server(net, *, address="127.0.0.1", port=8000, **options) -> Iterator[None]:
    command = [PYTHON, "-I", "-c", SERVE, address, str(port)]
    with net.popen(command, stdout=subprocess.PIPE, text=True, **options) as process:
        assert process.stdout.readline() == "up\n"
        yield
        process.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def got(where: tuple[str, int]) -> int:
    with urlopen(f"http://{where[0]}:{where[1]}/", timeout=30) as answer:
        return len(answer.read())


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "203.0.113.250"])
def test_a_server_inside_is_reached_from_the_test(mailnet, address):
    with server(mailnet, address=address, publish=["0:8000"]):
        where = mailnet.published(8000)
        assert where[0] == "127.0.0.1"
        for _ in range(2):
            assert got(where) == 300_000


def test_at_the_port_of_the_same_number_and_at_another(mailnet):
    port = free_port()
    with server(mailnet, port=port, publish=port):
        assert mailnet.published(port) == ("127.0.0.1", port)
        assert got(("127.0.0.1", port)) == 300_000
    other = free_port()
    with server(mailnet, port=8080, publish=[f"{other}:8080"]):
        assert got(("127.0.0.1", other)) == 300_000


def test_a_namespace_of_its_own(mailnet):
    with mailnet.namespace(host="crm.shop.test", publish="0:8000") as crm:
        where = crm.published(8000)
        with pytest.raises(ConnectionResetError):  # nobody listens there yet
            got(where)
        with server(crm):
            assert got(where) == 300_000
        assert crm.publish("0:8000").published(8000) == where
    with pytest.raises(OSError, match="refused"):
        got(where)


@pytest.mark.parametrize(
    "given", [0, "0", "8000:0", "eight", "1:2:3", "127.0.0.1:80", 65536, "70000:80", True]
)
def test_what_cannot_be_published(mailnet, given):
    with pytest.raises(DeclarationError, match="publish"):
        mailnet.run(["true"], publish=[given])


def test_a_port_that_is_taken_and_one_that_is_not_published(mailnet):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(PortInUse):
        mailnet.run(["true"], publish=[f"{taken.getsockname()[1]}:80"])
    with pytest.raises(DeclarationError, match=r"publish=\[80\]"):
        mailnet.published(80)


def test_from_the_command_line():
    code = (
        "import socket; s = socket.create_server(('127.0.0.1', 8000)); c, _ = s.accept(); c.sendall(b'hello')"
    )
    command = [sys.executable, "-m", "fakemail", "run", "--publish", "0:8000", "--", PYTHON, "-I", "-c", code]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        said = process.stderr.readline()
        assert said.startswith("Port 8000 is at 127.0.0.1:"), said + process.stderr.read()
        port = int(said.rpartition(":")[2].rstrip(".\n"))
        heard = b""
        while not heard and process.poll() is None:
            # As long as nobody listens inside yet, connections end at once.
            # As soon as one has been served, the program ends, and the port with it.
            with (
                suppress(ConnectionResetError, ConnectionRefusedError),
                socket.create_connection(("127.0.0.1", port), 30) as client,
            ):
                heard = client.recv(5)
        assert heard == b"hello"
        assert process.wait() == 0
