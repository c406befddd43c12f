"""Every count of capture quality: name, words, meaning. The one declaration.

The counts tell what a capture lacks and what reading passed over, so that nobody takes what is in the tables
for all there was. The summary, the documentation and the tests are made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Weight = Literal["lost", "told", "plain"]
"""What a count says: ``lost`` takes something away from the picture, ``told`` is worth a word in a summary,
``plain`` is how much of the usual there was."""


@dataclass(frozen=True, slots=True)
class QualityCount:
    """One count of capture quality.

    Attributes
    ----------
    name : str
        Key in ``Quality.counts`` and in summaries as JSON.
    weight : {"lost", "told", "plain"}
        What it says about the picture.
    noun, rest : str
        What is counted, in the singular, and what goes behind it: ``frame``, ``cut by the snap length``.
    meaning : str
        The same at more length, for the documentation.
    """

    name: str
    weight: Weight
    noun: str
    rest: str
    meaning: str


def _counts(*rows: tuple[str, Weight, str, str, str]) -> tuple[QualityCount, ...]:
    return tuple(QualityCount(*row) for row in rows)


COUNTS = _counts(
    ("frames", "plain", "frame", "read", "frames read"),
    ("octets", "plain", "octet", "captured", "captured octets of all frames"),
    (
        "cut_frames",
        "lost",
        "frame",
        "cut by the snap length",
        "frames longer on the wire than in the capture (snap length)",
    ),
    (
        "skipped_packets",
        "lost",
        "packet",
        "of a form that is not read",
        "packets of a form that is not read, such as one on an interface that the file does not declare",
    ),
    (
        "unknown_link",
        "lost",
        "frame",
        "of a link type that is not read",
        "frames of a link type that is not read",
    ),
    (
        "bad_ip",
        "lost",
        "frame",
        "with an IP header that makes no sense",
        "packets whose IP, UDP or TCP header has lengths that make no sense",
    ),
    (
        "too_deep",
        "lost",
        "frame",
        "in more tunnels than are followed",
        "frames with more tunnels in tunnels than are followed",
    ),
    (
        "fragments_expired",
        "lost",
        "fragmented packet",
        "never whole",
        "fragmented packets that were not whole 10 s (capture time) after their first part",
    ),
    (
        "fragments_evicted",
        "lost",
        "fragmented packet",
        "given up for lack of room",
        "the same, given up early for lack of room: 16,384 packets or 64 MiB wait at most",
    ),
    (
        "fragments_overlapping",
        "lost",
        "fragmented packet",
        "with parts that contradict each other",
        "fragmented packets with parts that overlap",
    ),
    (
        "fragments_malformed",
        "lost",
        "fragment",
        "that cannot be",
        "fragments that cannot be, such as one that reaches past 65,535 octets",
    ),
    (
        "stream_gaps",
        "lost",
        "hole",
        "in TCP streams",
        "holes in TCP streams that no segment filled; each is an event of the kind `stream-gap`",
    ),
    (
        "segments_unplaced",
        "lost",
        "TCP segment",
        "in which no message was seen to start",
        "TCP data passed over in search of a message, after a hole or where a stream is joined late",
    ),
    (
        "segments_oversized",
        "lost",
        "TCP segment",
        "larger than any network carries",
        "TCP segments of more than 1 MiB, which only a faulty capture has",
    ),
    (
        "streams_evicted",
        "lost",
        "TCP connection",
        "given up for lack of room",
        "TCP connections given up before their end for lack of room: 65,536 are followed at most",
    ),
    (
        "stream_octets_evicted",
        "lost",
        "octet",
        "of unfinished TCP messages given up for lack of room",
        "octets of unfinished TCP messages given up for lack of room: 64 MiB wait at most",
    ),
    (
        "stream_turns_lost",
        "lost",
        "opening or end",
        "of TCP connections more than is kept",
        "openings and ends of TCP connections beyond what is kept between two batches",
    ),
    ("events_lost", "lost", "event", "more than is kept", "events beyond what is kept between two batches"),
    (
        "lost_interfaces",
        "lost",
        "interface",
        "more than is kept",
        "interfaces of a pcapng file beyond what is kept",
    ),
    (
        "lost_texts",
        "lost",
        "text about the capture",
        "more than is kept",
        "names, filters and comments of a pcapng file beyond what is kept",
    ),
    (
        "dot",
        "lost",
        "TCP segment",
        "of DNS over TLS (port 853), not readable",
        "TCP segments on port 853: DNS over TLS",
    ),
    (
        "doq",
        "lost",
        "datagram",
        "of DNS over QUIC (port 853), not readable",
        "UDP datagrams on port 853: DNS over QUIC",
    ),
    (
        "doh",
        "lost",
        "packet",
        "to or from known DNS over HTTPS servers, not readable",
        "packets on port 443 to or from addresses of well-known DNS over HTTPS resolvers",
    ),
    ("not_ip", "told", "frame", "without IP", "frames without IP, such as ARP"),
    (
        "other_transport",
        "told",
        "IP packet",
        "of other protocols",
        "IP packets of protocols that carry no DNS",
    ),
    (
        "other_ports",
        "told",
        "packet",
        "on other ports",
        "UDP and TCP on ports that are not taken as DNS (see `--port`)",
    ),
    ("fragments", "told", "IP fragment", "seen", "IP fragments seen"),
    (
        "tunnelled",
        "told",
        "frame",
        "from inside tunnels",
        "frames whose inner packet was followed (GRE, VXLAN, GENEVE, GTP-U, 6in4 and others)",
    ),
    (
        "segments_stray",
        "told",
        "TCP segment",
        "far outside the window",
        "TCP segments ignored for sequence numbers far outside the window of their connection",
    ),
    (
        "segments_orphaned",
        "plain",
        "TCP segment",
        "of no known connection",
        "TCP segments without data, of connections that are over or began before the capture",
    ),
    (
        "segments_duplicate",
        "plain",
        "TCP segment",
        "captured more than once",
        "second sightings and deliveries of TCP segments (sent again: `connections.retransmissions`)",
    ),
    (
        "segments_keepalive",
        "plain",
        "TCP keep-alive",
        "seen",
        "TCP segments that only ask whether the other side is there",
    ),
    ("segments", "plain", "TCP segment", "put in order", "TCP segments handed to reassembly"),
    ("fragments_completed", "plain", "fragmented packet", "put together", "fragmented packets put together"),
    (
        "fragments_waiting",
        "plain",
        "fragmented packet",
        "waiting for its parts",
        "fragmented packets that wait for a part; 0 once the capture is read to its end",
    ),
    (
        "fragments_octets",
        "plain",
        "octet",
        "of fragments waiting",
        "octets held for them; 0 once the capture is read to its end",
    ),
    ("dns_udp", "plain", "datagram", "on DNS ports", "datagrams on DNS ports"),
    ("dns_tcp", "plain", "TCP segment", "on DNS ports", "TCP segments on DNS ports"),
    ("icmp_errors", "plain", "ICMP error", "about DNS", "ICMP errors that quote DNS (events table)"),
)
"""What reading counts, in the order in which a summary shows it."""

STATE_COUNTS = _counts(
    (
        "exchanges_evicted",
        "lost",
        "query",
        "no longer waited for, for lack of room",
        "queries given up before their answer came, for lack of room",
    ),
    (
        "lookups_closed_early",
        "lost",
        "lookup",
        "closed early, for lack of room",
        "lookups taken for over before their stub can have given up, for lack of room",
    ),
    (
        "clients_forgotten",
        "lost",
        "client",
        "forgotten, for lack of room",
        "clients whose habits were forgotten for those of others, for lack of room",
    ),
    (
        "resolutions_cut_short",
        "lost",
        "query",
        "at a resolver judged early, for lack of room",
        "queries at resolvers judged before all was known, for lack of room: 65,536 are followed at once",
    ),
    (
        "resolvers_not_told_apart",
        "lost",
        "address",
        "not looked at as a resolver, for lack of room",
        "addresses not looked at as resolvers or clients of such, for lack of room",
    ),
    (
        "names_dropped",
        "lost",
        "answer",
        "about names that are not followed: what is said of names rests on a sample",
        "answers about names that were not followed, for lack of room: the names table holds a sample then",
    ),
    (
        "values_dropped",
        "lost",
        "value",
        "of names more than are told apart",
        "values of names beyond those that are told apart",
    ),
    (
        "exchanges_not_kept",
        "lost",
        "exchange",
        "of slow or failed lookups counted and not looked at one by one, for lack of room",
        "exchanges of slow or failed lookups that findings do not look at one by one: 262,144 are kept",
    ),
)
"""What the stages after reading gave up, once they were run; one that a limit never touched is 0."""
