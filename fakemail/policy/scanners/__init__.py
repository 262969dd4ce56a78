"""Real content scanners, asked over their own protocols: what is sent to each, and what its answer means.

Octets in, values out; the sockets are in :mod:`fakemail.wire.scanning`. One module for each scanner.
"""
