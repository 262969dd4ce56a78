"""What a client needs to trust the servers of a fake internet, and to distrust some of them."""

from __future__ import annotations

import ssl

from fakemail.tls.authority import process_authority
from fakemail.types.suggestions import Suggests


class Trust(Suggests):
    """The files and contexts that a fake internet hands out."""

    @property
    def ca_file(self) -> str:
        """The path of a PEM file with the authority of the fake internet."""
        return str(process_authority().ca_file())

    @property
    def crl_file(self) -> str:
        """The path of a PEM file with the list of revoked certificates, kept up to date (RFC 5280 §5).

        For a client context that has ``ssl.VERIFY_CRL_CHECK_LEAF`` among its ``verify_flags``.
        """
        return str(process_authority().crl_file())

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """A new client context that trusts that authority and nobody else. It knows no revoked certificates."""
        return process_authority().client_context()
