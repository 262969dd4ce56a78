"""A whole mail internet inside one test.

What is imported from here is public; everything else is private by its place and may change.
"""

from typing import TYPE_CHECKING

from fakemail import faults
from fakemail.api.accounts import Account, AsyncAccount
from fakemail.api.all_messages import SentMessage
from fakemail.api.domains import Domain
from fakemail.api.hosts import Host, Settings
from fakemail.api.inboxes import AsyncInbox, Inbox
from fakemail.api.mailing_lists import MailingList
from fakemail.api.mailnet import AsyncMailNet, MailNet
from fakemail.api.matchers import (
    HasAttachment,
    HasCode,
    HasHeader,
    HasHtml,
    HasLink,
    HasSubject,
    HasText,
    SentBy,
    SentTo,
)
from fakemail.api.message_lists import AsyncMessages, Messages
from fakemail.api.messages import Message
from fakemail.api.namespaces import AsyncNamespace, Namespace
from fakemail.api.redirection import Redirection
from fakemail.errors import (
    BlockingCallInLoop,
    ClosedError,
    DeclarationError,
    FakemailError,
    MailAssertionError,
    NamespaceUnavailable,
    PortInUse,
    ServerError,
    TooManyOpenFiles,
    UnknownNameError,
)
from fakemail.message import samples
from fakemail.mta import notices
from fakemail.types.address import NULL_PATH, Address
from fakemail.types.duration import days, hours, minutes, seconds
from fakemail.types.fate import (
    Bounced,
    Delivered,
    Discarded,
    Dropped,
    Expired,
    Fate,
    Forwarded,
    InProgress,
    Quarantined,
    Queued,
    Refused,
    Relayed,
)
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from fakemail.types.suggestions import suggesting

__all__ = [
    "NULL_PATH",
    "Account",
    "Address",
    "AsyncAccount",
    "AsyncInbox",
    "AsyncMailNet",
    "AsyncMessages",
    "AsyncNamespace",
    "BlockingCallInLoop",
    "Bounced",
    "ClosedError",
    "DeclarationError",
    "Delivered",
    "Discarded",
    "Domain",
    "Dropped",
    "Expired",
    "FakemailError",
    "Fate",
    "Forwarded",
    "HasAttachment",
    "HasCode",
    "HasHeader",
    "HasHtml",
    "HasLink",
    "HasSubject",
    "HasText",
    "Host",
    "InProgress",
    "Inbox",
    "MailAssertionError",
    "MailNet",
    "MailingList",
    "Message",
    "Messages",
    "Namespace",
    "NamespaceUnavailable",
    "PortInUse",
    "Quarantined",
    "Queued",
    "Reason",
    "Redirection",
    "Refused",
    "Relayed",
    "Reply",
    "SentBy",
    "SentMessage",
    "SentTo",
    "ServerError",
    "Settings",
    "Stage",
    "TooManyOpenFiles",
    "UnknownNameError",
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
