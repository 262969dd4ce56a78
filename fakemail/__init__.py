"""A whole mail internet inside one test.

What is imported from here is public; everything else is private by its place and may change.
"""

from typing import TYPE_CHECKING

from fakemail import faults
from fakemail.api.accounts import Account, AsyncAccount, AsyncInbox, Inbox
from fakemail.api.commands import AsyncNamespace, Namespace
from fakemail.api.hosts import Domain, Host
from fakemail.api.lists import MailingList
from fakemail.api.mailnet import AsyncMailNet, MailNet
from fakemail.api.matchers import (
    HasAttachment,
    HasHeader,
    HasHtml,
    HasLink,
    HasSubject,
    HasText,
    SentBy,
    SentTo,
)
from fakemail.api.messages import Message
from fakemail.api.redirection import Redirection
from fakemail.api.settings import Settings
from fakemail.errors import (
    ClosedError,
    DeclarationError,
    FakemailError,
    MailExpectation,
    NoNamespace,
    PortInUse,
    ServerError,
    TooManyOpenFiles,
    UnknownName,
    WrongFace,
)
from fakemail.mail import samples
from fakemail.mta import notices
from fakemail.terms.address import NULL_PATH, Address
from fakemail.terms.duration import days, hours, minutes, seconds
from fakemail.terms.fate import (
    Abandoned,
    Bounced,
    Delivered,
    Discarded,
    Expired,
    Fate,
    Forwarded,
    Quarantined,
    Queued,
    Refused,
    Relayed,
    Underway,
)
from fakemail.terms.reason import Reason
from fakemail.terms.reply import Reply
from fakemail.terms.stage import Stage
from fakemail.terms.suggestions import suggesting

__all__ = [
    "NULL_PATH",
    "Abandoned",
    "Account",
    "Address",
    "AsyncAccount",
    "AsyncInbox",
    "AsyncMailNet",
    "AsyncNamespace",
    "Bounced",
    "ClosedError",
    "DeclarationError",
    "Delivered",
    "Discarded",
    "Domain",
    "Expired",
    "FakemailError",
    "Fate",
    "Forwarded",
    "HasAttachment",
    "HasHeader",
    "HasHtml",
    "HasLink",
    "HasSubject",
    "HasText",
    "Host",
    "Inbox",
    "MailExpectation",
    "MailNet",
    "MailingList",
    "Message",
    "Namespace",
    "NoNamespace",
    "PortInUse",
    "Quarantined",
    "Queued",
    "Reason",
    "Redirection",
    "Refused",
    "Relayed",
    "Reply",
    "SentBy",
    "SentTo",
    "ServerError",
    "Settings",
    "Stage",
    "TooManyOpenFiles",
    "Underway",
    "UnknownName",
    "WrongFace",
    "days",
    "faults",
    "hours",
    "minutes",
    "notices",
    "samples",
    "seconds",
]

if not TYPE_CHECKING:  # or every name would seem to be there
    __getattr__ = suggesting(globals())
