"""Every count of capture quality: name, words, meaning. The one declaration.

The counts tell what a capture lacks and what reading passed over, so that nobody takes what is in the tables
for all there was. The summary, the documentation and the tests are made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QualityCount:
    """One count of capture quality.

    Attributes
    ----------
    name : str
        Key in ``Quality.counts`` and in summaries as JSON.
    words : str
        What is counted, to be put behind the number.
    meaning : str
        One sentence for people.
    loses : bool
        Whether anything counted here takes something away from the picture.
    """

    name: str
    words: str
    meaning: str
    loses: bool = False


def _counts(*rows: tuple[str, str, str] | tuple[str, str, str, bool]) -> tuple[QualityCount, ...]:
    return tuple(QualityCount(*row) for row in rows)


LOSES = True

COUNTS = _counts(
    # What the capture does not hold in a form that can be read.
    ("frames", "frames", "Frames read."),
    ("octets", "octets captured", "Captured octets of all frames, headers of the file format left out."),
    (
        "cut_frames",
        "frames cut by the snap length",
        "Frames of which fewer octets were captured than were on the wire.",
        LOSES,
    ),
    (
        "skipped_packets",
        "packets that the file does not hold in a readable form",
        "Packets of a pcapng file that refer to no interface, or whose lengths do not add up.",
        LOSES,
    ),
    (
        "lost_interfaces",
        "interfaces beyond what is kept",
        "Interfaces of a file beyond the number that is kept; their packets are skipped.",
        LOSES,
    ),
    (
        "lost_texts",
        "names, filters and comments beyond what is kept",
        "Texts about the capture that exceed what is kept of a file; no packet is lost with them.",
    ),
    (
        "unknown_link",
        "frames of a link type that is not read",
        "Frames of a link type that is not supported; nothing in them is looked at.",
        LOSES,
    ),
    (
        "bad_ip",
        "frames with IP headers that make no sense",
        "Packets whose IP, UDP or TCP header has lengths that cannot be.",
        LOSES,
    ),
    (
        "too_deep",
        "frames in more tunnels than are followed",
        "Packets nested deeper in tunnels than is followed.",
        LOSES,
    ),
    # Fragments of IP packets.
    ("fragments", "IP fragments", "Fragments of IP packets."),
    (
        "fragments_completed",
        "fragmented packets put together",
        "IP packets of which every fragment was found.",
    ),
    (
        "fragments_expired",
        "fragmented packets that never came together",
        "IP packets of which a fragment did not come within ten seconds, or before the capture ended.",
        LOSES,
    ),
    (
        "fragments_evicted",
        "fragmented packets given up for lack of room",
        "IP packets given up because too many waited for their fragments at once.",
        LOSES,
    ),
    (
        "fragments_overlapping",
        "fragmented packets with parts that contradict each other",
        "IP packets given up because their fragments overlap, as only attacks and faults make them.",
        LOSES,
    ),
    (
        "fragments_malformed",
        "fragments that cannot be",
        "Fragments with an offset or a length that no packet can have.",
        LOSES,
    ),
    (
        "fragments_waiting",
        "fragmented packets that still wait",
        "IP packets that wait for a fragment; none once the capture was read to its end.",
    ),
    (
        "fragments_octets",
        "octets of fragments that still wait",
        "Octets held for IP packets that wait; none once the capture was read to its end.",
    ),
    # TCP streams.
    ("dns_tcp", "TCP segments on DNS ports", "TCP segments to or from a DNS port."),
    ("segments", "TCP segments put in order", "TCP segments handed to reassembly."),
    (
        "stream_gaps",
        "holes in TCP streams",
        "Places where TCP data that was acknowledged, or followed by more, is not in the capture.",
        LOSES,
    ),
    (
        "segments_unplaced",
        "TCP segments of messages whose beginning is missing",
        "TCP data passed over while looking for the beginning of a message, after a hole or where the capture "
        "began in mid-stream.",
        LOSES,
    ),
    (
        "streams_evicted",
        "TCP connections given up for lack of room",
        "TCP connections forgotten before their end because too many were open at once.",
        LOSES,
    ),
    (
        "stream_octets_evicted",
        "octets of unfinished TCP messages given up for lack of room",
        "Octets of messages given up because too much waited in all connections together.",
        LOSES,
    ),
    (
        "stream_turns_lost",
        "beginnings and ends of TCP connections beyond what is kept",
        "Handshakes, refusals and ends of connections that analysis did not get to see because too many came "
        "at once.",
        LOSES,
    ),
    (
        "segments_oversized",
        "TCP segments larger than any network carries",
        "TCP segments passed over because of a length that cannot be.",
        LOSES,
    ),
    (
        "segments_stray",
        "TCP segments far outside their connection's window",
        "TCP segments ignored because their sequence numbers belong nowhere near their connection: late ones of "
        "an earlier connection, or forged ones.",
    ),
    (
        "segments_orphaned",
        "TCP segments without data that belong to no known connection",
        "Acknowledgements and ends of connections that were over, or opened before the capture began.",
    ),
    (
        "segments_duplicate",
        "TCP segments captured more than once",
        "Second sightings of a segment at another place, and second deliveries; retransmissions are not among "
        "them.",
    ),
    ("segments_keepalive", "TCP keep-alives", "Segments that only ask whether the other side is there."),
    # What came of the rest.
    ("dns_udp", "datagrams on DNS ports", "UDP datagrams to or from a DNS port."),
    (
        "tunnelled",
        "frames whose tunnel was followed",
        "Frames that carry another packet, which was looked at instead.",
    ),
    ("icmp_errors", "ICMP errors about DNS", "ICMP errors that quote a DNS packet."),
    (
        "events_lost",
        "events beyond what is kept",
        "Rows missing from the events table because too many came at once.",
        LOSES,
    ),
    # Traffic that is not, or cannot be, read.
    (
        "dot",
        "TCP segments of DNS over TLS (port 853): not readable",
        "TCP segments on port 853, encrypted.",
        LOSES,
    ),
    (
        "doq",
        "datagrams of DNS over QUIC (port 853): not readable",
        "UDP datagrams on port 853, encrypted.",
        LOSES,
    ),
    (
        "doh",
        "packets to and from known DNS over HTTPS servers: not readable",
        "Packets on port 443 of addresses at which well-known resolvers offer DNS over HTTPS, encrypted.",
        LOSES,
    ),
    ("not_ip", "frames that are not IP", "Frames that carry neither IPv4 nor IPv6."),
    (
        "other_transport",
        "IP packets that are neither UDP nor TCP",
        "IP packets that are neither UDP nor TCP, no tunnel that is followed and no ICMP error about DNS.",
    ),
    ("other_ports", "packets on other ports", "UDP and TCP packets on ports that are not DNS."),
)
"""The counts in the order in which they are shown."""
