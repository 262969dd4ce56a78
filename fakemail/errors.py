"""Every exception that fakemail raises, and nothing else.

    FakemailError
    ├── DeclarationError            the described internet cannot be: what, where, nearest valid name
    │   └── UnknownNameError             a name that was never declared
    ├── PortInUse                   a fixed port is taken by another program
    ├── TooManyOpenFiles            the process has no file descriptor left: what for, how many it may have
    ├── NamespaceUnavailable             the system lets nobody make a network namespace: why, and what else there is
    ├── ProtocolError               bytes that break a protocol's grammar (used inside the protocol cores)
    ├── ServerError                 fakemail's own server code failed; a defect of ours, with the cause
    ├── StoreError                  a mailbox refused; it and its kinds are in fakemail.store.errors
    ├── ClosedError                 the fake internet has been closed already
    └── BlockingCallInLoop                   a blocking wait was called where it would stop an event loop

Expectations that fail (``inbox.one()`` with no mail in it) raise :class:`MailAssertionError`, an
``AssertionError``, so that every test runner reports them as failures and not as errors.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FakemailError(Exception):
    """The root: catch this to catch everything fakemail raises except failed expectations."""


class DeclarationError(FakemailError):
    """The described internet cannot exist; the text says what, where, and what would be valid."""


class UnknownNameError(DeclarationError, LookupError):
    """Reference to an undeclared host, domain, account or mailbox."""


class PortInUse(FakemailError):
    """A fixed port could not be bound because another program holds it."""


class TooManyOpenFiles(FakemailError):
    """The process has no file descriptor left for what the text says."""


class NamespaceUnavailable(FakemailError):
    """The system does not let this process make a network of its own; the text says why and what else would serve."""


class ProtocolError(FakemailError):
    """Bytes that a protocol's grammar does not allow."""


class ServerError(FakemailError):
    """A server of the fake internet failed in its own code; ``__cause__`` holds the first error."""


class ClosedError(FakemailError):
    """The fake internet was used after it had been closed."""


class BlockingCallInLoop(FakemailError):
    """A blocking wait was called from inside a running event loop; the text names the async verb."""


class MailAssertionError(AssertionError):
    """Failed expectation about mail; the text says what was found instead."""


_SHOWN = 10


def _close(name: str, names: list[str], limit: int) -> list[str]:
    """The names that look like it in whatever case, or else, of many, have a word in common with it."""
    folded: dict[str, list[str]] = {}
    for each in names:
        folded.setdefault(each.lower(), []).append(each)
    close = difflib.get_close_matches(name.lower(), folded, n=limit, cutoff=0.6)
    if not close and len(names) > _SHOWN:  # a short list is better told whole
        words = {word for word in name.lower().split("_") if len(word) > 2}
        close = [each for each in folded if words & set(each.split("_"))]
    return [each for key in close for each in folded[key]][:limit]


def nearest(name: str, known: Iterable[str], *, limit: int = 3) -> str:
    """Return a sentence that helps with a mistyped name: the closest known ones, or all of a short list."""
    names = sorted(set(known))
    close = _close(name, names, limit)
    if close:
        return "did you mean " + " or ".join(repr(match) for match in close) + "?"
    if not names:
        return "none is declared."
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return f"known: {shown}."
