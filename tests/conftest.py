"""What all tests share: pytest's own tool for the tests of plugins, and the habits of property tests."""

from __future__ import annotations

# Loaded before any test: pytester gives the modules back as they were before its runs, and of a library
# that is loaded twice, objects of the one are no objects of the other.
import cryptography.x509  # noqa: F401
import trustme  # noqa: F401
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# A deadline for each example is a timing assertion: it fails where the machine is busy, and says
# nothing about the code. A failing example is printed in a form that can be pasted.
settings.register_profile(
    "fakemail", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("fakemail")
