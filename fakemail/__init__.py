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
from fakemail.events.journey import Journey, JourneyStep
from fakemail.events.kinds import Event
from fakemail.events.recipient_trace import Hop
from fakemail.message import samples
from fakemail.message.addresses import NamedAddress
from fakemail.message.envelope import Envelope
from fakemail.message.html_text import Link
from fakemail.message.message import Attachment
from fakemail.message.reports.arf_mdn import ComplaintReport, DispositionReport, FailureReport
from fakemail.message.reports.dmarc import DmarcReport
from fakemail.message.reports.dsn import DeliveryReport, RecipientReport
from fakemail.message.reports.tlsrpt import TlsReport
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
    "Attachment",
    "BlockingCallInLoop",
    "Bounced",
    "ClosedError",
    "ComplaintReport",
    "DeclarationError",
    "Delivered",
    "DeliveryReport",
    "Discarded",
    "DispositionReport",
    "DmarcReport",
    "Domain",
    "Dropped",
    "Envelope",
    "Event",
    "Expired",
    "FailureReport",
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
    "Hop",
    "Host",
    "InProgress",
    "Inbox",
    "Journey",
    "JourneyStep",
    "Link",
    "MailAssertionError",
    "MailNet",
    "MailingList",
    "Message",
    "Messages",
    "NamedAddress",
    "Namespace",
    "NamespaceUnavailable",
    "PortInUse",
    "Quarantined",
    "Queued",
    "Reason",
    "RecipientReport",
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
    "TlsReport",
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
