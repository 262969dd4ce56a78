"""Loading early what would be loaded late: in the thread of the test, or before a tool takes late modules away.

pyfakefs replaces the file system for the app of a test. While it does, modules that are imported for the first
time get its replacements for good, and are thrown away at its end; cryptography cannot be loaded twice. So in
processes that have pyfakefs everything is loaded before the first fake internet starts. Others pay nothing.
"""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any, Final

_TOOL: Final = "pyfakefs"
# The command line is a program of its own, and what is in capture is loaded by those who ask for it.
_APART: Final = ("fakemail.__main__", "fakemail.sandbox", "fakemail.intercept")
# What others of ours load when they are called.
_OTHERS: Final = ("dns.asyncresolver", "dns.dnssec", "dns.zonefile", "xml.etree.ElementTree", "zipfile")


def preload() -> None:
    """Load everything, if a test of this process may fake the file system."""
    if _TOOL in sys.modules:
        load_all()


@cache
def preload_reading() -> None:
    """Load IMAP and POP3 in the thread of the test: the first client does not wait for it, nor do other servers."""
    for name in ("fakemail.imap.session", "fakemail.pop3.session"):
        import_module(name)


@cache
def preload_login() -> None:
    """Load the SASL mechanisms in the thread of the test, for the same reason."""
    import_module("fakemail.sasl.mechanisms")


@cache
def load_all() -> None:
    """Load every module of ours that is loaded late, but those that few ask for by name."""
    import fakemail

    with _paused():
        for found in pkgutil.walk_packages(fakemail.__path__, "fakemail."):
            if not found.name.startswith(_APART):
                import_module(found.name)
        for name in _OTHERS:
            import_module(name)
        from fakemail.policy.suffixes import organization

        organization("www.example.co.uk")  # its list is a file


@contextmanager
def _paused() -> Iterator[None]:
    """In the real file system, if a fake one is in force already."""
    finder: Any = next((each for each in sys.meta_path if type(each).__module__.startswith(_TOOL)), None)
    if finder is None:
        yield
        return
    file_system = finder.patcher.fs
    file_system.pause()
    try:
        yield
    finally:
        file_system.resume()
