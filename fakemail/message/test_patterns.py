"""The marks by which filters are tried out: harmless texts that every filter of a kind knows.

They are put together here, so that no scanner takes this file, or a compiled copy of it, for the real thing.
"""

from __future__ import annotations

from typing import Final

GTUBE: Final = b"".join(
    (b"XJS*C4JDBQADN1.NSBN3*2IDNEN*", b"GTUBE-STANDARD-", b"ANTI-UBE-TEST-EMAIL", b"*C.34X")
)
"""The line that makes any message spam (Generic Test for Unsolicited Bulk Email)."""
EICAR: Final = b"".join(
    (b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$", b"EICAR-STANDARD-", b"ANTIVIRUS-TEST-FILE", b"!$H+H*")
)
"""The file that every scanner takes for a virus (EICAR test file), 68 octets."""
