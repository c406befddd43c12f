"""The order of files given together: by the time of their first packet, else by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from dnscap.capture.content import PCAP_MAGICS, PCAPNG_BLOCK, PCAPNG_ORDERS, Order, sniff

#: Octets of content searched for the first packet. Interface and name blocks in front of it are far
#: smaller; a file with more than this before its first packet is ordered by name.
FIRST_TIME = 64 << 10

#: Blocks looked at before giving up, so that a head full of empty blocks costs little.
_BLOCKS = 2_000

_INTERFACE, _PACKET, _ENHANCED = 1, 2, 6
_IF_TSRESOL, _IF_TSOFFSET = 9, 14

_T = TypeVar("_T")


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Give a sort key under which ``x.pcap2`` comes before ``x.pcap10``."""
    parts: list[str | int] = [
        int(part) if turn % 2 else part for turn, part in enumerate(re.split("([0-9]+)", name))
    ]
    return parts, name


def in_order(items: Iterable[_T], time: Callable[[_T], int | None]) -> list[_T]:
    """Sort by the time of the first packet.

    What has no known time (no packets yet, unreadable, a pipe) stays behind what it stood behind before.
    """
    keyed: list[tuple[float, int, _T]] = []
    last: float = float("-inf")
    for place, item in enumerate(items):
        known = time(item)
        last = last if known is None else known  # integers and infinity compare exactly
        keyed.append((last, place, item))
    return [item for _, _, item in sorted(keyed, key=lambda entry: entry[:2])]


def first_time(first_octets: bytes) -> int | None:
    """Read the time of the first packet.

    Parameters
    ----------
    first_octets : bytes
        The first octets of the (decompressed) content.

    Returns
    -------
    int or None
        Nanoseconds since 1970, or None where these octets hold no packet with a time.
    """
    kind = sniff(first_octets)
    if kind == "pcap":
        return _pcap_time(first_octets)
    if kind == "pcapng":
        return _pcapng_time(first_octets)
    return None


def _pcap_time(head: bytes) -> int | None:
    if len(head) < 32:
        return None
    order, ticks = PCAP_MAGICS[bytes(head[:4])]
    seconds, fraction = _u32(head, 24, order), _u32(head, 28, order)
    return seconds * 10**9 + fraction * 10**9 // ticks


def _pcapng_time(head: bytes) -> int | None:
    at = 0
    order: Order = "little"
    interfaces: list[tuple[int, int]] = []  # ticks a second, offset in seconds
    for _ in range(_BLOCKS):
        if at + 12 > len(head):
            return None
        if head[at : at + 4] == PCAPNG_BLOCK:
            found = PCAPNG_ORDERS.get(bytes(head[at + 8 : at + 12]))
            if found is None:
                return None
            order, interfaces = found, []
        block, length = _u32(head, at, order), _u32(head, at + 4, order)
        if length < 12:
            return None
        if block == _INTERFACE:
            interfaces.append(_clock(head[at + 16 : at + length - 4], order))
        elif block in (_PACKET, _ENHANCED):
            if at + 20 > len(head):
                return None
            interface = _u32(head, at + 8, order) if block == _ENHANCED else _u16(head, at + 8, order)
            if interface >= len(interfaces):
                return None
            ticks, offset = interfaces[interface]
            stamp = _u32(head, at + 12, order) << 32 | _u32(head, at + 16, order)
            return stamp * 10**9 // ticks + offset * 10**9
        # Block lengths are multiples of four; writers that forget the padding are read on the same way.
        at += (length + 3) & ~3
    return None


def _clock(options: bytes, order: Order) -> tuple[int, int]:
    """Read if_tsresol and if_tsoffset of an interface block: ticks a second, seconds to add."""
    ticks, offset, at = 10**6, 0, 0
    while at + 4 <= len(options):
        code, length = _u16(options, at, order), _u16(options, at + 2, order)
        value = options[at + 4 : at + 4 + length]
        if code == 0 or len(value) < length:
            break
        if code == _IF_TSRESOL and length == 1:
            power = value[0] & 0x7F
            ticks = 2**power if value[0] & 0x80 else 10**power
        elif code == _IF_TSOFFSET and length == 8:
            offset = int.from_bytes(value, order, signed=True)
        at += 4 + ((length + 3) & ~3)
    return ticks, offset


def _u16(octets: bytes, at: int, order: Order) -> int:
    return int.from_bytes(octets[at : at + 2], order)


def _u32(octets: bytes, at: int, order: Order) -> int:
    return int.from_bytes(octets[at : at + 4], order)
