"""Interfaces of other test mail servers, on a fake internet: for test suites that were written for those.

:mod:`~fakemail.compat.aiosmtpd`, :mod:`~fakemail.compat.smtpdfix`, :mod:`~fakemail.compat.localserver` and
:mod:`~fakemail.compat.django`, each named after what it stands in for. Nothing else imports them.
"""
