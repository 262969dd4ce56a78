"""Two IMAP sessions on one mailbox against a naive model: numbers, flags and uids as each client believes them."""

from __future__ import annotations

import re

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fakemail.imap.session import ImapSession
from imap_host import Host, say


class Client:
    """What a client learns: the uid and the flags of each number, by nothing but what the server says."""

    def __init__(self, session: ImapSession) -> None:
        self.session = session
        self.uids: list[int | None] = []
        self.flags: list[frozenset[str] | None] = []
        self.number = 0

    def do(self, command: str) -> tuple[str, list[str]]:
        """Send a command; return the status and the untagged lines, which have been taken in."""
        self.number += 1
        tag = f"t{self.number}"
        lines = say(self.session, f"{tag} {command}").decode().split("\r\n")[:-1]
        assert lines, command
        assert lines[-1].startswith(f"{tag} "), (command, lines)
        may_expunge = not re.match("(FETCH|STORE|SEARCH)", command)
        for line in lines[:-1]:
            assert may_expunge or " EXPUNGE" not in line, (command, lines)
            self.hear(line)
        return lines[-1].split()[1], lines[:-1]

    def hear(self, line: str) -> None:
        if found := re.fullmatch(r"\* (\d+) EXISTS", line):
            more = int(found[1]) - len(self.uids)
            assert more >= 0, "EXISTS never lowers the number"
            self.uids += [None] * more
            self.flags += [None] * more
        elif found := re.fullmatch(r"\* (\d+) EXPUNGE", line):
            place = int(found[1]) - 1
            del self.uids[place], self.flags[place]
        elif found := re.fullmatch(r"\* (\d+) FETCH \((.*)\)", line):
            place = int(found[1]) - 1
            assert 0 <= place < len(self.uids), line
            if uid := re.search(r"UID (\d+)", found[2]):
                assert self.uids[place] in (None, int(uid[1])), line
                self.uids[place] = int(uid[1])
            if flags := re.search(r"FLAGS \((.*?)\)", found[2]):
                self.flags[place] = frozenset(flags[1].split()) - {"\\Recent"}

    def learn(self) -> None:
        """Ask for everything, after which nothing is unknown."""
        self.do("NOOP")
        if self.uids:
            self.do("FETCH 1:* (UID FLAGS)")


FLAGS = st.sampled_from(["\\Seen", "\\Deleted", "\\Flagged", "Work"])
CLIENTS = st.integers(0, 1)


class TwoSessions(RuleBasedStateMachine):
    """What one does, the other learns, and neither is ever wrong about a number."""

    @initialize(condstore=st.booleans(), messages=st.integers(0, 5))
    def begin(self, condstore: bool, messages: int) -> None:
        self.host = Host()
        self.box = self.host.account.inbox
        for _ in range(messages):
            self.box.append(b"Subject: x\r\n\r\n")
        self.clients = [Client(self.host.selected("Trash")) for _ in range(2)]
        for client in self.clients:
            client.do("UNSELECT")
            if condstore:
                client.do("ENABLE CONDSTORE")
            client.do("SELECT INBOX")
        self.model = self.truth()

    def truth(self) -> dict[int, frozenset[str]]:
        """The mailbox as it is: flags by uid."""
        return {message.uid: message.flags for message in self.box}

    @rule()
    def deliver(self) -> None:
        message = self.box.append(b"Subject: new\r\n\r\n")
        self.model[message.uid] = frozenset()

    @rule(who=CLIENTS, flag=FLAGS, sign=st.sampled_from("+-"), silent=st.booleans(), data=st.data())
    def store(self, who: int, flag: str, sign: str, silent: bool, data: st.DataObject) -> None:
        client = self.clients[who]
        if not client.uids:
            return
        place = data.draw(st.integers(0, len(client.uids) - 1))
        uid = client.uids[place]
        suffix = ".SILENT" if silent else ""
        before = client.flags[place]
        status, lines = client.do(f"STORE {place + 1} {sign}FLAGS{suffix} ({flag})")
        if uid is None:
            self.model = self.truth()
            return
        assert (status == "OK") == (uid in self.model)
        if uid in self.model:
            change = frozenset({flag})
            self.model[uid] = self.model[uid] | change if sign == "+" else self.model[uid] - change
            heard = any(line.startswith(f"* {place + 1} FETCH") and "FLAGS" in line for line in lines)
            if not heard and before is not None:
                client.flags[place] = before | change if sign == "+" else before - change

    @rule(who=CLIENTS)
    def expunge(self, who: int) -> None:
        client = self.clients[who]
        client.learn()
        client.do("EXPUNGE")
        self.model = {uid: flags for uid, flags in self.model.items() if "\\Deleted" not in flags}
        assert client.uids == sorted(self.model)

    @rule(who=CLIENTS, data=st.data())
    def fetch(self, who: int, data: st.DataObject) -> None:
        client = self.clients[who]
        if not client.uids:
            return
        place = data.draw(st.integers(0, len(client.uids) - 1))
        expected = client.uids[place]
        status, _ = client.do(f"FETCH {place + 1} (UID FLAGS)")
        uid = client.uids[place]
        assert status == "OK"
        assert uid is not None
        assert expected in (None, uid)
        assert uid not in self.model or client.flags[place] == self.model[uid]

    @rule(who=CLIENTS, flag=FLAGS)
    def search(self, who: int, flag: str) -> None:
        client = self.clients[who]
        before = {uid for uid in client.uids if uid is not None}
        key = f"KEYWORD {flag}" if flag == "Work" else flag[1:]
        _, lines = client.do(f"UID SEARCH {key}")
        (found,) = [line for line in lines if line.startswith("* SEARCH")]
        uids = {int(word) for word in found.split()[2:] if word.isdigit()}
        assert {uid for uid in before & self.model.keys() if flag in self.model[uid]} <= uids
        assert all(flag in self.model[uid] for uid in uids)

    @rule(who=CLIENTS, data=st.data())
    def move(self, who: int, data: st.DataObject) -> None:
        client = self.clients[who]
        client.learn()
        if self.model:
            uid = data.draw(st.sampled_from(sorted(self.model)))
            client.do(f"UID MOVE {uid} Trash")
            del self.model[uid]
            assert client.uids == sorted(self.model)

    @rule(who=CLIENTS)
    def replace(self, who: int) -> None:
        client = self.clients[who]
        client.learn()
        if client.uids:
            old = client.uids[0]
            status, _ = client.do("REPLACE 1 INBOX (\\Draft) {3+}\r\nnew")
            assert status == "OK"
            assert old is not None
            del self.model[old]
            self.model[self.box.uid_next - 1] = frozenset({"\\Draft"})

    @rule(who=CLIENTS)
    def copy_here(self, who: int) -> None:
        client = self.clients[who]
        client.learn()
        before = sorted(self.model)
        if before and len(before) < 20:
            client.do("COPY 1:* INBOX")
            for place, uid in enumerate(before):
                self.model[self.box.uid_next - len(before) + place] = self.model[uid]

    @rule(who=CLIENTS)
    def idle(self, who: int) -> None:
        client = self.clients[who]
        prompt, *news = say(client.session, "idle IDLE").decode().split("\r\n")[:-1]
        assert prompt == "+ idling"
        for line in news:
            client.hear(line)
        assert client.session.poll() == b""
        assert len(client.uids) == len(self.model)
        assert say(client.session, "DONE") == b"idle OK IDLE completed.\r\n"

    @rule(who=CLIENTS)
    def learn(self, who: int) -> None:
        client = self.clients[who]
        client.learn()
        assert client.uids == sorted(self.model)
        assert client.flags == [self.model[uid] for uid in sorted(self.model)]

    @rule(who=CLIENTS)
    def hear_of_flags(self, who: int) -> None:
        client = self.clients[who]
        client.do("NOOP")
        assert len(client.uids) == len(self.model)
        for uid, flags in zip(sorted(self.model), client.flags, strict=True):
            assert flags is None or flags == self.model[uid]

    @invariant()
    def the_mailbox_is_as_the_model(self) -> None:
        if hasattr(self, "model"):
            assert self.truth() == self.model


TestTwoSessions = TwoSessions.TestCase
TestTwoSessions.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
