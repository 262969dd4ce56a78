"""What is left of a fake internet when it is closed: handles that can be printed, and nobody who still waits."""

from __future__ import annotations

import asyncio
import inspect
import os
import smtplib
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
import trio

import fakemail
from fakemail import AsyncMailNet, ClosedError, MailNet, Stage, hours
from namespaces import require_namespaces

_MESSAGE = "From: bob@example.org\nTo: eve@example.net\nSubject: Hi\n\nText.\n"
# Real seconds. Nobody waits that long here, or the limit of the test says so.
_LONG = 500.0


# Printing -----------------------------------------------------------------------------------------


def _handles(net: MailNet) -> list[Any]:
    """One of each kind."""
    bob = net.account("bob@example.org")
    bob.inbox.put(_MESSAGE)
    friends = net.mailing_list("friends@example.org", members=[bob])
    host = net.find_host("mx1.example.org")
    net.queue.hold()
    with smtplib.SMTP(bob.submission.host, bob.submission.port) as client:
        client.starttls(context=bob.submission.ssl_context)
        client.login(bob.address, bob.password)
        client.sendmail(bob.address, ["eve@example.net"], _MESSAGE.replace("\n", "\r\n"))
    return [
        *(net, net.clock, net.dns, net.dns.faults, net.faults, net.queue, net.queue.one()),
        *(bob, bob.inbox, bob.folder("Sent"), bob.faults, bob.inbox[0], bob.inbox[0].headers, bob.submission),
        *(bob.domain, bob.domain.faults, bob.domain.dkim_key(), net.dns.blocklist("zen.example")),
        *(friends, friends.bounces, host, host.faults, host.faults.drop(Stage.SMTP_RCPT)),
        *(net.journeys(), net.events(), net.dns.queries(), net.redirect()),
    ]


def test_every_handle_can_be_printed_when_it_has_ended() -> None:
    with MailNet() as net:
        handles = _handles(net)
        running = [repr(each) for each in handles]
    ended = [repr(each) for each in handles]
    assert "<INBOX of bob@example.org: 1 messages>" in running
    for name in (
        *("INBOX of bob@example.org", "Clock", "Queue", "Dns", "Host mx1.example.org", "MailNet"),
        *("MailingList friends@example.org", "Faults of mx1.example.org", "Faults of the name server"),
    ):
        assert f"<{name}, not running>" in ended
    for each in (
        *("<Account bob@example.org>", "<Faults of bob@example.org>"),
        *("<Domain example.org>", "<Blocklist zen.example>"),
    ):
        assert each in running
        assert each in ended


def test_authentication_that_was_looked_at_can_be_printed_when_it_has_ended() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        with smtplib.SMTP(net.mx("example.org").host, net.mx("example.org").port) as client:
            client.sendmail("a@example.net", [bob.address], _MESSAGE.replace("\n", "\r\n"))
        auth = bob.inbox.wait_for_one().auth
    assert repr(auth) == "<auth spf=none dkim=none dmarc=fail>"


def test_a_forked_child_can_print_handles() -> None:
    with MailNet() as net:
        handles = _handles(net)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            said = "\n".join(map(repr, handles))
            os.write(writer, said.encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as file:
            said = file.read()
        assert os.waitpid(child, 0)[1] == 0
    assert "<Faults of mx1.example.org, not running>" in said


# Truth --------------------------------------------------------------------------------------------


def test_collections_are_true_by_their_length() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        assert not bob.inbox
        assert not bob.folder("Sent")
        assert not net.queue
        assert not net.faults
        assert not bob.domain.faults
        assert not net.dns.faults
        assert not net.journeys()
        assert not net.dns.queries()
        bob.inbox.put(_MESSAGE)
        net.faults.drop(Stage.SMTP_RCPT)
        bob.domain.faults.drop(Stage.SMTP_RCPT)
        net.dns.faults.servfail()
        assert bob.inbox
        assert not bob.folder("Sent")
        assert [len(each) for each in (net.faults, bob.domain.faults, net.dns.faults)] == [1, 1, 1]
        assert [fault.fired for fault in net.faults] == [0]
        net.faults.clear()
        assert not net.faults
        assert bob.inbox[0].headers
        assert not bob.inbox[0].attachments


def test_whatever_can_be_iterated_has_a_length_which_is_its_truth() -> None:
    """For every class of ours, the public ones and those that they hand out."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "fakemail"]
    classes = {
        kind
        for module in modules
        if isinstance(module, types.ModuleType)
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and kind.__module__.startswith(("fakemail.api", "fakemail.policy", "fakemail.message"))
    }
    classes |= {
        getattr(fakemail, name) for name in fakemail.__all__ if inspect.isclass(getattr(fakemail, name))
    }
    iterable = [kind for kind in classes if hasattr(kind, "__iter__") and not hasattr(kind, "__members__")]
    assert fakemail.Inbox in iterable
    assert [kind for kind in iterable if not hasattr(kind, "__len__") or hasattr(kind, "__bool__")] == []


# Waking -------------------------------------------------------------------------------------------


def _is_waited_in(net: MailNet | AsyncMailNet) -> bool:
    return net._portal.call(lambda: bool(net._portal.simulation.quiescence.on_stop))


def _in_thread(work: Callable[[], Any]) -> Future[Any]:
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


@pytest.fixture
def stalled() -> Iterator[MailNet]:
    """A fake internet that does not become quiet: a client is in the middle of a message. Not closed here."""
    net = MailNet(timeout=_LONG).start()
    net.account("bob@example.org")
    settings = net.mx("example.org")
    client = smtplib.SMTP(settings.host, settings.port)
    client.ehlo()
    client.mail("a@example.net")
    yield net
    client.close()
    net.close()


_WAITS: dict[str, Callable[[MailNet], Any]] = {
    "wait_for_one": lambda net: net.account("bob@example.org").inbox.wait_for_one(timeout=_LONG),
    "wait_for": lambda net: net.account("bob@example.org").inbox.wait_for_count(2, timeout=_LONG),
    "account": lambda net: net.account("bob@example.org").wait_for(Stage.IMAP_IDLE, timeout=_LONG),
    "event": lambda net: net.wait_for(Stage.SMTP_RCPT, timeout=_LONG),
    "settle": lambda net: net.settle(timeout=_LONG),
    "advance": lambda net: net.clock.advance(hours(1)),
}


@pytest.mark.parametrize("wait", _WAITS)
def test_closing_wakes_a_thread_that_waits(stalled: MailNet, wait: str) -> None:
    waiting = _in_thread(lambda: _WAITS[wait](stalled))
    while not _is_waited_in(stalled):
        os.sched_yield()
    stalled.close()
    with pytest.raises(ClosedError, match="closed while something waited in it"):
        waiting.result(timeout=_LONG)


def test_closing_wakes_all_threads_of_a_queue_for_the_clock(stalled: MailNet) -> None:
    waiting = [_in_thread(lambda: stalled.clock.advance(hours(1))) for _ in range(3)]
    while not _is_waited_in(stalled):
        os.sched_yield()
    stalled.close()
    for each in waiting:
        with pytest.raises(ClosedError):
            each.result(timeout=_LONG)


def test_a_wait_that_begins_while_it_closes_ends_at_once() -> None:
    net = MailNet(timeout=_LONG).start()
    bob = net.account("bob@example.org")
    portal, simulation = net._portal, net._portal.simulation
    net.close()

    portal.running = simulation  # as a thread has it that asked a moment before
    with pytest.raises(ClosedError):
        portal.watch(lambda: None, stages=None, timeout=_LONG).result(timeout=_LONG)
    portal.running = None
    with pytest.raises(ClosedError, match="not running"):
        bob.inbox.wait_for_one()


def test_closing_ends_a_command_and_says_why() -> None:
    require_namespaces()
    net = MailNet().start()
    net.account("bob@example.org")
    namespace = net.namespace()
    waiting = _in_thread(lambda: namespace.run(["sleep", "500"]))
    while not namespace._inside.namespace.processes():
        os.sched_yield()
    net.close()
    with pytest.raises(ClosedError, match="namespace has been closed"):
        waiting.result(timeout=_LONG)


def test_closing_wakes_tasks_of_asyncio_and_trio() -> None:
    async def wait() -> None:
        net = AsyncMailNet(timeout=_LONG).start()
        bob = net.account("bob@example.org")

        def close() -> None:
            while not _is_waited_in(net):
                os.sched_yield()
            net.close()

        threading.Thread(target=close, daemon=True).start()
        with pytest.raises(ClosedError, match="closed while something waited in it"):
            await bob.inbox.wait_for_one()

    asyncio.run(wait())
    trio.run(wait)


def test_the_clock_stands_once_it_is_closed(stalled: MailNet) -> None:
    clock = stalled._portal.simulation.clock
    stood = clock.now()
    waiting = _in_thread(lambda: stalled.clock.advance(hours(100)))
    while not _is_waited_in(stalled):
        os.sched_yield()
    stalled.close()
    with pytest.raises(ClosedError):
        waiting.result(timeout=_LONG)
    assert clock.now() == stood
