"""What is printed as a command is read back as the same value, however it is cut into chunks."""

from __future__ import annotations

import base64
import datetime
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakemail.imap.command import Command
from fakemail.imap.command_table import COMMANDS, Request, parse
from fakemail.imap.commands.acl import DeleteAcl, GetAcl, ListRights, MyRights, SetAcl
from fakemail.imap.commands.any_state import (
    CapabilityCommand,
    CheckCommand,
    Enable,
    Id,
    Logout,
    Noop,
    Unauthenticate,
)
from fakemail.imap.commands.append import Append, AppendMessage, Replace
from fakemail.imap.commands.compress import Compress
from fakemail.imap.commands.copy import Copy, Move
from fakemail.imap.commands.expunge import Expunge
from fakemail.imap.commands.fetch import Fetch
from fakemail.imap.commands.list import List, ListReturn, ListSelect, Lsub, Xlist
from fakemail.imap.commands.login import Authenticate, LoginCommand, StartTlsCommand
from fakemail.imap.commands.mailboxes import Create, Delete, NamespaceCommand, Rename, Subscribe, Unsubscribe
from fakemail.imap.commands.metadata import GetMetadata, SetMetadata
from fakemail.imap.commands.notify import IdleCommand, Notify, NotifyNone, NotifySet
from fakemail.imap.commands.quota import GetQuota, GetQuotaRoot, SetQuota
from fakemail.imap.commands.search import MultiSearch, Search
from fakemail.imap.commands.select import CloseCommand, Examine, Qresync, Select, Unselect
from fakemail.imap.commands.sort import Sort, Thread
from fakemail.imap.commands.status import StatusCommand, StatusItem
from fakemail.imap.commands.store import Store
from fakemail.imap.mailbox_filters import FilterKind, MailboxFilter
from fakemail.imap.notifications import EventGroup, NotifyEvent
from fakemail.imap.syntax import printing as p
from fakemail.imap.syntax import search_keys as k
from fakemail.imap.syntax.fetch_items import (
    FetchBinary,
    FetchBinarySize,
    FetchBody,
    FetchData,
    Section,
    SectionText,
)
from fakemail.imap.syntax.framing import Frame, Framer
from fakemail.imap.syntax.scanner import Dialect
from fakemail.imap.syntax.sets import SAVED_RESULT, STAR, PartialRange, SequenceSet
from fakemail.store.message import FlagAction

UTF8 = Dialect(utf8=True, strict=True)
STRICT = Dialect(strict=True)

# Values

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(characters, max_size=20)
names = texts.map(lambda name: "INBOX" if name.upper() == "INBOX" else name)
atoms = st.text("abcXYZ019$!-_.", min_size=1, max_size=8)
words = atoms.map(str.upper)
keywords = st.sampled_from(["\\Seen", "\\Answered", "\\Draft", "\\Extra", "$Forwarded", "todo"])
flags = st.lists(keywords, unique=True, max_size=4).map(tuple)
numbers = st.integers(1, 2**32 - 1)
modseqs = st.integers(0, 2**63 - 1)


def _range(pair: tuple[int, int]) -> tuple[int, int]:
    low, high = sorted(pair)
    return (high, STAR) if low == STAR else (low, high)


sets = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)).map(_range), min_size=1, max_size=4
)
sequence_sets = sets.map(lambda pairs: SequenceSet(tuple(pairs)))
known_sets = st.tuples(numbers, numbers).map(lambda pair: SequenceSet((_range(pair),)))
number_sets = sequence_sets | st.just(SAVED_RESULT)
pages = st.builds(lambda a, b, end: PartialRange(min(a, b), max(a, b), end), numbers, numbers, st.booleans())
zones = st.integers(-1439, 1439).map(lambda n: datetime.timezone(datetime.timedelta(minutes=n)))
moments = st.datetimes(timezones=zones).map(lambda moment: moment.replace(microsecond=0))

parts = st.lists(st.integers(1, 99), max_size=3).map(tuple)
partials = st.none() | st.tuples(modseqs, st.integers(1, 2**63 - 1))


def _section(part: tuple[int, ...], text: SectionText, fields: list[str]) -> Section:
    if text in (SectionText.HEADER_FIELDS, SectionText.HEADER_FIELDS_NOT):
        return Section(part, text, tuple(fields))
    return Section(part, SectionText.ALL if text is SectionText.MIME and not part else text)


header_names = st.sampled_from(["From", "subject", "X-A", "odd name", 'q"uote'])
sections = st.builds(
    _section, parts, st.sampled_from(SectionText), st.lists(header_names, min_size=1, max_size=3)
)
items = (
    st.sampled_from(FetchData)
    | st.builds(FetchBody, sections, st.booleans(), partials)
    | st.builds(FetchBinary, parts, st.booleans(), partials)
    | st.builds(FetchBinarySize, parts)
)
item_lists = st.lists(items, min_size=1, max_size=4, unique=True).map(tuple)


def _joined(kind: Any) -> Callable[[list[k.SearchKey]], k.SearchKey]:
    def join(inner: list[k.SearchKey]) -> k.SearchKey:
        flat: list[k.SearchKey] = []
        for key in inner:
            flat.extend(key.keys if isinstance(key, kind) else [key])
        return kind(tuple(flat))

    return join


object_ids = st.text("aZ09_-", min_size=1, max_size=9)
leaves: st.SearchStrategy[k.SearchKey] = st.one_of(
    st.just(k.AllMessages()),
    st.just(k.SaveDateSupported()),
    st.builds(k.InSet, number_sets, st.booleans()),
    st.builds(k.HasFlag, keywords),
    st.builds(k.HeaderContains, st.sampled_from(["From", "Subject", "X-A"]), texts),
    st.builds(k.AddressContains, st.sampled_from(["From", "To", "Cc", "Bcc"]), texts),
    st.builds(k.BodyContains, texts),
    st.builds(k.TextContains, texts),
    st.builds(k.DateIs, st.sampled_from(k.DateField), st.sampled_from(k.DateRelation), st.dates()),
    st.builds(k.SizeIs, st.booleans(), modseqs),
    st.builds(k.Age, st.booleans(), numbers),
    st.builds(k.ModSeqAtLeast, modseqs),
    st.builds(k.ModSeqAtLeast, modseqs, keywords, st.sampled_from(["priv", "shared", "all"])),
    st.builds(k.EmailIdIs, object_ids),
    st.builds(k.ThreadIdIs, object_ids),
    st.builds(k.GmailRaw, texts),
    st.builds(k.GmailMessageIdIs, st.integers(0, 2**64 - 1)),
    st.builds(k.GmailThreadIdIs, st.integers(0, 2**64 - 1)),
    st.builds(k.HasGmailLabel, texts | st.just("\\Inbox")),
)
search_keys = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(k.Not, inner),
        st.builds(k.Fuzzy, inner),
        st.lists(inner, min_size=2, max_size=3).map(_joined(k.And)),
        st.lists(inner, min_size=2, max_size=3).map(_joined(k.Or)),
    ),
    max_leaves=6,
)
option_sets = st.frozensets(st.sampled_from(k.ResultOption))
returns = st.none() | st.builds(
    lambda options, page: k.SearchReturn(options - {k.ResultOption.ALL} if page else options, page),
    option_sets,
    st.none() | pages,
)
messages = st.one_of(
    st.builds(
        AppendMessage,
        st.binary(max_size=30).map(lambda octets: octets.replace(b"\0", b"\n")),
        flags,
        st.none() | moments,
    ),
    st.builds(
        AppendMessage, st.binary(max_size=30), flags, st.none() | moments, st.just(True), st.booleans()
    ),
)
plain_kinds = [kind for kind in FilterKind if kind.value not in ("subtree", "subtree-one", "mailboxes")]
named_kinds = [FilterKind.SUBTREE, FilterKind.SUBTREE_ONE, FilterKind.MAILBOXES]
named_filters = st.builds(
    MailboxFilter, st.sampled_from(named_kinds), st.lists(names, min_size=1, max_size=3).map(tuple)
)
sources = named_filters | st.builds(
    MailboxFilter,
    st.sampled_from([kind for kind in plain_kinds if kind is not FilterKind.SELECTED_DELAYED]),
)
both = frozenset({NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE})
others = st.frozensets(st.sampled_from(NotifyEvent))
groups = st.one_of(
    st.builds(EventGroup, named_filters),
    st.builds(lambda f, e: EventGroup(f, e | both), named_filters, others),
)
selected_groups = st.builds(
    lambda fetch, flag: EventGroup(
        MailboxFilter(FilterKind.SELECTED_DELAYED),
        both | {NotifyEvent.FLAG_CHANGE} if flag else both,
        fetch,
    ),
    item_lists,
    st.booleans(),
)
entries = st.sampled_from(["/shared/comment", "/private/vendor/x", "/a"])
qresyncs = st.builds(
    Qresync, numbers, modseqs, st.none() | known_sets, st.none() | st.tuples(known_sets, known_sets)
)
uids = st.booleans()


def _recursive(select: frozenset[ListSelect]) -> frozenset[ListSelect]:
    if select & {ListSelect.SUBSCRIBED, ListSelect.SPECIAL_USE}:
        return select
    return select - {ListSelect.RECURSIVEMATCH}


def _list(reference: str, patterns: list[str], select: Any, returns: Any, status: Any) -> List:
    extended = bool(select or returns or status or len(patterns) > 1)
    return List(reference, tuple(patterns), _recursive(select), returns, status, extended)


status_items = st.lists(st.sampled_from(StatusItem), min_size=1, unique=True).map(tuple)
plain_names = st.text("abc/.%* é", max_size=9)


def _fetch(numbers: Any, items: Any, since: int | None, vanished: bool, page: Any, uid: bool) -> Fetch:
    return Fetch(numbers, items, since, vanished and uid and since is not None, page, uid)


strategies: dict[type[Command], st.SearchStrategy[Any]] = {
    **{
        kind: st.builds(kind)
        for kind in (
            CapabilityCommand,
            Noop,
            Logout,
            StartTlsCommand,
            Unauthenticate,
            IdleCommand,
            CheckCommand,
            CloseCommand,
            Unselect,
            NamespaceCommand,
            NotifyNone,
        )
    },
    Id: st.builds(Id, st.none() | st.lists(st.tuples(texts, st.none() | texts), max_size=3).map(tuple)),
    Authenticate: st.builds(Authenticate, words, st.none() | st.binary(max_size=20)),
    LoginCommand: st.builds(LoginCommand, texts, texts),
    Compress: st.builds(Compress, words),
    Enable: st.builds(Enable, st.lists(words, min_size=1, max_size=3, unique=True).map(tuple)),
    Expunge: st.builds(Expunge, st.none() | number_sets),
    Search: st.builds(Search, search_keys, returns, st.none() | st.just("UTF-8"), uids),
    Sort: st.builds(
        Sort,
        st.lists(st.builds(k.SortCriterion, st.sampled_from(k.SortField), st.booleans()), min_size=1).map(
            tuple
        ),
        st.just("UTF-8"),
        search_keys,
        returns,
        uids,
    ),
    Thread: st.builds(Thread, st.sampled_from(k.ThreadAlgorithm), st.just("UTF-8"), search_keys, uids),
    Fetch: st.builds(_fetch, number_sets, item_lists, st.none() | modseqs, uids, st.none() | pages, uids),
    Store: st.builds(
        Store,
        number_sets,
        st.sampled_from(FlagAction),
        flags,
        st.booleans(),
        st.none() | modseqs,
        st.booleans(),
        uids,
    ),
    Copy: st.builds(Copy, number_sets, names, uids),
    Move: st.builds(Move, number_sets, names, uids),
    Replace: st.builds(Replace, numbers | st.just(STAR), names, messages, uids),
    Select: st.builds(Select, names, st.booleans(), st.none() | qresyncs),
    Examine: st.builds(Examine, names, st.booleans(), st.none() | qresyncs),
    Create: st.builds(
        Create, names, st.lists(st.sampled_from(["\\Sent", "\\Junk", "\\Other"]), unique=True).map(tuple)
    ),
    Rename: st.builds(Rename, names, names),
    List: st.builds(
        _list,
        plain_names,
        st.lists(plain_names, min_size=1, max_size=3),
        st.frozensets(st.sampled_from(ListSelect)),
        st.frozensets(st.sampled_from(ListReturn)),
        st.just(()) | status_items,
    ),
    Lsub: st.builds(Lsub, plain_names, plain_names),
    Xlist: st.builds(Xlist, plain_names, plain_names),
    StatusCommand: st.builds(StatusCommand, names, status_items),
    Append: st.builds(Append, names, st.lists(messages, min_size=1, max_size=3).map(tuple)),
    GetQuota: st.builds(GetQuota, texts),
    SetQuota: st.builds(SetQuota, texts, st.lists(st.tuples(words, modseqs), max_size=3).map(tuple)),
    GetMetadata: st.builds(
        GetMetadata,
        names,
        st.lists(entries, min_size=1, max_size=3).map(tuple),
        st.none() | numbers,
        st.sampled_from([0, 1, None]),
    ),
    SetMetadata: st.builds(
        SetMetadata,
        names,
        st.lists(st.tuples(entries, st.none() | st.binary(max_size=20)), min_size=1, max_size=3).map(tuple),
    ),
    SetAcl: st.builds(
        SetAcl, names, texts, st.sampled_from(["", "lrs", "a0"]), st.sampled_from(["", "+", "-"])
    ),
    DeleteAcl: st.builds(DeleteAcl, names, texts),
    ListRights: st.builds(ListRights, names, texts),
    NotifySet: st.builds(
        NotifySet,
        st.tuples(selected_groups, groups) | st.lists(groups, min_size=1, max_size=2).map(tuple),
        st.booleans(),
    ),
    MultiSearch: st.builds(
        MultiSearch,
        search_keys,
        st.none() | st.lists(sources, min_size=1, max_size=3).map(tuple),
        returns,
        st.none() | st.just("UTF-8"),
    ),
    **{
        kind: st.builds(kind, names)
        for kind in (Delete, Subscribe, Unsubscribe, GetQuotaRoot, GetAcl, MyRights)
    },
}


# A printer for commands


class Printer:
    """Writes commands as a client would."""

    def __init__(self, *, utf8: bool) -> None:
        self.utf8 = utf8

    def astring(self, text: str) -> bytes:
        return p.astring(text, utf8=self.utf8)

    def mailbox(self, name: str) -> bytes:
        return p.mailbox(name, utf8=self.utf8)

    def pattern(self, name: str) -> bytes:
        written = self.mailbox(name)
        return written if written.startswith((b'"', b"{")) else b'"' + written + b'"'

    def request(self, request: Request) -> bytes:
        command = request.command
        verb = b"UID " if getattr(command, "uid", False) or getattr(command, "uids", None) else b""
        words = [request.tag.encode(), verb + command.name.encode(), *self.arguments(command)]
        return b" ".join(words) + b"\r\n"

    def arguments(self, command: Command) -> Iterable[bytes]:
        match command:
            case Id(None):
                yield b"NIL"
            case Id(fields):
                pairs = [
                    p.string(name, utf8=self.utf8) + b" " + p.nstring(value, utf8=self.utf8)
                    for name, value in fields or ()
                ]
                yield p.parenthesised(pairs)
            case Authenticate(mechanism, initial):
                yield mechanism.encode()
                if initial is not None:
                    yield base64.b64encode(initial) or b"="
            case LoginCommand(username, password):
                yield from (self.astring(username), self.astring(password))
            case Compress(mechanism):
                yield mechanism.encode()
            case Enable(capabilities):
                yield from (name.encode() for name in capabilities)
            case Expunge(uids):
                if uids is not None:
                    yield p.number_set(uids)
            case Search(key, returns, charset):
                yield from self.program(returns, charset, key)
            case MultiSearch(key, sources, returns, charset):
                if sources:
                    yield from (b"IN", p.parenthesised(map(self.filter, sources)))
                yield from self.program(returns, charset, key)
            case Sort(criteria, charset, key, returns):
                yield from self.returns(returns)
                yield p.parenthesised(
                    (b"REVERSE " if item.reverse else b"") + item.field.value.encode() for item in criteria
                )
                yield from (charset.encode(), self.keys(key))
            case Thread(algorithm, charset, key):
                yield from (algorithm.value.encode(), charset.encode(), self.keys(key))
            case Fetch(numbers, items, since, vanished, page):
                yield from (p.number_set(numbers), p.parenthesised(map(p.fetch_request, items)))
                modifiers = [b"CHANGEDSINCE %d" % since] if since is not None else []
                modifiers += [b"VANISHED"] if vanished else []
                modifiers += [b"PARTIAL " + p.partial_range(page)] if page else []
                if modifiers:
                    yield p.parenthesised(modifiers)
            case Store(numbers, action, flags, silent, since, labels):
                yield p.number_set(numbers)
                if since is not None:
                    yield b"(UNCHANGEDSINCE %d)" % since
                item = action.value + ("X-GM-LABELS" if labels else "FLAGS") + (".SILENT" if silent else "")
                yield from (item.encode(), p.flag_list(flags))
            case Copy(numbers, mailbox) | Move(numbers, mailbox):
                yield from (p.number_set(numbers), self.mailbox(mailbox))
            case Replace(number, mailbox, message):
                yield from (b"%d" % number if number else b"*", self.mailbox(mailbox), self.message(message))
            case Append(mailbox, messages):
                yield from (self.mailbox(mailbox), *map(self.message, messages))
            case NotifySet(groups, status):
                yield b"SET STATUS" if status else b"SET"
                yield from map(self.group, groups)
            case NotifyNone():
                yield b"NONE"
            case _:
                yield from self.mailbox_arguments(command)

    def mailbox_arguments(self, command: Command) -> Iterable[bytes]:
        match command:
            case Select(mailbox, condstore, qresync) | Examine(mailbox, condstore, qresync):
                yield self.mailbox(mailbox)
                parameters = [b"CONDSTORE"] if condstore else []
                parameters += [b"QRESYNC " + self.qresync(qresync)] if qresync else []
                if parameters:
                    yield p.parenthesised(parameters)
            case Create(mailbox, uses):
                yield self.mailbox(mailbox)
                if uses:
                    yield b"(USE %b)" % p.flag_list(uses)
            case Rename(old, new):
                yield from (self.mailbox(old), self.mailbox(new))
            case List(reference, patterns, select, returns, status):
                if select:
                    yield p.parenthesised(option.value.encode() for option in select)
                yield self.pattern(reference)
                written = list(map(self.pattern, patterns))
                yield written[0] if len(written) == 1 else p.parenthesised(written)
                options = [option.value.encode() for option in returns]
                options += [b"STATUS " + self.status(status)] if status else []
                if options or (command.extended and not select and len(written) == 1):
                    yield from (b"RETURN", p.parenthesised(options))
            case Lsub(reference, pattern) | Xlist(reference, pattern):
                yield from (self.pattern(reference), self.pattern(pattern))
            case StatusCommand(mailbox, items):
                yield from (self.mailbox(mailbox), self.status(items))
            case GetQuota(root):
                yield self.astring(root)
            case SetQuota(root, limits):
                yield self.astring(root)
                yield p.parenthesised(b"%b %d" % (name.encode(), limit) for name, limit in limits)
            case GetMetadata(mailbox, entries, max_size, depth):
                options = [b"MAXSIZE %d" % max_size] if max_size is not None else []
                options += [b"DEPTH infinity" if depth is None else b"DEPTH %d" % depth] if depth != 0 else []
                if options:
                    yield p.parenthesised(options)
                yield from (self.mailbox(mailbox), p.parenthesised(map(self.astring, entries)))
            case SetMetadata(mailbox, entries):
                yield self.mailbox(mailbox)
                yield p.parenthesised(
                    self.astring(name) + b" " + (b"NIL" if value is None else p.literal(value, binary=True))
                    for name, value in entries
                )
            case SetAcl(mailbox, identifier, rights, change):
                yield from (self.mailbox(mailbox), self.astring(identifier), self.astring(change + rights))
            case DeleteAcl(mailbox, identifier) | ListRights(mailbox, identifier):
                yield from (self.mailbox(mailbox), self.astring(identifier))
            case _:
                if name := getattr(command, "mailbox", None):
                    yield self.mailbox(name)
                elif name == "":
                    yield b'""'

    def qresync(self, value: Qresync) -> bytes:
        words = [b"%d" % value.uidvalidity, b"%d" % value.modseq]
        if value.known_uids:
            words.append(p.number_set(value.known_uids))
        if value.sequence_match:
            words.append(p.parenthesised(map(p.number_set, value.sequence_match)))
        return p.parenthesised(words)

    def status(self, items: Iterable[StatusItem]) -> bytes:
        return p.parenthesised(item.value.encode() for item in items)

    def message(self, message: AppendMessage) -> bytes:
        words = [p.flag_list(message.flags)] if message.flags else []
        words += [p.date_time(message.date)] if message.date else []
        literal = p.literal(message.raw, binary=message.binary)
        words.append(b"UTF8 (%b)" % literal if message.utf8 else literal)
        return b" ".join(words)

    def filter(self, value: MailboxFilter) -> bytes:
        kind = value.kind.value.encode()
        if not value.mailboxes:
            return kind
        if len(value.mailboxes) == 1:
            return kind + b" " + self.mailbox(value.mailboxes[0])
        return kind + b" " + p.parenthesised(map(self.mailbox, value.mailboxes))

    def group(self, group: EventGroup) -> bytes:
        events = []
        for event in group.events:
            fetch = b""
            if event is NotifyEvent.MESSAGE_NEW and group.fetch:
                fetch = b" " + p.parenthesised(map(p.fetch_request, group.fetch))
            events.append(event.value.encode() + fetch)
        written = p.parenthesised(events) if events else b"NONE"
        return p.parenthesised([self.filter(group.mailboxes), written])

    def returns(self, returns: k.SearchReturn | None) -> Iterable[bytes]:
        if returns:
            options = [option.value.encode() for option in returns.options]
            options += [b"PARTIAL " + p.partial_range(returns.partial)] if returns.partial else []
            yield from (b"RETURN", p.parenthesised(options))

    def program(
        self, returns: k.SearchReturn | None, charset: str | None, key: k.SearchKey
    ) -> Iterable[bytes]:
        yield from self.returns(returns)
        if charset:
            yield from (b"CHARSET", charset.encode())
        yield self.keys(key)

    def keys(self, key: k.SearchKey) -> bytes:
        return b" ".join(map(self.key, key.keys)) if isinstance(key, k.And) else self.key(key)

    def key(self, key: k.SearchKey) -> bytes:
        match key:
            case k.And(inner):
                return p.parenthesised(map(self.key, inner))
            case k.Or(inner):
                written = self.key(inner[-1])
                for part in reversed(inner[:-1]):
                    written = b"OR " + self.key(part) + b" " + written
                return written
            case k.Not(inner):
                return b"NOT " + self.key(inner)
            case k.Fuzzy(inner):
                return b"FUZZY " + self.key(inner)
            case k.AllMessages():
                return b"ALL"
            case k.SaveDateSupported():
                return b"SAVEDATESUPPORTED"
            case k.InSet(numbers, uid):
                return (b"UID " if uid else b"") + p.number_set(numbers)
            case k.HasFlag("\\Seen" | "\\Answered" | "\\Draft" as flag):
                return flag[1:].upper().encode()
            case k.HasFlag(flag):
                return b"KEYWORD " + flag.encode()
            case k.HeaderContains("Subject" as name, text) | k.AddressContains(name, text):
                return name.upper().encode() + b" " + self.astring(text)
            case k.HeaderContains(name, text):
                return b"HEADER " + self.astring(name) + b" " + self.astring(text)
            case k.BodyContains(text):
                return b"BODY " + self.astring(text)
            case k.TextContains(text):
                return b"TEXT " + self.astring(text)
            case k.DateIs(field, relation, day):
                return (field.value + relation.value).encode() + b" " + p.date(day)
            case k.SizeIs(larger, octets):
                return (b"LARGER %d" if larger else b"SMALLER %d") % octets
            case k.Age(older, seconds):
                return (b"OLDER %d" if older else b"YOUNGER %d") % seconds
            case k.ModSeqAtLeast(modseq, None):
                return b"MODSEQ %d" % modseq
            case k.ModSeqAtLeast(modseq, flag, kind):
                return b"MODSEQ %b %b %d" % (p.string(f"/flags/{flag}"), str(kind).encode(), modseq)
            case k.EmailIdIs(text):
                return b"EMAILID " + text.encode()
            case k.ThreadIdIs(text):
                return b"THREADID " + text.encode()
            case k.GmailRaw(text):
                return b"X-GM-RAW " + self.astring(text)
            case k.GmailMessageIdIs(number):
                return b"X-GM-MSGID %d" % number
            case k.GmailThreadIdIs(number):
                return b"X-GM-THRID %d" % number
            case k.HasGmailLabel("\\Inbox"):
                return b"X-GM-LABELS \\Inbox"
            case k.HasGmailLabel(label):
                return b"X-GM-LABELS " + self.mailbox(label)
        raise AssertionError(key)


def _frames(data: bytes, cuts: list[int]) -> list[Frame]:
    framer = Framer()
    edges = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    found = []
    for start, end in itertools.pairwise(edges):
        framer.feed(data[start:end])
        while (event := framer.next_event()) is not None:
            if isinstance(event, Frame):
                found.append(event)
    return found


def test_every_command_has_a_strategy() -> None:
    assert {*COMMANDS.values()} - {Notify} | {NotifySet, NotifyNone} == {*strategies}


@pytest.mark.parametrize("kind", strategies, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("dialect", [STRICT, UTF8], ids=["utf7", "utf8"])
def test_printed_commands_read_back(kind: type[Command], dialect: Dialect) -> None:
    @settings(max_examples=25, deadline=None)
    @given(strategies[kind], st.lists(st.integers(1, 200), max_size=5))
    def check(command: Command, cuts: list[int]) -> None:
        request = Request("A1", command)
        written = Printer(utf8=dialect.utf8).request(request)
        (frame,) = _frames(written, cuts)
        assert parse(frame, dialect) == request
        assert parse(frame, Dialect(utf8=dialect.utf8)) == request

    check()
