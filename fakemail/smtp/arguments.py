"""The arguments of MAIL and RCPT, read or refused: what the grammar says, with the reply where it says no."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from fakemail.errors import ProtocolError
from fakemail.smtp.errors import no, ungrammatical
from fakemail.smtp.grammar import PathArgument, read_path_argument
from fakemail.smtp.parameters import NotOffered
from fakemail.types.reason import Reason

_O = TypeVar("_O")
Parameters = Mapping[str, str | None]
Offers = Callable[[str], bool]


def path_of(argument: str, prefix: str, *, strict: bool) -> PathArgument:
    """The path behind ``FROM:`` or ``TO:``, and the parameters."""
    try:
        return read_path_argument(argument, prefix, strict=strict)
    except ProtocolError as error:
        raise ungrammatical(str(error)) from None


def options_of(read: Callable[[Parameters, Offers], _O], parameters: Parameters, offers: Offers) -> _O:
    """The parameters as ``read`` understands them."""
    try:
        return read(parameters, offers)
    except NotOffered as error:
        raise no(Reason.NOT_NEGOTIATED, str(error)) from None
    except ProtocolError as error:
        raise ungrammatical(str(error)) from None
