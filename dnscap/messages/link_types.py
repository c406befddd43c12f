"""Names of link types, as libpcap writes them without their prefix."""

from __future__ import annotations

LINK_TYPES = {
    0: "NULL",
    1: "EN10MB",
    9: "PPP",
    12: "RAW",
    14: "RAW",
    50: "PPP_SERIAL",
    51: "PPP_ETHER",
    101: "RAW",
    104: "C_HDLC",
    105: "IEEE802_11",
    108: "LOOP",
    109: "ENC",
    113: "LINUX_SLL",
    117: "PFLOG",
    119: "PRISM_HEADER",
    127: "IEEE802_11_RADIO",
    163: "IEEE802_11_RADIO_AVS",
    192: "PPI",
    226: "IPNET",
    228: "IPV4",
    229: "IPV6",
    239: "NFLOG",
    253: "NETLINK",
    276: "LINUX_SLL2",
}


def link_type_name(number: int) -> str:
    """Name of a link type, or its number where it is not one that dnscap reads.

    Examples
    --------
    >>> link_type_name(276), link_type_name(9999)
    ('LINUX_SLL2', '9999')
    """
    return LINK_TYPES.get(number, str(number))
