"""The table of rules: what a client should not do, why a server would mind, and what to do instead.

How each is found is told by the modules beside this one, and by nobody else.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple


class Severity(Enum):
    """Severity of a finding."""

    ERROR = "error"
    """A standard forbids it; servers that go by the book refuse it."""
    WARNING = "warning"
    """Many servers hold it against the client, or it loses mail or secrets when things go wrong."""
    HINT = "hint"
    """It works everywhere, and could be done better."""


class LintRule(NamedTuple):
    """Something that a client should not do."""

    name: str
    severity: Severity
    what: str
    """Act of the client, as the end of a sentence."""
    why: str
    """Why a server would mind."""
    source: str
    """Source of the rule."""
    fix: str
    """Remedy."""


_E, _W, _H = Severity.ERROR, Severity.WARNING, Severity.HINT

_ROWS: Final = (
    # The connection
    LintRule(
        "early_talker",
        _E,
        "spoke before the server had",
        "who does not wait for the banner is taken for a spam sender, and refused by postscreen and its like",
        "RFC 5321 §4.3.1",
        "read the banner before the first command",
    ),
    LintRule(
        "no_quit",
        _W,
        "closed the connection without QUIT",
        "the server cannot tell the end of a session from a broken line; a POP3 server removes nothing then",
        "RFC 5321 §4.1.1.10, RFC 1939 §6",
        "send QUIT and wait for its reply; 'with smtplib.SMTP(...)' does so",
    ),
    LintRule(
        "no_logout",
        _H,
        "closed the connection without LOGOUT",
        "the server cannot tell the end of a session from a broken line, and may keep it open for a while",
        "RFC 9051 §6.1.3",
        "send LOGOUT; 'with imaplib.IMAP4(...)' does so",
    ),
    LintRule(
        "connection_per_recipient",
        _H,
        "sent the same message over a connection of its own for each recipient",
        "connections cost a server more than recipients do, and many limit their number",
        "RFC 5321 §4.5.4.1",
        "send one message with several RCPT, or several messages over one connection",
    ),
    # TLS and secrets
    LintRule(
        "no_tls",
        _W,
        "sent a message in clear text although STARTTLS was offered",
        "everybody on the way can read it, and large receivers want TLS",
        "RFC 3207 §4, RFC 8314 §3",
        "send STARTTLS when the reply to EHLO has it",
    ),
    LintRule(
        "old_tls",
        _E,
        "used a version of TLS that is out of use",
        "SSL, TLS 1.0 and TLS 1.1 must not be used; most servers no longer speak them",
        "RFC 8996 §2",
        "allow TLS 1.2 and 1.3 only, as ssl.create_default_context() does",
    ),
    LintRule(
        "auth_before_tls",
        _E,
        "sent AUTH in clear text although STARTTLS was offered",
        "whoever listens has the password, and servers refuse it with 530 or 538",
        "RFC 4954 §4, RFC 8314 §3.3",
        "send STARTTLS first, or use the port for implicit TLS (465)",
    ),
    LintRule(
        "password_in_clear",
        _E,
        "sent a password or a token in clear text",
        "whoever listens has it, and servers that care refuse it",
        "RFC 4954 §4, RFC 9051 §6.2.3, RFC 8314 §3",
        "log in over TLS only",
    ),
    # Greeting
    LintRule(
        "helo_instead_of_ehlo",
        _W,
        "said HELO without trying EHLO",
        "nothing can be negotiated then: no TLS, no AUTH, no SIZE",
        "RFC 5321 §4.1.1.1",
        "say EHLO, and HELO only after EHLO was refused",
    ),
    LintRule(
        "helo_bare_address",
        _E,
        "greeted with an IP address that has no brackets",
        "an address stands in brackets; many servers refuse one that does not",
        "RFC 5321 §4.1.3",
        "say the full host name, or [192.0.2.1]",
    ),
    LintRule(
        "helo_localhost",
        _H,  # it judges the machine, whose name most programs take, rather than the app
        "greeted as localhost",
        "that is the name of every machine; many servers refuse it or count it for spam",
        "RFC 5321 §2.3.5",
        "say the full host name: smtplib.SMTP(..., local_hostname='app.example.org')",
    ),
    LintRule(
        "helo_unqualified",
        _H,  # it judges the machine, whose name most programs take, rather than the app
        "greeted with a name that has no domain",
        "a name without a dot cannot be looked up; Postfix has a rule to refuse it",
        "RFC 5321 §2.3.5",
        "say the full host name: smtplib.SMTP(..., local_hostname='app.example.org')",
    ),
    LintRule(
        "helo_malformed",
        _E,
        "greeted with what is neither a domain nor an address literal",
        "the argument of EHLO has a grammar, and an underscore is not in it",
        "RFC 5321 §4.1.1.1",
        "say the full host name, or [192.0.2.1]",
    ),
    # Commands
    LintRule(
        "bare_line_end",
        _E,
        "ended a line with a bare CR or LF",
        "servers differ in what they take for the end of a message, which lets mail be smuggled; many refuse it",
        "RFC 5321 §2.3.8",
        "end each line with CRLF; give bytes with CRLF to smtplib, or use send_message()",
    ),
    LintRule(
        "line_too_long",
        _E,
        "sent a line that is too long",
        "a command line has 512 octets, one of a message 1000; servers cut, fold or refuse the rest",
        "RFC 5321 §4.5.3.1",
        "encode the text (quoted-printable or base64), as email.message does",
    ),
    LintRule(
        "pipelining_not_offered",
        _E,
        "sent a command before the reply to the one before, and PIPELINING was not offered",
        "a server may throw away what comes too early, and some end the session",
        "RFC 2920 §3.1",
        "wait for each reply unless the reply to EHLO has PIPELINING",
    ),
    LintRule(
        "pipelining_past_barrier",
        _E,
        "sent something behind a command that must be the last of its group",
        "EHLO, DATA, AUTH, STARTTLS, VRFY, EXPN, NOOP and QUIT change what comes next; the rest may be thrown away",
        "RFC 2920 §3.1, RFC 3207 §4",
        "wait for the reply to that command",
    ),
    LintRule(
        "unnegotiated",
        _E,
        "used an extension that was not offered",
        "a server that does not offer it does not know it, and refuses with 555, 502 or 501",
        "RFC 5321 §2.2.1, §4.1.1.11",
        "look at the reply to the last EHLO before using SIZE, BODY, SMTPUTF8, DSN, AUTH, STARTTLS or BDAT",
    ),
    LintRule(
        "space_after_colon",
        _E,
        "put a space between FROM: or TO: and the path",
        "the grammar has none there; servers that go by it answer 501",
        "RFC 5321 §3.3",
        "write MAIL FROM:<address>",
    ),
    LintRule(
        "no_angle_brackets",
        _E,
        "sent a path without angle brackets",
        "the grammar wants them; servers that go by it answer 501",
        "RFC 5321 §4.1.2",
        "write MAIL FROM:<address>",
    ),
    LintRule(
        "final_dot",
        _E,
        "sent a path whose domain ends with a dot",
        "the grammar has none there; servers that go by it answer 501",
        "RFC 5321 §2.3.5, §4.1.2",
        "write MAIL FROM:<ann@example.org>",
    ),
    LintRule(
        "source_route",
        _W,
        "sent a path with a source route",
        "routes have been out of use for decades, and look like an attempt to relay",
        "RFC 5321 §4.1.2, appendix C",
        "write the address alone: RCPT TO:<bob@example.org>",
    ),
    LintRule(
        "recipient_repeated",
        _H,
        "named a recipient twice in one transaction",
        "some servers deliver the message twice",
        "RFC 5321 §4.1.1.3",
        "name each recipient once",
    ),
    LintRule(
        "refusal_ignored",
        _E,
        "went on after a refusal as if there had been none",
        "a client that does not look at replies does not know whether its mail was taken",
        "RFC 5321 §3.3",
        "after a refused MAIL, or when every RCPT was refused, send RSET or QUIT",
    ),
    LintRule(
        "out_of_order",
        _E,
        "sent a command at the wrong place",
        "the order of commands is fixed; servers answer 503",
        "RFC 5321 §4.1.4",
        "greet (again after STARTTLS), then MAIL, RCPT, DATA",
    ),
    LintRule(
        "unknown_command",
        _E,
        "sent something that is no command here",
        "servers count such lines and end the session after a few; a message that ended too early looks so as well",
        "RFC 5321 §4.2.4",
        "look at what the transcript has before it",
    ),
    LintRule(
        "bad_syntax",
        _E,
        "sent a command that the grammar does not have",
        "servers that go by the grammar refuse it",
        "RFC 5321 §4.1.2, RFC 9051 §9, RFC 1939 §3",
        "compare the line with the grammar",
    ),
    # The message
    LintRule(
        "missing_dot_stuffing",
        _E,
        "did not double the dot at the start of a line of the message",
        "the server takes that dot away, and a line of one dot would end the message there",
        "RFC 5321 §4.5.2",
        "put a dot before each line that starts with one",
    ),
    LintRule(
        "eight_bit_undeclared",
        _H,  # smtplib and Django do so with any text that is not ASCII, and nearly everybody takes it
        "sent octets above 127 in the body without BODY=8BITMIME",
        "a server may set the eighth bit to zero, or refuse the message",
        "RFC 6152 §3, RFC 5321 §2.4",
        "declare it, as in smtplib's send_message(..., mail_options=['BODY=8BITMIME']), or encode the body",
    ),
    LintRule(
        "header_not_ascii",
        _E,
        "sent a header field that is not ASCII without SMTPUTF8",
        "raw UTF-8 in a header is for SMTPUTF8 only; others show garbage or refuse it",
        "RFC 5322 §2.2, RFC 6531 §3.6",
        "encode it as RFC 2047 does; email.message does so by itself",
    ),
    LintRule(
        "malformed_header",
        _E,
        "sent a line in the header that is no field",
        "servers end the header there, so that the fields below it are lost",
        "RFC 5322 §2.2",
        "write each field as 'Name: value', and an empty line before the body",
    ),
    LintRule(
        "duplicate_field",
        _E,
        "sent a header field twice that may stand there once",
        "readers and filters differ in which of the two they take; large receivers refuse two From",
        "RFC 5322 §3.6",
        "set it once; in email.message assignment adds a field, so delete the old one first",
    ),
    LintRule(
        "no_date",
        _E,
        "sent a message without Date",
        "it is required; filters count its absence for spam",
        "RFC 5322 §3.6",
        "message['Date'] = email.utils.localtime()",
    ),
    LintRule(
        "bad_date",
        _E,
        "sent a Date that cannot be read",
        "filters count it for spam, and mailboxes sort it wrongly",
        "RFC 5322 §3.3",
        "message['Date'] = email.utils.localtime()",
    ),
    LintRule(
        "no_message_id",
        _W,
        "sent a message without Message-ID",
        "large receivers refuse it, threads break, and no log has a name for it",
        "RFC 5322 §3.6.4",
        "message['Message-ID'] = email.utils.make_msgid(domain='example.org')",
    ),
    LintRule(
        "bad_message_id",
        _W,
        "sent a Message-ID that is not <left@right>",
        "large receivers refuse it, and answers cannot refer to it",
        "RFC 5322 §3.6.4",
        "message['Message-ID'] = email.utils.make_msgid(domain='example.org')",
    ),
    LintRule(
        "no_from",
        _E,
        "sent a message without From",
        "it is required, and DMARC has nothing to look at without it",
        "RFC 5322 §3.6",
        "message['From'] = 'Shop <hello@example.org>'",
    ),
    LintRule(
        "no_to",
        _H,
        "sent a message with neither To nor Cc",
        "filters count it for spam",
        "RFC 5322 §3.6.3",
        "name somebody; 'undisclosed-recipients:;' will do",
    ),
    LintRule(
        "bcc_left_in",
        _E,
        "sent the Bcc field along",
        "whoever gets the message sees who was not to be seen",
        "RFC 5322 §3.6.3",
        "take it out before sending; smtplib's send_message() does so",
    ),
    LintRule(
        "return_path_left_in",
        _W,
        "sent a Return-Path field",
        "the host that delivers writes it; one that comes with the message may be taken for a forgery",
        "RFC 5321 §4.4",
        "leave it out; the envelope has the reverse-path",
    ),
    LintRule(
        "no_mime_version",
        _W,
        "sent Content fields without MIME-Version",
        "a reader may take the body for plain ASCII text",
        "RFC 2045 §4",
        "message['MIME-Version'] = '1.0'",
    ),
)

RULES: Final = {rule.name: rule for rule in _ROWS}
