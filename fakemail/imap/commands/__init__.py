"""IMAP commands, one or a close family in a module: fields, grammar, states, capabilities and what each does.

acl         GETACL, SETACL, DELETEACL, LISTRIGHTS, MYRIGHTS
append      APPEND, REPLACE
capability  CAPABILITY, ENABLE
copy        COPY, MOVE
list        LIST, LSUB, XLIST
login       LOGIN, AUTHENTICATE
logout      LOGOUT, UNAUTHENTICATE
mailboxes   CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, NAMESPACE
metadata    GETMETADATA, SETMETADATA
noop        NOOP, CHECK
quota       GETQUOTA, GETQUOTAROOT, SETQUOTA
search      SEARCH, ESEARCH
select      SELECT, EXAMINE, CLOSE, UNSELECT

The other modules are named for their one command. :mod:`fakemail.imap.command` is the base of all of them, and
:mod:`fakemail.imap.command_table` has them by name.
"""
