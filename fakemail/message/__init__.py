"""Message bytes as received, and everything that is read from them.

Raw bytes are the truth: nothing in here changes or writes out again a message that was received.
Pure and lazy; no storage, no network, no clock.
"""
