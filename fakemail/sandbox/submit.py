"""``fakemail sendmail``: a submission to a running fake internet with the options of the command sendmail."""

from __future__ import annotations

import os
from collections.abc import Sequence

from fakemail.errors import DeclarationError
from fakemail.intercept.sendmail import Server, endpoint, run
from fakemail.sandbox.default_world import SMARTHOST_USER, usual_password
from fakemail.types.address import address

STANDING = ("127.0.0.1", 1587)
"""The address and port at which ``fakemail up`` takes mail for anywhere by default."""


def submit(
    words: Sequence[str], *, server: str | None, user: str | None, password: str, ca_file: str | None
) -> int:
    """Do what the words of a command line ask for; the exit status.

    Raises :class:`~fakemail.errors.DeclarationError` for a server that is none.
    """
    return run(_server(server, user, password, ca_file), "sendmail", words)


def _server(server: str | None, user: str | None, password: str, ca_file: str | None) -> Server:
    known = os.environ
    authority = ca_file or known.get("FAKEMAIL_CA_FILE", "")
    host, port = known.get("FAKEMAIL_SUBMISSION_HOST"), known.get("FAKEMAIL_SUBMISSION_PORT")
    login = (user, password) if user else None
    try:
        if server is not None:
            return Server(*endpoint(server), login, authority)
        if host and port:
            if login is None and known.get("FAKEMAIL_SUBMISSION_USER"):
                login = known["FAKEMAIL_SUBMISSION_USER"], known.get("FAKEMAIL_SUBMISSION_PASS", "")
            return Server(*endpoint(f"{host}:{port}"), login, authority)
    except ValueError as error:
        raise DeclarationError(f"{error}.") from None
    usual = SMARTHOST_USER, usual_password(address(SMARTHOST_USER))
    return Server(*STANDING, login or usual, authority)
