"""The redirect of this process: its sockets see a fake internet under public names, addresses and ports.

What Python code calls to look up a name and to connect is replaced while a redirect is in force, for all threads,
and put back exactly as it was. What leads to this machine itself is left alone; what leads anywhere else fails, and
is remembered. Who answers which name, and where an address really is, is told by a :class:`AddressMap`.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from fakemail.intercept.ca_bundles import BUNDLE_VARIABLES, SUBMISSION_VARIABLES
from fakemail.intercept.children import HELD, Hold
from fakemail.intercept.egress_attempts import EgressAttempt, EgressBlocked, refused_command
from fakemail.intercept.patches import Patches
from fakemail.types.domains import a_labels

DNS_PORT: Final = 53
_INTERNET: Final = (socket.AF_INET, socket.AF_INET6)
_HERE: Final = frozenset(
    ("", "0", "0.0.0.0", "::", "::1", "localhost", "localhost.localdomain", "ip6-localhost")
)
_BROADCAST: Final = "<broadcast>"  # what Python calls 255.255.255.255


class NameNotResolved(Exception):
    """A name has no such address: does not exist, or cannot be looked up now."""

    def __init__(self, *, is_temporary: bool) -> None:
        self.is_temporary = is_temporary


class RedirectActive(Exception):
    """Another redirect is in force."""


class AddressMap(Protocol):
    """A fake internet, as a redirect asks about it. Called in any thread."""

    name_server: tuple[str, int]
    """The real address of its DNS server."""

    def addresses(self, name: str, family: int) -> list[str]:
        """The addresses of a name, ``AF_INET`` or ``AF_INET6``; :class:`NameNotResolved` where there are none."""
        ...

    def name(self, address: str) -> str | None:
        """The name of an address."""
        ...

    def covers(self, address: str) -> bool:
        """Whether an address belongs to the fake internet, used or not."""
        ...

    def find(self, address: str, port: int) -> tuple[str, int] | None:
        """The real address of a service of the fake internet; ``None`` if there never was one."""
        ...

    def is_serving(self) -> bool:
        """Whether the fake internet's own servers run in this thread, whose answers are not led anywhere else."""
        ...

    def local(self, address: str, port: int) -> tuple[str, int] | None:
        """The real address for a port of this machine; ``None`` for one that is not of mail."""
        ...


class SocketTarget(NamedTuple):
    """The real address for a socket, and the one that it is shown."""

    real: tuple[Any, ...]
    shown: tuple[Any, ...] | None
    """The public address; ``None`` where nothing is replaced."""


class Redirect:
    """A redirect to one fake internet; one at a time in a process."""

    _in_force: Redirect | None = None
    _lock = threading.Lock()

    def __init__(
        self, there: AddressMap, *, ca_file: str, allow: Iterable[str] = (), children: str = HELD
    ) -> None:
        """``allow`` are names and addresses that may be reached all the same.

        ``children`` says how programs that are started are treated: one of :data:`~fakemail.intercept.children.WAYS`.
        """
        self._map = there
        self._ca_file = ca_file
        self._allowed = frozenset(_plain(each) for each in allow)
        self._allows_here = any(map(is_here, self._allowed))
        self._patches = Patches()
        self._hold = Hold(self, way=children)
        self._environment: dict[str, str | None] = {}
        self._shown: WeakKeyDictionary[socket.socket, dict[tuple[str, int], tuple[Any, ...]]] = (
            WeakKeyDictionary()
        )
        self._detached: dict[int, dict[tuple[str, int], tuple[Any, ...]]] = {}
        """The same for sockets that live on in another object, such as one with TLS, by file descriptor."""
        self._known: dict[tuple[int, Any], SocketTarget] = {}
        """Targets of addresses that were looked up before."""
        self._resolvers = frozenset(system_resolvers())
        self._own_names = _HERE | {socket.gethostname().lower()}
        self._original: Mapping[str, Callable[..., Any]] = {}
        self.escapes: list[EgressAttempt] = []
        """Attempts that would have left the fake internet, oldest first."""

    # In force, and over --------------------------------------------------------------------------

    def install(self) -> None:
        """Begin. Raises :class:`RedirectActive` while another one is in force."""
        with Redirect._lock:
            if Redirect._in_force is not None:
                raise RedirectActive("this process is redirected already; end that redirect first.")
            Redirect._in_force = self
        try:
            self._replace()
        except BaseException:
            self.remove()
            raise

    def _replace(self) -> None:
        names = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo")
        methods = (
            "connect",
            "connect_ex",
            "sendto",
            "sendmsg",
            "recvfrom",
            "recvfrom_into",
            "getpeername",
            "detach",
        )
        self._original = {
            **{name: getattr(socket, name) for name in names},
            **{name: getattr(socket.socket, name) for name in methods},
        }
        for name in names:
            self._patches.put(socket, name, getattr(self, f"_{name}"))
        for name in methods:
            self._patches.put(socket.socket, name, _method(getattr(self, f"_{name}")))
        for variable, value in (
            dict.fromkeys(BUNDLE_VARIABLES, self._ca_file) | SUBMISSION_VARIABLES
        ).items():
            self._environment[variable] = os.environ.get(variable)
            os.environ[variable] = value
        from fakemail.intercept import compiled

        compiled.redirect(
            self._patches,
            name_server=self._map.name_server,
            real=lambda host, port, family: self.place(host, port, family).real,
            seen=self.seen,
        )
        self._hold.install()

    def remove(self) -> None:
        """End it: everything is as it was before."""
        self._hold.remove()
        self._patches.undo()
        for variable, value in self._environment.items():
            if value is None:
                os.environ.pop(variable, None)
            else:
                os.environ[variable] = value
        self._environment = {}
        with Redirect._lock:
            if Redirect._in_force is self:
                Redirect._in_force = None

    def forget(self) -> None:
        """Something has moved: look anew where addresses lead."""
        self._known.clear()

    # Where things lead ---------------------------------------------------------------------------

    def place(self, host: str, port: int, family: int) -> SocketTarget:
        """The target of an address. Raises ``OSError`` for one outside, or at which no service ever listened."""
        plain = _plain(host)
        if port == DNS_PORT and (plain in self._resolvers or is_here(plain)):
            return self._place(self._map.name_server, (host, port), family)
        if plain in self._allowed:
            return SocketTarget((host, port), None)
        if is_here(plain) or (not self._map.covers(plain) and self._is_own(plain)):
            # The machine's own mail server is in the real internet.
            local = None if self._allows_here else self._map.local(plain, port)
            return (
                SocketTarget((host, port), None)
                if local is None
                else self._place(local, (host, port), family)
            )
        if not self._map.covers(plain):
            raise self.refuse(host, port)
        found = self._map.find(plain, port)
        if found is None:
            raise ConnectionRefusedError(
                errno.ECONNREFUSED,
                f"{os.strerror(errno.ECONNREFUSED)}: no server of the fake internet is there",
            )
        return self._place(found, (host, port), family)

    def _is_own(self, address: str) -> bool:
        """Whether this machine has an address: a connection to oneself has one address at both ends."""
        try:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                self._original["connect"](sock, (address, DNS_PORT))  # which sends nothing
                return _plain(sock.getsockname()[0]) == address
        except OSError:
            return False

    @staticmethod
    def _place(real: tuple[str, int], shown: tuple[str, int], family: int) -> SocketTarget:
        if family == socket.AF_INET6:
            address = real[0] if ":" in real[0] else f"::ffff:{real[0]}"
            return SocketTarget((address, real[1], 0, 0), (*shown, 0, 0))
        return SocketTarget(real, shown)

    def refuse(self, host: str, port: int) -> EgressBlocked:
        """Remember an attempt that led out, and make the error for it."""
        escape = EgressAttempt(host, port)
        self.escapes.append(escape)
        return EgressBlocked(escape)

    def leads(self, host: str, port: int, family: int) -> tuple[str, int] | None:
        """See :class:`~fakemail.intercept.children.Rules`."""
        place = self.place(host, port, family)
        return None if place.shown is None else (place.real[0], place.real[1])

    def refuse_command(self, path: str) -> OSError | None:
        """See :class:`~fakemail.intercept.children.Rules`."""
        if _plain(path) in self._allowed:
            return None
        self.escapes.append(EgressAttempt(path, 0))
        return refused_command(path)

    def forget_escape(self, escape: EgressAttempt) -> None:
        """See :class:`~fakemail.intercept.children.Rules`."""
        self.escapes.remove(escape)

    def is_own_affair(self, host: object) -> bool:
        """Whether a name is looked up as ever: this machine itself, an address, or what is allowed."""
        if host is None:
            return True
        name = host.decode("utf-8", "replace") if isinstance(host, bytes) else str(host)
        name = a_labels(name)
        return is_here(name) or name in self._own_names or name in self._allowed or _literal(name) is not None

    def look_up(self, host: str, family: int) -> list[tuple[int, str]]:
        """The addresses of a name with their families. Raises ``socket.gaierror``."""
        wanted = [each for each in _INTERNET if family in (socket.AF_UNSPEC, each)]
        found: list[tuple[int, str]] = []
        try:
            for each in wanted:
                found += [(each, address) for address in self._map.addresses(host, each)]
        except NameNotResolved as error:
            if error.is_temporary:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution") from None
            text = f"Name or service not known in the fake internet: {host!r}"
            raise socket.gaierror(socket.EAI_NONAME, text) from None
        if not found:
            raise socket.gaierror(getattr(socket, "EAI_NODATA", socket.EAI_NONAME), f"No address of {host!r}")
        return found

    # What takes the place of the functions of the module socket -----------------------------------

    def _getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        is_looked_up = not flags & socket.AI_NUMERICHOST and family in (socket.AF_UNSPEC, *_INTERNET)
        if self.is_own_affair(host) or not is_looked_up:
            found: list[Any] = self._original["getaddrinfo"](host, port, family, type, proto, flags)
            return found
        name = host.decode("ascii") if isinstance(host, bytes) else host
        addresses = self.look_up(name, family)
        # Which kinds of sockets there are for a port, by name or number, is the system's knowledge.
        kinds = self._original["getaddrinfo"]("127.0.0.1", port, socket.AF_INET, type, proto, 0)
        canonical = name if flags & socket.AI_CANONNAME else ""
        return [
            (
                found_family,
                kind,
                protocol,
                canonical,
                (address, where[1]) if found_family == socket.AF_INET else (address, where[1], 0, 0),
            )
            for found_family, address in addresses
            for _, kind, protocol, _, where in kinds
        ]

    def _gethostbyname(self, name: str) -> str:
        if self.is_own_affair(name):
            found: str = self._original["gethostbyname"](name)
            return found
        return self.look_up(name, socket.AF_INET)[0][1]

    def _gethostbyname_ex(self, name: str) -> tuple[str, list[str], list[str]]:
        if self.is_own_affair(name):
            found: tuple[str, list[str], list[str]] = self._original["gethostbyname_ex"](name)
            return found
        return name, [], [address for _, address in self.look_up(name, socket.AF_INET)]

    def _gethostbyaddr(self, host: str) -> tuple[str, list[str], list[str]]:
        address = host if _literal(host) or self.is_own_affair(host) else self.look_up(host, 0)[0][1]
        if not _literal(address) or not self._map.covers(address):
            found: tuple[str, list[str], list[str]] = self._original["gethostbyaddr"](host)
            return found
        name = self._map.name(address)
        if name is None:
            raise socket.herror(1, "Unknown host")
        return name, [], [address]

    def _getnameinfo(self, where: tuple[Any, ...], flags: int) -> tuple[str, str]:
        host, service = self._original["getnameinfo"](where, flags | socket.NI_NUMERICHOST)
        if flags & socket.NI_NUMERICHOST:
            return host, service
        if _literal(host) and self._map.covers(host):
            return self._map.name(host) or host, service
        found: tuple[str, str] = self._original["getnameinfo"](where, flags)
        return found

    # ... and of the methods of sockets -----------------------------------------------------------

    def _lead(self, sock: socket.socket, address: Any) -> Any:
        """The real address for one that a program gave."""
        # What a program does again and again costs one look.
        try:
            known = self._known.get((sock.family, address))
        except TypeError:  # it cannot be a key, and is no address either
            known = None
        if known is None:
            return self._lead_anew(sock, address)
        if known.shown is not None:
            self._shown[sock] = {**self._shown.get(sock, {}), _key(known.real): known.shown}
        return known.real

    def _lead_anew(self, sock: socket.socket, address: Any) -> Any:
        if sock.family not in _INTERNET or not isinstance(address, tuple) or len(address) < 2:
            return address
        host = address[0].decode("ascii") if isinstance(address[0], bytes) else address[0]
        if not isinstance(host, str) or not isinstance(address[1], int):
            return address
        if host == _BROADCAST:
            raise self.refuse("255.255.255.255", address[1])
        if _literal(host) is None and not self.is_own_affair(host):
            return self._lead(sock, (self.look_up(host, sock.family)[0][1], *address[1:]))
        if _plain(host) in self._own_names - self._allowed and not is_here(host):
            found = self._original["getaddrinfo"](host, address[1], sock.family, sock.type)
            return self._lead(sock, found[0][4])
        place = self.place(host, address[1], sock.family)
        self._known[sock.family, address] = place if place.shown is not None else SocketTarget(address, None)
        return self._lead(sock, address)

    def seen(self, sock: socket.socket, address: Any) -> Any:
        """The public address for a real one, where the program went there."""
        shown = self._shown.get(sock) or self._detached.get(sock.fileno())
        if shown is None or not isinstance(address, tuple):
            return address
        return shown.get(_key(address), address)

    def _connect(self, sock: socket.socket, address: Any) -> None:
        self._original["connect"](sock, self._lead(sock, address))

    def _connect_ex(self, sock: socket.socket, address: Any) -> int:
        try:
            real = self._lead(sock, address)
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno is None:
                raise
            return error.errno
        number: int = self._original["connect_ex"](sock, real)
        return number

    def _sendto(self, sock: socket.socket, data: Any, *rest: Any) -> int:
        where = rest[-1] if self._map.is_serving() else self._lead(sock, rest[-1])
        sent: int = self._original["sendto"](sock, data, *rest[:-1], where)
        return sent

    def _sendmsg(
        self, sock: socket.socket, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None
    ) -> int:
        where = () if address is None else (self._lead(sock, address),)
        sent: int = self._original["sendmsg"](sock, buffers, ancdata, flags, *where)
        return sent

    def _recvfrom(self, sock: socket.socket, *arguments: Any) -> tuple[bytes, Any]:
        data, address = self._original["recvfrom"](sock, *arguments)
        return data, self.seen(sock, address)

    def _recvfrom_into(self, sock: socket.socket, *arguments: Any, **more: Any) -> tuple[int, Any]:
        number, address = self._original["recvfrom_into"](sock, *arguments, **more)
        return number, self.seen(sock, address)

    def _getpeername(self, sock: socket.socket) -> Any:
        return self.seen(sock, self._original["getpeername"](sock))

    def _detach(self, sock: socket.socket) -> int:
        shown = self._shown.pop(sock, None)
        number: int = self._original["detach"](sock)
        if shown is not None:
            self._detached[number] = shown
        return number


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """A plain function, which becomes a method of the class that it is put into."""

    def method(sock: socket.socket, *arguments: Any, **more: Any) -> Any:
        return function(sock, *arguments, **more)

    return method


def _key(address: tuple[Any, ...]) -> tuple[str, int]:
    return address[0], address[1]


def _literal(text: str) -> str | None:
    """An address in its usual form; ``None`` for a name."""
    with suppress(ValueError):
        return str(ip_address(text.partition("%")[0]))
    return None


def _plain(host: str) -> str:
    """An address in its usual form, without IPv6 around IPv4 (RFC 4291 §2.5.5.2); a name in small letters."""
    with suppress(ValueError):
        address = ip_address(host.partition("%")[0])
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return str(mapped or address)
    return a_labels(host)


def is_here(host: str) -> bool:
    """Whether an address, or a name that means the same, is this machine itself."""
    plain = _plain(host)
    return plain in _HERE or plain.startswith("127.") or plain.endswith(".localhost")


def system_resolvers() -> list[str]:
    """The name servers that this machine asks."""
    found = []
    with suppress(OSError):
        for line in Path("/etc/resolv.conf").read_text("ascii", "replace").splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == "nameserver":
                found.append(words[1].partition("%")[0])
    return found
