"""Quota of an account: limits and usage (RFC 9208)."""

from __future__ import annotations

from fakemail.store.errors import OverQuota

RESOURCES = STORAGE, MESSAGE, MAILBOX = "STORAGE", "MESSAGE", "MAILBOX"


class QuotaRoot:
    """The one quota root of an account. Limits are ``None`` where there is none."""

    __slots__ = ("_byte_limit", "_limits", "mailboxes", "messages", "root", "size")

    def __init__(
        self,
        *,
        storage: int | None = None,
        messages: int | None = None,
        mailboxes: int | None = None,
        root: str = "",
    ) -> None:
        self.root = root
        self.size = 0
        self.messages = 0
        self.mailboxes = 0
        self._limits: dict[str, int] = {}
        self._byte_limit: int | None = None
        self.limit(STORAGE, storage)
        self.limit(MESSAGE, messages)
        self.limit(MAILBOX, mailboxes)

    def limit(self, resource: str, limit: int | None) -> None:
        """Set or lift a limit: ``STORAGE`` in KiB, ``MESSAGE`` and ``MAILBOX`` as a number."""
        if limit is None:
            self._limits.pop(resource, None)
        elif resource in RESOURCES and limit >= 0:
            self._limits[resource] = limit
        else:
            raise ValueError(f"no limit of {resource}: {limit}")
        if resource == STORAGE:
            self._byte_limit = None

    def limit_bytes(self, size: int | None) -> None:
        """Set or lift the limit of STORAGE, to which mail that is delivered is held exactly."""
        self.limit(STORAGE, None if size is None else _kib(size))
        self._byte_limit = size

    def has_room(self, size: int) -> bool:
        """Whether one more message of so many bytes can be delivered."""
        if self._byte_limit is not None and self.size + size > self._byte_limit:
            return False
        try:
            self.check(size=size, messages=1)
        except OverQuota:
            return False
        return True

    @property
    def limits(self) -> dict[str, int]:
        """The limits that are set, by resource."""
        return dict(self._limits)

    def usage(self, resource: str) -> int:
        """Usage of a resource, in its unit; a begun KiB counts (RFC 9208 §5.1)."""
        if resource == STORAGE:
            return _kib(self.size)
        return self.messages if resource == MESSAGE else self.mailboxes

    def check(self, size: int = 0, messages: int = 0, mailboxes: int = 0) -> None:
        """Raise :class:`OverQuota` if so much more would be too much."""
        if not self._limits:
            return
        wanted = (
            (STORAGE, size, _kib(self.size + size)),
            (MESSAGE, messages, self.messages + messages),
            (MAILBOX, mailboxes, self.mailboxes + mailboxes),
        )
        for resource, more, usage in wanted:
            limit = self._limits.get(resource)
            if limit is not None and more > 0 and usage > limit:
                raise OverQuota(resource, usage=usage, limit=limit)

    def add(self, size: int, messages: int) -> None:
        """Count messages that came, or, with negative numbers, went."""
        self.size += size
        self.messages += messages


def _kib(size: int) -> int:
    return -(-size // 1024)
