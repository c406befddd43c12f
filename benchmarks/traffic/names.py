"""The names that clients look up: hosts, zone apexes, reverse trees, services, names that do not exist."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

Labels = tuple[bytes, ...]


class Kind(IntEnum):
    """What a name is; it decides which types are asked for and what the answer looks like."""

    HOST = 0
    APEX = 1
    REVERSE4 = 2
    REVERSE6 = 3
    SERVICE = 4
    MISSING = 5
    SEARCH = 6  # a host with a search suffix appended by the stub resolver; does not exist


@dataclass(slots=True)
class Names:
    """All names, and for some hosts the numbers of their variants with search suffixes."""

    labels: list[Labels]
    kinds: list[Kind]
    variants: dict[int, list[int]]

    def add(self, labels: Labels, kind: Kind) -> int:
        """Append a name and return its number."""
        self.labels.append(labels)
        self.kinds.append(kind)
        return len(self.labels) - 1


def _words(text: str) -> list[str]:
    return text.split()


CONSONANTS = _words("b c d f g h k l m n p r s t v w z br cl st tr")
VOWELS = _words("a e i o u ai ou")
SYLLABLES = [c + v for c in CONSONANTS for v in VOWELS]
# A word that stands here several times is chosen so much more often.
TOP_LEVEL = _words(
    "com com com com com net net org io de uk nl fr jp cn ru br info biz dev app cloud co eu xyz"
)
HOSTS = _words(
    "www www www www api cdn mail static img m app login auth edge push assets media ads track stats "
    "smtp imap ns1 ns2 vpn gw telemetry update config graph events beacon"
)
SEARCH_SUFFIXES: list[Labels] = [(b"corp", b"example", b"net"), (b"lan", b"corp", b"example", b"net")]


def make_names(count: int, rng: np.random.Generator) -> Names:
    """About `count` names in fixed proportions."""
    names = Names([], [], {})
    zones = _zones(max(20, count * 12 // 100), rng)
    for zone in zones:
        names.add(zone, Kind.APEX)
    missing, reverse4, reverse6 = count * 8 // 100, count * 10 // 100, count * 3 // 100
    services, searched = count // 100, count * 4 // 100
    hosts = count - len(zones) - missing - reverse4 - reverse6 - services - searched
    first_host = len(names.labels)
    numbers = _add_hosts(names, zones, hosts, rng)

    octets = rng.integers(0, 256, (reverse4, 4))
    for row in octets:
        names.add((*(b"%d" % x for x in row[::-1]), b"in-addr", b"arpa"), Kind.REVERSE4)
    nibbles = rng.integers(0, 16, (reverse6, 32))
    for row in nibbles:
        names.add((*(b"%x" % x for x in row), b"ip6", b"arpa"), Kind.REVERSE6)
    for i, zone in enumerate(rng.integers(0, len(zones), services)):
        service = b"_sip" if i & 1 else b"_ldap"
        names.add((service, b"_tcp", b"site%d" % i, *zones[zone]), Kind.SERVICE)
    letters = rng.integers(97, 123, (missing, 16))
    lengths = rng.integers(8, 17, missing)
    for row, length in zip(letters, lengths, strict=True):
        top = TOP_LEVEL[length % len(TOP_LEVEL)].encode()
        names.add((bytes(row[:length].astype(np.uint8)), top), Kind.MISSING)

    for i in range(searched // 2):
        host = first_host + int(numbers[i % hosts]) % hosts
        if host not in names.variants:
            names.variants[host] = [
                names.add(names.labels[host] + suffix, Kind.SEARCH) for suffix in SEARCH_SUFFIXES
            ]
    return names


def _zones(count: int, rng: np.random.Generator) -> list[Labels]:
    parts = rng.integers(0, len(SYLLABLES), (count, 4))
    lengths = rng.integers(1, 5, count)
    tops = rng.integers(0, len(TOP_LEVEL), count)
    digits = rng.integers(0, 100, count)
    zones: list[Labels] = []
    seen = set()
    for i in range(count):
        word = "".join(SYLLABLES[k] for k in parts[i, : lengths[i]])
        word += "" if digits[i] > 12 else str(digits[i])
        top = TOP_LEVEL[tops[i]]
        if (word, top) in seen:
            word += f"-{i}"
        seen.add((word, top))
        zones.append((word.encode(), top.encode()))
    return zones


def _add_hosts(names: Names, zones: list[Labels], count: int, rng: np.random.Generator) -> np.ndarray:
    places = rng.integers(0, len(zones), count)
    words = rng.integers(0, len(HOSTS), count)
    forms = rng.integers(0, 10, count)
    numbers = rng.integers(0, 1 << 30, count)
    seen = set()
    for i in range(count):
        form, number = forms[i], numbers[i]
        # The long machine-made names belong to few zones, as those of content networks do.
        zone = zones[places[i] if form < 8 else places[i] % 50]
        word = HOSTS[words[i]].encode()
        labels: Labels
        if form < 4:
            labels = (word, *zone)
        elif form < 7:
            labels = (word, SYLLABLES[number % len(SYLLABLES)].encode(), *zone)
        elif form < 8:
            labels = (b"%s%d" % (word, number % 1000), *zone)
        else:
            labels = (b"%08x" % number, b"e%d" % (number % 97), word, *zone)
        if labels in seen:
            labels = (b"h%d" % i, *labels)
        seen.add(labels)
        names.add(labels, Kind.HOST)
    return numbers
