"""IMAP commands, one or a close family in a module: fields, grammar, states, capabilities and what each does.

acl         GETACL, SETACL, DELETEACL, LISTRIGHTS, MYRIGHTS
any_state   CAPABILITY, ENABLE, ID, NOOP, CHECK, LOGOUT, UNAUTHENTICATE
append      APPEND, REPLACE
copy        COPY, MOVE
list        LIST, LSUB, XLIST
login       STARTTLS, AUTHENTICATE, LOGIN
mailboxes   CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, NAMESPACE
metadata    GETMETADATA, SETMETADATA
notify      NOTIFY, IDLE
quota       GETQUOTA, GETQUOTAROOT, SETQUOTA
search      SEARCH, ESEARCH
select      SELECT, EXAMINE, CLOSE, UNSELECT
sort        SORT, THREAD

The other modules are named for their one command. :mod:`fakemail.imap.command` is the base of all of them, and
:mod:`fakemail.imap.command_table` has them by name.
"""
