"""The names by which programs read their mail settings from the environment, framework by framework: a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote


class ConnectionValues(NamedTuple):
    """Values that a program needs to reach a server."""

    host: str
    port: int
    security: str
    username: str
    password: str


Style: TypeAlias = Callable[[ConnectionValues], dict[str, str]]


def _django(settings: ConnectionValues) -> dict[str, str]:
    """django-environ reads one URL; many projects read the names of Django's settings."""
    scheme = {"starttls": "smtp+tls", "tls": "smtp+ssl"}.get(
        settings.security if _protects(settings) else "", "smtp"
    )
    return {
        "EMAIL_URL": f"{scheme}://{_place(settings)}",
        "EMAIL_HOST": settings.host,
        "EMAIL_PORT": str(settings.port),
        "EMAIL_HOST_USER": settings.username,
        "EMAIL_HOST_PASSWORD": settings.password,
        "EMAIL_USE_TLS": str(settings.security == "starttls" and _protects(settings)),
        "EMAIL_USE_SSL": str(settings.security == "tls"),
    }


def _flask(settings: ConnectionValues) -> dict[str, str]:
    """Flask-Mail's names, which FastAPI-Mail has in part."""
    return {
        "MAIL_SERVER": settings.host,
        "MAIL_PORT": str(settings.port),
        "MAIL_USERNAME": settings.username,
        "MAIL_PASSWORD": settings.password,
        "MAIL_USE_TLS": str(settings.security == "starttls" and _protects(settings)),
        "MAIL_USE_SSL": str(settings.security == "tls"),
        "MAIL_STARTTLS": str(settings.security == "starttls" and _protects(settings)),
        "MAIL_SSL_TLS": str(settings.security == "tls"),
    }


def _laravel(settings: ConnectionValues) -> dict[str, str]:
    """Laravel's ``config/mail.php``; MAIL_ENCRYPTION up to version 10, MAIL_SCHEME since 11."""
    return {
        "MAIL_MAILER": "smtp",
        "MAIL_HOST": settings.host,
        "MAIL_PORT": str(settings.port),
        "MAIL_USERNAME": settings.username,
        "MAIL_PASSWORD": settings.password,
        "MAIL_ENCRYPTION": {"starttls": "tls", "tls": "ssl"}.get(settings.security, ""),
        "MAIL_SCHEME": "smtps" if settings.security == "tls" else "smtp",
    }


def _rails(settings: ConnectionValues) -> dict[str, str]:
    """Variables that ``config.action_mailer.smtp_settings`` is usually filled from."""
    return {
        "SMTP_ADDRESS": settings.host,
        "SMTP_PORT": str(settings.port),
        "SMTP_USERNAME": settings.username,
        "SMTP_USER_NAME": settings.username,
        "SMTP_PASSWORD": settings.password,
        "SMTP_AUTHENTICATION": "plain" if settings.username else "",
        "SMTP_ENABLE_STARTTLS_AUTO": str(settings.security == "starttls").lower(),
        "SMTP_TLS": str(settings.security == "tls").lower(),
    }


def _spring(settings: ConnectionValues) -> dict[str, str]:
    """Spring Boot's ``spring.mail.*``, as its relaxed binding spells them."""
    properties = "SPRING_MAIL_PROPERTIES_MAIL_SMTP"
    return {
        "SPRING_MAIL_HOST": settings.host,
        "SPRING_MAIL_PORT": str(settings.port),
        "SPRING_MAIL_USERNAME": settings.username,
        "SPRING_MAIL_PASSWORD": settings.password,
        f"{properties}_AUTH": str(bool(settings.username)).lower(),
        f"{properties}_STARTTLS_ENABLE": str(settings.security == "starttls").lower(),
        f"{properties}_SSL_ENABLE": str(settings.security == "tls").lower(),
        f"{properties}_SSL_TRUST": settings.host,  # Java does not look at SSL_CERT_FILE
    }


def _symfony(settings: ConnectionValues) -> dict[str, str]:
    """Symfony's mailer reads one URL."""
    scheme = "smtps" if settings.security == "tls" else "smtp"
    return {"MAILER_DSN": f"{scheme}://{_place(settings)}"}


STYLES: Final[Mapping[str, Style]] = {
    "django": _django,
    "flask": _flask,
    "laravel": _laravel,
    "rails": _rails,
    "spring": _spring,
    "symfony": _symfony,
}


def _protects(settings: ConnectionValues) -> bool:
    """Whether TLS is asked of the client: between mail hosts it is taken where it is offered."""
    return bool(settings.username)


def _place(settings: ConnectionValues) -> str:
    who = (
        f"{quote(settings.username, safe='')}:{quote(settings.password, safe='')}@"
        if settings.username
        else ""
    )
    return f"{who}{settings.host}:{settings.port}"
