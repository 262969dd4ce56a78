"""``--mailnet-no-escape``: a test that connects to a mail or DNS port off this machine is refused, and fails."""

from __future__ import annotations

from collections.abc import Generator, Iterable

import pytest

from fakemail.intercept.egress_attempts import EgressAttempt, counted
from fakemail.intercept.egress_guard import EgressGuard
from fakemail.model.host import READING, SMTP, SUBMISSION, SUBMISSIONS
from pytest_fakemail.options import config_children

DNS = (53, 853)  # RFC 1035 §4.2, RFC 7858 §3.1
PORTS = frozenset((*DNS, *(service.port for service in (SMTP, SUBMISSION, SUBMISSIONS, *READING))))


class NoEscape:
    """The plugin that is registered where the option is given."""

    def __init__(self, config: pytest.Config) -> None:
        self._guard = EgressGuard(PORTS, children=config_children(config))
        self._guard.install()

    def pytest_unconfigure(self) -> None:
        """The run is over."""
        self._guard.remove()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Programs that tests start are watched; those that run the tests, such as workers of xdist, are not."""
        self._guard.hold.install()
        try:
            return (yield)
        finally:
            self._guard.hold.remove()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        """Fixtures are watched too."""
        result = yield
        self._require_no_escapes()
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """A test that has seen the error, and gone on, fails all the same."""
        result = yield
        self._require_no_escapes()
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """Attempts at the end of a test count as its own."""
        result = yield
        self._require_no_escapes()
        return result

    def _require_no_escapes(self) -> None:
        escapes = list(self._guard.escapes)
        self._guard.escapes.clear()
        if escapes:
            pytest.fail(escape_report(escapes), pytrace=False)


def escape_report(escapes: Iterable[EgressAttempt]) -> str:
    """The text of the failure."""
    return "\n".join(
        [
            "wanted: no connection to a mail or DNS port off this machine (--mailnet-no-escape)",
            "found:  connections that were tried, and refused:",
            *counted(escapes),
            "do:     give the code under test the settings of the fake internet (account.submission, "
            "mailnet.mx(domain)), or redirect it: @pytest.mark.mailnet(redirect=True)",
        ]
    )
