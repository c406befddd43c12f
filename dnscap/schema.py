"""Every column of every table: name, kind, meaning, unit, nullable. The one declaration.

Frames, Parquet files, text output, docs and tests are made from it; nothing else lists columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "bool",
    "u8",
    "u16",
    "u32",
    "u64",
    "i64",
    "float",
    "category",
    "string",
    "time",
    "duration",
    "texts",
    "numbers",
]
"""How a column is stored.

``category`` is text out of a small vocabulary, ``string`` any text, ``time`` nanoseconds since the epoch in
UTC, ``duration`` nanoseconds, ``texts`` and ``numbers`` lists.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : str
        Name in frames, text output and Parquet files.
    kind : str
        How it is stored; see `Kind`.
    meaning : str
        One sentence for people.
    nullable : bool
        Whether a row may lack it: the capture does not show it, or it does not apply.
    """

    name: str
    kind: Kind
    meaning: str
    nullable: bool = False


def _columns(*rows: tuple[str, Kind, str] | tuple[str, Kind, str, bool]) -> tuple[Column, ...]:
    return tuple(Column(*row) for row in rows)


SOURCES = _columns(
    ("source", "u32", "Row number, referred to by the other tables."),
    ("name", "string", "File name as given, or the interface captured live."),
    (
        "format",
        "category",
        "pcap, pcapng or live; with the compression around it, outermost first (gz/pcap).",
    ),
    ("interface", "string", "Name of the interface as the file records it.", True),
    ("link_type", "category", "Link type as libpcap names it (EN10MB, LINUX_SLL2, RAW, ...)."),
    ("snaplen", "u32", "Octets kept of each frame at most; 0 where unlimited or not told."),
    ("filter", "string", "Capture filter, where the file records it.", True),
    ("comment", "string", "Comments of the file section and its interface.", True),
    ("frames", "u64", "Frames read."),
    ("first_frame", "u64", "Number of the first frame in its file, from 1.", True),
    ("last_frame", "u64", "Number of the last frame in its file.", True),
    ("first_time", "time", "Time of the first frame.", True),
    ("last_time", "time", "Time of the last frame.", True),
    ("drops", "u64", "Packets that the capturing system dropped, where the file tells.", True),
    ("vantage", "category", "Where the capture was taken (client, resolver, middle), where told.", True),
)

MESSAGES = _columns(
    ("message", "u32", "Row number: a dense key within the capture."),
    (
        "frame",
        "u64",
        "Number in its file, from 1 as Wireshark counts, of the frame that completed the message.",
    ),
    ("frames", "u32", "How many frames carried it."),
    ("source", "u32", "Row of the sources table."),
    ("interface", "category", "Interface the frame was captured on, where known.", True),
    (
        "direction",
        "category",
        "in or out, seen from the capturing host, where known; out on its own lo.",
        True,
    ),
    ("time", "time", "When the frame that completed the message was captured."),
    ("src", "category", "Address the message came from."),
    ("src_port", "u16", "Port it came from."),
    ("dst", "category", "Address it went to."),
    ("dst_port", "u16", "Port it went to."),
    ("transport", "category", "udp or tcp."),
    ("stream", "u32", "Connection that carried it (connections table); null on UDP.", True),
    ("id", "u16", "Message ID.", True),
    ("qr", "bool", "False for a query, true for a response.", True),
    ("opcode", "category", "QUERY, NOTIFY, UPDATE, ...", True),
    ("aa", "bool", "Authoritative answer.", True),
    ("tc", "bool", "Truncated.", True),
    ("rd", "bool", "Recursion desired.", True),
    ("ra", "bool", "Recursion available.", True),
    ("z", "bool", "The reserved header bit.", True),
    ("ad", "bool", "Authentic data.", True),
    ("cd", "bool", "Checking disabled.", True),
    ("rcode", "category", "Response code, extended by EDNS (RFC 6891 section 6.1.3).", True),
    ("qdcount", "u16", "Entries in the question section, as the header says.", True),
    ("ancount", "u16", "Records in the answer section, as the header says.", True),
    ("nscount", "u16", "Records in the authority section, as the header says.", True),
    ("arcount", "u16", "Records in the additional section, as the header says, OPT included.", True),
    ("qname", "string", "Name of the first question, lower case.", True),
    ("qtype", "category", "Type of the first question.", True),
    ("qclass", "category", "Class of the first question; the mDNS unicast-response bit taken off.", True),
    (
        "unicast_response",
        "bool",
        "The mDNS unicast-response bit of the question (RFC 6762 section 5.4).",
        True,
    ),
    ("mixed_case", "bool", "The question name used capitals on the wire."),
    ("edns_version", "u8", "EDNS version; null without EDNS.", True),
    ("edns_udp_size", "u16", "UDP payload size the sender accepts (RFC 6891 section 6.2.3).", True),
    ("do", "bool", "DNSSEC answer OK; null without EDNS.", True),
    ("edns_options", "texts", "EDNS options in order: mnemonic, or OPTn.", True),
    ("ecs", "string", "Client subnet as address/source/scope (RFC 7871).", True),
    ("nsid", "string", "Name server identifier (RFC 5001); hex where not printable.", True),
    ("ede", "texts", "Extended DNS errors: code, and text where there is one (RFC 8914).", True),
    ("cookie", "string", "Cookie in hex: client part, then server part (RFC 7873).", True),
    ("padding", "u16", "Octets of EDNS padding (RFC 7830).", True),
    ("size", "u32", "Octets of the message on the wire."),
    ("ip_ttl", "u8", "IPv4 TTL or IPv6 hop limit of the frame that completed it."),
    ("sighting_of", "u32", "First message of which this row is another sighting.", True),
    ("status", "category", "ok, or the first thing wrong with the message."),
    ("status_at", "u32", "Offset in the message at which that was found.", True),
)

RECORDS = _columns(
    ("message", "u32", "Row of the messages table."),
    ("section", "category", "answer, authority or additional."),
    ("name", "string", "Owner name, lower case."),
    ("type", "category", "Record type."),
    ("class", "category", "Record class; the mDNS cache-flush bit taken off."),
    ("cache_flush", "bool", "The mDNS cache-flush bit (RFC 6762 section 10.2)."),
    ("ttl", "u32", "Time to live in seconds, as on the wire."),
    (
        "rdata",
        "string",
        "Record data in presentation format; null where it has not the form of its type.",
        True,
    ),
)

CONNECTIONS = _columns(
    ("stream", "u32", "Connection number, referred to by messages.stream."),
    ("source", "u32", "Row of the sources table."),
    ("time", "time", "First segment seen."),
    ("end_time", "time", "Last segment seen."),
    ("first_frame", "u64", "Number of the first frame in its file."),
    ("last_frame", "u64", "Number of the last frame in its file."),
    ("client", "category", "Address that opened the connection."),
    ("client_port", "u16", "Its port."),
    ("server", "category", "Address it was opened to."),
    ("server_port", "u16", "Its port."),
    ("syns", "u32", "SYN segments sent; 0 where the connection was joined in mid-stream."),
    ("handshake", "duration", "From the last SYN to its SYN-ACK.", True),
    (
        "end",
        "category",
        "fin, reset, refused, unanswered, idle, evicted, or open where the capture ended first.",
    ),
    ("queries", "u32", "Queries carried."),
    ("responses", "u32", "Responses carried."),
    ("octets_to_server", "u64", "Payload octets to the server, each counted once."),
    ("octets_to_client", "u64", "Payload octets to the client, each counted once."),
    ("gap_octets", "u64", "Payload octets that the capture does not hold."),
    ("retransmissions", "u32", "Data segments seen again."),
    ("out_of_order", "u32", "Data segments that came before an earlier one."),
)

EVENTS = _columns(
    ("event", "u32", "Row number."),
    ("time", "time", "When the frame was captured."),
    ("frame", "u64", "Number of the frame in its file."),
    ("source", "u32", "Row of the sources table."),
    ("kind", "category", "icmp-error, arp-failure, fragments-expired, fragments-overlap, stream-gap, ..."),
    ("src", "category", "Address that sent the frame.", True),
    ("dst", "category", "Address it was sent to.", True),
    ("icmp", "category", "What the ICMP error says (port-unreachable, packet-too-big, ...).", True),
    ("transport", "category", "Transport of the packet concerned.", True),
    ("quoted_src", "category", "Source address of the packet concerned.", True),
    ("quoted_src_port", "u16", "Its source port.", True),
    ("quoted_dst", "category", "Destination address of the packet concerned.", True),
    ("quoted_dst_port", "u16", "Its destination port.", True),
    ("id", "u16", "Message ID of the DNS message quoted.", True),
    ("qr", "bool", "Whether the DNS message quoted is a response.", True),
    ("qname", "string", "Question name of the DNS message quoted, as far as it is whole.", True),
    ("qtype", "category", "Its question type.", True),
    ("stream", "u32", "Connection concerned.", True),
    ("octets", "u32", "Octets missing or held, by kind.", True),
)

EXCHANGES = _columns(
    ("exchange", "u64", "Row number, dense, in order of the queries."),
    ("query", "u32", "Message number of the query; null for a response without one.", True),
    ("response", "u32", "Message number of the response paired with it.", True),
    ("query_frame", "u64", "Frame of the query in its file.", True),
    ("response_frame", "u64", "Frame of the response in its file.", True),
    ("time", "time", "When the query was sent; when the response came where there is no query."),
    ("latency", "duration", "From query to response; null where none came or where it is ambiguous.", True),
    ("latency_min", "duration", "Least it can have been, where ambiguous.", True),
    ("latency_max", "duration", "Most it can have been, where ambiguous.", True),
    ("client", "category", "Address that asked."),
    ("client_port", "u16", "Its port."),
    ("server", "category", "Address that was asked."),
    ("server_port", "u16", "Its port."),
    ("transport", "category", "udp or tcp."),
    ("id", "u16", "Message ID."),
    ("qname", "string", "Name asked for.", True),
    ("qtype", "category", "Type asked for.", True),
    ("qclass", "category", "Class asked for.", True),
    (
        "outcome",
        "category",
        "answer, nodata, nxdomain, referral, truncated, servfail, refused, formerr, notimp, other-rcode, "
        "unreachable, unanswered, unfinished, unsolicited or duplicate.",
    ),
    ("rcode", "category", "Response code of the response.", True),
    ("transmission", "u32", "1, 2, 3 ... of the same id, port and question."),
    ("responses", "u32", "Responses that came."),
    ("late", "bool", "The response came after the client had asked again or given up."),
    ("ambiguous", "bool", "Fewer answers than transmissions: which one was answered cannot be told."),
    ("tcp_rtt", "duration", "Handshake time of the connection that carried it.", True),
    ("edns", "bool", "The query carried EDNS.", True),
    ("response_edns", "bool", "The response to a query with EDNS carried it too.", True),
    ("query_size", "u32", "Octets of the query.", True),
    ("response_size", "u32", "Octets of the response.", True),
    ("lookup", "u64", "Lookup that it belongs to (lookups table).", True),
    (
        "role",
        "category",
        "primary, companion, search, retransmission, failover, tcp-fallback, edns-fallback, parallel or chase.",
        True,
    ),
)

LOOKUPS = _columns(
    ("lookup", "u64", "Row number, in order of time."),
    ("time", "time", "First query sent."),
    (
        "duration",
        "duration",
        "From the first query to what released the application: the last awaited answer, or the modelled "
        "give-up where an awaited answer never came.",
    ),
    ("end_basis", "category", "What the end rests on: packet, timer, next-lookup or unknown."),
    ("duration_min", "duration", "Least it can have been."),
    ("duration_max", "duration", "Most it can have been."),
    ("client", "category", "Address that asked."),
    ("name", "string", "Name as the application most likely gave it."),
    (
        "name_certain",
        "bool",
        "Whether the packets leave no other reading: the name itself is among several candidates; or it has one "
        "label, is looked up in reverse, or does not exist and nothing else was tried; or the client's lookups "
        "show that it has no search list, or one whose first suffix the name does not end in.",
    ),
    ("qtypes", "texts", "Types asked for."),
    (
        "outcome",
        "category",
        "ok, nxdomain, nodata, servfail, refused, formerr, notimp, unreachable, timeout or unfinished.",
    ),
    ("final_name", "string", "Name that was answered, or the last one asked for."),
    ("answers", "texts", "Addresses (or data) answered."),
    ("cname_chain", "texts", "Names that the answer led through."),
    ("candidates", "texts", "Names asked for, in order."),
    ("queries", "u32", "Queries sent, every transmission counted."),
    (
        "wasted_queries",
        "u32",
        "Queries that added nothing: search-list candidates that do not exist, retransmissions.",
    ),
    ("retransmissions", "u32", "Queries sent again to the same server."),
    ("failovers", "u32", "Times that another server was asked instead."),
    ("servers", "texts", "Servers asked, in order."),
    ("tcp_fallback", "bool", "TCP was tried after a truncated answer."),
    ("edns_fallback", "bool", "The question was repeated without EDNS."),
    ("stub", "category", "Stub resolver or tool whose habits the packets show.", True),
    ("causes", "texts", "Why it was slow or failed, most costly first; empty when healthy."),
    ("t_answer", "duration", "The useful wait."),
    ("t_search", "duration", "Waiting for search-list candidates that did not help."),
    ("t_timeout", "duration", "Waiting in vain: for answers that never came, or too late."),
    ("t_failed_server", "duration", "Negative or broken replies before the good one."),
    ("t_truncation", "duration", "TCP handshake and transfer after a truncated answer."),
    ("t_edns", "duration", "Asking again without EDNS."),
    ("t_serial", "duration", "Second family asked only after the first was answered."),
    ("t_gap", "duration", "The client did nothing."),
)

RESOLUTIONS = _columns(
    ("resolution", "u64", "Row number, in order of time."),
    ("exchange", "u64", "Exchange of the client with the resolver (exchanges table)."),
    ("time", "time", "When the client's query was sent."),
    ("client", "category", "Address that asked."),
    ("resolver", "category", "Resolver or forwarder that was asked."),
    ("qname", "string", "Name asked for."),
    ("qtype", "category", "Type asked for."),
    ("rcode", "category", "Response code of the answer; null where none was seen.", True),
    ("latency", "duration", "From query to answer.", True),
    (
        "cache",
        "category",
        "hit, negative-hit, prefetch (answered at once, refreshed after) or stale: out of the cache; miss, "
        "coalesced (waited for what another client had caused) or forwarded: asked upstream; or unknown.",
    ),
    (
        "probability",
        "float",
        "How likely the verdict is right; near 1 where the resolver's upstream side is in the capture.",
        True,
    ),
    ("evidence", "texts", "What the verdict rests on."),
    ("ttl", "u32", "Least TTL of the answer, or its negative TTL (RFC 2308), in seconds.", True),
    ("upstream", "numbers", "Exchanges with other servers that the answer waited for."),
    ("upstream_time", "duration", "Time within the latency in which one of them was out."),
    (
        "start_depth",
        "u8",
        "Labels of the zone at which the walk began: 0 the root; null where nothing shows it.",
        True,
    ),
)

SERVERS = _columns(
    ("server", "category", "Address that was asked."),
    (
        "role",
        "category",
        "authoritative, recursive, forwarder, or null where the packets do not show it.",
        True,
    ),
    ("clients", "u32", "Addresses that asked it, up to a limit of 1,000."),
    ("queries", "u64", "Queries sent to it, every transmission counted."),
    ("answered", "u64", "Queries that got a response."),
    ("unanswered", "u64", "Queries without a response before the client gave up."),
    ("unreachable", "u64", "Queries that an ICMP error or a reset connection answered."),
    ("ambiguous", "u64", "Queries of which it cannot be told whether they were answered."),
    ("noerror", "u64", "Responses with data, with none, referrals and truncated ones."),
    ("nxdomain", "u64", "Responses that the name does not exist."),
    ("servfail", "u64", "SERVFAIL responses."),
    ("refused", "u64", "REFUSED responses."),
    ("formerr", "u64", "FORMERR responses."),
    ("other_rcodes", "u64", "Responses with another code."),
    ("truncated", "u64", "Responses with the TC bit."),
    ("latency_p50", "duration", "Median time from query to response.", True),
    ("latency_p90", "duration", "Nine in ten responses came within this time.", True),
    ("latency_p99", "duration", "99 in 100 responses came within this time.", True),
    ("tcp_connections", "u64", "TCP connections tried."),
    ("tcp_refused", "u64", "Connections that were reset at once."),
    ("tcp_unanswered", "u64", "Connections whose SYN got no reply."),
    ("tcp_rtt", "duration", "Median time of the TCP handshake.", True),
    (
        "edns",
        "category",
        "answers, ignores (responses without EDNS), formerr, drops (queries with EDNS unanswered), "
        "or null where no query tells.",
        True,
    ),
    ("never_answered", "texts", "Types asked at least three times and never answered, while others were."),
    ("failovers", "u64", "Times that a client asked another server instead."),
)

CLIENTS = _columns(
    ("client", "category", "Address that asked."),
    ("stub", "category", "Stub resolver or tool whose habits its packets show.", True),
    (
        "stub_confidence",
        "float",
        "How sure that is, 0 to 1; at 0.5 nothing tells the commonest stub from others.",
        True,
    ),
    ("lookups", "u64", "Lookups of that stub from that address."),
    ("failed", "u64", "Lookups that ended without an answer: SERVFAIL, REFUSED, timeout and the like."),
    ("duration_p50", "duration", "Median duration of its lookups.", True),
    ("duration_p99", "duration", "99 in 100 of its lookups took no longer.", True),
    (
        "nameservers",
        "texts",
        "Servers in the order in which they are configured; null where not shown.",
        True,
    ),
    (
        "search",
        "texts",
        "Search list in order, empty where no name was ever expanded; null where not shown as a whole.",
        True,
    ),
    ("ndots_min", "u8", "Least value of ndots that explains which names were expanded first.", True),
    ("ndots_max", "u8", "Greatest value of ndots that explains it.", True),
    ("timeout", "float", "Seconds that the stub waits for its first server.", True),
    ("attempts", "u8", "Times that each server is asked.", True),
    ("rotate", "bool", "Lookups begin with different servers in turn.", True),
    ("single_request", "bool", "The second family is asked only when the first is answered.", True),
    ("use_vc", "bool", "Questions go over TCP from the start.", True),
    ("edns", "bool", "Queries carry EDNS.", True),
    ("evidence", "texts", "What each of these rests on."),
)

FINDINGS = _columns(
    ("id", "category", "What was found, in kebab-case; stable."),
    ("severity", "category", "info, low, medium or high."),
    ("title", "string", "One sentence."),
    ("causes", "texts", "Causes of lookups that it stands for."),
    ("subject", "string", "Server, client or name that it is about.", True),
    ("lookups", "u64", "Lookups that it touched."),
    ("failed", "u64", "Those of them that failed."),
    ("cost_seconds", "float", "Time that applications waited for it."),
    ("cost_queries", "u64", "Queries that it added."),
    ("confidence", "float", "How sure it is, above 0 and at most 1."),
    (
        "evidence",
        "texts",
        "Lookups, exchanges and frames that show it: lookup:17, exchange:40, frame:81, of several files frame:81@FILE.",
    ),
    ("explanation", "string", "What happens and why it costs time."),
    ("remedy", "string", "What to change, for the stubs and platforms concerned."),
    ("counterfactual", "string", "What the lookups would have cost without it.", True),
    ("disproved_by", "string", "What would show that it is something else."),
)

NAMES = _columns(
    ("name", "string", "Owner name."),
    ("type", "category", "Record type asked for or given."),
    ("server", "category", "Address that answered."),
    (
        "section",
        "category",
        "answer; authority (delegations and a zone's own NS, DS and SOA records) and additional (addresses of "
        "name servers), both only from servers that do not recurse.",
    ),
    ("authoritative", "bool", "Some answer had the AA bit, from a server that was not asked to recurse."),
    ("values", "texts", "Record data given last, sorted; empty where none was, or too large to be kept."),
    (
        "ttl_full",
        "u32",
        "TTL as published: from an authoritative answer of any server, or else the largest seen of this one.",
        True,
    ),
    ("ttl", "u32", "TTL given last, in seconds.", True),
    ("ttl_min", "u32", "Smallest TTL given.", True),
    ("ttl_max", "u32", "Largest TTL given.", True),
    ("answers", "u64", "Responses that gave records."),
    ("first_time", "time", "When they were given first.", True),
    ("last_time", "time", "When they were given last.", True),
    ("expires", "time", "When the answer given last expires: its time and its TTL.", True),
    ("changes", "u32", "Times that the value was another than the time before."),
    (
        "absent",
        "category",
        "What the last negative answer said: nxdomain (no such name) or nodata (none of this type).",
        True,
    ),
    ("negatives", "u64", "Negative answers."),
    (
        "negative_ttl",
        "u32",
        "Seconds for which the last one may be kept: the smaller of TTL and MINIMUM of its SOA (RFC 2308 "
        "section 5).",
        True,
    ),
    ("first_negative", "time", "Time of the first negative answer.", True),
    ("last_negative", "time", "Time of the last negative answer.", True),
    ("negative_until", "time", "When the last one expires.", True),
    ("zone", "string", "Zone of its SOA.", True),
    ("servfails", "u64", "SERVFAIL responses to queries without the CD bit."),
    ("refusals", "u64", "REFUSED responses."),
    ("signed_until", "time", "When the signature given last ends (RFC 4034 section 3.1.5).", True),
    ("hit_rate_60", "float", "Share of the queries seen that a cache would answer with a TTL of 60 s.", True),
    ("hit_rate_300", "float", "The same with 300 s.", True),
    ("hit_rate_3600", "float", "The same with 3,600 s.", True),
)

RRSETS = _columns(
    ("name", "string", "Owner name."),
    ("type", "category", "Record type."),
    ("server", "category", "Address that answered."),
    ("section", "category", "answer, authority or additional; see the names table."),
    ("authoritative", "bool", "Some answer of the server for this name and type had the AA bit."),
    ("values", "texts", "Record data of the RRset, sorted; empty where too large to be kept."),
    ("first_time", "time", "When the server gave this value first."),
    ("last_time", "time", "When it gave it last."),
    ("answers", "u64", "Responses that gave it."),
    ("ttl_max", "u32", "Largest TTL with it."),
    ("ttl", "u32", "TTL with it last."),
    ("expires", "time", "Until when a cache may give it: the latest of the times and TTLs seen."),
    ("first_frame", "u64", "Number in its file of the frame that gave it first."),
    ("last_frame", "u64", "Number of the frame that gave it last."),
    ("clients", "texts", "Addresses that were given it, the first four."),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "sources": SOURCES,
    "messages": MESSAGES,
    "records": RECORDS,
    "connections": CONNECTIONS,
    "events": EVENTS,
    "exchanges": EXCHANGES,
    "lookups": LOOKUPS,
    "resolutions": RESOLUTIONS,
    "servers": SERVERS,
    "clients": CLIENTS,
    "names": NAMES,
    "rrsets": RRSETS,
    "findings": FINDINGS,
}
"""The tables by name, each a tuple of columns in order."""
