"""What all tests share: pytest's own tool for the tests of plugins, and the habits of property tests."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

# Loaded before any test: pytester gives the modules back as they were before its runs, and of a library
# that is loaded twice, objects of the one are no objects of the other.
import cryptography.x509  # noqa: F401
import trustme  # noqa: F401
from hypothesis import HealthCheck, settings

from fakemail.api.preload import load_all

pytest_plugins = ["pytester"]

# What a sandbox keeps for its user is none of the user's who runs the tests. Workers have it from the first process.
if "FAKEMAIL_TEST_STATE" not in os.environ:
    os.environ["FAKEMAIL_TEST_STATE"] = os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(
        prefix="fakemail-tests-"
    )
    atexit.register(shutil.rmtree, os.environ["FAKEMAIL_TEST_STATE"], ignore_errors=True)

# Where no bytecode may stand beside the sources, it stands in a folder of pytest's cache, for the workers, for what
# they start, and for the next run: most of what a worker does before its first test is to compile all of them.
if sys.dont_write_bytecode:
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    sys.dont_write_bytecode = False
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # What tests write into folders of their own is of no use to the next run.
    for folder in Path(sys.pycache_prefix + tempfile.gettempdir()).glob("pytest-of-*"):
        shutil.rmtree(folder, ignore_errors=True)

# Ours as well, which are loaded late elsewhere; here, where their bytecode has its place.
load_all()

# A deadline for each example is a timing assertion: it fails where the machine is busy, and says
# nothing about the code. A failing example is printed in a form that can be pasted.
settings.register_profile(
    "fakemail", max_examples=60, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("fakemail")
