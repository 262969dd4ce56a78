"""Ends the run of an app that hangs: cuts its connections, and then stops the code itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fakemail.api.stopping import Stopper

if TYPE_CHECKING:
    from fakemail.api.mailnet import AnyNet

_LOOKS: Final = 4
"""How often it looks in the time of its patience."""
_LONGEST: Final = 10 * _LOOKS
"""So many looks longer than the run without faults may a run take, whatever happens in it."""


class Watchdog:
    """Looks whether anything happens in a fake internet. The run without faults is watched only, and shows what is
    usual: a run with a fault may be silent longer than that one, but not by more than the patience."""

    def __init__(self, net: AnyNet, patience: float, *, usual: Watchdog | None) -> None:
        self.told = ""
        """What it did, in words; empty if it had nothing to do."""
        self._net, self._patience = net, patience
        self._internet = net.internet
        self._seen = -1
        self._silence = self._longest_silence = self._looks = 0
        self._may_be_silent = _LOOKS + (0 if usual is None else usual._longest_silence)
        self._may_last = None if usual is None else usual._looks + _LONGEST
        self._stopper = Stopper()
        self._is_on = True
        self._stopper.begin()
        net.call(self._look)

    def stop(self) -> None:
        """The run is over; it may be said again."""
        if not self._is_on:
            return
        self._is_on = False
        self._stopper.end()
        if self._stopper.place and self.told.endswith("stopped"):
            self.told += f" in {self._stopper.place}"

    def _look(self) -> None:
        if not self._is_on:
            return
        events = len(self._internet.log)
        self._looks += 1
        self._silence = self._silence + 1 if events == self._seen else 0
        self._longest_silence = max(self._longest_silence, self._silence)
        self._seen = events
        if self._may_last is not None:
            self._bite(self._may_last)
        self._net.thread.loop.call_later(self._patience / _LOOKS, self._look)

    def _bite(self, may_last: int) -> None:
        if self._looks > may_last:
            self._may_last = self._looks + _LOOKS  # again, if need be
            self._end("it went on and on, until it was stopped")
        elif self._silence >= self._may_be_silent:
            self._silence = 0
            if self._cut():
                self.told = "nothing happened any more, until the connection was cut"
            else:
                self._end("nothing happened any more, until it was stopped")

    def _cut(self) -> bool:
        """Cut the app's connections, if it has any."""
        found = [
            connection
            for running in list(self._internet.hosts.values())
            for connection in tuple(running.connections)
            if connection.peer.is_app
        ]
        for connection in found:
            connection.abort()
        return bool(found)

    def _end(self, told: str) -> None:
        if self._stopper.stop():
            self.told = told
