"""Why a store refuses, one type for each reason. Which response code fits is for the protocol to say.

StoreError
├── NoSuchMailbox
├── MailboxExists
├── InvalidName              no name of a mailbox, or of an annotation
├── NotAllowed               INBOX cannot be deleted, a mailbox cannot move below itself
├── HasChildren              only children keep the name alive; there is no mailbox to delete
├── NoSuchSubscription
├── SpecialUseRefused        a use that the account does not know, or that is taken
├── OverQuota
├── LimitReached             too many of something
└── AnnotationTooLarge
"""

from __future__ import annotations

from fakemail.errors import FakemailError


class StoreError(FakemailError):
    """The store refused, and nothing was changed."""


class NamedError(StoreError):
    """A refusal that is about one name."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class NoSuchMailbox(NamedError):
    """No mailbox of that name is there."""

    def __init__(self, name: str) -> None:
        super().__init__(name, f"there is no mailbox {name!r}.")


class MailboxExists(NamedError):
    """A mailbox of that name is there already."""

    def __init__(self, name: str) -> None:
        super().__init__(name, f"the mailbox {name!r} exists already.")


class InvalidName(NamedError):
    """The text cannot be a name; the message says why."""


class NotAllowed(NamedError):
    """The mailbox is there, but this cannot be done to it."""


class HasChildren(NamedError):
    """The name has no mailbox of its own, only children (``\\NonExistent``)."""

    def __init__(self, name: str) -> None:
        super().__init__(name, f"{name!r} is no mailbox, and has children.")


class NoSuchSubscription(NamedError):
    """The name was not subscribed."""

    def __init__(self, name: str) -> None:
        super().__init__(name, f"{name!r} is not subscribed.")


class SpecialUseRefused(NamedError):
    """The account knows no such special use, or another mailbox has it (RFC 6154 §3)."""


class OverQuota(StoreError):
    """The change would go over a limit of the quota root (RFC 9208 §5).

    ``usage`` and ``limit`` are in the unit of the resource: KiB for ``STORAGE``, otherwise a number.
    """

    def __init__(self, resource: str, *, usage: int, limit: int) -> None:
        super().__init__(f"quota of {resource}: {usage} would be used of {limit}.")
        self.resource = resource
        self.usage = usage
        self.limit = limit


class LimitReached(StoreError):
    """One more of ``what`` is too many."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"there may be at most {limit} {what}.")
        self.what = what
        self.limit = limit


class AnnotationTooLarge(NamedError):
    """The value of an annotation is longer than ``limit`` bytes (RFC 5464 §4.3)."""

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(name, f"the value of {name} is longer than {limit} octets.")
        self.limit = limit
