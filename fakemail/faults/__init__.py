"""Actions of faults, for ``host.faults.add(stage, faults.drop())``.

What is possible at which stage is in [the catalogue of faults](faults.md).
"""

from typing import TYPE_CHECKING

from fakemail.faults.actions import *  # noqa: F403  # one place for each fault
from fakemail.faults.actions import ACTIONS
from fakemail.types.suggestions import suggesting

if not TYPE_CHECKING:  # or every name would seem to be there
    __all__ = sorted(ACTIONS)
    __getattr__ = suggesting(globals())
