"""A store against a naive model of one: whatever is done in whatever order, both are the same."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fakemail.store.account import AccountStore
from fakemail.store.errors import StoreError
from fakemail.store.mailbox import (
    Arrived,
    Change,
    Expunged,
    ExpungeHistory,
    FlagsChanged,
    Mailbox,
    MailboxCreated,
    MailboxDeleted,
    MailboxRenamed,
    UidValidityChanged,
)
from fakemail.store.message import FlagAction, NewMessage

FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "work")
flag_sets = st.frozensets(st.sampled_from(FLAGS))
numbers = st.frozensets(st.integers(1, 8), min_size=1, max_size=5)
busy = st.sampled_from(("INBOX", "INBOX", "a", "a", "a/b", "b"))  # where most happens
paths = st.sampled_from(("INBOX", "a", "a/b", "a/b/c", "b", "b/b"))


class Plain:
    """What a mailbox is, in the simplest words: rows of ``[uid, octets, flags, modseq]``."""

    def __init__(self) -> None:
        self.rows: list[list[object]] = []
        self.next = 1
        self.modseq = 1
        self.gone: list[tuple[int, int]] = []  # (modseq, uid)

    def add(self, items: Iterable[tuple[bytes, frozenset[str]]]) -> list[int]:
        items = list(items)
        self.modseq += bool(items)
        for raw, flags in items:
            self.rows.append([self.next, raw, flags, self.modseq])
            self.next += 1
        return [row[0] for row in self.rows[len(self.rows) - len(items) :]]  # type: ignore[misc]

    def chosen(self, uids: Iterable[int]) -> list[list[object]]:
        return [row for row in self.rows if row[0] in set(uids)]

    def expunge(self, uids: Iterable[int]) -> list[int]:
        gone = [row[0] for row in self.chosen(uids)]
        self.modseq += bool(gone)
        self.gone += [(self.modseq, uid) for uid in gone]  # type: ignore[misc]
        self.rows = [row for row in self.rows if row[0] not in gone]
        return gone  # type: ignore[return-value]


class StoreMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.account = AccountStore("bob@example.org", folders={"a": "", "a/b": ""})
        self.model: dict[str, Plain] = {name: Plain() for name in ("INBOX", "a", "a/b")}
        self.mirror: dict[str, dict[int, tuple[bytes, frozenset[str]]]] = {name: {} for name in self.model}
        self.highest: dict[str, int] = {}
        self.validities = {box.uid_validity for box in self.account.mailboxes()}
        self.account.listen(self.replay)

    def replay(self, change: Change) -> None:
        """Keep a mirror by nothing but the changes told."""
        match change:
            case Arrived(box, messages) | FlagsChanged(box, messages):
                assert all(m.modseq == change.modseq for m in messages)
                self.mirror[box.name].update({m.uid: (m.raw, m.flags) for m in messages})
            case Expunged(box, uids):
                for uid in uids:
                    del self.mirror[box.name][uid]
            case UidValidityChanged(box):
                old = self.mirror[box.name]
                self.mirror[box.name] = {new: old[uid] for new, uid in enumerate(sorted(old), 1)}
            case MailboxCreated(_, name):
                assert name not in self.mirror
                self.mirror[name] = {}
            case MailboxDeleted(_, name):
                del self.mirror[name]
            case MailboxRenamed(_, old_name, new_name):
                self.mirror[new_name] = self.mirror.pop(old_name)

    def pick(self, name: str) -> tuple[Mailbox, Plain] | None:
        box = self.account.find(name)
        assert (box is not None) == (name in self.model)
        return None if box is None else (box, self.model[name])

    @rule(name=busy, items=st.lists(st.tuples(st.binary(max_size=3), flag_sets), max_size=4))
    def append(self, name: str, items: list[tuple[bytes, frozenset[str]]]) -> None:
        if found := self.pick(name):
            added = found[0].append_many([NewMessage(raw, flags) for raw, flags in items])
            assert [m.uid for m in added] == found[1].add(items)

    @rule(
        name=busy, uids=numbers, action=st.sampled_from(FlagAction), flags=flag_sets, back=st.integers(-1, 4)
    )
    def store(
        self, name: str, uids: frozenset[int], action: FlagAction, flags: frozenset[str], back: int
    ) -> None:
        if not (found := self.pick(name)):
            return
        box, plain = found
        limit = None if back < 0 else max(plain.modseq - back, 0)
        changed, failed = [], []
        for row in plain.chosen(uids):
            old: frozenset[str] = row[2]  # type: ignore[assignment]
            if limit is not None and row[3] > limit:  # type: ignore[operator]
                failed.append(row[0])
                continue
            new = {FlagAction.ADD: old | flags, FlagAction.REMOVE: old - flags, FlagAction.REPLACE: flags}[
                action
            ]
            if new != old:
                row[2:] = [new, plain.modseq + 1]
                changed.append(row[0])
        plain.modseq += bool(changed)
        result = box.store(uids, action, flags, unchanged_since=limit)
        assert [m.uid for m in result.changed] == changed
        assert result.failed == failed

    @rule(name=busy, uids=numbers)
    def expunge(self, name: str, uids: frozenset[int]) -> None:
        if found := self.pick(name):
            assert found[0].expunge(uids) == found[1].expunge(uids)

    @rule(source=busy, goal=busy, uids=numbers, moves=st.booleans())
    def transfer(self, source: str, goal: str, uids: frozenset[int], moves: bool) -> None:
        here, there = self.pick(source), self.pick(goal)
        if not here or not there:
            return
        rows = here[1].chosen(uids)
        old = [row[0] for row in rows]
        new = there[1].add([(row[1], row[2]) for row in rows])  # type: ignore[misc]
        if moves:
            here[1].expunge(old)  # type: ignore[arg-type]
            pairs = here[0].move_to(there[0], uids)
        else:
            pairs = here[0].copy_to(there[0], uids)
        assert pairs == list(zip(old, new, strict=True))

    @rule(name=busy, uid=st.integers(1, 8), raw=st.binary(max_size=3))
    def replace(self, name: str, uid: int, raw: bytes) -> None:
        if found := self.pick(name):
            box, plain = found
            replaced = box.replace(uid, NewMessage(raw))
            if plain.chosen([uid]):
                assert replaced is not None
                assert [replaced.uid] == plain.add([(raw, frozenset())])
                plain.expunge([uid])
            else:
                assert replaced is None

    @rule(name=paths)
    def renew(self, name: str) -> None:
        if found := self.pick(name):
            self.note_validity(self.account.renew_uid_validity(name))
            plain = found[1]
            plain.modseq += 1
            for uid, row in enumerate(plain.rows, 1):
                row[0], row[3] = uid, plain.modseq
            plain.next, plain.gone = len(plain.rows) + 1, []

    def note_validity(self, validity: int) -> None:
        assert validity not in self.validities
        self.validities.add(validity)

    @rule(name=paths)
    def create(self, name: str) -> None:
        try:
            box = self.account.create(name)
        except StoreError:
            assert name in self.model
        else:
            assert name not in self.model
            self.note_validity(box.uid_validity)
            self.model[name] = Plain()

    @rule(name=paths)
    def delete(self, name: str) -> None:
        try:
            self.account.delete(name)
        except StoreError:
            assert name == "INBOX" or name not in self.model
        else:
            del self.model[name]

    @precondition(lambda self: len(self.model) > 1)
    @rule(old=paths, new=paths)
    def rename(self, old: str, new: str) -> None:
        moving = [name for name in self.model if name == old or name.startswith(old + "/")]
        targets = {name: new + name[len(old) :] for name in moving}
        impossible = (
            not moving
            or new == old
            or new.startswith(old + "/")
            or any(t in self.model and t not in moving for t in (new, *targets.values()))
        )
        if old == "INBOX":
            impossible = new in self.model
        before = {name: self.account.find(name) for name in moving}
        try:
            self.account.rename(old, new)
        except StoreError:
            assert impossible
            return
        assert not impossible
        if old == "INBOX":
            self.model[new] = fresh = Plain()
            inbox = self.model["INBOX"]
            fresh.add([(row[1], row[2]) for row in inbox.rows])  # type: ignore[misc]
            inbox.expunge([row[0] for row in inbox.rows])  # type: ignore[misc]
            self.note_validity(self.account.get(new).uid_validity)
            return
        rest = {name: plain for name, plain in self.model.items() if name not in targets}
        self.model = {**rest, **{target: self.model[name] for name, target in targets.items()}}
        assert all(self.account.find(target) is before[name] for name, target in targets.items())

    @invariant()
    def both_are_the_same(self) -> None:
        boxes = {box.name: box for box in self.account.mailboxes()}
        assert boxes.keys() == self.model.keys() == self.mirror.keys()
        for name, box in boxes.items():
            plain = self.model[name]
            assert [[m.uid, m.raw, m.flags, m.modseq] for m in box] == plain.rows
            assert {m.uid: (m.raw, m.flags) for m in box} == self.mirror[name]
            assert (box.uid_next, box.highest_modseq) == (plain.next, plain.modseq)
            assert box.uids() == [row[0] for row in plain.rows]
            assert box.highest_modseq >= self.highest.get(box.mailbox_id, 1)
            self.highest[box.mailbox_id] = box.highest_modseq

    @invariant()
    def counters_are_what_counting_gives(self) -> None:
        boxes = self.account.mailboxes()
        for box in boxes:
            messages = box.snapshot()
            unseen = [m.uid for m in messages if "\\Seen" not in m.flags]
            deleted = [m for m in messages if "\\Deleted" in m.flags]
            assert box.unseen == len(unseen)
            assert box.first_unseen == next(iter(unseen), None)
            assert (box.deleted, box.deleted_size) == (len(deleted), sum(m.size for m in deleted))
            assert box.size == sum(m.size for m in messages)
        quota = self.account.quota
        assert quota.messages == sum(len(box) for box in boxes)
        assert quota.size == sum(box.size for box in boxes)
        assert quota.mailboxes == len(boxes)

    @invariant()
    def history_is_exact(self) -> None:
        for name, plain in self.model.items():
            box = self.account.get(name)
            for since in {0, plain.modseq // 2, plain.modseq - 1, plain.modseq}:
                assert box.expunged_since(since) == sorted(
                    uid for modseq, uid in plain.gone if modseq > since
                )
                assert [m.uid for m in box.changed_since(since)] == [r[0] for r in plain.rows if r[3] > since]  # type: ignore[operator]


StoreMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestStore = StoreMachine.TestCase


def test_a_history_of_neighbours_is_one_run() -> None:
    history = ExpungeHistory()
    history.add(2, range(1, 100_001))
    assert len(history) == 1
    assert history.since(1) == [(1, 100_000)]
