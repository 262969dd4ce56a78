"""SMTP without sockets: grammar, replies, the table of commands, the receiving session, the sending dialogue.

Bytes go in, bytes and values come out. Who exists, what is stored and what is relayed is decided elsewhere.
"""
