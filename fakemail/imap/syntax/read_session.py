"""Commands about the session and the account: login, ID, ENABLE, quota, metadata, access rights, NOTIFY.

Each function reads what follows the name of its command.
"""

from __future__ import annotations

import binascii
import re

from fakemail.imap.syntax import commands, mailbox_commands
from fakemail.imap.syntax.commands import Command
from fakemail.imap.syntax.fetch_items import FetchItem
from fakemail.imap.syntax.framing import LITERAL_MARK
from fakemail.imap.syntax.mailbox_commands import EventGroup, FilterKind, MailboxFilter, NotifyEvent
from fakemail.imap.syntax.read_fetch import fetch_item_list
from fakemail.imap.syntax.scanner import NUMBER_63, Scanner

# RFC 4314 §7: rights = astring; only lowercase ASCII letters and digits; mod = "+" / "-" before them
_RIGHTS = re.compile(r"([+-]?)([a-z0-9]*)")
_WORD = re.compile(r"[A-Za-z-]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/=]+")
# RFC 5464 §4.2: the options, which its own examples put behind the mailbox
_METADATA_OPTIONS = re.compile(r"\( *(?:MAXSIZE|DEPTH) ", re.IGNORECASE)
_FILTERS = {kind.value.upper(): kind for kind in FilterKind}
_NAMED = (FilterKind.SUBTREE, FilterKind.SUBTREE_ONE, FilterKind.MAILBOXES)
_EVENTS = {event.value.upper(): event for event in NotifyEvent}
_MESSAGE_EVENTS = {
    NotifyEvent.MESSAGE_NEW,
    NotifyEvent.MESSAGE_EXPUNGE,
    NotifyEvent.FLAG_CHANGE,
    NotifyEvent.ANNOTATION_CHANGE,
}
_SELECTED = (FilterKind.SELECTED, FilterKind.SELECTED_DELAYED)


def read_authenticate(scan: Scanner) -> Command:
    """ "AUTHENTICATE" SP auth-type [SP initial-resp]; initial-resp = base64 / "=" (RFC 9051 §9)."""
    scan.secret = True
    scan.space()
    mechanism = scan.word("a SASL mechanism")
    if not scan.another():
        return commands.Authenticate(mechanism)
    text = scan.take(_BASE64, "an initial response in base64 or '='")[0]
    if text == "=":
        return commands.Authenticate(mechanism, b"")
    try:
        return commands.Authenticate(mechanism, binascii.a2b_base64(text, strict_mode=True))
    except binascii.Error:
        scan.refuse("The initial response is not valid base64.")


def read_login(scan: Scanner) -> Command:
    """ "LOGIN" SP userid SP password, both astring."""
    scan.secret = True
    scan.space()
    username = scan.astring("a user name")
    scan.space()
    return commands.LoginCommand(username, scan.astring("a password"))


def read_compress(scan: Scanner) -> Command:
    """ "COMPRESS" SP algorithm (RFC 4978 §6)."""
    scan.space()
    return commands.Compress(scan.word("a compression algorithm"))


def read_enable(scan: Scanner) -> Command:
    """ "ENABLE" 1*(SP capability) (RFC 5161 §5)."""
    scan.space()
    names = [scan.word("a capability")]
    while scan.another():
        names.append(scan.word("a capability"))
    return commands.Enable(tuple(dict.fromkeys(names)))


def read_id(scan: Scanner) -> Command:
    """ "ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil) (RFC 2971 §4)."""
    scan.space()
    if scan.try_word("NIL"):
        return commands.Id(None)
    scan.open("the fields of ID")
    fields: list[tuple[str, str | None]] = []
    if scan.empty():
        return commands.Id(())
    while True:
        name = scan.string("the name of an ID field")
        scan.space()
        fields.append((name, scan.nstring("the value of an ID field")))
        if not scan.more("an ID field"):
            return commands.Id(tuple(fields))


def read_get_quota(scan: Scanner) -> Command:
    """ "GETQUOTA" SP quota-root-name (RFC 9208 §7)."""
    scan.space()
    return mailbox_commands.GetQuota(scan.astring("a quota root"))


def read_set_quota(scan: Scanner) -> Command:
    """ "SETQUOTA" SP quota-root-name SP "(" [resource-name SP resource-limit ...] ")" (RFC 9208 §7)."""
    scan.space()
    root = scan.astring("a quota root")
    scan.space()
    scan.open("quota limits")
    limits: list[tuple[str, int]] = []
    if scan.empty():
        return mailbox_commands.SetQuota(root, ())
    while True:
        resource = scan.word("a quota resource")
        scan.space()
        limits.append((resource, scan.number("a quota limit", NUMBER_63)))
        if not scan.more("a quota limit"):
            return mailbox_commands.SetQuota(root, tuple(limits))


def read_get_metadata(scan: Scanner) -> Command:
    """ "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries (RFC 5464 §5).

    The examples of the RFC have the options behind the mailbox, and clients do both.
    """
    scan.space()
    options: tuple[int | None, int | None] = (None, 0)
    if scan.peek() == "(":
        options = _metadata_options(scan)
        scan.space()
    mailbox = scan.mailbox()
    scan.space()
    if _METADATA_OPTIONS.match(scan.text, scan.at):
        options = _metadata_options(scan)
        scan.space()
    max_size, depth = options
    if scan.peek() != "(":
        return mailbox_commands.GetMetadata(mailbox, (_entry(scan),), max_size, depth)
    scan.open("metadata entries")
    entries = [_entry(scan)]
    while scan.more("a metadata entry"):
        entries.append(_entry(scan))
    return mailbox_commands.GetMetadata(mailbox, tuple(entries), max_size, depth)


def _metadata_options(scan: Scanner) -> tuple[int | None, int | None]:
    """ "(" option *(SP option) ")"; maxsize-opt = "MAXSIZE" SP number; scope-opt = "DEPTH" SP ("0"/"1"/"infinity")."""
    max_size: int | None = None
    depth: int | None = 0
    scan.open("options of GETMETADATA")
    while True:
        option = scan.word("MAXSIZE or DEPTH")
        scan.space()
        if option == "MAXSIZE":
            max_size = scan.number("a size in octets")
        elif option == "DEPTH":
            value = scan.word("0, 1 or infinity")
            if value not in ("0", "1", "INFINITY"):
                scan.refuse(f"DEPTH is 0, 1 or infinity, not {value}.")
            depth = None if value == "INFINITY" else int(value)
        else:
            scan.refuse(f"GETMETADATA has the options MAXSIZE and DEPTH, not {option}.")
        if not scan.more("an option"):
            return max_size, depth


def _entry(scan: Scanner) -> str:
    """entry = astring: slash-separated path; MUST NOT contain "*" or "%" (RFC 5464 §5, and §3.2)."""
    entry = scan.octets("a metadata entry")
    if not entry.startswith("/") or entry.endswith("/") or "//" in entry:
        scan.refuse("A metadata entry begins with '/', and each '/' is followed by a name.")
    if not entry.isascii() or not entry.isprintable() or "*" in entry or "%" in entry:
        scan.refuse("A metadata entry has printable US-ASCII without '*' and '%'.")
    return entry


def read_set_metadata(scan: Scanner) -> Command:
    """ "SETMETADATA" SP mailbox SP "(" entry SP value *(SP entry SP value) ")"; value = nstring / literal8."""
    scan.space()
    mailbox = scan.mailbox()
    scan.space()
    scan.open("metadata entries")
    entries: list[tuple[str, bytes | None]] = []
    while True:
        entry = _entry(scan)
        scan.space()
        value: bytes | None
        if scan.peek() == LITERAL_MARK:
            literal = scan.literal()
            value = literal.octets
            if b"\0" in value and not literal.binary:
                scan.refuse("NUL is allowed in a literal8 only.")
        else:
            value = None if scan.try_word("NIL") else scan.string_octets("a value or NIL").encode("latin-1")
        entries.append((entry, value))
        if not scan.more("a metadata value"):
            return mailbox_commands.SetMetadata(mailbox, tuple(entries))


def read_set_acl(scan: Scanner) -> Command:
    """ "SETACL" SP mailbox SP identifier SP mod-rights (RFC 4314 §7)."""
    scan.space()
    mailbox = scan.mailbox()
    scan.space()
    identifier = scan.astring("an identifier")
    scan.space()
    found = _RIGHTS.fullmatch(scan.octets("rights"))
    if not found:  # RFC 4314 §2.1: unknown letters are the session's business, upper case is BAD
        scan.refuse("Rights are lower-case letters and digits, perhaps after '+' or '-'.")
    rights = "".join(dict.fromkeys(found[2]))
    return mailbox_commands.SetAcl(mailbox, identifier, rights, found[1])


def read_delete_acl(scan: Scanner) -> Command:
    """ "DELETEACL" SP mailbox SP identifier (RFC 4314 §7)."""
    scan.space()
    mailbox = scan.mailbox()
    scan.space()
    return mailbox_commands.DeleteAcl(mailbox, scan.astring("an identifier"))


def read_list_rights(scan: Scanner) -> Command:
    """ "LISTRIGHTS" SP mailbox SP identifier (RFC 4314 §7)."""
    scan.space()
    mailbox = scan.mailbox()
    scan.space()
    return mailbox_commands.ListRights(mailbox, scan.astring("an identifier"))


def read_notify(scan: Scanner) -> Command:
    """ "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE") (RFC 5465 §8)."""
    scan.space()
    verb = scan.word("SET or NONE")
    if verb == "NONE":
        return mailbox_commands.NotifyNone()
    if verb != "SET":
        scan.refuse(f"NOTIFY is followed by SET or NONE, not {verb}.")
    scan.space()
    status = scan.try_word("STATUS")
    if status:
        scan.space()
    groups = [_event_group(scan)]
    while scan.another():
        groups.append(_event_group(scan))
    # RFC 5465 §8, filter-mailboxes-selected: 'Only one of them can be specified in a NOTIFY command.'
    if sum(group.mailboxes.kind in _SELECTED for group in groups) > 1:
        scan.refuse("Only one event group may be for the selected mailbox.")
    return mailbox_commands.NotifySet(tuple(groups), status)


def mailbox_filter(scan: Scanner) -> MailboxFilter:
    """filter-mailboxes (RFC 5465 §8, RFC 7377 §4); one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")"."""
    word = scan.take(_WORD, "a mailbox filter")[0].upper()
    kind = _FILTERS.get(word)
    if kind is None:
        scan.refuse(f"{word} is no mailbox filter; there are {', '.join(_FILTERS)}.")
    if kind not in _NAMED:
        return MailboxFilter(kind)
    scan.space()
    if scan.peek() != "(":
        return MailboxFilter(kind, (scan.mailbox(),))
    scan.open("mailbox names")
    names = [scan.mailbox()]
    while scan.more("a mailbox name"):
        names.append(scan.mailbox())
    return MailboxFilter(kind, tuple(names))


def _event_group(scan: Scanner) -> EventGroup:
    """event-group = "(" filter-mailboxes SP events ")"; events = ( "(" event *(SP event) ")" ) / "NONE"."""
    scan.open("an event group")
    mailboxes = mailbox_filter(scan)
    scan.space()
    if scan.try_word("NONE"):
        group = EventGroup(mailboxes)
    else:
        group = _events(scan, mailboxes)
    if scan.more("events"):
        scan.fail("')' after events")
    return group


def _events(scan: Scanner, mailboxes: MailboxFilter) -> EventGroup:
    events: set[NotifyEvent] = set()
    unknown: list[str] = []
    fetch: tuple[FetchItem, ...] = ()
    scan.open("events")
    going = True
    while going:
        word = scan.atom("an event")
        event = _EVENTS.get(word.upper())
        if event is None:
            unknown.append(word)
        else:
            events.add(event)
        going = scan.more("an event")
        if going and event is NotifyEvent.MESSAGE_NEW and scan.peek() == "(":
            # RFC 5465 §8: the list 'may only be present for the SELECTED/SELECTED-DELAYED mailbox filter'
            if mailboxes.kind not in _SELECTED:
                scan.refuse("MessageNew has fetch items for the selected mailbox only.")
            fetch = fetch_item_list(scan)
            going = scan.more("fetch items")
    if unknown:  # RFC 5465 §5
        names = " ".join(event.value for event in NotifyEvent)
        scan.refuse("There is no such event.", response="NO", code=f"BADEVENT ({names})")
    _check_events(scan, mailboxes, events)
    return EventGroup(mailboxes, frozenset(events), fetch)


def _check_events(scan: Scanner, mailboxes: MailboxFilter, events: set[NotifyEvent]) -> None:
    """RFC 5465 §8, event-group and message-event: what must be together, and what must not."""
    if mailboxes.kind in _SELECTED and not events <= _MESSAGE_EVENTS:
        scan.refuse("Only message events are allowed for the selected mailbox.")
    pair = {NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE}
    if events & _MESSAGE_EVENTS and not pair <= events:
        scan.refuse("MessageNew and MessageExpunge go together, and other message events need both.")
