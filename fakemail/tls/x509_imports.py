"""The one door to trustme and to X.509 in cryptography: loaded late, and out of reach of tests that replace the clock.

cryptography keeps the class of dates that it meets first; were that the one of a frozen clock, no certificate
could be made or read in this process any more. Everybody here who needs them imports them from this module.
"""

from __future__ import annotations

from fakemail.clock import keep_real_dates, real_dates

with real_dates():
    import trustme
    from cryptography import x509
    from cryptography.x509 import oid

    keep_real_dates(["cryptography", "trustme"])
    # Dates go both ways once: making a certificate, and reading it.
    _first = x509.load_pem_x509_certificate(trustme.CA().cert_pem.bytes())
    _ = _first.not_valid_after_utc

__all__ = ["oid", "trustme", "x509"]
