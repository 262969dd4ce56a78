"""Checks of the files that a message carries, in parts and in archives, and of the marks that filters know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fakemail.message.samples import EICAR, GTUBE
from fakemail.model.content_rules import DOCUMENTS
from fakemail.policy.content.archives import CarriedFile
from fakemail.policy.content.content_view import ContentView

# How programs begin: for Windows, for Linux, and for macOS in both orders of bytes.
_PROGRAMS: Final = (b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf")
_HARMLESS_TYPES: Final = ("audio", "image", "text", "video")
# Unicode's marks of direction, which can let "exe.pdf" be read where "fdp.exe" is written.
_DIRECTIONS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


def attachment_extension(matter: ContentView) -> str:
    """Files that a click starts, in archives as well."""
    wrong = [file.path for file in matter.files if _extension(file) in matter.rules.extensions]
    return f"not taken here: {_some(wrong)}" if wrong else ""


def double_extension(matter: ContentView) -> str:
    """Names that pretend to be a document: ``invoice.pdf.exe``, much white space, marks of direction."""
    for file in matter.files:
        *_, before, last = ("", "", *_extensions(file))
        if before in DOCUMENTS and last in matter.rules.extensions:
            return f"{file.path} pretends to be a document"
        if _DIRECTIONS & set(file.name):
            return f"{file.path!a} has marks of direction in its name"
        if "   " in file.name:
            return f"{file.path!r} hides the end of its name behind white space"
    return ""


def disguised_program(matter: ContentView) -> str:
    """Bytes of a program under a type or a name of something else."""
    for part in matter.parts:
        if not part.children and part.type.main in _HARMLESS_TYPES and part.content.startswith(_PROGRAMS):
            return f"a part says {part.content_type} and holds a program"
    for file in matter.files:
        if _extension(file) in DOCUMENTS and file.content.startswith(_PROGRAMS):
            return f"{file.path} is a program"
    return ""


def encrypted_archive(matter: ContentView) -> str:
    """Archives that are encrypted."""
    found = matter.archives.encrypted
    return f"encrypted: {_some(found)}" if found else ""


def archive_bounds(matter: ContentView) -> str:
    """Archives that unpack to too much, list too many files, or hold archives too deep."""
    return matter.archives.excess


def broken_archive(matter: ContentView) -> str:
    """Archives that cannot be unpacked, so that their files are unknown."""
    found = matter.archives.broken
    return f"cannot be unpacked: {_some(found)}" if found else ""


def gtube(matter: ContentView) -> str:
    """The line that makes any message spam, wherever it is."""
    return _marked(matter, GTUBE, "the GTUBE line")


def eicar(matter: ContentView) -> str:
    """The file that every scanner takes for a virus, wherever it is."""
    return _marked(matter, EICAR, "the EICAR test file")


def _marked(matter: ContentView, mark: bytes, called: str) -> str:
    if mark in matter.raw:
        return f"{called} is in the message"
    for file in matter.files:
        if mark in file.content:
            return f"{called} is in {file.path}"
    return ""


def _extension(file: CarriedFile) -> str:
    return ("", *_extensions(file))[-1]


def _extensions(file: CarriedFile) -> list[str]:
    """The extensions of a name in small letters, the last one last; Windows overlooks dots and space at the end."""
    name = file.name.replace("\\", "/").rpartition("/")[2]
    return [each.strip() for each in name.lower().rstrip(". ").split(".")[1:]]


def _some(names: Iterable[str]) -> str:
    every = list(dict.fromkeys(names))
    more = f" and {len(every) - 3} more" if len(every) > 3 else ""
    return ", ".join(repr(name) for name in every[:3]) + more
