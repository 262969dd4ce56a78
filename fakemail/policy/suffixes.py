"""Public Suffix List: the registered part of a domain name. The only user of the package.

The list comes with the package ``publicsuffixlist`` and is read at the first question, which takes some 50 ms.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING

from fakemail.types.domains import a_labels

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


def registered_domain(name: str) -> str:
    """The registered domain of a name: one label more than its public suffix, ``""`` for a public suffix.

    Lower-case, without the final dot. A top-level domain that the list does not have is a public suffix.
    """
    return _registered(a_labels(name))


@lru_cache(maxsize=1024)
def _registered(key: str) -> str:
    found: str | None = _list().privatesuffix(key)
    return found or ""


@lru_cache(maxsize=1)
def _list() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def organization(name: str, *, own_suffixes: Collection[str] = ()) -> str:
    """The organizational domain of a name (RFC 7489 §3.2); a public suffix stands for itself.

    ``own_suffixes`` are public suffixes of a fake internet, which the list does not have.
    """
    key = a_labels(name)
    labels = key.split(".")
    own = frozenset(map(a_labels, own_suffixes))
    for at in range(len(labels)):
        if ".".join(labels[at:]) in own:
            return ".".join(labels[max(at - 1, 0) :])
    return _registered(key) or key
