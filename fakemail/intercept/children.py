"""Programs that this process starts, held back by the kernel from what this process itself is held back from.

What starts a program here is done by a thread whose system calls are filtered, which programs inherit, with all that
they start in turn. Another thread answers the kernel: it looks where a call leads, lets it go on, makes the connection
to where it shall really lead, or lets it fail. Whatever else the program does is none of our affair.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from queue import SimpleQueue
from typing import Any, Final, Protocol, TypeVar

from fakemail.intercept.egress_attempts import EgressAttempt, EgressBlocked
from fakemail.intercept.patches import Patches

HELD, REFUSED, FREE = "held", "refused", "free"
WAYS: Final = (HELD, REFUSED, FREE)
"""Treatments of programs that are started."""

MAIL_COMMANDS: Final = frozenset(
    (
        "sendmail",
        "exim",
        "exim4",
        "postdrop",
        "nullmailer-queue",
        "nullmailer-inject",
        "dma",
        "qmail-queue",
        "qmail-inject",
    )
)
"""Commands that leave mail for a server of this machine without any connection."""

_T = TypeVar("_T")
_ADDRESS_LENGTH: Final = 128  # sockaddr_storage
_DATAGRAMS: Final = {"sendmsg": 1, "sendmmsg": 16}
"""Number of messages in one call that are looked at."""
_bypass = threading.local()


class Rules(Protocol):
    """Rules for the addresses that a program may reach. Called in a thread of its own."""

    def leads(self, host: str, port: int, family: int) -> tuple[str, int] | None:
        """The real address for a connection; ``None`` for the one that the program names. Raises ``OSError``."""
        ...

    def refuse_command(self, path: str) -> OSError | None:
        """Remember that a program wanted to become one of :data:`MAIL_COMMANDS`; ``None`` if it may."""
        ...

    def forget_escape(self, escape: EgressAttempt) -> None:
        """It led nowhere: nothing was sent."""
        ...


class Hold:
    """Programs are held from when it is installed until it is removed; those that were started, until they end."""

    def __init__(self, rules: Rules, *, way: str = HELD) -> None:
        """``way`` is one of :data:`WAYS`. Where the kernel cannot hold a program, ``held`` warns."""
        self._rules = rules
        self._way = way
        self._patches = Patches()
        self._starter: _Starter | None = None
        self._lock = threading.Lock()

    def install(self) -> None:
        """Begin."""
        if self._way == FREE or os.name != "posix":
            return
        import _posixsubprocess

        fork_exec = self._forking(_FORK_EXEC)
        self._patches.put(_posixsubprocess, "fork_exec", fork_exec)
        self._patches.put(subprocess, "_fork_exec", fork_exec)
        self._patches.put(subprocess, "_USE_POSIX_SPAWN", False)
        self._patches.put(os, "system", _system)
        self._patches.put(os, "_spawnvef", _spawn)
        for name in ("posix_spawn", "posix_spawnp", "execv", "execve"):
            if hasattr(os, name):
                self._patches.put(os, name, self._refusing(name))

    def remove(self) -> None:
        """End. What has been started is held as before."""
        self._patches.undo()
        starter, self._starter = self._starter, None
        if starter is not None:
            starter.end()

    def _forking(self, fork_exec: Callable[..., int]) -> Callable[..., int]:
        def start(*arguments: Any) -> int:
            if getattr(_bypass, "depth", 0):
                return fork_exec(*arguments)
            if self._way == REFUSED:
                raise self._no_programs(os.fsdecode(arguments[1][0]))
            starter = self._filtered()
            if starter is None:
                return fork_exec(*arguments)
            # With vfork(2) this interpreter would stand still until the kernel has its answer, and give none.
            *others, last = arguments
            if isinstance(last, bool):
                last = False
            elif last is None and others[_GID] is None:
                # A Python without that switch forks where the group is set. A function to call would do as well,
                # but then the hooks of os.register_at_fork() run, and multiprocessing's close what it hands over.
                others[_GID] = os.getegid()
            return starter.call(lambda: fork_exec(*others, last))

        return start

    def _refusing(self, name: str) -> Callable[..., Any]:
        original = getattr(os, name)

        def refuse(path: Any, *arguments: Any, **options: Any) -> Any:
            if getattr(_bypass, "depth", 0):
                return original(path, *arguments, **options)
            raise self._no_programs(os.fsdecode(path), f"os.{name}")

        return refuse

    def _no_programs(self, path: str, call: str = "") -> OSError:
        """The error for a start that is refused."""
        why = (
            f"with {call} a program cannot be held back from the real internet; start it with subprocess"
            if call and self._way == HELD
            else "no program is to be started now; run it inside with mailnet.run(), or let it: children='held'"
        )
        return PermissionError(errno.EACCES, f"{os.strerror(errno.EACCES)}: {why}", path)

    def _filtered(self) -> _Starter | None:
        """The thread that starts programs; ``None`` where the kernel has no filters."""
        with self._lock:
            if self._starter is None or self._starter.process != os.getpid():
                try:
                    self._starter = _Starter(self._rules)
                except OSError as error:
                    warnings.warn(
                        f"programs that this test starts can reach the real internet: {error}. Run them inside with "
                        "mailnet.run(), or refuse them: children='refused'.",
                        RuntimeWarning,
                        stacklevel=4,
                    )
            return self._starter


@contextmanager
def not_held() -> Iterator[None]:
    """Let this thread start programs as ever: those for which there is another internet anyway."""
    _bypass.depth = getattr(_bypass, "depth", 0) + 1
    try:
        yield
    finally:
        _bypass.depth -= 1


class _Starter:
    """A thread that starts programs, and the one that answers for them."""

    def __init__(self, rules: Rules) -> None:
        """Raises ``OSError`` where the kernel has no filters."""
        self.process = os.getpid()
        self._rules = rules
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        loaded: Future[int] = Future()
        threading.Thread(target=self._start, args=(loaded,), name="fakemail programs", daemon=True).start()
        self._listener = loaded.result()
        threading.Thread(target=self._answer, name="fakemail answers", daemon=True).start()

    def call(self, function: Callable[[], _T]) -> _T:
        """Call a function in the filtered thread."""
        done: Future[_T] = Future()

        def work() -> None:
            try:
                done.set_result(function())
            except BaseException as error:
                done.set_exception(error)

        self._work.put(work)
        return done.result()

    def end(self) -> None:
        """Start nothing more."""
        self._work.put(None)

    def _start(self, loaded: Future[int]) -> None:
        try:
            from fakemail.intercept import seccomp

            loaded.set_result(seccomp.load())
        except (ImportError, OSError) as error:
            loaded.set_exception(error if isinstance(error, OSError) else OSError(str(error)))
            return
        while (work := self._work.get()) is not None:
            work()

    def _answer(self) -> None:
        """Answer until no process is left that could ask: the thread has ended, and all that it has started."""
        from fakemail.intercept import seccomp

        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        try:
            while True:
                [(_, event)] = poll.poll()
                if not event & select.POLLIN:
                    return
                question = seccomp.receive(self._listener)
                if question is not None:
                    self._answer_one(question)
        finally:
            os.close(self._listener)

    def _answer_one(self, question: Any) -> None:
        from fakemail.intercept import seccomp

        try:
            if question.call.startswith("exec"):
                result = self._command(question)
            elif question.call == "connect":
                address, length = question.arguments[1:3]
                found = _internet(seccomp.read(question.thread, address, min(length, _ADDRESS_LENGTH)))
                real = None if found is None else self._rules.leads(*found)
                if real is not None and found is not None:
                    # A server may let a connection wait, and others not wait for it.
                    arguments = (question, real, found[2])
                    threading.Thread(target=self._connect, args=arguments, daemon=True).start()
                    return
                result = None
            else:
                result = self._datagrams(question)
        except OSError as error:
            if isinstance(error, EgressBlocked) and question.call == "connect":
                self._forgive(question, error.escape)
            result = error.errno or errno.EACCES
        except Exception:  # the rules of a fake internet that has been closed
            result = errno.EACCES
        seccomp.answer(self._listener, question, result)

    def _connect(self, question: Any, real: tuple[str, int], family: int) -> None:
        """Make a connection for a program, with its own socket."""
        from fakemail.intercept import seccomp

        try:
            with seccomp.open_file(question.thread, question.arguments[0]) as file:
                result = errno.ECONNABORTED
                if seccomp.waits(self._listener, question):
                    result = seccomp.connect(file, _octets(*real, family))
        except OSError as error:
            result = error.errno or errno.EACCES
        with suppress(OSError):
            seccomp.answer(self._listener, question, result)

    def _datagrams(self, question: Any) -> int | None:
        """Let a datagram go to the address that it names, or nowhere."""
        from fakemail.intercept import seccomp

        if question.call == "sendto":
            places = [question.arguments[4:6]]
        else:
            step = 64 if question.call == "sendmmsg" else 56  # struct mmsghdr, struct msghdr
            number = min(question.arguments[2], _DATAGRAMS["sendmmsg"]) if question.call == "sendmmsg" else 1
            octets = seccomp.read(question.thread, question.arguments[1], step * number)
            places = [struct.unpack_from("@PI", octets, step * each) for each in range(number)]
        for address, length in places:
            found = None
            if address:
                found = _internet(seccomp.read(question.thread, address, min(length, _ADDRESS_LENGTH)))
            if found is not None and self._rules.leads(*found) is not None:
                return errno.ECONNREFUSED
        return None

    def _command(self, question: Any) -> int | None:
        from fakemail.intercept import seccomp

        pointer = question.arguments[1 if question.call == "execveat" else 0]
        path = os.fsdecode(seccomp.read_text(question.thread, pointer))
        names = {os.path.basename(path), os.path.basename(os.path.realpath(path))}
        if names & MAIL_COMMANDS and os.path.exists(path):
            refusal = self._rules.refuse_command(path)
            return None if refusal is None else refusal.errno
        return None

    def _forgive(self, question: Any, escape: EgressAttempt) -> None:
        """A datagram socket that is connected asks for a way and sends nothing, as browsers do."""
        from fakemail.intercept import seccomp

        with suppress(OSError), seccomp.open_file(question.thread, question.arguments[0]) as file:
            if seccomp.is_for_datagrams(file):
                self._rules.forget_escape(escape)


def _internet(octets: bytes) -> tuple[str, int, int] | None:
    """The host, port and family of an address as the kernel has it; ``None`` for one of another kind of network."""
    if len(octets) < 8:
        return None
    family, port = struct.unpack_from("=H", octets)[0], struct.unpack_from("!H", octets, 2)[0]
    if family == socket.AF_INET:
        return str(ip_address(octets[4:8])), port, family
    if family == socket.AF_INET6 and len(octets) >= 24:
        return str(ip_address(octets[8:24])), port, family
    return None


def _octets(host: str, port: int, family: int) -> bytes:
    """An address as the kernel has it."""
    head = struct.pack("=H", family) + struct.pack("!H", port)
    if family == socket.AF_INET:
        return head + ip_address(host).packed + bytes(8)
    return head + bytes(4) + ip_address(host if ":" in host else f"::ffff:{host}").packed + bytes(4)


def _system(command: Any) -> int:
    """As :func:`os.system`, which starts its shell out of reach."""
    status = subprocess.call(command, shell=True)
    return status << 8 if status >= 0 else -status


def _spawn(mode: int, file: Any, arguments: Any, env: Any, function: Any) -> int:
    """As the functions ``os.spawn*``, which fork first."""
    process = subprocess.Popen(list(arguments), executable=file, env=env, close_fds=False)
    if mode == os.P_NOWAIT:
        process.returncode = 0  # the caller waits for it by its number
        return process.pid
    return process.wait()


def _own_fork_exec() -> Callable[..., int]:
    if os.name != "posix":
        return lambda *_: 0
    import _posixsubprocess

    found: Callable[..., int] = _posixsubprocess.fork_exec
    return found


_FORK_EXEC: Final = _own_fork_exec()
_GID: Final = 17
"""The place of ``gid`` among the arguments of ``fork_exec``."""
