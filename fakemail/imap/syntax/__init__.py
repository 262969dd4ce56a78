"""The syntax of IMAP: framing of what a client sends, command values, their parser, and printing of responses.

Here lives everything about how commands and responses are *written*. Nothing here knows a mailbox, a
message or the state of a session.
"""
