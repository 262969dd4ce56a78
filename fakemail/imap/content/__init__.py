"""From the bytes of a message to what IMAP says about it: envelopes, body structures, sections, previews,
and search, sort and thread over many messages.

Pure functions and values. Nothing here knows a mailbox, a session or how a command is written.
"""
