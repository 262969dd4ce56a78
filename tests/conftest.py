"""What all tests share: pytest's own tool for the tests of plugins, and the habits of property tests."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile

# Loaded before any test: pytester gives the modules back as they were before its runs, and of a library
# that is loaded twice, objects of the one are no objects of the other.
import cryptography.x509  # noqa: F401
import pytest
import trustme  # noqa: F401
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# What a sandbox keeps for its user is none of the user's who runs the tests. Workers have it from the first process.
if "FAKEMAIL_TEST_STATE" not in os.environ:
    os.environ["FAKEMAIL_TEST_STATE"] = os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(
        prefix="fakemail-tests-"
    )
    atexit.register(shutil.rmtree, os.environ["FAKEMAIL_TEST_STATE"], ignore_errors=True)

# A deadline for each example is a timing assertion: it fails where the machine is busy, and says
# nothing about the code. A failing example is printed in a form that can be pasted.
settings.register_profile(
    "fakemail", max_examples=60, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("fakemail")


@pytest.fixture(scope="session", autouse=True)
def bytecode_of_children() -> None:
    """Tests start many interpreters. Where none may write bytecode, those share a directory that goes with the run.

    Otherwise each would compile everything again, and pytest in them rewrite all of the package. The
    processes that run the tests themselves are left as they are.
    """
    if sys.dont_write_bytecode:
        os.environ.setdefault(
            "PYTHONPYCACHEPREFIX", os.path.join(os.environ["FAKEMAIL_TEST_STATE"], "bytecode")
        )
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
