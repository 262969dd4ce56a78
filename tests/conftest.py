"""What all tests share: pytest's own tool for the tests of plugins, and the habits of property tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# A deadline for each example is a timing assertion: it fails where the machine is busy, and says
# nothing about the code. A failing example is printed in a form that can be pasted.
settings.register_profile("fakemail", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fakemail")
