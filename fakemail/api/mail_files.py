"""Mail in files: ``.eml`` files in folders, mbox (RFC 4155) and Maildir, read and written."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from fakemail.api.message_bytes import read_flags
from fakemail.api.messages import Message
from fakemail.api.portal import Portal
from fakemail.clock import datetime
from fakemail.dkim.canonicalization import with_crlf
from fakemail.errors import DeclarationError, nearest
from fakemail.imap.syntax.utf7 import decode_utf7, encode_utf7
from fakemail.message.headers import (
    Headers,
    body_offset,
    parse_date,
    split_fields,
    starts_with_body,
    starts_with_mailbox_line,
)
from fakemail.store import names
from fakemail.store.mailbox import INBOX
from fakemail.store.mailstore import MailStore
from fakemail.store.message import ANSWERED, DELETED, DRAFT, FLAGGED, NO_FLAGS, SEEN, StoredMessage
from fakemail.types.address import Address
from fakemail.types.dataclass import dataclass

_MAILDIR_FLAGS: Final[Mapping[str, str]] = {
    "D": DRAFT, "F": FLAGGED, "P": "$Forwarded", "R": ANSWERED, "S": SEEN, "T": DELETED,
}  # fmt: skip
_MBOX_FLAGS: Final[Mapping[str, str]] = {"R": SEEN, "A": ANSWERED, "F": FLAGGED, "T": DRAFT, "D": DELETED}
_KEYWORD_FILE: Final = "dovecot-keywords"
_FROM_LINE: Final = re.compile(rb"^From .*\n", re.MULTILINE)
_QUOTED: Final = re.compile(rb"^>(>*From )", re.MULTILINE)
_TO_QUOTE: Final = re.compile(rb"^(>*From )", re.MULTILINE)
_STATUS: Final = frozenset({"status", "x-status", "x-keywords"})
_UNSAFE: Final = re.compile(r'^\.|[%<>:"|?*\\/]')
_ASCTIME: Final = "%a %b %d %H:%M:%S %Y"


@dataclass(frozen=True, slots=True)
class FiledMessage:
    """A message in a file, or on its way into one."""

    folder: str
    raw: bytes
    flags: frozenset[str] = NO_FLAGS
    received_at: datetime | None = None
    saved_at: datetime | None = None


# Mailboxes ----------------------------------------------------------------------------------------


def put_all(portal: Portal, owner: Address, filed: Iterable[FiledMessage]) -> list[Message]:
    """Put messages into mailboxes of an account: all, or none if there is no room."""
    messages = list(filed)
    for each in messages:
        read_flags(each.flags)
        names.checked(each.folder)
    simulation = portal.simulation

    def put() -> list[StoredMessage]:
        size = sum(len(each.raw) for each in messages)
        simulation.store.account(owner).quota.check(size, len(messages))
        agent = simulation.delivery_agent
        return [
            agent.put(
                owner, each.raw, names.canonical(each.folder), flags=each.flags, received_at=each.received_at
            )
            for each in messages
        ]

    return [Message(portal, stored, owner) for stored in portal.call(put)]


def filed_messages(store: MailStore, owner: Address) -> list[FiledMessage]:
    """The messages of an account, but those in the mailbox of all mail, which are in others as well."""
    account = store.account(owner)
    return [
        FiledMessage(box.name, each.raw, each.flags, each.internal_date, each.saved_at)
        for box in account.mailboxes()
        if not account.is_all_mail(box.name)
        for each in box
    ]


# Reading ------------------------------------------------------------------------------------------


def read_mail(path: Path, folder: str) -> list[FiledMessage]:
    """All messages of an ``.eml`` file, an mbox, a Maildir, or a folder of ``.eml`` and ``.mbox`` files.

    Those of subfolders are in mailboxes of their names. Raises ``DeclarationError`` for anything else, ``OSError`` for
    what cannot be read.
    """
    if not path.is_dir():
        return _read_file(path, folder)
    if (path / "cur").is_dir() and (path / "new").is_dir():
        return _read_maildir(path, folder)
    found: list[FiledMessage] = []
    files = sorted(each for each in path.rglob("*") if each.suffix in (".eml", ".mbox") and each.is_file())
    if not files:
        raise DeclarationError(
            f"{path} is no Maildir (it has no cur and new), and there is no .eml or .mbox file in it."
        )
    for file in files:
        inside = file.relative_to(path)
        parts = inside.with_suffix("").parts if file.suffix == ".mbox" else inside.parent.parts
        found += _read_file(file, names.SEPARATOR.join(map(unquote, parts)) or folder)
    return found


def _read_file(path: Path, folder: str) -> list[FiledMessage]:
    raw = path.read_bytes()
    if path.suffix == ".eml":
        return [_eml(path, raw, folder)]
    if raw.startswith(b"From ") or (not raw and path.suffix == ".mbox"):
        return list(_read_mbox(path, raw, folder))
    if path.suffix == ".mbox" or starts_with_body(raw):
        raise DeclarationError(f"{path} is no mbox, whose first line begins with 'From ', and no .eml file.")
    return [_eml(path, raw, folder)]


def _eml(path: Path, raw: bytes, folder: str) -> FiledMessage:
    _require_header(path, raw)
    return FiledMessage(folder, with_crlf(raw), received_at=_date_of(raw))


def _date_of(raw: bytes) -> datetime | None:
    """The date of the last Received field, or that of Date."""
    headers = Headers(split_fields(raw, 0, body_offset(raw)))
    return parse_date(headers.get("Received", "").rpartition(";")[2]) or parse_date(headers.get("Date", ""))


def _require_header(path: Path, raw: bytes) -> None:
    if starts_with_body(raw):
        raise DeclarationError(f"{path} has no message: it does not begin with a header field.")


def _read_mbox(path: Path, raw: bytes, folder: str) -> Iterator[FiledMessage]:
    raw = raw.replace(b"\r\n", b"\n")
    # A message begins behind an empty line, and with a header field: other lines with From are text.
    starts = [match for match in _FROM_LINE.finditer(raw) if _begins_message(raw, match)]
    if not starts:
        return
    ends = [match.start() for match in starts[1:]] + [len(raw)]
    for number, (start, end) in enumerate(zip(starts, ends, strict=True), 1):
        text = raw[start.end() : end]
        text = text[:-1] if text.endswith(b"\n\n") else text
        if starts_with_body(text) and text.strip():
            raise DeclarationError(f"{path}: message {number} does not begin with a header field.")
        text = _QUOTED.sub(rb"\1", text)
        head = text[: body_offset(text)]
        fields = [each for each in split_fields(head) if each.name.lower() in _STATUS]
        said = Headers(tuple(fields))
        for field in reversed(fields):
            text = text[: field.start] + text[field.end :].partition(b"\n")[2]
        letters = "".join(said.all("Status") + said.all("X-Status"))
        flags = {flag for letter, flag in _MBOX_FLAGS.items() if letter in letters}
        flags.update(said.get("X-Keywords", "").split())
        yield FiledMessage(
            folder, with_crlf(text), frozenset(flags), _from_line_date(start[0]) or _date_of(text)
        )


def _begins_message(raw: bytes, line: re.Match[bytes]) -> bool:
    if not line.start():
        return True
    head = raw[line.end() : line.end() + 1000]
    return (
        raw.endswith(b"\n\n", 0, line.start()) and not head.startswith(b"\n") and not starts_with_body(head)
    )


def _from_line_date(line: bytes) -> datetime | None:
    words = line.decode("ascii", "replace").split()[2:]
    try:
        parsed = time.strptime(" ".join(words[:5]), _ASCTIME)
    except ValueError:
        return None
    zone = re.fullmatch(r"([+-])(\d\d)(\d\d)", words[5]) if len(words) > 5 else None
    minutes = (int(zone[2]) * 60 + int(zone[3])) * (-1 if zone[1] == "-" else 1) if zone else 0
    return datetime(*parsed[:6], tzinfo=timezone(timedelta(minutes=minutes)))


def _read_maildir(path: Path, folder: str) -> list[FiledMessage]:
    found = _read_maildir_folder(path, folder)
    for each in sorted(path.iterdir()):
        if each.name.startswith(".") and (each / "cur").is_dir():
            levels = each.name[1:].split(".")
            found += _read_maildir_folder(each, names.SEPARATOR.join(map(decode_utf7, levels)))
    return found


def _read_maildir_folder(path: Path, folder: str) -> list[FiledMessage]:
    keywords: dict[str, str] = {}
    if (path / _KEYWORD_FILE).is_file():
        for line in (path / _KEYWORD_FILE).read_text("ascii").splitlines():
            number, _, keyword = line.partition(" ")
            if not number.isdecimal() or not keyword or int(number) > 25:
                raise DeclarationError(f"{path / _KEYWORD_FILE}: {line!r} is no number and keyword.")
            keywords[chr(ord("a") + int(number))] = keyword
    files = [
        each
        for sub in ("cur", "new")
        if (path / sub).is_dir()
        for each in (path / sub).iterdir()
        if each.is_file()
    ]
    found = []
    for file in sorted(files, key=_maildir_order):
        raw = file.read_bytes()
        _require_header(file, raw)
        letters = file.name.rpartition(":2,")[2] if ":2," in file.name and file.parent.name == "cur" else ""
        flags = frozenset(
            flag for letter in letters if (flag := _MAILDIR_FLAGS.get(letter) or keywords.get(letter))
        )
        received = datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
        found.append(FiledMessage(folder, with_crlf(raw), flags, received))
    return found


def _maildir_order(path: Path) -> tuple[int, str]:
    first = path.name.partition(".")[0]
    return int(first) if first.isdecimal() else 0, path.name


# Writing ------------------------------------------------------------------------------------------


def write_mail(path: Path, accounts: Mapping[str, list[FiledMessage]], kind: str) -> list[Path]:
    """Write messages of accounts, by the names of their folders, into a new or empty folder, and return the files.

    Raises ``DeclarationError``, before anything is written, for a folder with something in it, and for names of
    mailboxes that the format has no place for.
    """
    writer = _WRITERS.get(kind)
    if writer is None:
        raise DeclarationError(f"there is no format {kind!r}; {nearest(kind, _WRITERS)}")
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise DeclarationError(
            f"{path} is there already; mail is exported into a new folder, or an empty one."
        )
    if kind == "maildir":
        for message in (each for messages in accounts.values() for each in messages):
            if "." in message.folder:
                raise DeclarationError(
                    f"the mailbox {message.folder!r} has no place in a Maildir, where dots divide levels."
                )
    written = []
    for name, messages in accounts.items():
        folders: dict[str, list[FiledMessage]] = {INBOX: []}
        for message in messages:
            folders.setdefault(message.folder, []).append(message)
        written += writer(path / safe_name(name) if name else path, folders)
    return written


def safe_name(name: str) -> str:
    """A name of a file or folder, with what it cannot have percent-encoded."""
    return _UNSAFE.sub(lambda match: f"%{ord(match[0]):02X}", name)


def _place(path: Path, folder: str) -> Path:
    return path.joinpath(*map(safe_name, folder.split(names.SEPARATOR)))


def _write_eml(path: Path, folders: Mapping[str, list[FiledMessage]]) -> list[Path]:
    written = []
    for folder, messages in folders.items():
        place = _place(path, folder)
        place.mkdir(parents=True, exist_ok=True)
        for number, message in enumerate(messages, 1):
            written.append(place / f"{number:06}.eml")
            written[-1].write_bytes(message.raw)
    return written


def _write_mbox(path: Path, folders: Mapping[str, list[FiledMessage]]) -> list[Path]:
    written = []
    for folder, messages in folders.items():
        place = _place(path, folder)
        place = place.with_name(f"{place.name}.mbox")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"".join(map(_mbox_message, messages)))
        written.append(place)
    return written


def _mbox_message(message: FiledMessage) -> bytes:
    moment = (message.received_at or datetime.fromtimestamp(0, UTC)).astimezone(UTC)
    letters = "".join(letter for letter, flag in _MBOX_FLAGS.items() if flag in message.flags)
    keywords = sorted(flag for flag in message.flags if flag not in _MBOX_FLAGS.values())
    fields = f"Status: {'R' if 'R' in letters else ''}O\n"
    fields += f"X-Status: {letters.replace('R', '')}\n" if letters.replace("R", "") else ""
    fields += f"X-Keywords: {' '.join(keywords)}\n" if keywords else ""
    raw = message.raw.replace(b"\r\n", b"\n")
    if starts_with_mailbox_line(raw):
        raw = raw.partition(b"\n")[2]
    text = _TO_QUOTE.sub(rb">\1", fields.encode() + (b"\n" if starts_with_body(raw) else b"") + raw)
    end = b"\n" if text.endswith(b"\n") else b"\n\n"
    return f"From MAILER-DAEMON {moment.strftime(_ASCTIME)}\n".encode() + text + end


def _write_maildir(path: Path, folders: Mapping[str, list[FiledMessage]]) -> list[Path]:
    written = []
    for folder, messages in folders.items():
        levels = folder.split(names.SEPARATOR)
        place = path if folder == INBOX else path / ("." + ".".join(map(encode_utf7, levels)))
        for sub in ("cur", "new", "tmp"):
            (place / sub).mkdir(parents=True)
        if place != path:
            (place / "maildirfolder").touch()
        kept = {flag for message in messages for flag in message.flags} - {*_MAILDIR_FLAGS.values()}
        keywords = sorted(kept)[:26]
        if keywords:
            lines = [f"{number} {keyword}\n" for number, keyword in enumerate(keywords)]
            (place / _KEYWORD_FILE).write_text("".join(lines), "ascii")
        letters = [*_MAILDIR_FLAGS.items(), *((chr(ord("a") + n), each) for n, each in enumerate(keywords))]
        for number, message in enumerate(messages, 1):
            saved = int(message.saved_at.timestamp()) if message.saved_at is not None else 0
            flags = "".join(letter for letter, flag in letters if flag in message.flags)
            file = place / "cur" / f"{saved}.M{number:06}.fakemail:2,{flags}"
            file.write_bytes(message.raw.replace(b"\r\n", b"\n"))
            if message.received_at is not None:
                os.utime(file, (message.received_at.timestamp(),) * 2)
            written.append(file)
    return written


_WRITERS: Final[Mapping[str, Callable[[Path, Mapping[str, list[FiledMessage]]], list[Path]]]] = {
    "eml": _write_eml,
    "mbox": _write_mbox,
    "maildir": _write_maildir,
}
