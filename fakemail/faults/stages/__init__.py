"""The rows of :mod:`fakemail.faults.table`, a module for each protocol."""
