"""What can happen: one frozen value for each way to fail, grouped by what it is done to.

:mod:`~fakemail.faults.actions.action` has the kinds, the others the actions. None of them does anything by itself.
"""
