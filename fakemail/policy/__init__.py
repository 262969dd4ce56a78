"""Checks of the receiving side: functions from facts to a verdict, and the memory that some of them need.

Nothing here knows a protocol, a socket or the time; the time is among the facts.
"""
