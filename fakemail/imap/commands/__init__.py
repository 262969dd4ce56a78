"""What each command does, one command or one small family in a file.

A handler takes the session and the parsed command and returns how it ended. When a command is legal is told in
:mod:`fakemail.imap.states`; nothing here parses a command or knows a socket.
"""
