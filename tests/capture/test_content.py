import gzip

import pytest

from dnscap.capture import describe, sniff

from .captures import interface, pcap, section


@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34])
@pytest.mark.parametrize("order", "<>")
def test_pcap_is_known_by_its_magic(magic, order):
    assert sniff(pcap(magic=magic, order=order)) == "pcap"


@pytest.mark.parametrize("order", "<>")
def test_pcapng_is_known_by_its_block_and_byte_order(order):
    assert sniff(section(order) + interface(order=order)) == "pcapng"


def test_a_pcapng_file_cut_in_its_first_octets_is_still_one():
    assert sniff(section()[:6]) == "pcapng"


@pytest.mark.parametrize(
    "octets", [b"", b"\n\r\r\n" + bytes(20), b"hello", gzip.compress(pcap(), mtime=0), pcap()[:3]]
)
def test_anything_else_is_not_named(octets):
    assert sniff(octets) is None


@pytest.mark.parametrize(
    ("octets", "what"),
    [
        (b"", "empty"),
        (b"snoop\0\0\0\0\0\0\2\0\0\0\4", "snoop"),
        (b"\x7fELF\2\1\1", "ELF"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"  <html lang='en'>", "HTML"),
        (b'{"timestamp": 1}', "JSON"),
        (b"qname,qtype\nexample.com.,A\n", "text"),
        ("Ünïcode tëxt ".encode() * 50, "text"),
        (b"12:00:01.123456 IP 10.0.0.1.5353 > 10.0.0.2.53: 1+ A? example.com. (29)\n", "tcpdump"),
        (b"2024-05-01 12:00:01.123456 eth0  Out IP 10.0.0.1.53 > 10.0.0.2.53: 1\n", "tcpdump"),
        (bytes(400), "zero octets"),
        (b"\n\r\r\n" + bytes(30), "damaged pcapng"),
        (b"\n\r\n\x1c\0\0\0", "text-mode"),
        (b"PK\3\4" + bytes(20), "ZIP"),
        (bytes(257) + b"ustar\0", "tar"),
        (b"\x02\x21\x4c\x18" + bytes(9), "lz4"),
        (b"\0\0\0\0\0\0\0\x22\0\0\0\2\0\0\0\1", "Frame Streams"),
        (b"\x83\x65C-DNS\xa4", "C-DNS"),
        (bytes(4) + (1_700_000_000).to_bytes(4, "little") + b"\2\4\0\x60\0\0\0\x4e" + bytes(70), "ERF"),
        (bytes(range(128, 256)), "unknown"),
    ],
)
def test_other_content_is_described(octets, what):
    assert what in describe(octets).what
    assert describe(octets).remedy
