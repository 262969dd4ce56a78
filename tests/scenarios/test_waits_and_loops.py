"""Blocking waits where an event loop is about: refused inside a task, and nowhere else."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import anyio
import pytest
import trio

from fakemail import BlockingCallInLoop, MailNet, Stage, hours

_MESSAGE = "From: a@example.net\nSubject: Hi\n\nText.\n"

_WAITS: dict[str, Callable[[MailNet], Any]] = {
    "wait_for_one": lambda net: net.account("bob@example.org").inbox.wait_for_one(),
    "wait_for": lambda net: net.account("bob@example.org").inbox.wait_for_count(1),
    "account": lambda net: net.account("bob@example.org").wait_for(Stage.IMAP_IDLE),
    "event": lambda net: net.wait_for(Stage.DELIVER),
    "settle": lambda net: net.settle(),
    "clock": lambda net: net.clock.advance(hours(1)),
    "run": lambda net: net.run(["true"]),
    "sweep": lambda net: net.sweep(lambda _: None),
}
_RUNNERS: dict[str, Callable[[Any], Any]] = {
    "asyncio": lambda work: asyncio.run(work()),
    "trio": trio.run,
    "anyio on asyncio": lambda work: anyio.run(work, backend="asyncio"),
    "anyio on trio": lambda work: anyio.run(work, backend="trio"),
}


@pytest.fixture
def net() -> Any:
    with MailNet() as net:
        net.account("bob@example.org").inbox.put(_MESSAGE)
        yield net


def _missing(module: str) -> str:
    return "" if importlib.util.find_spec(module) else f"{module} is not installed"


@pytest.mark.parametrize("runner", _RUNNERS)
@pytest.mark.parametrize("wait", _WAITS)
def test_a_wait_is_refused_inside_a_task(net: MailNet, runner: str, wait: str) -> None:
    async def deep() -> None:
        _WAITS[wait](net)

    async def work() -> None:
        with pytest.raises(BlockingCallInLoop, match="async_mailnet"):
            await deep()

    _RUNNERS[runner](work)


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not for Windows")
def test_a_wait_is_refused_inside_a_task_of_uvloop(net: MailNet) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def work() -> None:
        with pytest.raises(BlockingCallInLoop):
            net.settle()

    loop = uvloop.new_event_loop()
    loop.run_until_complete(work())
    loop.close()


def test_a_wait_is_refused_in_what_a_task_waits_for_in_a_greenlet(net: MailNet) -> None:
    """As SQLAlchemy does: blocking code in a greenlet, for which the task stands still."""
    greenlet = pytest.importorskip("greenlet")

    async def work() -> None:
        with pytest.raises(BlockingCallInLoop):
            greenlet.greenlet(net.settle).switch()

    asyncio.run(work())


@pytest.mark.parametrize("wait", ["wait_for_one", "wait_for", "event", "settle", "clock"])
def test_a_wait_is_fine_where_a_loop_is_only_set(net: MailNet, wait: str) -> None:
    """As Playwright has it: the loop runs in another greenlet, which rests, also in the middle of a task."""
    greenlet = pytest.importorskip("greenlet")
    main = greenlet.getcurrent()
    loop = asyncio.new_event_loop()

    async def work() -> str:
        main.switch()  # the test goes on, and this task is current
        await asyncio.sleep(0)
        loop.call_soon(main.switch)  # and once more, while none is
        await asyncio.sleep(0)
        return "done"

    def run() -> None:
        assert loop.run_until_complete(work()) == "done"

    other = greenlet.greenlet(run)
    for is_current in (True, False):
        other.switch()
        assert asyncio._get_running_loop() is loop
        assert (asyncio.current_task(loop) is not None) is is_current
        _WAITS[wait](net)
    other.switch()
    loop.close()


def test_a_wait_is_fine_in_a_thread_of_an_async_program(net: MailNet) -> None:
    async def work() -> None:
        message = await asyncio.to_thread(net.account("bob@example.org").inbox.wait_for_one)
        assert message.subject == "Hi"

    asyncio.run(work())


_GREEN = """
{patch}
import asyncio, smtplib
from fakemail import MailNet, hours

with MailNet() as net:
    assert asyncio._get_running_loop() is net._portal.thread.loop, "the loop runs in another greenlet of this thread"
    bob = net.account("bob@example.org")
    with smtplib.SMTP(bob.submission.host, bob.submission.port) as client:
        client.starttls(context=bob.submission.ssl_context)
        client.login(bob.address, bob.password)
        client.sendmail(bob.address, ["eve@example.net"], "Subject: Hi\\r\\n\\r\\nText.")
    print(bob.inbox.wait_for_one().delivery_report is not None)
    net.settle()
    net.clock.advance(hours(1))
"""


@pytest.mark.parametrize(
    ("module", "patch"),
    [
        ("gevent", "from gevent import monkey; monkey.patch_all()"),
        ("eventlet", "import eventlet; eventlet.monkey_patch()"),
    ],
)
def test_waits_work_in_a_program_of_green_threads(module: str, patch: str) -> None:
    """In a process of its own, for the standard library is another one afterwards."""
    if why := _missing(module):
        pytest.skip(why)
    done = subprocess.run(
        [sys.executable, "-c", _GREEN.format(patch=patch)], capture_output=True, text=True, timeout=50
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
