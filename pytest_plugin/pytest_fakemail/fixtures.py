"""The fixtures. Loaded in every pytest run, so what they need is imported inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fakemail import AsyncMailNet, MailNet
    from pytest_fakemail.world_factory import WorldFactory


@pytest.fixture
def _mailnet_world(request: pytest.FixtureRequest) -> Iterator[MailNet]:
    """The fake internet of a test, whichever faces of it the test and its fixtures ask for."""
    # Starting and stopping are quick and need no loop of the test's, so that this works under every
    # async plugin and depends on none.
    __tracebackhide__ = True
    from fakemail import MailNet
    from pytest_fakemail.strictness import lint_own
    from pytest_fakemail.world_factory import conclude, open_own

    net = open_own(MailNet, request.node)
    try:
        yield net
        lint_own(request.node, net)
    finally:
        conclude(request.node, net)
        net.close()


@pytest.fixture
def mailnet(_mailnet_world: MailNet) -> MailNet:
    """A fake internet of the test's own (fakemail.MailNet), new and empty. Mark: mailnet(...)."""
    return _mailnet_world


@pytest.fixture
def async_mailnet(_mailnet_world: MailNet) -> AsyncMailNet:
    """The same one with waits to be awaited, under asyncio or trio (fakemail.AsyncMailNet)."""
    return _mailnet_world.as_async()


@pytest.fixture(scope="session")
def mailnet_factory(request: pytest.FixtureRequest) -> Iterator[WorldFactory[MailNet]]:
    """A maker of fake internets that live longer than a test: mailnet_factory(timeout=..., accounts=[...], ...)."""
    __tracebackhide__ = True
    from fakemail import MailNet
    from pytest_fakemail.world_factory import WorldFactory

    with WorldFactory(request.config, MailNet, "mailnet_factory") as factory:
        yield factory


@pytest.fixture(scope="session")
def async_mailnet_factory(request: pytest.FixtureRequest) -> Iterator[WorldFactory[AsyncMailNet]]:
    """The same for fakemail.AsyncMailNet: a call needs no await; its worlds are closed, or used in 'async with'."""
    __tracebackhide__ = True
    from fakemail import AsyncMailNet
    from pytest_fakemail.world_factory import WorldFactory

    with WorldFactory(request.config, AsyncMailNet, "async_mailnet_factory") as factory:
        yield factory
