"""Commands about mailboxes: SELECT, CREATE, LIST, STATUS, APPEND and their like.

Each ``read_`` function reads what follows the name of its command.
"""

from __future__ import annotations

import re

from fakemail.imap.syntax import mailbox_commands
from fakemail.imap.syntax.commands import Command
from fakemail.imap.syntax.mailbox_commands import ListReturn, ListSelect, Qresync, StatusItem
from fakemail.imap.syntax.read_fetch import new_message
from fakemail.imap.syntax.scanner import NUMBER_63, Scanner
from fakemail.imap.syntax.sets import SequenceSet

_STATUS_ITEMS = {item.value: item for item in StatusItem}
_LIST_SELECT = {option.value: option for option in ListSelect}
_LIST_RETURN = {option.value: option for option in ListReturn}
# RFC 6154 §6: use-attr = "\All" / "\Archive" / ... / use-attr-ext; use-attr-ext = "\" atom
_USE = re.compile(r'\\[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
_USES = {
    use.upper(): use
    for use in ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Important", "\\Junk", "\\Sent", "\\Trash")
}


def one_mailbox(scan: Scanner) -> str:
    """SP mailbox, all that many commands have."""
    scan.space()
    return scan.mailbox()


def select_parameters(scan: Scanner) -> tuple[str, bool, Qresync | None]:
    """SP mailbox [SP "(" select-param *(SP select-param) ")"] (RFC 4466 §6); the parameters of RFC 7162 §7."""
    mailbox = one_mailbox(scan)
    condstore = False
    qresync: Qresync | None = None
    if scan.another():
        scan.open("parameters")
        while True:
            name = scan.word("CONDSTORE or QRESYNC")
            if name == "CONDSTORE":
                condstore = True
            elif name == "QRESYNC":
                scan.space()
                qresync = _qresync(scan)
            else:
                scan.refuse(f"The parameters are CONDSTORE and QRESYNC, not {name}.")
            if not scan.more("a parameter"):
                break
    return mailbox, condstore, qresync


def _qresync(scan: Scanner) -> Qresync:
    """ "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP "(" known-sequence-set SP known-uid-set ")"] ")"."""
    scan.open("UIDVALIDITY and a mod-sequence")
    # A 0, which the grammar does not have, is sent by clients that know nothing yet.
    uidvalidity = scan.number("UIDVALIDITY")
    scan.space()
    modseq = scan.number("a mod-sequence", NUMBER_63)
    known: SequenceSet | None = None
    match: tuple[SequenceSet, SequenceSet] | None = None
    going = scan.more("a mod-sequence")
    if going and scan.peek() != "(":
        known = _known(scan)
        going = scan.more("known UIDs")
    if going:
        scan.open("sequence numbers and UIDs")
        numbers = _known(scan)
        scan.space()
        match = (numbers, _known(scan))
        if scan.more("UIDs") or scan.more("sequence numbers and UIDs"):
            scan.fail("')' after UIDs")
    return Qresync(uidvalidity, modseq, known, match)


def _known(scan: Scanner) -> SequenceSet:
    """A sequence-set in which '"*" is not allowed' (RFC 7162 §7)."""
    start = scan.at
    numbers = scan.sequence_set()
    if numbers.has_star:
        scan.at = start
        scan.fail("numbers without '*'")
    return numbers


def read_create(scan: Scanner) -> Command:
    """ "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"] (RFC 6154 §6)."""
    mailbox = one_mailbox(scan)
    if not scan.another():
        return mailbox_commands.Create(mailbox)
    scan.open("USE")
    if not scan.try_word("USE"):
        scan.fail("USE")
    scan.space()
    scan.open("special uses")
    uses: list[str] = []
    going = not scan.empty()
    while going:
        use = scan.take(_USE, "a special use such as \\Sent")[0]
        uses.append(_USES.get(use.upper(), use))
        going = scan.more("a special use")
    if scan.more("special uses"):
        scan.fail("')' after special uses")
    return mailbox_commands.Create(mailbox, tuple(dict.fromkeys(uses)))


def read_rename(scan: Scanner) -> Command:
    """ "RENAME" SP mailbox SP mailbox."""
    old = one_mailbox(scan)
    return mailbox_commands.Rename(old, one_mailbox(scan))


def read_status(scan: Scanner) -> Command:
    """ "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"."""
    mailbox = one_mailbox(scan)
    scan.space()
    return mailbox_commands.StatusCommand(mailbox, _status_items(scan))


def _status_items(scan: Scanner) -> tuple[StatusItem, ...]:
    scan.open("STATUS items")
    items: list[StatusItem] = []
    while True:
        name = scan.word("a STATUS item")
        item = _STATUS_ITEMS.get(name)
        if item is None:
            scan.refuse(f"{name} is no STATUS item.")
        items.append(item)
        if not scan.more("a STATUS item"):
            return tuple(dict.fromkeys(items))


def read_append(scan: Scanner) -> Command:
    """ "APPEND" SP mailbox 1*append-message (RFC 3502 §6)."""
    mailbox = one_mailbox(scan)
    scan.space()
    messages = [new_message(scan)]
    while scan.another():
        messages.append(new_message(scan))
    return mailbox_commands.Append(mailbox, tuple(messages))


def read_lsub(scan: Scanner) -> Command:
    """ "LSUB" SP mailbox SP list-mailbox (RFC 3501 §9)."""
    scan.space()
    reference = scan.pattern()
    scan.space()
    return mailbox_commands.Lsub(reference, scan.pattern())


def read_xlist(scan: Scanner) -> Command:
    """ "XLIST" SP mailbox SP list-mailbox, as LIST had it before it was extended."""
    scan.space()
    reference = scan.pattern()
    scan.space()
    return mailbox_commands.Xlist(reference, scan.pattern())


def read_list(scan: Scanner) -> Command:
    """ "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts] (RFC 5258 §6)."""
    scan.space()
    select: frozenset[ListSelect] = frozenset()
    extended = scan.peek() == "("
    if extended:
        select = _list_select(scan)
        scan.space()
    reference = scan.pattern()
    scan.space()
    # mbox-or-pat = list-mailbox / patterns; patterns = "(" list-mailbox *(SP list-mailbox) ")"
    if scan.peek() == "(":
        extended = True
        scan.open("patterns")
        patterns = [scan.pattern()]
        while scan.more("a pattern"):
            patterns.append(scan.pattern())
    else:
        patterns = [scan.pattern()]
    returns: frozenset[ListReturn] = frozenset()
    status: tuple[StatusItem, ...] = ()
    if scan.another():
        if not scan.try_word("RETURN"):
            scan.fail("RETURN")
        scan.space()
        extended = True
        returns, status = _list_return(scan)
    return mailbox_commands.List(reference, tuple(patterns), select, returns, status, extended)


def _list_select(scan: Scanner) -> frozenset[ListSelect]:
    """list-select-opts: 'If a list-select-mod-opt appears, then a list-select-base-opt must also appear.'"""
    scan.open("selection options")
    options: set[ListSelect] = set()
    going = not scan.empty()
    while going:
        name = scan.word("a selection option")
        option = _LIST_SELECT.get(name)
        if option is None:
            scan.refuse(f"{name} is no selection option of LIST.")
        options.add(option)
        going = scan.more("a selection option")
    if ListSelect.RECURSIVEMATCH in options and not options & {ListSelect.SUBSCRIBED, ListSelect.SPECIAL_USE}:
        scan.refuse("RECURSIVEMATCH needs SUBSCRIBED or SPECIAL-USE beside it.")
    return frozenset(options)


def _list_return(scan: Scanner) -> tuple[frozenset[ListReturn], tuple[StatusItem, ...]]:
    """ "RETURN" SP "(" [return-option *(SP return-option)] ")"; status-option = "STATUS" SP "(" ... ")"."""
    scan.open("return options")
    options: set[ListReturn] = set()
    status: tuple[StatusItem, ...] = ()
    going = not scan.empty()
    while going:
        name = scan.word("a return option")
        option = _LIST_RETURN.get(name)
        if name == "STATUS":  # RFC 5819 §4
            scan.space()
            status = _status_items(scan)
        elif option is None:
            scan.refuse(f"{name} is no return option of LIST.")
        else:
            options.add(option)
        going = scan.more("a return option")
    return frozenset(options), status
