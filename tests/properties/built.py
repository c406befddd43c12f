"""Messages for properties: built by dnspython from drawn parts, or spoilt on purpose."""

from __future__ import annotations

import random

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from hypothesis import strategies as st

RDATA = [
    ("A", "192.0.2.1"),
    ("AAAA", "2001:db8::1"),
    ("NS", "ns1.example.com."),
    ("CNAME", r"a\.b\032c.\000\255.example.com."),
    ("SOA", "ns1.example.com. hostmaster.example.com. 4294967295 7200 3600 1209600 3600"),
    ("PTR", "www.example.com."),
    ("MX", "10 mail.example.com."),
    ("TXT", r'"v=spf1 -all" "" "\195\169\000\"\\"'),
    ("HINFO", '"cpu" "os"'),
    ("RP", "admin.example.com. txt.example.com."),
    ("AFSDB", "1 afs.example.com."),
    ("LOC", "52 22 23.000 N 4 53 32.000 E -2.00m 1m 10000m 10m"),
    ("SRV", "0 5 5060 sip.example.com."),
    ("NAPTR", '100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .'),
    ("DNAME", "example.net."),
    ("DS", "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118"),
    ("SSHFP", "2 1 123456789abcdef67890123456789abcdef67890"),
    ("RRSIG", "A 8 3 86400 20300101000000 20200101000000 2642 example.com. AAAA"),
    ("NSEC", "host.example.com. A MX RRSIG NSEC TYPE1234"),
    ("DNSKEY", "256 3 8 AwEAAQ=="),
    ("NSEC3", "1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG"),
    ("NSEC3PARAM", "1 0 12 aabbccdd"),
    ("TLSA", "3 1 0 aabbccdd"),
    ("CAA", '0 issue "ca.example.net"'),
    ("SVCB", "1 svc.example.com. alpn=h2,h3 port=8443 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1"),
    ("HTTPS", "0 ."),
    ("URI", '10 1 "https://example.com/"'),
    ("EUI48", "00-00-5e-00-53-2a"),
    ("TYPE65280", r"\# 4 01020304"),
    ("NULL", r"\# 3 000102"),
]
"""Types and texts of records, one of nearly every form of RDATA."""

USUAL_LABELS = [b"www", b"example", b"com", b"a.b", b"x\\y", b"UPPER"]
labels = st.binary(min_size=1, max_size=63) | st.sampled_from(USUAL_LABELS)


@st.composite
def names(draw: st.DrawFn) -> dns.name.Name:
    """A name of any octets, up to the longest that is allowed."""
    parts: list[bytes] = []
    for label in draw(st.lists(labels, max_size=8)):
        if sum(len(part) + 1 for part in parts) + len(label) + 2 > 255:
            break
        parts.append(label)
    return dns.name.Name([*parts, b""])


options = st.lists(
    st.one_of(
        st.builds(
            dns.edns.GenericOption, st.sampled_from([10, 12, 5, 65001]), st.binary(min_size=8, max_size=8)
        ),
        st.builds(dns.edns.ECSOption, st.just("198.51.0.0"), st.sampled_from([0, 16, 24])),
        st.builds(dns.edns.EDEOption, st.integers(0, 30), st.sampled_from([None, "why"])),
        st.builds(dns.edns.NSIDOption, st.binary(max_size=20)),
    ),
    max_size=3,
)


@st.composite
def messages(draw: st.DrawFn) -> dns.message.Message:
    """A well-formed message with records in every section, perhaps EDNS, and any number of questions."""
    message = dns.message.Message(id=draw(st.integers(0, 65535)))
    message.flags = draw(st.integers(0, 65535)) & 0x87FF & ~0x40 & ~15
    message.flags |= draw(st.sampled_from([0, 4])) << 11
    message.set_rcode(draw(st.sampled_from([0, 2, 3, 5])))
    pool = draw(st.lists(names(), min_size=1, max_size=4))
    for _ in range(draw(st.sampled_from([1, 1, 1, 0, 2, 3]))):
        kind = draw(st.sampled_from([1, 28, 65, 255, 777]))
        message.question.append(dns.rrset.RRset(draw(st.sampled_from(pool)), dns.rdataclass.IN, kind))
    for section in (message.answer, message.authority, message.additional):
        for rtype, text in draw(st.lists(st.sampled_from(RDATA), max_size=4)):
            kind = dns.rdatatype.from_text(rtype)
            rrset = dns.rrset.RRset(draw(st.sampled_from(pool)), dns.rdataclass.IN, kind)
            rdata = dns.rdata.from_text(dns.rdataclass.IN, kind, text, relativize=False)
            rrset.add(rdata, draw(st.integers(0, 0x7FFFFFFF)))
            section.append(rrset)
    if draw(st.booleans()):
        message.use_edns(
            draw(st.integers(0, 2)),
            draw(st.sampled_from([0, 0x8000, 0x8001])),
            draw(st.integers(0, 65535)),
            options=draw(options),
        )
    return message


def spoilt(wire: bytes, chance: random.Random) -> bytes:
    """The octets of a message with a few faults of the kinds that hurt decoders."""
    octets = bytearray(wire)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(octets)) if octets else 0
        kind = chance.randrange(7)
        if kind == 0 and octets:
            octets[at] = chance.randrange(256)
        elif kind == 1:
            del octets[at:]
        elif kind == 2:
            octets[at : at + 2] = bytes((0xC0 | chance.randrange(2), chance.randrange(256)))
        elif kind == 3 and len(octets) >= 12:
            octets[5 + 2 * chance.randrange(4)] = chance.choice((0, 1, 2, 255))
        elif kind == 4:
            octets += chance.randbytes(chance.randrange(1, 20))
        elif kind == 5:
            octets[at:at] = octets[: chance.randrange(40)]
        else:
            octets[at : at + 2] = chance.choice((b"\x00\x29", b"\x00\x00", b"\xff\xff", b"\x00\x21"))
    return bytes(octets)
