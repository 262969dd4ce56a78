"""Files and variables in which programs look for certificate authorities and for the submission server."""

from __future__ import annotations

from typing import Final

BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch; Go
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine
)
HASHED_DIRECTORIES: Final = (
    "/etc/ssl/certs",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs",  # Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/directory-hash",
    "/var/lib/ca-certificates/openssl",  # openSUSE
)
"""Directories in which OpenSSL has each authority in a file that is named by a hash of its subject (``c_rehash``)."""
JAVA_TRUSTSTORES: Final = (
    "/etc/ssl/certs/java/cacerts",  # Debian's Java
    "/usr/lib/jvm/*/lib/security/cacerts",
    "/opt/*/lib/security/cacerts",
)
"""Patterns of the files in which Java has its authorities."""
BUNDLE_VARIABLES: Final = (
    "SSL_CERT_FILE",  # OpenSSL, Python, Go
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
)
SUBMISSION_VARIABLES: Final = {
    "FAKEMAIL_SUBMISSION_HOST": "127.0.0.1",
    "FAKEMAIL_SUBMISSION_PORT": "25",
    "FAKEMAIL_SUBMISSION_USER": "",
    "FAKEMAIL_SUBMISSION_PASS": "",
}
"""Variables by which ``fakemail sendmail`` submits to this machine's own mail server, without a login."""


def trust_variables(ca_file: str) -> dict[str, str]:
    """The variables by which programs trust an authority, whatever library they have TLS from."""
    return dict.fromkeys(BUNDLE_VARIABLES, ca_file)
