"""Looks into zip archives within strict bounds. Nothing is written anywhere, and nothing raises.

Bombs work by promising little and unpacking to much, by holding archives in archives, or by listing a huge
number of files. So the work is bounded by what is read and not by what the archive says of itself.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import field
from typing import Final, NamedTuple

from fakemail.types.dataclass import dataclass

_LOCAL: Final = b"PK\x03\x04"
_EMPTY: Final = b"PK\x05\x06"
# APPNOTE 4.3.12: each file has a header with this mark in the central directory.
_LISTED: Final = b"PK\x01\x02"
# APPNOTE 4.4.4: bit 0 of the flags.
_ENCRYPTED: Final = 0x1
_LARGE: Final = 64 * 1024
"""A file that unpacks to less than this is no bomb, however well it was packed."""


class CarriedFile(NamedTuple):
    """A file that a message carries: in a part, or in an archive."""

    name: str
    """Name in the message or the archive; ``""`` for a part without a name."""
    content: bytes
    """All of it, or what was read before a bound was reached."""
    inside: str = ""
    """The archives it is in: ``outer.zip/inner.zip``."""

    @property
    def path(self) -> str:
        """Path of it, for people."""
        return f"{self.inside}/{self.name}" if self.inside else self.name or "a part without a name"


@dataclass
class ArchiveScan:
    """One look into the archives of a message: what may still be read, and what was found on the way."""

    members_left: int
    octets_left: int
    max_ratio: int
    max_nesting: int
    encrypted: list[str] = field(default_factory=list)
    """Paths of files that are encrypted."""
    broken: list[str] = field(default_factory=list)
    """Paths of archives and files that cannot be unpacked."""
    excess: str = ""
    """Which bound was reached first, in a sentence; empty when everything was read."""

    def is_over(self) -> bool:
        """Whether a bound was reached, so that nothing more is looked into."""
        return bool(self.excess)

    def into(self, file: CarriedFile, depth: int = 0) -> Iterator[CarriedFile]:
        """The files in an archive, and those in archives in it."""
        if not is_zip(file.content) or self.is_over():
            return
        if depth >= self.max_nesting:
            self.excess = f"{file.path} is an archive {depth} archives deep"
            return
        # Counted in the bytes, because the directory itself can be larger than anybody wants to read.
        if file.content.count(_LISTED) > self.members_left:
            self.excess = f"{file.path} lists more files than are looked at"
            return
        try:
            with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
                for info in archive.infolist():
                    if self.is_over():
                        return
                    self.members_left -= 1
                    found = self._member(archive, info, file)
                    if found is not None:
                        yield found
                        yield from self.into(found, depth + 1)
        except Exception:  # whatever zipfile makes of bytes that somebody has chosen: it raises many kinds
            self.broken.append(file.path)

    def _member(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, parent: CarriedFile
    ) -> CarriedFile | None:
        if info.is_dir():
            return None
        inside = parent.path
        file = CarriedFile(info.filename, b"", inside)
        if info.flag_bits & _ENCRYPTED:
            self.encrypted.append(file.path)
            return file
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # Others can demand memory by what they say of themselves.
            self.broken.append(file.path)
            return file
        if info.file_size > max(_LARGE, info.compress_size * self.max_ratio):
            self.excess = f"{file.path} unpacks to more than {self.max_ratio} times its size"
            return file
        if info.file_size > self.octets_left:
            self.excess = f"{file.path} would unpack to {info.file_size} octets, more than are looked at"
            return file
        try:
            with archive.open(info) as member:
                content = member.read(self.octets_left)
        except Exception:  # as above
            self.broken.append(file.path)
            return file
        self.octets_left -= len(content)
        return CarriedFile(info.filename, content, inside)


def is_zip(content: bytes) -> bool:
    """Whether bytes begin as a zip archive does; many kinds of documents are one."""
    return content.startswith((_LOCAL, _EMPTY))
