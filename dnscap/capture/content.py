"""What a file is, told from its first octets: a capture, or something else and what to do with it."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Order = Literal["big", "little"]

#: Octets that `describe` looks at; the farthest mark, tar's, stands at octet 257.
DESCRIBE = 512

#: Octets that `sniff` looks at: the byte-order magic of pcapng ends at octet 12.
SNIFF = 12

PCAP_MAGICS: dict[bytes, tuple[Order, int]] = {
    b"\xa1\xb2\xc3\xd4": ("big", 10**6),
    b"\xd4\xc3\xb2\xa1": ("little", 10**6),
    b"\xa1\xb2\x3c\x4d": ("big", 10**9),
    b"\x4d\x3c\xb2\xa1": ("little", 10**9),
    # Kuznetzov's patched libpcap: longer record headers, time stamps in the same place.
    b"\xa1\xb2\xcd\x34": ("big", 10**6),
    b"\x34\xcd\xb2\xa1": ("little", 10**6),
}

PCAPNG_BLOCK = b"\n\r\r\n"
PCAPNG_ORDERS: dict[bytes, Order] = {b"\x1a\x2b\x3c\x4d": "big", b"\x4d\x3c\x2b\x1a": "little"}


class Content(NamedTuple):
    """What some octets seem to be, and what a user can do about it."""

    what: str
    remedy: str


def sniff(first_octets: bytes) -> str | None:
    """Name the capture format that begins with these octets.

    Parameters
    ----------
    first_octets : bytes
        The first octets of the (decompressed) content; 12 are enough.

    Returns
    -------
    str or None
        ``"pcap"``, ``"pcapng"``, or None where it is neither; `describe` then says what it may be.
    """
    if bytes(first_octets[:4]) in PCAP_MAGICS:
        return "pcap"
    if first_octets[:4] == PCAPNG_BLOCK:
        # A file cut inside its first 12 octets gets the benefit of the doubt.
        order = bytes(first_octets[8:12])
        if order in PCAPNG_ORDERS or len(order) < 4:
            return "pcapng"
    return None


_GIVE = "give a pcap or pcapng file"
_EDITCAP = "convert it first: editcap -F pcapng OLD NEW.pcapng"
_UNPACK = "unpack it first"

_MARKS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"snoop\0\0\0", "a snoop capture (Solaris)", _EDITCAP),
    (0, b"GMBU", "a Microsoft Network Monitor capture", _EDITCAP),
    (0, b"RTSS", "a Microsoft Network Monitor 1 capture", _EDITCAP),
    (0, b"TRSNIFF data", "a Sniffer capture", _EDITCAP),
    (0, b"XCP\0", "a NetXRay capture", _EDITCAP),
    (0, b"iptrace ", "an iptrace capture (AIX)", _EDITCAP),
    (0, b"\x83\x65C-DNS", "a C-DNS file (RFC 8618)", "convert it first with the inspector tool"),
    (0, b"\x7fELF", "an ELF program", _GIVE),
    (0, b"MZ", "a Windows program", _GIVE),
    (0, b"PK\x03\x04", "a ZIP archive", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (257, b"ustar", "a tar archive", "unpack it first: tar -xf FILE"),
    (0, b"\x1f\x9d", "a file compressed with compress (.Z)", "unpack it first: gzip -d FILE"),
    (0, b"\x5d\0\0", "a file compressed with the old lzma format", "unpack it first: xz -d FILE"),
    (0, b"LZIP", "a file compressed with lzip", "unpack it first: lzip -d FILE"),
    (0, b"\x02\x21\x4c\x18", "a file in the legacy lz4 format", "unpack it first: lz4 -d FILE"),
    (0, b"\xff\x06\0\0sNaPpY", "a file compressed with snappy", _UNPACK),
    (0, b"PAR1", "a Parquet table", "read it as a table, not as a capture"),
    (0, b"ARROW1", "an Arrow table", "read it as a table, not as a capture"),
    (0, b"SQLite format 3\0", "an SQLite database", _GIVE),
    (0, b"%PDF-", "a PDF document", _GIVE),
    (0, b"\x89PNG", "a PNG picture", _GIVE),
    (0, b"\xff\xd8\xff", "a JPEG picture", _GIVE),
)

_PRINTED_PACKETS = re.compile(rb"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d{3,9} (IP6?|ARP|\S+ +(In|Out|P|B|M)) ")
_HTML = re.compile(rb"\s*<(!doctype\s+html|html|head)\b", re.IGNORECASE)
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\v\b\x1b")


def describe(first_octets: bytes) -> Content:
    """Say what content that is no capture seems to be.

    Parameters
    ----------
    first_octets : bytes
        The first octets of the content; `DESCRIBE` octets are enough.

    Returns
    -------
    Content
        ``what`` reads after "this is", ``remedy`` after a semicolon.
    """
    head = bytes(first_octets[:DESCRIBE])
    if not head:
        return Content("an empty file", "nothing was captured, or the capture has not been written out yet")
    for offset, mark, what, remedy in _MARKS:
        if head.startswith(mark, offset):
            return Content(what, remedy)
    if head[:4] == PCAPNG_BLOCK:
        return Content("a damaged pcapng file (no byte-order magic)", "copy it again in binary mode")
    if head[:3] == b"\n\r\n" or head[:4] == b"\n\n\n\n":
        # FTP in ASCII mode turns 0A 0D 0D 0A into these; the block type was chosen to show it.
        return Content(
            "perhaps a pcapng file damaged by a text-mode transfer", "copy it again in binary mode"
        )
    if head[:4] == b"\0\0\0\0" and head.startswith(b"\0\0\0\x02", 8):
        return Content("a Frame Streams file (dnstap?)", "dnstap is not a packet capture; " + _GIVE)
    if not head.strip(b"\0"):
        return Content("a file of zero octets", "it was perhaps never written out, or lost in a crash")
    if _PRINTED_PACKETS.match(head):
        return Content(
            "tcpdump's printed output", "let tcpdump write the packets themselves: tcpdump -w FILE"
        )
    if _HTML.match(head):
        return Content("an HTML page", "the download perhaps gave an error page; " + _GIVE)
    if _is_text(head):
        json = head.lstrip()[:1] in (b"{", b"[")
        return Content("JSON text" if json else "text", _GIVE)
    if _is_erf(head):
        return Content("perhaps an ERF capture (Endace)", _EDITCAP)
    return Content("binary data of an unknown kind", _GIVE)


def _is_erf(head: bytes) -> bool:
    """Tell whether this reads as an ERF record header of 1995 to 2060 with no packets lost before it."""
    if len(head) < 16:
        return False
    seconds = int.from_bytes(head[4:8], "little")
    kind = head[8] & 0x7F
    record, lost, wire = (int.from_bytes(head[at : at + 2], "big") for at in (10, 12, 14))
    return (
        788_918_400 < seconds < 2_840_140_800 and 1 <= kind <= 48 and record >= 16 and not lost and wire > 0
    )


def _is_text(head: bytes) -> bool:
    if any(octet < 32 and octet not in _TEXT_CONTROLS for octet in head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3  # a character cut by the end of the head
    return True
