"""A whole mail internet inside one test.

What is imported from here is public; everything else is private by its place and may change. A name is
loaded when it is first asked for.
"""

TYPE_CHECKING = False  # as type checkers see it, without loading typing
if TYPE_CHECKING:
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
    from fakemail.events.journey_builder import Hop
    from fakemail.events.kinds import Event
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

__version__ = "0.1.0"

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

_MODULE_OF = {
    name: module
    for module, names in {
        "fakemail.api.accounts": "Account AsyncAccount",
        "fakemail.api.all_messages": "SentMessage",
        "fakemail.api.domains": "Domain",
        "fakemail.api.hosts": "Host Settings",
        "fakemail.api.inboxes": "AsyncInbox Inbox",
        "fakemail.api.mailing_lists": "MailingList",
        "fakemail.api.mailnet": "AsyncMailNet MailNet",
        "fakemail.api.matchers": "HasAttachment HasCode HasHeader HasHtml HasLink HasSubject HasText SentBy SentTo",
        "fakemail.api.message_lists": "AsyncMessages Messages",
        "fakemail.api.messages": "Message",
        "fakemail.api.namespaces": "AsyncNamespace Namespace",
        "fakemail.api.redirection": "Redirection",
        "fakemail.errors": (
            "BlockingCallInLoop ClosedError DeclarationError FakemailError MailAssertionError "
            "NamespaceUnavailable PortInUse ServerError TooManyOpenFiles UnknownNameError"
        ),
        "fakemail.events.journey": "Journey JourneyStep",
        "fakemail.events.kinds": "Event",
        "fakemail.events.journey_builder": "Hop",
        "fakemail.message.addresses": "NamedAddress",
        "fakemail.message.envelope": "Envelope",
        "fakemail.message.html_text": "Link",
        "fakemail.message.message": "Attachment",
        "fakemail.message.reports.arf_mdn": "ComplaintReport DispositionReport FailureReport",
        "fakemail.message.reports.dmarc": "DmarcReport",
        "fakemail.message.reports.dsn": "DeliveryReport RecipientReport",
        "fakemail.message.reports.tlsrpt": "TlsReport",
        "fakemail.types.address": "NULL_PATH Address",
        "fakemail.types.duration": "days hours minutes seconds",
        "fakemail.types.fate": (
            "Bounced Delivered Discarded Dropped Expired Fate Forwarded InProgress Quarantined Queued Refused "
            "Relayed"
        ),
        "fakemail.types.reason": "Reason",
        "fakemail.types.reply": "Reply",
        "fakemail.types.stage": "Stage",
    }.items()
    for name in names.split()
}
_SUBMODULES = {
    "faults": "fakemail.faults",
    "samples": "fakemail.message.samples",
    "notices": "fakemail.mta.notices",
}


if not TYPE_CHECKING:  # or every name would seem to be there

    def __getattr__(name: str) -> object:
        __tracebackhide__ = True
        from importlib import import_module

        if name in _SUBMODULES:
            value = import_module(_SUBMODULES[name])
        elif name in _MODULE_OF:
            value = getattr(import_module(_MODULE_OF[name]), name)
        elif name.startswith("__"):
            raise AttributeError(name)
        else:
            from fakemail.types.suggestions import NoSuchName

            raise NoSuchName(f"module {__name__!r}", name, lambda: __all__, [__name__])
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
