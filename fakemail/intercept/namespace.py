"""A Linux namespace in which the fake internet is the internet: made, entered, and taken down again.

Sockets that are made inside are handed to this process, so that its servers answer there while they stay
where they are. No daemon, no set-uid helper; an ordinary user can do it where the kernel lets him.
"""

from __future__ import annotations

import array
import errno
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from glob import glob
from pathlib import Path
from typing import Any, Final

from fakemail.errors import NamespaceUnavailable
from fakemail.folders import Folder
from fakemail.intercept.ca_bundles import (
    BUNDLES,
    HASHED_DIRECTORIES,
    JAVA_TRUSTSTORES,
    SUBMISSION_VARIABLES,
    trust_variables,
)
from fakemail.intercept.children import not_held
from fakemail.intercept.netns_diagnostics import this_machine, why

_HERE: Final = Path(__file__).parent
_PYTHON: Final = (sys.executable, "-I", "-S")
_MOST_FILES: Final = 250
"""Number of open files in one message between processes: SCM_MAX_FD is 253."""

# Services of the machine that answer questions about names by way of a file, past any network.
_RESOLVERS: Final = ("/run/systemd/resolve", "/run/nscd", "/var/run/nscd")

# The oldest way to send on Unix: a command with one of these names, of any mail server.
_SENDMAIL: Final = ("/usr/sbin/sendmail", "/usr/lib/sendmail")
_LOCAL_SERVER: Final = "127.0.0.1:25"
_ITS_OTHER_NAMES: Final = (
    *(f"{folder}/sendmail" for folder in ("/usr/bin", "/usr/local/bin", "/usr/local/sbin", "/opt/bin")),
    *("/run/wrappers/bin/sendmail", "/usr/bin/mailq", "/usr/bin/newaliases"),
)
# Where mail servers of this machine look for what was left there, by whatever command.
_SPOOLS: Final = (
    *(
        f"/var/spool/{name}"
        for name in ("postfix", "exim4", "exim", "mqueue", "clientmqueue", "mqueue-client")
    ),
    *(f"/var/spool/{name}" for name in ("nullmailer", "dma", "smtpd", "masqmail", "ssmtp", "courier")),
    "/var/qmail/queue",
)


class NetworkNamespace:
    """A network of its own. Make it, run commands in it, close it."""

    def __init__(
        self,
        *,
        name: str,
        addresses: Sequence[str],
        networks: Sequence[str],
        name_servers: Sequence[str],
        ca_file: str,
        ca_hash: str,
        java_truststore: bytes,
    ) -> None:
        """``name`` and ``addresses`` are those of the machine inside; all of ``networks`` is the fake internet.

        ``ca_hash`` is the name of the authority in OpenSSL's directories.

        Raises :class:`~fakemail.errors.NamespaceUnavailable` with the reason where the system does not let us.
        """
        machine = this_machine()
        if machine.system != "Linux":
            raise NamespaceUnavailable(why(machine))
        self.ca_file = ca_file
        self._java_truststore = java_truststore
        self._ca_hash = ca_hash
        self._folder = Folder()
        self._namespaces: list[int] = []
        self._daemon: subprocess.Popen[bytes] | None = None
        try:
            files = [*self._files(name, addresses, name_servers), *self._sendmail()]
            wanted = {
                "name": name,
                "addresses": list(addresses),
                "networks": list(networks),
                "added": list(self._added(files)),
                "files": files,
                "folder": self._folder.name,
                "owner": os.getpid(),
            }
            self._start(wanted)
        except BaseException:
            self.close()
            raise

    # Making it -----------------------------------------------------------------------------------

    def _files(
        self, name: str, addresses: Sequence[str], name_servers: Sequence[str]
    ) -> Iterator[tuple[str, str]]:
        """Files by the path in whose place they are seen."""
        own = {
            "/etc/resolv.conf": "".join(f"nameserver {each}\n" for each in name_servers)
            + "options timeout:2 attempts:2\n",
            "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n"
            + "".join(f"{address} {name}\n" for address in addresses),
            # Only files and the DNS: other sources would ask the machine outside.
            "/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n"
            "protocols: files\nethers: files\nrpc: files\n",
        }
        for target, text in own.items():
            if Path(target).exists():
                yield self._file(Path(target).name, text.encode()), os.path.realpath(target)
        os.chmod(self._folder.name, 0o755)
        self.ca_file = self._file("ca.pem", Path(self.ca_file).read_bytes())
        for target in dict.fromkeys(os.path.realpath(each) for each in BUNDLES if Path(each).exists()):
            yield self.ca_file, target
        for folder in dict.fromkeys(os.path.realpath(each) for each in HASHED_DIRECTORIES):
            if Path(folder).is_dir():
                yield self.ca_file, f"{folder}/{self._ca_hash}.0"
        truststore = self._file("cacerts", self._java_truststore)
        found = [path for pattern in JAVA_TRUSTSTORES for path in glob(pattern)]
        for target in dict.fromkeys(map(os.path.realpath, found)):
            yield truststore, target
        for number, each in enumerate((*_RESOLVERS, *_SPOOLS)):
            if Path(each).is_dir():
                empty = Path(self._folder.name, f"empty{number}")
                empty.mkdir()
                yield str(empty), os.path.realpath(each)

    def _sendmail(self) -> Iterator[tuple[str, str]]:
        """Our own ``sendmail`` in the place of the machine's, which would leave mail for the real internet."""
        # The caller may be another user inside, who has no access to this interpreter.
        code = self._file("sendmail.py", (_HERE / "sendmail.py").read_bytes())
        words = shlex.join(["-I", "-S", code, _LOCAL_SERVER])
        script = (
            f"#!/bin/sh\nfor python in {shlex.quote(sys.executable)} python3 /usr/bin/python3; do\n"
            f'    command -v "$python" >/dev/null && exec "$python" {words} "$0" "$@"\ndone\n'
            'echo "$0: there is no Python that this user can run" >&2\nexit 75\n'
        )
        command = self._file("sendmail", script.encode(), mode=0o755)
        wanted = [*_SENDMAIL, *(each for each in _ITS_OTHER_NAMES if os.path.lexists(each))]
        found = shutil.which("sendmail")
        wanted += [found] if found else []
        for folder, name in dict.fromkeys(
            (os.path.realpath(Path(each).parent), Path(each).name) for each in wanted
        ):
            if Path(folder).is_dir():
                yield command, f"{folder}/{name}"

    def _file(self, name: str, content: bytes, *, mode: int = 0o644) -> str:
        """File of ours that every user inside can read."""
        path = Path(self._folder.name, name)
        path.write_bytes(content)
        path.chmod(mode)
        return str(path)

    def _added(self, files: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Directories that are to have more entries than they have, for files that are not there to be replaced."""
        missing: dict[str, list[str]] = {}
        for _, target in files:
            if not os.path.lexists(target):
                folder, name = os.path.split(target)
                missing.setdefault(folder, []).append(name)
        for number, (folder, names) in enumerate(missing.items()):
            own = Path(self._folder.name, f"added{number}")
            own.mkdir()
            own.chmod(0o755)
            for name in names:
                (own / name).touch()
            yield str(own), folder

    def _start(self, wanted: dict[str, Any]) -> None:
        """Start the daemon: as root without a user namespace, and with one where that is refused."""
        refusal = ("", 0)
        for user in (False, True) if this_machine().is_root else (True,):
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs, not_held():
                self._daemon = subprocess.Popen(
                    [*_PYTHON, str(_HERE / "netns_daemon.py"), str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    cwd="/",
                    start_new_session=True,  # what is typed at the terminal is not for it
                )
            said, files = self._ask({**wanted, "user": user})
            if "failed" not in said:
                self._namespaces = files
                return
            refusal = (said["failed"], said["errno"] or 0)
            self._end_daemon()
        raise NamespaceUnavailable(why(this_machine(), *refusal))

    def _ask(self, request: object) -> tuple[dict[str, Any], list[int]]:
        self._control.send(json.dumps(request).encode())
        message, extra, flags, _ = self._control.recvmsg(65536, socket.CMSG_SPACE(4 * _MOST_FILES))
        files = array.array("i")
        for level, kind, octets in extra:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                files.frombytes(octets[: len(octets) - len(octets) % files.itemsize])
        if flags & socket.MSG_CTRUNC:  # the kernel gives as many as this process may have
            for file in files:
                os.close(file)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        for file in files:
            os.set_inheritable(file, False)
        return json.loads(message) if message else {"failed": "daemon", "errno": 0}, list(files)

    # Using it ------------------------------------------------------------------------------------

    def bind(self, address: str, port: int, *, purpose: str) -> socket.socket:
        """A TCP socket bound inside; see :class:`fakemail.wire.ports.NetworkScope`. Raises ``OSError``."""
        return self.sockets(("tcp", address, port))[0]

    def probe_connect(self, address: str, port: int) -> socket.socket:
        """A socket that has begun to connect inside; see :class:`fakemail.wire.ports.NetworkScope`."""
        return self.sockets(("knock", address, port))[0]

    def sockets(self, *wanted: tuple[str, str, int]) -> list[socket.socket]:
        """Sockets made inside, each ``(kind, address, port)``: ``tcp`` and ``udp`` are bound. Raises ``OSError``."""
        made: list[socket.socket] = []
        for start in range(0, len(wanted), _MOST_FILES):
            said, files = self._ask(wanted[start : start + _MOST_FILES])
            made += [socket.socket(fileno=file) for file in files]
            if "failed" in said:
                for sock in made:
                    sock.close()
                raise OSError(said["errno"], f"{said['failed']}: {os.strerror(said['errno'] or 0)}")
        for sock in made:
            sock.setblocking(False)
        return made

    def environment(self, given: Mapping[str, str] | None) -> dict[str, str]:
        """The environment of a command: this process's, or the one given, with where the authority is.

        What the caller says himself is kept; what this process inherited is about the real internet.
        """
        ours = trust_variables(self.ca_file) | SUBMISSION_VARIABLES
        return os.environ | ours if given is None else ours | dict(given)

    def popen(self, args: str | os.PathLike[str] | Sequence[Any], **options: Any) -> subprocess.Popen[Any]:
        """As :class:`subprocess.Popen`, inside. Raises what that raises: ``FileNotFoundError`` and its kin."""
        launch = _Launch(self._namespaces, args, options)
        options["env"] = self.environment(options.get("env"))
        with launch, not_held():
            process = subprocess.Popen(launch.command, **options)
        process.args = args
        try:
            launch.raise_error()
        except BaseException:
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
            raise
        return process

    def processes(self) -> list[int]:
        """The processes that are inside now, without the daemon."""
        from fakemail.intercept import netns_daemon  # which is for Linux only

        if self._daemon is None:
            return []
        inside = netns_daemon.processes(os.fstat(self._namespaces[-1]).st_ino)
        return [each for each in inside if each != self._daemon.pid]

    def close(self) -> None:
        """End every process that is still inside, and let the network and the mounts go."""
        self._end_daemon()
        for descriptor in self._namespaces:
            os.close(descriptor)
        self._namespaces = []
        self._folder.cleanup()

    def _end_daemon(self) -> None:
        if self._daemon is not None:
            # A process that was forked from this one may have the control socket as well.
            with suppress(OSError):
                self._control.shutdown(socket.SHUT_RDWR)
            self._control.close()
            self._daemon.wait()
            self._daemon = None


class _Launch:
    """One start of a command inside: the command line that steps in, and the pipe that tells of a failure."""

    def __init__(
        self, namespaces: Sequence[int], args: str | os.PathLike[str] | Sequence[Any], options: dict[str, Any]
    ) -> None:
        for name in ("preexec_fn", "user", "group", "extra_groups"):
            if options.get(name) is not None:
                raise ValueError(
                    f"{name}= cannot be combined with a namespace; let the command do it itself."
                )
        words = [args] if isinstance(args, str | bytes | os.PathLike) else list(args)
        program = options.pop("executable", None)
        if options.pop("shell", False):
            # A shell that is called by another name than its own may take that for a wish: bash, for one.
            program = program or "/bin/sh"
            words = [program, "-c", *words]
        if not words:
            raise ValueError("there is no command to run.")
        base = options.get("env")
        keep = "locale" if "LC_CTYPE" in (os.environ if base is None else base) else "no-locale"
        self._read, self._write = os.pipe()
        self._name = os.fsdecode(words[0])
        self._place = os.fspath(options.get("cwd") or os.getcwd())
        files = [*options.get("pass_fds", ()), *namespaces, self._write]
        options["pass_fds"] = files
        listed = ",".join(map(str, namespaces))
        enter = [*_PYTHON, str(_HERE / "netns_exec.py"), str(self._write), listed, keep]
        self.command = [*enter, program or words[0], *words]

    def __enter__(self) -> None:
        """The process is about to be made."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """It runs, and the other end of the pipe is its alone now; or it could not even be made."""
        os.close(self._write)
        if kind is not None:
            os.close(self._read)

    def raise_error(self) -> None:
        """Wait until the command has begun; raise the ``OSError`` that kept it from that."""
        try:
            said = os.read(self._read, 64)  # ends when the command takes the place of the one who steps in
        finally:
            os.close(self._read)
        if said:
            number, what = said.decode().split()
            name = self._name if what == "command" else f"working directory {self._place}"
            raise OSError(int(number), os.strerror(int(number)), name)
