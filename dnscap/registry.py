"""Mnemonics of the DNS registries as data: types, classes, opcodes, rcodes, EDNS options, extended errors.

Names are IANA's.  Numbers without one are written as RFC 3597 section 5 has it (``TYPE65280``, ``CLASS99``)
and in the same manner for the rest (``RCODE24``, ``OPCODE7``, ``OPT4``), so every number has a text that
leads back to it.  So are the few types and the opcode that other programs do not know by name: what dnscap
writes can be read by dnspython, dig and the like.

Nothing heavy is imported: every command needs these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dnscap.errors import UsageError


def _numbered(first: int, names: str) -> dict[int, str]:
    """Number the words of `names` upward from `first`; a dash is a gap."""
    return {number: name for number, name in enumerate(names.split(), first) if name != "-"}


RRTYPES: Mapping[int, str] = MappingProxyType(
    _numbered(
        1,
        "A NS MD MF CNAME SOA MB MG MR NULL WKS PTR HINFO MINFO MX TXT RP AFSDB X25 ISDN RT NSAP NSAP-PTR "
        "SIG KEY PX GPOS AAAA LOC NXT EID NIMLOC SRV ATMA NAPTR KX CERT A6 DNAME SINK OPT APL DS SSHFP "
        "IPSECKEY RRSIG NSEC DNSKEY DHCID NSEC3 NSEC3PARAM TLSA SMIMEA - HIP NINFO RKEY TALINK CDS CDNSKEY "
        "OPENPGPKEY CSYNC ZONEMD SVCB HTTPS DSYNC HHIT BRID",
    )
    | _numbered(99, "SPF UINFO UID GID UNSPEC NID L32 L64 LP EUI48 EUI64")
    | _numbered(128, "NXNAME")
    | _numbered(249, "TKEY TSIG IXFR AXFR MAILB MAILA ANY URI CAA AVC DOA AMTRELAY RESINFO WALLET CLA IPN")
    | _numbered(32768, "TA DLV")
)
"""Resource record types and query types."""

CLASSES: Mapping[int, str] = MappingProxyType({1: "IN", 3: "CH", 4: "HS", 254: "NONE", 255: "ANY"})
"""Classes and query classes; 254 has a meaning in UPDATE only (RFC 2136)."""

OPCODES: Mapping[int, str] = MappingProxyType(_numbered(0, "QUERY IQUERY STATUS - NOTIFY UPDATE DSO"))
"""Kinds of message."""

RCODES: Mapping[int, str] = MappingProxyType(
    _numbered(
        0,
        "NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH NOTZONE DSOTYPENI",
    )
    | _numbered(16, "BADVERS BADKEY BADTIME BADMODE BADNAME BADALG BADTRUNC BADCOOKIE")
)
"""Response codes, the extended ones of EDNS included.

16 is BADVERS in a message; in the error field of a TSIG record the same number is BADSIG (RFC 8945).
"""

EDNS_OPTIONS: Mapping[int, str] = MappingProxyType(
    _numbered(
        1,
        "LLQ UL NSID - DAU DHU N3U ECS EXPIRE COOKIE KEEPALIVE PADDING CHAIN KEYTAG EDE CLIENT-TAG "
        "SERVER-TAG REPORT-CHANNEL ZONEVERSION MQTYPE-QUERY MQTYPE-RESPONSE EDE-EXTRA-TEXT-LANGUAGE "
        "FILTERING-CONTACT FILTERING-ORGANIZATION FILTERING-DB",
    )
    | {20292: "UMBRELLA-IDENT", 26946: "DEVICEID"}
)
"""EDNS options by short names (IANA's text where it is a mnemonic, else the word everyone uses for it)."""

EXTENDED_ERRORS: Mapping[int, str] = MappingProxyType(
    dict(
        enumerate(
            (
                "Other Error",
                "Unsupported DNSKEY Algorithm",
                "Unsupported DS Digest Type",
                "Stale Answer",
                "Forged Answer",
                "DNSSEC Indeterminate",
                "DNSSEC Bogus",
                "Signature Expired",
                "Signature Not Yet Valid",
                "DNSKEY Missing",
                "RRSIGs Missing",
                "No Zone Key Bit Set",
                "NSEC Missing",
                "Cached Error",
                "Not Ready",
                "Blocked",
                "Censored",
                "Filtered",
                "Prohibited",
                "Stale NXDOMAIN Answer",
                "Not Authoritative",
                "Not Supported",
                "No Reachable Authority",
                "Network Error",
                "Invalid Data",
                "Signature Expired before Valid",
                "Too Early",
                "Unsupported NSEC3 Iterations Value",
                "Unable to conform to policy",
                "Synthesized",
                "Invalid Query Type",
                "Rate Limited",
                "Over Quota",
            )
        )
    )
)
"""Extended DNS errors (RFC 8914) in IANA's words."""


UNWRITTEN = frozenset((31, 32, 34, 40, 57, 58, 100, 101, 102, 259, 263, 264))
"""Types whose names are understood but not written: never or hardly used, and unknown to most programs."""


class _Registry:
    """Both directions of one registry, with a spelling for numbers that have no name."""

    __slots__ = ("_most", "_numbers", "_prefix", "_what", "_written")

    def __init__(
        self,
        what: str,
        names: Mapping[int, str],
        prefix: str,
        most: int,
        also: Mapping[str, int] | None = None,
        unwritten: frozenset[int] = frozenset(),
    ) -> None:
        self._what = what
        self._written = {number: name for number, name in names.items() if number not in unwritten}
        self._numbers = {name: number for number, name in names.items()} | dict(also or {})
        self._prefix = prefix
        self._most = most

    def name(self, number: int) -> str:
        known = self._written.get(number)
        if known is not None:
            return known
        if not 0 <= number <= self._most:
            raise UsageError(f"{self._what} {number} is not between 0 and {self._most}")
        return f"{self._prefix}{number}"

    def number(self, name: str) -> int:
        text = name.strip().upper()
        known = self._numbers.get(text)
        if known is not None:
            return known
        digits = text.removeprefix(self._prefix)
        if digits.isascii() and digits.isdecimal() and len(digits) <= 5 and int(digits) <= self._most:
            return int(digits)
        raise UsageError(f"{name!r} is not a {self._what}; write a mnemonic, {self._prefix}n or a number")


_RRTYPES = _Registry("record type", RRTYPES, "TYPE", 0xFFFF, {"*": 255}, UNWRITTEN)
_CLASSES = _Registry("class", CLASSES, "CLASS", 0xFFFF, {"*": 255})
_OPCODES = _Registry("opcode", OPCODES, "OPCODE", 15, unwritten=frozenset((6,)))
_RCODES = _Registry("rcode", RCODES, "RCODE", 0xFFFF, {"BADSIG": 16})
_OPTIONS = _Registry("EDNS option", EDNS_OPTIONS, "OPT", 0xFFFF)


def rrtype_name(number: int) -> str:
    """Return the mnemonic of a record or query type, ``TYPEn`` where there is none.

    Examples
    --------
    >>> rrtype_name(28), rrtype_name(65280)
    ('AAAA', 'TYPE65280')
    """
    return _RRTYPES.name(number)


def rrtype_number(name: str) -> int:
    """Return the number of a record or query type given as mnemonic, ``TYPEn`` or number, in any case."""
    return _RRTYPES.number(name)


def class_name(number: int) -> str:
    """Return the mnemonic of a class, ``CLASSn`` where there is none."""
    return _CLASSES.name(number)


def class_number(name: str) -> int:
    """Return the number of a class given as mnemonic, ``CLASSn`` or number, in any case."""
    return _CLASSES.number(name)


def opcode_name(number: int) -> str:
    """Return the mnemonic of an opcode, ``OPCODEn`` where there is none."""
    return _OPCODES.name(number)


def opcode_number(name: str) -> int:
    """Return the number of an opcode given as mnemonic, ``OPCODEn`` or number, in any case."""
    return _OPCODES.number(name)


def rcode_name(number: int) -> str:
    """Return the mnemonic of a response code, ``RCODEn`` where there is none; 16 is BADVERS."""
    return _RCODES.name(number)


def rcode_number(name: str) -> int:
    """Return the number of a response code given as mnemonic, ``RCODEn`` or number, in any case."""
    return _RCODES.number(name)


def edns_option_name(number: int) -> str:
    """Return the short name of an EDNS option, ``OPTn`` where there is none."""
    return _OPTIONS.name(number)


def edns_option_number(name: str) -> int:
    """Return the code of an EDNS option given as short name, ``OPTn`` or number, in any case."""
    return _OPTIONS.number(name)


def extended_error(code: int) -> str:
    """Return IANA's words for an extended DNS error, or ``EDE n`` for a code without any."""
    return EXTENDED_ERRORS.get(code) or f"EDE {code}"
