"""Typed events, the log that holds them, and the readers of that log.

Nothing here decides anything, and nothing here knows a socket.
"""
