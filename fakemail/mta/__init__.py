"""The mail transfer agents of the fake internet: what they accept, what they send, what they report.

No event loop and no sockets; what waits for the network is a coroutine over objects that the runtime brings.
"""
