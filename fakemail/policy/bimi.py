"""BIMI: which picture does the author's domain publish for its mail? The record alone; nothing is fetched.

After draft-brand-indicators-for-message-identification: there is no RFC.
"""

from __future__ import annotations

import re
from typing import Final

from fakemail.dkim.tag_list import read_lenient_tags
from fakemail.message.message import MessageView
from fakemail.policy.dmarc_record import Discovery, DnsFailed
from fakemail.policy.finding import AuthStatus
from fakemail.policy.results import BimiResult, DmarcResult
from fakemail.policy.txt import is_conclusive, texts
from fakemail.types.reason import Reason

_VERSION: Final = re.compile(r"v[ \t]*=[ \t]*BIMI1[ \t]*(?:;|\Z)")
_SELECTOR: Final = re.compile(
    r"\A[ \t\r\n]*v[ \t]*=[ \t]*BIMI1[ \t]*;[ \t\r\n]*s[ \t]*=[ \t]*([A-Za-z0-9_\-]{1,63})"
)


def check_bimi(message: MessageView, dmarc: DmarcResult, discovery: Discovery) -> BimiResult:
    """Look for the record, for a message that DMARC passes with a policy that is enforced."""
    selector = _selector(message)
    if dmarc.result is not AuthStatus.PASS:
        return BimiResult(
            AuthStatus.NONE, f"only mail that passes DMARC has a picture; this is {dmarc.result}"
        )
    if dmarc.policy == "none":
        return BimiResult(
            AuthStatus.NONE,
            f"{dmarc.domain} publishes p=none, and a picture needs quarantine or reject",
            dmarc.domain,
        )
    steps: list[str] = []
    try:
        for domain in dict.fromkeys((dmarc.domain, discovery.organization(dmarc.domain))):
            found = _record(f"{selector}._bimi.{domain}", discovery, steps)
            if found is not None:
                return _read(found, domain, selector, steps)
    except DnsFailed as failed:
        return BimiResult(
            AuthStatus.TEMPERROR,
            str(failed),
            dmarc.domain,
            Reason.DNS_TEMPORARY,
            tuple(steps),
            selector=selector,
        )
    why = f"{dmarc.domain} publishes no BIMI record for the selector {selector!r}"
    return BimiResult(AuthStatus.NONE, why, dmarc.domain, trace=tuple(steps), selector=selector)


def _selector(message: MessageView) -> str:
    """The one that the message names, ``default`` if it names none."""
    field = message.headers.first("BIMI-Selector")
    found = None if field is None else _SELECTOR.match(field.raw.decode("latin-1"))
    return "default" if found is None else found[1].lower()


def _record(name: str, discovery: Discovery, steps: list[str]) -> str | None:
    answer = discovery.resolve(name, "TXT")
    every = [text.decode("utf-8", "replace") for text in texts(answer)]
    steps.append(f"TXT {name}: {', '.join(every) or answer.kind}")
    if not is_conclusive(answer):
        raise DnsFailed(f"the question for TXT of {name} ended in {answer.kind}")
    found = [text for text in every if _VERSION.match(text)]
    return found[0] if len(found) == 1 else None


def _read(text: str, domain: str, selector: str, steps: list[str]) -> BimiResult:
    tags, _ = read_lenient_tags(text)
    location, evidence = tags.get("l"), tags.get("a", "")
    status, why = AuthStatus.PASS, f"{domain} publishes the picture {location}"
    if location is None:
        status, why = AuthStatus.PERMERROR, f"the BIMI record of {domain} has no l="
    elif not location:
        status, why = AuthStatus.NONE, f"{domain} publishes that it wants no picture"
    elif not location.lower().startswith("https://"):
        status, why = (
            AuthStatus.PERMERROR,
            f"the picture of {domain} is not at an https address: {location[:80]}",
        )
    return BimiResult(
        status, why, domain, trace=tuple(steps), selector=selector, location=location or "", evidence=evidence
    )
