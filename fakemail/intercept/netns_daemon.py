"""The process that makes a network of its own and keeps it open: run as a script, with the standard library only.

It is small on purpose. It leaves the machine's network and mounts behind, configures the addresses it was told,
and then makes sockets inside on request, which it hands over. It ends when its control socket is closed.

Not to be imported: ``python -I -S netns_daemon.py FD``.
"""

from __future__ import annotations

import array
import ctypes
import ipaddress
import json
import os
import select
import shutil
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

# linux/sched.h
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x04000000, 0x10000000, 0x40000000
SEPARATE = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS
# sys/mount.h
MS_RDONLY, MS_BIND, MS_REC, MS_PRIVATE = 1, 4096, 16384, 1 << 18
# linux/rtnetlink.h, linux/if_addr.h, linux/if_link.h
RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE = 16, 20, 24
NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE = 1, 4, 0x400, 0x100
NLMSG_ERROR = 2
IFF_UP = 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
IFA_F_NODAD = 2
RTA_DST, RTA_OIF, RTA_PREFSRC = 1, 4, 7
RT_TABLE_LOCAL, RTPROT_STATIC, RT_SCOPE_HOST, RTN_LOCAL = 255, 4, 254, 2
IPV6_FREEBIND = 78  # linux/in6.h
LOOPBACK_INDEX = 1  # the first interface of every network namespace
LARGEST_REQUEST = 1 << 17


class SetupFailed(Exception):
    """A step could not be done."""

    def __init__(self, step: str, number: int) -> None:
        self.step = step
        self.number = number


_libc = ctypes.CDLL(None, use_errno=True)


def check(step: str, result: int) -> None:
    """Raise :class:`SetupFailed` for what the C library calls a failure."""
    if result != 0:
        raise SetupFailed(step, ctypes.get_errno())


def leave(*, user: bool) -> None:
    """Leave the network, the mounts and the name of the machine; as an ordinary user its users as well."""
    if not user:
        check("namespaces", _libc.unshare(SEPARATE))
        return
    uid, gid = os.geteuid(), os.getegid()
    check("user namespace", _libc.unshare(CLONE_NEWUSER))
    try:
        # user_namespaces(7): without this an ordinary user may not map a group.
        write("/proc/self/setgroups", "deny")
        # Everybody keeps the number that he has.
        write("/proc/self/uid_map", f"{uid} {uid} 1")
        write("/proc/self/gid_map", f"{gid} {gid} 1")
    except OSError as error:
        raise SetupFailed("user map", error.errno or 0) from error
    check("namespaces", _libc.unshare(SEPARATE))


def write(path: str, text: str) -> None:
    """Write a file of the kernel's, in one piece."""
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


def mount(added: list[list[str]], files: list[list[str]]) -> None:
    """Add to directories what is in others, and put files in the place of others, for this namespace only.

    A symbolic link is replaced itself, and not what it leads to, which other names may lead to as well.
    """
    check("private mounts", _libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    for source, target in added:
        add(source, target)
    for source, target in files:
        try:
            place = os.open(target, os.O_PATH | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue  # it could not be added
        where = f"/proc/self/fd/{place}"
        check(f"mount over {target}", _libc.mount(source.encode(), where.encode(), None, MS_BIND, None))
        os.close(place)


def add(source: str, target: str) -> None:
    """Let a directory have the entries of another one besides its own, as far as the kernel lets us.

    Ordinary users may since Linux 5.11. What is mounted below a directory would be out of sight then.
    """
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        if any(line.split()[4].startswith(f"{target}/") for line in file):
            return
    layers = f"lowerdir={source}:{target}".encode()
    _libc.mount(b"fakemail", target.encode(), b"overlay", MS_RDONLY, layers)


class Netlink:
    """rtnetlink(7): the few requests that are needed here."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self._number = 0

    def ask(self, step: str, kind: int, flags: int, body: bytes) -> None:
        """Make one request and wait for its acknowledgement."""
        self._number += 1
        length = 16 + len(body)
        header = struct.pack("=IHHII", length, kind, flags | NLM_F_REQUEST | NLM_F_ACK, self._number, 0)
        self._socket.send(header + body)
        answer = self._socket.recv(65536)
        if struct.unpack_from("=H", answer, 4)[0] == NLMSG_ERROR:
            number = -struct.unpack_from("=i", answer, 16)[0]
            if number:
                raise SetupFailed(step, number)


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute of a request, padded to four octets."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def lay_out(addresses: list[str], networks: list[str]) -> None:
    """Give the network its own addresses, and let every address of those networks be this very machine.

    With a route of the kind "local" one can listen at any address of a network without having each of them on
    an interface. What has no such route cannot be reached at all: nothing leads out of here.
    """
    netlink = Netlink()
    up = struct.pack("=BBHiII", socket.AF_UNSPEC, 0, 0, LOOPBACK_INDEX, IFF_UP, IFF_UP)
    netlink.ask("loopback", RTM_NEWLINK, 0, up)
    own: dict[int, bytes] = {}
    for text in addresses:
        address = ipaddress.ip_address(text)
        family, octets = _family(address.version), address.packed
        own[family] = octets
        head = struct.pack("=BBBBI", family, len(octets) * 8, IFA_F_NODAD, RT_SCOPE_HOST, LOOPBACK_INDEX)
        body = head + attribute(IFA_LOCAL, octets) + attribute(IFA_ADDRESS, octets)
        netlink.ask(f"address {text}", RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, body)
    for text in networks:
        network = ipaddress.ip_network(text)
        family = _family(network.version)
        head = struct.pack(
            "=BBBBBBBBI",
            family,
            network.prefixlen,
            0,
            0,
            RT_TABLE_LOCAL,
            RTPROT_STATIC,
            RT_SCOPE_HOST if family == socket.AF_INET else 0,
            RTN_LOCAL,
            0,
        )
        body = head + attribute(RTA_DST, network.network_address.packed)
        body += attribute(RTA_OIF, struct.pack("=I", LOOPBACK_INDEX))
        if family in own:
            body += attribute(RTA_PREFSRC, own[family])
        netlink.ask(f"route {text}", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, body)


def _family(version: int) -> int:
    return socket.AF_INET if version == 4 else socket.AF_INET6


def make(kind: str, address: str, port: int) -> socket.socket:
    """A socket in this network: ``tcp`` or ``udp`` bound to there, or with ``knock`` about to connect to there."""
    family = _family(ipaddress.ip_address(address).version)
    if kind == "knock":
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.connect_ex((address, port))
        return sock
    sock = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # The address is ours by a route, which bind(2) does not look at for IPv6.
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        if kind == "tcp":
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def answer(control: socket.socket, said: dict[str, Any], files: list[int]) -> None:
    """Send an answer, with open files."""
    extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
    control.sendmsg([json.dumps(said).encode()], extra)


def set_up(wanted: dict[str, Any]) -> list[int]:
    """Make the namespaces; the open files that stand for them."""
    leave(user=wanted["user"])
    socket.sethostname(wanted["name"])
    lay_out(wanted["addresses"], wanted["networks"])
    mount(wanted["added"], wanted["files"])
    kinds = ["user"] if wanted["user"] else []
    return [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY) for kind in (*kinds, "uts", "mnt", "net")]


def own_network() -> int:
    """The network that this process is in, by its inode."""
    return os.stat("/proc/self/ns/net").st_ino


def processes(network: int) -> list[int]:
    """The processes in a network, which is told by its inode, without this one."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with suppress(OSError):  # it has ended, or is none of our affair
                if os.stat(f"/proc/{name}/ns/net").st_ino == network:
                    found.append(int(name))
    return found


def end(process: int) -> None:
    """End a process, and wait until it has ended."""
    with suppress(OSError):
        descriptor = os.pidfd_open(process)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            select.select([descriptor], [], [])
        finally:
            os.close(descriptor)


def requests(control: socket.socket, owner: int) -> Iterator[bytes]:
    """Requests until the socket is closed or its owner has ended: others may have inherited the socket."""
    watched: list[Any] = [control]
    with suppress(OSError):  # before Linux 5.3
        watched.append(os.pidfd_open(owner))
    if os.getppid() != owner:
        return
    while True:
        ready = select.select(watched, [], [])[0]
        request = control.recv(LARGEST_REQUEST) if ready == [control] else b""
        if not request:
            return
        yield request


def main(descriptor: int) -> None:
    """Serve the control socket until it is closed; whatever is inside then ends."""
    control = socket.socket(fileno=descriptor)
    wanted = json.loads(control.recv(LARGEST_REQUEST))
    outside = own_network()
    try:
        serve(control, wanted)
    finally:
        # An owner that was killed cannot clean up.
        network = own_network()
        if network != outside:
            while left := processes(network):
                for process in left:
                    end(process)
        # Also while the owner is there: of one that is being killed, the socket closes before it has ended.
        shutil.rmtree(wanted["folder"], ignore_errors=True)


def serve(control: socket.socket, wanted: dict[str, Any]) -> None:
    """Make the namespace, and sockets in it for as long as they are requested."""
    try:
        files = set_up(wanted)
    except SetupFailed as failed:
        answer(control, {"failed": failed.step, "errno": failed.number}, [])
        return
    answer(control, {}, files)
    for file in files:
        os.close(file)
    for request in requests(control, wanted["owner"]):
        made: list[socket.socket] = []
        try:
            for kind, address, port in json.loads(request):
                made.append(make(kind, address, port))
        except OSError as error:
            said = {"failed": f"{kind} {address} port {port}", "errno": error.errno}
            answer(control, said, [])
        else:
            answer(control, {}, [sock.fileno() for sock in made])
        for sock in made:
            sock.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
