"""Names of link types, as libpcap writes them without their prefix."""

from __future__ import annotations

LINK_TYPES = {
    0: "NULL",
    1: "EN10MB",
    2: "EN3MB",
    6: "IEEE802",
    8: "SLIP",
    9: "PPP",
    10: "FDDI",
    12: "RAW",
    14: "RAW",
    50: "PPP_SERIAL",
    51: "PPP_ETHER",
    100: "ATM_RFC1483",
    101: "RAW",
    104: "C_HDLC",
    105: "IEEE802_11",
    107: "FRELAY",
    108: "LOOP",
    109: "ENC",
    113: "LINUX_SLL",
    117: "PFLOG",
    119: "PRISM_HEADER",
    122: "IP_OVER_FC",
    123: "SUNATM",
    127: "IEEE802_11_RADIO",
    129: "ARCNET_LINUX",
    138: "APPLE_IP_OVER_IEEE1394",
    163: "IEEE802_11_RADIO_AVS",
    166: "PPP_PPPD",
    192: "PPI",
    204: "PPP_WITH_DIR",
    205: "C_HDLC_WITH_DIR",
    226: "IPNET",
    228: "IPV4",
    229: "IPV6",
    239: "NFLOG",
    242: "IPOIB",
    253: "NETLINK",
    258: "PKTAP",
    276: "LINUX_SLL2",
    281: "DSA_TAG_BRCM",
    282: "DSA_TAG_BRCM_PREPEND",
    283: "DSA_TAG_DSA",
    284: "DSA_TAG_EDSA",
}


def link_type_name(number: int) -> str:
    """Name of a link type, or its number where it is not one that dnscap reads.

    Examples
    --------
    >>> link_type_name(276), link_type_name(9999)
    ('LINUX_SLL2', '9999')
    """
    return LINK_TYPES.get(number, str(number))
