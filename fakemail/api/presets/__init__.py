"""Faults by plain names, a module for each protocol. Each is one line of the general form, :meth:`Faults.add`."""
