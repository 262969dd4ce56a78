"""XCLIENT and the PROXY protocol: what is written is read, in any pieces, and garbage is an error and no crash."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakemail.errors import ProtocolError
from fakemail.smtp.grammar import encode_xtext
from fakemail.smtp.xclient import ATTRIBUTES, read_xclient
from fakemail.wire.proxy import ProxyHeader, read_header

addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
ports = st.integers(0, 0xFFFF)
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60).filter(
    lambda word: not word.startswith("[")
)


@given(words, addresses, ports, words, words)
def test_xclient_reads_what_is_written(name, address, port, helo, login):
    said = f"IPV6:{address}" if ":" in address else address
    line = (
        f"NAME={encode_xtext(name)} ADDR={said} PORT={port} proto=esmtp HELO={encode_xtext(helo)} "
        f"LOGIN={encode_xtext(login)} DESTADDR=[UNAVAILABLE]"
    )
    found = read_xclient(line)
    assert found == (name, address, port, helo, login)


@given(st.lists(st.tuples(st.sampled_from((*ATTRIBUTES, "X", "")), st.text(max_size=20)), max_size=5))
def test_xclient_garbage_is_an_error(pairs):
    line = " ".join(f"{name}={value}" for name, value in pairs)
    with suppress(ProtocolError):
        assert read_xclient(line)


def written(version, address, port):
    if version == 1:
        family = "TCP6" if ":" in address else "TCP4"
        return f"PROXY {family} {address} {address} {port} 25\r\n".encode()
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    body = socket.inet_pton(kind, address) * 2 + struct.pack("!HH", port, 25)
    family = 0x21 if ":" in address else 0x11
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x21, family, len(body)) + body


@given(st.sampled_from((1, 2)), addresses, ports, st.binary(max_size=40))
def test_a_header_is_read_when_it_is_whole(version, address, port, behind):
    header = written(version, address, port)
    for end in range(len(header)):
        assert read_header(header[:end]) is None
    assert read_header(header + behind) == ProxyHeader(version, (address, port), len(header))


@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(lambda more: b"PROXY " + more),
        st.binary(max_size=300).map(lambda more: b"\r\n\r\n\0\r\nQUIT\n" + more),
    )
)
def test_garbage_is_an_error_or_needs_more(octets):
    try:
        found = read_header(octets)
    except ProtocolError:
        return
    if found is None:
        with_more = octets + b"\0" * 5000
        with suppress(ProtocolError):
            assert read_header(with_more) is not None, "it cannot need more for ever"
    else:
        assert found.length <= len(octets)


def test_the_longest_line_of_version_one():
    """§2.1: 107 octets and no more."""
    with pytest.raises(ProtocolError, match="longer than 107"):
        read_header(b"PROXY UNKNOWN" + b" " * 200)
