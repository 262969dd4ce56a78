"""Suggestions for guessed names: attributes of handles, members of enumerations, keywords, and what is meant.

Nothing here runs before a name has turned out not to be there.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import EnumMeta
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

from fakemail.errors import nearest

_P = ParamSpec("_P")
_R = TypeVar("_R")

GUESSES: Final[Mapping[str, Mapping[str, str]]] = {
    "BaseMailNet": {
        "stop": "close()",
        "shutdown": "close()",
        "quit": "close()",
        "inbox": "account(address).inbox",
        "mailbox": "account(address).inbox",
        "outbox": "sent",
        "mails": "messages",
        "emails": "messages",
        "log": "events()",
        "logs": "transcript()",
        "smarthost": "submission",
        "smtp": "submission",
        "imap": "account(address).imap",
        "pop3": "account(address).pop3",
        "add_account": "account(address)",
        "create_account": "account(address)",
        "user": "account(address)",
        "users": "account(address)",
        "mailboxes": "account(address).folders()",
        "now": "clock.now()",
        "time": "clock.now()",
        "tick": "clock.advance(hours(1))",
        "env": "submission.env()",
        "url": "submission.url",
        "ca_path": "ca_file",
        "add_domain": "domain(name)",
        "server": "host(name)",
        "advance": "clock.advance(hours(1))",
        "sleep": "clock.advance(hours(1))",
        "wait": "settle()",
        "ca": "ca_file",
        "context": "ssl_context",
        "load": "import_mail(path, account)",
        "import_mbox": "import_mail(path, account)",
        "import_maildir": "import_mail(path, account)",
        "save": "export_mail(path)",
        "dump": "export_mail(path)",
    },
    "BaseInbox": {
        "last": "inbox[-1]",
        "latest": "inbox[-1]",
        "newest": "inbox[-1]",
        "first": "inbox[0]",
        "oldest": "inbox[0]",
        "count": "len(inbox)",
        "size": "len(inbox)",
        "length": "len(inbox)",
        "all": "messages()",
        "mails": "messages()",
        "emails": "messages()",
        "get": "one()",
        "only": "one()",
        "wait": "wait_for_one()",
        "wait_for": "wait_for_count(count)",
        "wait_for_message": "wait_for_one()",
        "wait_for_mail": "wait_for_one()",
        "append": "put(message)",
        "add": "put(message)",
        "empty": "is_empty",
        "owner": "address",
        "purge": "clear()",
        "delete_all": "clear()",
        "expunge": "clear()",
        "remove": "delete()",
    },
    "BaseAccount": {
        "email": "address",
        "mail": "address",
        "login": "address",
        "username": "address",
        "user": "address",
        "name": "address",
        "smtp": "submission",
        "messages": "inbox",
        "mailbox": "inbox",
        "mails": "inbox",
        "mailboxes": "folders()",
        "delete": "remove()",
        "close": "remove()",
        "create_mailbox": "create_folder(name)",
        "add_folder": "create_folder(name)",
        "sent": "folder('Sent')",
        "junk": "folder('Junk')",
        "spam": "folder('Junk')",
        "quota": "configure(quota=...)",
        "set_quota": "configure(quota=...)",
        "send": "submission.smtplib()",
        "ca_file": "submission.ca_file",
    },
    "MessageView": {
        "body": "text",
        "plain": "text",
        "content": "text",
        "payload": "text",
        "html_body": "html",
        "as_bytes": "raw",
        "as_string": "raw",
        "get": "headers.get(name)",
        "get_all": "headers.all(name)",
        "email": "as_email()",
        "pictures": "inline",
        "source": "raw",
        "from_addr": "sender",
        "author": "sender",
        "recipient": "to",
        "recipients": "to",
        "mail_from": "envelope.sender",
        "return_path": "envelope.sender",
        "rcpt_to": "envelope.recipients",
        "rcpt_tos": "envelope.recipients",
        "spf": "auth.spf",
        "dkim": "auth.dkim",
        "dmarc": "auth.dmarc",
        "urls": "links",
        "url": "link()",
        "size": "len(mail.raw)",
        "seen": "flags",
        "is_read": "flags",
        "mark_read": "flags",
        "add_flags": "flags",
        "set_flags": "flags",
        "remove": "delete()",
        "expunge": "delete()",
        "move": "move_to(folder)",
        "copy": "copy_to(folder)",
        "id": "uid",
    },
    "Settings": {
        "user": "username",
        "login": "username",
        "passwd": "password",
        "context": "ssl_context",
        "ssl": "ssl_context",
        "tls_context": "ssl_context",
        "tls": "security",
        "use_tls": "security",
        "hostname": "host",
        "address": "host",
        "addr": "host",
        "uri": "url",
        "dsn": "url",
        "ca": "ca_file",
        "cafile": "ca_file",
        "ca_path": "ca_file",
        "cert": "ca_file",
        "connect": "smtplib()",
        "client": "smtplib()",
        "django": "django_settings()",
        "flask": "flask_mail()",
        "fastapi": "fastapi_mail()",
        "environ": "env()",
    },
    "Host": {
        "hostname": "name",
        "address": "ipv4",
        "ip": "ipv4",
        "shutdown": "stop()",
        "close": "stop()",
        "restart": "start()",
        "change": "configure()",
        "handler": "attach_handler(handler)",
        "delete": "remove()",
    },
    "Domain": {
        "host": "hosts",
        "mail_hosts": "hosts",
        "mx_hosts": "set_mx(*hosts)",
        "null_mx": "set_mx(None)",
        "no_mx": "set_mx()",
        "implicit_mx": "set_mx(implicit=True)",
        "smtp": "mx",
        "submission": "submission_host",
        "add_account": "account(local)",
        "create_account": "account(local)",
        "delete": "remove()",
    },
    "Fault": {
        "count": "fired",
        "struck": "fired",
        "calls": "fired",
        "called": "fired",
        "lift": "remove()",
        "stop": "remove()",
        "clear": "remove()",
    },
    "Faults": {"lift": "clear()", "remove": "clear()", "reset_all": "clear()"},
    "Journey": {
        "status": "fate",
        "state": "fate",
        "result": "fate",
        "outcome": "fate",
        "to": "recipient",
        "from_": "sender",
        "path": "hops",
        "route": "hops",
        "response": "reply",
        "error": "reason",
    },
    "Envelope": {
        "from_": "sender",
        "mail_from": "sender",
        "return_path": "sender",
        "to": "recipients",
        "rcpt": "recipients",
        "rcpt_to": "recipients",
        "rcpt_tos": "recipients",
        "peer": "origin.peer",
        "helo": "origin.helo",
        "tls": "origin.tls",
        "login": "origin.login",
    },
    "Queue": {
        "size": "len(queue)",
        "count": "len(queue)",
        "messages": "all()",
        "items": "all()",
        "clear": "drop()",
        "retry": "flush()",
        "run": "flush()",
    },
    "Clock": {
        "forward": "advance(hours(1))",
        "wait": "advance(hours(1))",
        "time": "now()",
        "tick": "advance(minutes(1))",
        "move": "advance(hours(1))",
        "sleep": "advance(hours(1))",
    },
    "Stage": {
        "TCP_CONNECT": "CONNECT",
        "SMTP_CONNECT": "CONNECT",
        "CONNECTED": "CONNECT",
        "SMTP_GREETING": "SMTP_BANNER",
        "GREETING": "SMTP_BANNER",
        "SMTP_EHLO": "SMTP_HELO",
        "EHLO": "SMTP_HELO",
        "SMTP_MAIL_FROM": "SMTP_MAIL",
        "SMTP_RCPT_TO": "SMTP_RCPT",
        "SMTP_DOT": "SMTP_END",
        "SMTP_END_OF_DATA": "SMTP_END",
        "SMTP_TLS": "SMTP_STARTTLS",
        "TLS": "TLS_HANDSHAKE",
        "DNS": "DNS_QUERY",
        "DELIVERED": "DELIVER",
        "DELIVERY": "DELIVER",
        "QUEUED": "QUEUE",
        "BOUNCE": "RETURN",
    },
}
"""Meaning of a name that is not there, by the class it was looked for in, or one that this is a kind of."""

KEYWORDS: Final[Mapping[str, str]] = {
    "recipient": "to",
    "rcpt": "to",
    "rcpt_to": "to",
    "receiver": "to",
    "from_": "sender",
    "from_addr": "sender",
    "mail_from": "sender",
    "author": "sender",
    "title": "subject",
    "matcher": "matching",
    "match": "matching",
    "text": "matching",
    "body": "matching",
    "contains": "matching",
    "user": "login",
    "username": "login",
    "account": "login",
    "command": "argument",
    "conn": "connection",
    "count": "times",
    "max_times": "times",
    "limit": "times",
    "chance": "probability",
    "after_messages": "skip",
    "name": "query filename",
    "qname": "name query",
    "qtype": "type query_type",
    "rrtype": "type query_type",
    "required": "must_fire",
    "seconds": "timeout",
    "within": "timeout",
    "patience": "hang_timeout timeout",
    "handles": "expected_errors",
    "number": "count",
    "in_time": "order",
}
"""The same for keywords: the first of these that the function takes."""


class UnknownKeyword(TypeError):
    """A function was called with a keyword that it does not take."""

    def __init__(self, verb: str, name: str, known: Iterable[str]) -> None:
        self.keyword = name
        self.known = frozenset(known)
        meant = next((each for each in KEYWORDS.get(name, "").split() if each in self.known), None)
        hint = nearest(name, self.known) if meant is None else f"did you mean {meant!r}?"
        super().__init__(f"{verb}() got an unexpected keyword argument {name!r}; {hint}")


def suggests_keywords(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let a function that is called with a keyword which it does not take say which one may be meant.

    One that hands its keywords on speaks for the function that it hands them to.
    """
    known, hands_on = _names(cast(FunctionType, function)), _hands_on(cast(FunctionType, function))

    def check(args: tuple[object, ...], keywords: Mapping[str, object]) -> None:
        __tracebackhide__ = True
        if not hands_on and not keywords.keys() <= known:
            raise UnknownKeyword(
                _verb(function, args), next(name for name in keywords if name not in known), known
            )

    def amended(
        args: tuple[object, ...], keywords: Mapping[str, object], error: UnknownKeyword
    ) -> UnknownKeyword:
        if error.keyword not in keywords:
            return error  # it is about a call of our own
        return UnknownKeyword(_verb(function, args), error.keyword, error.known | known)

    if cast(FunctionType, function).__code__.co_flags & inspect.CO_COROUTINE:

        @functools.wraps(function)
        async def awaited(*args: _P.args, **keywords: _P.kwargs) -> Any:
            __tracebackhide__ = True
            check(args, keywords)
            try:
                return await cast(Callable[_P, Awaitable[Any]], function)(*args, **keywords)
            except UnknownKeyword as error:
                raise amended(args, keywords, error) from None

        return cast(Callable[_P, _R], awaited)

    @functools.wraps(function)
    def checked(*args: _P.args, **keywords: _P.kwargs) -> _R:
        __tracebackhide__ = True
        check(args, keywords)
        try:
            return function(*args, **keywords)
        except UnknownKeyword as error:
            raise amended(args, keywords, error) from None

    return checked


def _verb(function: Callable[..., object], args: tuple[object, ...]) -> str:
    name: str = getattr(function, "__name__", "")
    return type(args[0]).__name__ if name == "__init__" and args else name


def _takes_keywords(name: str, value: object) -> bool:
    """Whether it is a public function that can be given something by name."""
    if not isinstance(value, FunctionType) or hasattr(value, "__wrapped__"):
        return False
    if name.startswith("_") and name != "__init__":
        return False
    return bool(_names(value)) or _hands_on(value)


def _names(function: FunctionType) -> frozenset[str]:
    """Keyword parameters of a function."""
    code = function.__code__
    return frozenset(
        code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]
    ) - {"self"}


def _hands_on(function: FunctionType) -> bool:
    """Whether it takes any keyword, for another function."""
    return bool(function.__code__.co_flags & inspect.CO_VARKEYWORDS)


class NoSuchName(AttributeError):
    """Unknown name. Suggestions are looked up when the text is read."""

    def __init__(
        self, owner: str, name: str, known: Callable[[], Iterable[str]], guesses: Iterable[str]
    ) -> None:
        super().__init__(owner, name, name=name)
        self._known = known
        self._guesses = guesses

    def __str__(self) -> str:
        owner, name = self.args
        text = f"{owner} has no attribute {name!r}"
        for kind in self._guesses:
            if meant := GUESSES.get(kind, {}).get(name):
                return f"{text}; did you mean {meant!r}?"
        return f"{text}; {nearest(name, [each for each in self._known() if not each.startswith('_')])}"


class Suggests:
    """A handle that answers to a name or a keyword which it does not have with the one that may be meant."""

    __slots__ = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, value in list(vars(cls).items()):
            if _takes_keywords(name, value):
                setattr(cls, name, suggests_keywords(value))

    if not TYPE_CHECKING:  # or every name would seem to be there

        def __getattr__(self, name: str) -> Any:
            __tracebackhide__ = True
            kind = type(self)
            if hasattr(kind, name):
                # A property of ours has raised AttributeError itself: that is what is wrong.
                return object.__getattribute__(self, name)
            kinds = [each.__name__ for each in kind.__mro__]
            raise NoSuchName(f"{kind.__name__!r} object", name, lambda: object.__dir__(self), kinds)


def suggests_fields(kind: type[_R]) -> type[_R]:
    """A class decorator for named tuples, which can inherit from nothing else: their unknown fields answered so."""
    if not TYPE_CHECKING:
        kind.__getattr__ = Suggests.__getattr__
    return kind


class SuggestsMembers(EnumMeta):
    """The class of an enumeration whose unknown members are answered so."""

    if not TYPE_CHECKING:

        def __getattr__(cls, name: str) -> Any:
            __tracebackhide__ = True
            if name[:1] == "_":
                raise AttributeError(name)
            if name in cls._member_map_:  # where Python 3.11 looks for all of them
                return cls._member_map_[name]
            raise NoSuchName(f"type object {cls.__name__!r}", name, lambda: cls._member_map_, [cls.__name__])


def suggesting(module: dict[str, Any]) -> Callable[[str], Any]:
    """A ``__getattr__`` for a module of functions, of which ``module`` is the namespace (PEP 562): the same for it."""
    own = [name for name, value in module.items() if getattr(value, "__module__", "") == module["__name__"]]
    for name in own:
        if _takes_keywords(name, module[name]):
            module[name] = suggests_keywords(module[name])
    public = module.get("__all__") or own

    def missing(name: str) -> Any:
        __tracebackhide__ = True
        if name.startswith("__"):
            raise AttributeError(name)
        raise NoSuchName(f"module {module['__name__']!r}", name, lambda: public, [module["__name__"]])

    return missing
