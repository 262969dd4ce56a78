"""Each leaf of the tree is in exactly one of the text, the HTML and the attachments of a message."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakemail.message.message import MessageView

_NAMED = "Content-Type: text/plain; name=notes.txt\r\nContent-Disposition: inline; filename=notes.txt"
_FILE = "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=notes.txt"
_PICTURE = "Content-Type: image/png\r\nContent-Disposition: inline; filename=p.png"


def leaf(header: str, body: str) -> str:
    return f"{header}\r\n\r\n{body}" if header else f"\r\n{body}"


def multipart(sub: str, *parts: str, mark: str = "b", more: str = "") -> str:
    inside = "".join(f"--{mark}\r\n{part}\r\n" for part in parts)
    return f"Content-Type: multipart/{sub}; boundary={mark}{more}\r\n\r\n{inside}--{mark}--\r\n"


def view(message: str) -> MessageView:
    return MessageView(f"From: a@shop.test\r\nMIME-Version: 1.0\r\n{message}".encode())


def parts(mail: MessageView) -> tuple[str, str, list[tuple[str, bool]]]:
    return mail.text, mail.html, [(one.text.strip(), one.inline) for one in mail._leaves.attachments]


HTML = "Content-Type: text/html"
PLAIN = "Content-Type: text/plain"
BOTH = multipart("alternative", leaf(PLAIN, "plain"), leaf(HTML, "<p>rich"), mark="c")


@pytest.mark.parametrize(
    ("message", "text", "html", "attachments"),
    [
        # Apple Mail: text around a picture, and HTML around a file
        (
            multipart("mixed", leaf(PLAIN, "above"), leaf(_PICTURE, "png"), leaf(PLAIN, "below")),
            "above\nbelow",
            "",
            [("png", True)],
        ),
        (
            multipart(
                "alternative",
                leaf(PLAIN, "plain"),
                multipart(
                    "mixed",
                    leaf(HTML, "<p>above"),
                    leaf("Content-Type: application/pdf\r\nContent-Disposition: inline; filename=a.pdf", "pdf"),
                    leaf(HTML, "<p>below"),
                    mark="c",
                ),
            ),
            "plain",
            "<p>above\n<p>below",
            [("pdf", True)],
        ),
        # the footer of a mailing list
        (
            multipart("mixed", BOTH, leaf(f"{PLAIN}\r\nContent-Disposition: inline", "footer")),
            "plain\nfooter",
            "<p>rich",
            [],
        ),
        (multipart("mixed", leaf(PLAIN, "hello\r\n"), leaf("", "footer\r\n")), "hello\nfooter\n", "", []),
        # texts with a name
        (multipart("mixed", leaf(PLAIN, "hello"), leaf(_NAMED, "notes")), "hello", "", [("notes", True)]),
        (multipart("mixed", BOTH, leaf(_NAMED, "notes")), "plain", "<p>rich", [("notes", True)]),
        (multipart("mixed", leaf(PLAIN, "hello"), leaf(_FILE, "notes")), "hello", "", [("notes", False)]),
        (
            multipart("mixed", leaf(PLAIN, "hello"), leaf("Content-Type: text/plain; name=n.txt", "notes")),
            "hello",
            "",
            [("notes", False)],
        ),
        (leaf(_NAMED, "hello"), "hello", "", []),
        (leaf("Content-Type: text/plain; name=n.txt", "hello"), "hello", "", []),
        (multipart("mixed", leaf(_PICTURE, "png"), leaf(_NAMED, "hello")), "hello", "", [("png", True)]),
        (leaf(_FILE, "notes"), "", "", [("notes", False)]),
        (
            multipart("alternative", leaf(_NAMED, "plain"), leaf(_NAMED.replace("/plain", "/html"), "rich")),
            "plain",
            "rich",
            [],
        ),
        # what belongs to HTML
        (
            multipart(
                "related",
                leaf(HTML, "rich"),
                leaf(f"{HTML}\r\nContent-ID: <frame@x>", "frame"),
                leaf("Content-Type: image/png\r\nContent-ID: <p@x>", "png"),
            ),
            "rich\n",
            "rich",
            [("frame", True), ("png", True)],
        ),
        (
            multipart(
                "related",
                leaf(f"{PLAIN}\r\nContent-ID: <a@x>", "aside"),
                leaf(f"{HTML}\r\nContent-ID: <r@x>", "rich"),
                more='; start="<r@x>"',
            ),
            "rich\n",
            "rich",
            [("aside", True)],
        ),
        # an invitation, a report, a message in a message
        (
            multipart("alternative", leaf(PLAIN, "come"), leaf("Content-Type: text/calendar; method=REQUEST", "ics")),
            "come",
            "",
            [("ics", False)],
        ),
        (leaf("Content-Type: text/calendar; method=REQUEST", "ics"), "ics", "", []),
        (
            multipart(
                "report",
                leaf(PLAIN, "sorry"),
                leaf("Content-Type: message/delivery-status", "Reporting-MTA: dns; mx.test"),
                leaf("Content-Type: text/rfc822-headers", "Subject: x"),
            ),
            "sorry",
            "",
            [("Reporting-MTA: dns; mx.test", False), ("Subject: x", False)],
        ),
        (
            multipart("mixed", leaf(PLAIN, "see"), leaf("Content-Type: message/rfc822", f"Subject: x\r\n{BOTH}")),
            "see",
            "",
            [(f"Subject: x\r\n{BOTH}".replace("\r\n", "\n").strip(), False)],
        ),
        (
            multipart("digest", leaf("", "Subject: one\r\n\r\n1"), leaf("", "Subject: two\r\n\r\n2")),
            "",
            "",
            [("Subject: one\n\n1", False), ("Subject: two\n\n2", False)],
        ),
        (multipart("signed", leaf(PLAIN, "hello"), leaf("Content-Type: application/pgp-signature", "sig")),
         "hello", "", [("sig", False)]),
        (leaf("Content-Type: application/pdf", "pdf"), "", "", [("pdf", False)]),
        (leaf("Content-Type: multipart/mixed", "lost"), "lost", "", []),
    ],
)  # fmt: skip
def test_where_the_parts_are(message: str, text: str, html: str, attachments: list[tuple[str, bool]]) -> None:
    assert parts(view(message)) == (text, html, attachments)


_LEAVES = st.sampled_from(
    [
        "",
        PLAIN,
        HTML,
        "Content-Type: text/calendar",
        "Content-Type: image/png",
        "Content-Type: message/delivery-status",
        _NAMED,
        _FILE,
        _PICTURE,
        f"{HTML}\r\nContent-Disposition: inline",
        f"{HTML}; name=x.html",
        f"{PLAIN}\r\nContent-ID: <x@y>",
    ]
)
_SUBS = st.sampled_from(["mixed", "alternative", "related", "signed", "x-unknown"])
_TREES = st.recursive(
    _LEAVES, lambda inner: st.tuples(_SUBS, st.lists(inner, min_size=1, max_size=4)), max_leaves=9
)


@given(_TREES)
@settings(max_examples=150, deadline=None)
def test_each_leaf_is_in_exactly_one(tree: object) -> None:
    marks: list[str] = []
    depth = 0

    def build(node: object) -> str:
        nonlocal depth
        if isinstance(node, str):
            marks.append(f"leaf{len(marks)}.")
            return leaf(node, marks[-1])
        assert isinstance(node, tuple)
        depth += 1
        mark = f"mark{depth}x"
        return multipart(node[0], *[build(child) for child in node[1]], mark=mark)

    mail = view(build(tree))
    has_plain = any(part.type.sub == "plain" for part in mail._leaves.text)
    for mark in marks:
        places = [mark in mail.html, *[mark in one.text for one in [*mail.attachments, *mail.inline]]]
        if has_plain or not mail.html:  # else the text is made from the HTML
            places.append(mark in mail.text)
        assert places.count(True) == 1
