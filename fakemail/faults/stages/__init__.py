"""The rows of :mod:`fakemail.faults.catalogue`, a module for each protocol."""
