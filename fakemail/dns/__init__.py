"""The fake internet's DNS as pure values and functions: names, records, zones, lookup, messages.

Nothing here knows a socket, a thread or the time; the server and the client are in :mod:`fakemail.wire`.
"""
