"""What a walk found as Python objects; see walk_rows.pxd."""
from libc.stdint cimport uint32_t, uint64_t

from dnscap.native.datagrams cimport NO_STREAM, Datagram, Outbox, outbox_clear
from dnscap.native.events cimport Event, EventLog

from ipaddress import IPv6Address as _IPv6Address


cdef object address(const uint64_t* octets):
    found = _IPv6Address((<const char*>octets)[:16])
    return str(found.ipv4_mapped or found)


cdef void drain(Outbox* box, EventLog* log, list datagrams, list events) except *:
    cdef Datagram* d
    cdef Event* e
    cdef uint32_t i
    for i in range(box.count):
        d = &box.rows[i]
        datagrams.append({
            "payload": (<const char*>d.octets)[:d.size], "wire_size": d.wire_size, "wholeness": d.wholeness,
            "src": address(d.src), "src_port": d.src_port, "dst": address(d.dst), "dst_port": d.dst_port,
            "transport": d.transport, "stream": None if d.stream == NO_STREAM else d.stream,
            "time": d.time, "frame": d.number, "frames": d.frames, "source": d.source,
            "interface": d.interface, "place": d.place, "direction": d.direction,
            "ip_ttl": d.ip_ttl, "ip_version": d.ip_version,
        })
    for i in range(log.count):
        e = &log.rows[i]
        events.append({
            "kind": e.kind, "time": e.time, "frame": e.frame, "source": e.source,
            "src": address(e.src), "dst": address(e.dst), "code": e.code, "octets": e.octets,
            "quoted_src": address(e.quoted_src), "quoted_src_port": e.quoted_src_port,
            "quoted_dst": address(e.quoted_dst), "quoted_dst_port": e.quoted_dst_port,
            "transport": e.transport, "stream": None if e.stream == NO_STREAM else e.stream,
            "quote": (<const char*>e.quote)[:e.quote_size],
        })
    outbox_clear(box)
    log.count = 0
