"""The fixture ``mailoutbox`` of ``mailnet_compat``: Django's names for mail that really was sent."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

import pytest

from fakemail.compat.django import MailOutbox


def test_a_message_has_the_names_of_django(mailoutbox: MailOutbox) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Cc"] = (
        "Shop <shop@example.com>",
        "bob@example.org",
        "Carol <carol@example.net>",
    )
    mail["Subject"], mail["Reply-To"], mail["X-Tag"] = "Grüße", "help@example.com", "welcome"
    mail.set_content("Hello, Bob\n")
    mail.add_alternative("<p>Hello, Bob</p>\n", subtype="html")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="a.pdf")
    smtp = mailoutbox.settings
    with smtplib.SMTP(smtp.host, smtp.port, timeout=10) as client:
        client.send_message(mail, to_addrs=["bob@example.org", "carol@example.net", "dave@example.net"])
    assert len(mailoutbox) == 1
    [sent] = mailoutbox
    assert (sent.subject, sent.from_email) == ("Grüße", "Shop <shop@example.com>")
    assert (sent.to, sent.cc) == (["bob@example.org"], ["Carol <carol@example.net>"])
    assert (sent.bcc, sent.reply_to) == (["dave@example.net"], ["help@example.com"])
    assert sent.recipients() == ["bob@example.org", "carol@example.net", "dave@example.net"]
    assert (sent.body, sent.content_subtype) == ("Hello, Bob\n", "plain")
    assert sent.alternatives == [("<p>Hello, Bob</p>\n", "text/html")]
    assert sent.attachments == [("a.pdf", b"%PDF", "application/pdf")]
    assert sent.extra_headers == {"X-Tag": "welcome"}
    assert sent.message()["To"] == "bob@example.org"
    assert repr(sent) == "<SentMail 'Grüße' to bob@example.org, carol@example.net, dave@example.net>"
    assert mailoutbox.mailnet.account("dave@example.net").inbox.one().subject == "Grüße"


def test_html_alone_is_the_body(mailoutbox: MailOutbox) -> None:
    with mailoutbox.settings.smtplib() as client:
        client.sendmail("a@example.com", ["b@example.org"], "Content-Type: text/html\n\n<p>Hi</p>")
    [sent] = mailoutbox
    assert (sent.body, sent.content_subtype, sent.alternatives) == ("<p>Hi</p>\n", "html", [])
    assert (sent.subject, sent.to, sent.bcc) == ("", [], ["b@example.org"])


def test_a_django_project_sends_there(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        from django.conf import settings

        settings.configure(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend")
        """
    )
    pytester.makepyfile(
        """
        from django.core import mail
        from django.conf import settings

        def test_welcome(mailoutbox):
            mail.EmailMessage("Hi", "Hello", "a@example.com", ["b@example.org"], bcc=["c@example.org"]).send()
            assert [(m.subject, m.body, m.to, m.bcc) for m in mailoutbox] == [
                ("Hi", "Hello\\n", ["b@example.org"], ["c@example.org"])
            ]

        def test_settings_are_restored():
            assert settings.EMAIL_BACKEND == "django.core.mail.backends.locmem.EmailBackend"
        """
    )
    run = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:xdist", "--mailnet-compat=django")
    run.assert_outcomes(passed=2)
