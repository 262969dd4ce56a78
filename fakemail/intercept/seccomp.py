"""A filter of system calls, seccomp(2), that asks this process before a program connects, sends or becomes another.

The filter belongs to the thread that loads it and to what that thread starts, for good. Linux 5.5 and later, on
x86-64 and 64-bit ARM.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from functools import cache
from typing import Any, Final, NamedTuple


class _Machine(NamedTuple):
    """The kernel's number of a processor, and the numbers of its system calls."""

    audit: int
    seccomp: int
    connect: int
    sendto: int
    sendmsg: int
    sendmmsg: int
    execve: int
    execveat: int


_MACHINES: Final = {  # linux/audit.h; asm/unistd_64.h, asm-generic/unistd.h
    "x86_64": _Machine(0xC000003E, 317, 42, 44, 46, 307, 59, 322),
    "aarch64": _Machine(0xC00000B7, 277, 203, 206, 211, 269, 221, 281),
}
_IO_URING_SETUP, _PIDFD_GETFD = 425, 438
# linux/seccomp.h
_SET_MODE_FILTER, _NEW_LISTENER, _WAIT_KILLABLE = 1, 1 << 3, 1 << 5
_ALLOW, _ERRNO, _ASK = 0x7FFF0000, 0x00050000, 0x7FC00000
_RECEIVE, _ANSWER, _IS_VALID = 0xC0502100, 0xC0182101, 0x40082102
_CONTINUE = 1
_PR_SET_NO_NEW_PRIVS = 38
# linux/bpf_common.h
_LOAD, _EQUAL, _NOT_LESS, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _FIFTH = 0, 4, 16 + 4 * 8
_X32: Final = 0x40000000
_REQUEST: Final = struct.Struct("=QIIiIQ6Q")


class Question(NamedTuple):
    """A system call that waits for an answer."""

    number: int
    thread: int
    call: str
    """Its name."""
    arguments: tuple[int, ...]


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _machine() -> _Machine:
    machine = _MACHINES.get(platform.machine())
    if machine is None or struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, f"no filter of system calls for {platform.machine()}")
    return machine


def _program(machine: _Machine) -> bytes:
    """The filter, in classic BPF: what speaks of an address or a program is asked about, all else goes on."""
    not_there = _ERRNO | errno.ENOSYS
    steps: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, not_there),  # calls of other numbers, which this does not know
        (_LOAD, 0, 0, _NUMBER),
        (_NOT_LESS, 0, 1, _X32),
        (_RETURN, 0, 0, not_there),
    ]
    for call in (machine.connect, machine.sendmsg, machine.sendmmsg, machine.execve, machine.execveat):
        steps += [(_EQUAL, 0, 1, call), (_RETURN, 0, 0, _ASK)]
    steps += [
        (_EQUAL, 0, 1, _IO_URING_SETUP),
        (_RETURN, 0, 0, not_there),  # a second way to all of it; programs do without
        (_EQUAL, 0, 5, machine.sendto),
        (_LOAD, 0, 0, _FIFTH),  # the address, which send(2) leaves out
        (_EQUAL, 0, 2, 0),
        (_LOAD, 0, 0, _FIFTH + 4),
        (_EQUAL, 1, 0, 0),
        (_RETURN, 0, 0, _ASK),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def load() -> int:
    """Load the filter into this thread; the open file at which it asks. Raises ``OSError`` where that cannot be.

    Without the rights of an administrator what the thread starts gets no more rights than it has (``no_new_privs``).
    """
    machine = _machine()
    octets = _program(machine)
    program = ctypes.create_string_buffer(octets, len(octets))
    described = struct.pack("@HP", len(octets) // 8, ctypes.addressof(program))
    for is_plain in (False, True):
        for flags in (_NEW_LISTENER | _WAIT_KILLABLE, _NEW_LISTENER):  # the first since Linux 5.19
            if is_plain and _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
                break
            listener: int = _libc().syscall(machine.seccomp, _SET_MODE_FILTER, flags, described)
            if listener >= 0:
                os.set_inheritable(listener, False)
                return listener
            if ctypes.get_errno() != errno.EINVAL:
                break
    number = ctypes.get_errno()
    raise OSError(number, f"seccomp: {os.strerror(number)}")


def receive(listener: int) -> Question | None:
    """The next question; ``None`` if the one who asked has gone again."""
    buffer = bytearray(_REQUEST.size)
    try:
        ioctl(listener, _RECEIVE, buffer)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINTR):
            return None
        raise
    number, thread, _, call, _, _, *arguments = _REQUEST.unpack(buffer)
    return Question(number, thread, _calls()[call], tuple(arguments))


@cache
def _calls() -> dict[int, str]:
    machine = _machine()
    names = ("connect", "sendto", "sendmsg", "sendmmsg", "execve", "execveat")
    return {getattr(machine, name): name for name in names}


def answer(listener: int, question: Question, result: int | None) -> None:
    """Let a call go on (``None``), or let it fail with an error number; with 0 it has been done."""
    error, flags = (0, _CONTINUE) if result is None else (-result, 0)
    try:
        ioctl(listener, _ANSWER, struct.pack("=QqiI", question.number, 0, error, flags))
    except OSError as gone:
        if gone.errno != errno.ENOENT:  # it was killed meanwhile
            raise


def waits(listener: int, question: Question) -> bool:
    """Whether the one who asked waits still, so that what was read there is really its own."""
    try:
        ioctl(listener, _IS_VALID, struct.pack("=Q", question.number))
    except OSError:
        return False
    return True


def read(thread: int, address: int, length: int) -> bytes:
    """Octets of a program's memory. Raises ``OSError``."""
    with open(f"/proc/{thread}/mem", "rb", buffering=0) as memory:
        return os.pread(memory.fileno(), length, address)


def read_text(thread: int, address: int) -> bytes:
    """The octets up to the first that is zero. Raises ``OSError``."""
    found = b""
    while b"\0" not in found and len(found) < os.pathconf("/", "PC_PATH_MAX"):
        # Never over the end of a page, behind which there may be nothing.
        found += read(thread, address + len(found), 4096 - (address + len(found)) % 4096)
    return found.partition(b"\0")[0]


@contextmanager
def open_file(thread: int, number: int) -> Iterator[int]:
    """The same open file as that number is in a program, for a moment. Raises ``OSError``."""
    with open(f"/proc/{thread}/status", encoding="ascii", errors="replace") as status:
        process = next(int(line.split()[1]) for line in status if line.startswith("Tgid:"))
    there = os.pidfd_open(process)
    try:
        here: int = _libc().syscall(_PIDFD_GETFD, there, number, 0)
        if here < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(there)
    try:
        yield here
    finally:
        os.close(here)


def is_for_datagrams(file: int) -> bool:
    """Whether a socket is for datagrams. Raises ``OSError``."""
    with socket.socket(fileno=os.dup(file)) as sock:
        return sock.type == socket.SOCK_DGRAM


def connect(file: int, address: bytes) -> int:
    """connect(2) by the octets of an address; the error number, or 0."""
    return 0 if _libc().connect(file, address, len(address)) == 0 else ctypes.get_errno()
