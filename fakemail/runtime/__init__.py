"""One running fake internet: hosts, their ports and connections, the network, the driving of the clock.

Everything is put together in :mod:`fakemail.runtime.simulation`.
"""
