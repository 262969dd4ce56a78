"""The words that every layer shares: addresses, replies, stages, reasons, verdicts, durations, seeded ids.

Values only. Nothing here knows a protocol's state, a socket, a file or the time.
"""
