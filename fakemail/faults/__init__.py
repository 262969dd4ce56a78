"""What goes wrong, as data: who it concerns, at which stage, when, and what happens then.

A rule (:mod:`~fakemail.faults.rule`) is put together from facts to match (:mod:`~fakemail.faults.facts`), a choice
of moments (:mod:`~fakemail.faults.when`) and an action (:mod:`fakemail.faults.actions`). The book of a host
(:mod:`~fakemail.faults.book`) decides, the register of the internet (:mod:`~fakemail.faults.register`) tells each
book what is in force, and :mod:`~fakemail.faults.table` says what is possible where.

Nothing here does any of it: sessions and shells ask the book and act. What must be done with octets and time is a
script (:mod:`~fakemail.faults.steps`) that a session hands to its connection.
"""
