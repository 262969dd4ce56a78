"""The browser's part of a registration: pytest-playwright and Debian's Chromium beside blocking waits for mail."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.interop

# The fixtures of pytest-playwright with the browser of the system; an app that sends its mail from a web server.
_CONFTEST = """
    import smtplib, threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    import pytest

    @pytest.fixture(scope="session")
    def browser_type_launch_args():
        return {"executable_path": CHROMIUM, "args": ["--no-sandbox", "--headless", "--disable-gpu"]}

    @pytest.fixture
    def app(mailnet):
        bob = mailnet.account("bob@example.org")

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/register":
                    text = f"Subject: Welcome\\r\\nContent-Type: text/html\\r\\n\\r\\n<a href=http://127.0.0.1:{self.server.server_port}/confirm?t=1>Confirm</a>\\r\\n"
                    with smtplib.SMTP(bob.submission.host, bob.submission.port) as client:
                        client.starttls(context=bob.submission.ssl_context)
                        client.login(bob.address, bob.password)
                        client.sendmail(bob.address, [bob.address], text)
                body = b"<h1>Welcome, Bob</h1>" if self.path.startswith("/confirm") else b"<h1>Look at your mail</h1>"
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
        server.server_close()
"""

_TEST = """
    from fakemail import hours

    def test_registration(page, app, mailnet):
        bob = mailnet.account("bob@example.org")
        page.goto(app + "/register")
        mail = bob.inbox.wait_for_one(subject="Welcome")
        page.goto(mail.link("Confirm"))
        assert page.inner_text("h1") == "Welcome, Bob"
        assert len(bob.inbox.wait_for_count(1)) == 1
        mailnet.settle()
        mailnet.clock.advance(hours(1))

    def test_registration_once_more(page, app, mailnet):
        page.goto(app + "/register")
        mailnet.account("bob@example.org").inbox.wait_for_one()
"""


@pytest.mark.slow
def test_waits_work_beside_a_browser(pytester: pytest.Pytester, program: Callable[[str], str]) -> None:
    pytest.importorskip("pytest_playwright")
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makeconftest(textwrap.dedent(_CONFTEST).replace("CHROMIUM", repr(program("chromium"))))
    pytester.makepyfile(textwrap.dedent(_TEST))
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)
