"""A store of credentials for sessions without a simulation: no tokens, no certificates, nobody acts for another."""

from __future__ import annotations


class Passwords:
    """A :class:`fakemail.sasl.exchange.CredentialStore` in which a test says which password a login has."""

    def password_of(self, login: str) -> str | None:
        return None

    def token_owner(self, token: str) -> str | None:
        return None

    def owner_of_certificate(self, subject: str) -> str | None:
        return None

    def may_act_as(self, authentication_id: str, authorization_id: str) -> bool:
        return False
