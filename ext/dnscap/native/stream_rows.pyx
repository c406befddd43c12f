"""TCP reassembly seen from Python: segments as dicts in, messages and connections as dicts out."""
cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from dnscap.native.datagrams cimport CUT_BY_CAPTURE, Datagram, Outbox, outbox_close, outbox_open
from dnscap.native.events cimport EVENT_STREAM_GAP, Event, EventLog, event_log_close, event_log_open
from dnscap.native.flows cimport StreamTable
from dnscap.native.octets cimport PADDING
from dnscap.native.streams cimport Streams
from dnscap.native.tcp cimport TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, Connection, Segment

import socket

TCP_FLAGS = {"FIN": TCP_FIN, "SYN": TCP_SYN, "RST": TCP_RST, "ACK": TCP_ACK}
STREAM_ENDS = ("open", "fin", "reset", "refused", "unanswered", "idle", "evicted")


cdef int read_address(str text, uint64_t* out) except -1:
    """Store an address as IPv6 or ::ffff:a.b.c.d; return its IP version."""
    cdef bytes packed
    if ":" in text:
        packed = socket.inet_pton(socket.AF_INET6, text)
        memcpy(out, <const char*>packed, 16)
        return 6
    packed = b"\0" * 10 + b"\xff\xff" + socket.inet_pton(socket.AF_INET, text)
    memcpy(out, <const char*>packed, 16)
    return 4


cdef str write_address(const uint64_t* address):
    cdef bytes packed = (<const char*>address)[:16]
    if packed.startswith(b"\0" * 10 + b"\xff\xff"):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed)


cdef int take_box(Outbox* box, list out) except -1:
    cdef Datagram* d
    cdef uint32_t i
    for i in range(box.count):
        d = &box.rows[i]
        out.append({
            "octets": (<const char*>d.octets)[:d.size],
            "wire_size": d.wire_size,
            "stream": d.stream,
            "number": d.number,
            "time": d.time,
            "frames": d.frames,
            "cut": d.wholeness == CUT_BY_CAPTURE,
            "src": write_address(d.src),
            "src_port": d.src_port,
            "dst": write_address(d.dst),
            "dst_port": d.dst_port,
            "source": d.source,
            "interface": d.interface,
            "direction": d.direction,
            "ip_ttl": d.ip_ttl,
            "ip_version": d.ip_version,
        })
    box.count = 0
    return 0


cdef int take_log(EventLog* log, object out) except -1:
    cdef Event* e
    cdef uint32_t i
    if out is not None:
        for i in range(log.count):
            e = &log.rows[i]
            out.append({
                "kind": "stream-gap" if e.kind == EVENT_STREAM_GAP else "stream-evicted",
                "stream": e.stream,
                "octets": e.octets,
                "time": e.time,
                "frame": e.frame,
                "src": write_address(e.quoted_src),
                "src_port": e.quoted_src_port,
                "dst": write_address(e.quoted_dst),
                "dst_port": e.quoted_dst_port,
            })
    return 0


@cython.final
@cython.auto_pickle(False)
cdef class Reassembler:
    """Takes segments one by one, as a test or an experiment has them.

    Parameters
    ----------
    **limits
        As for `Streams`.
    """
    cdef readonly Streams streams

    def __cinit__(self, **limits):
        self.streams = Streams(**limits)

    def feed(self, segments, events=None):
        """Take segments in capture order and return the messages they complete.

        Parameters
        ----------
        segments : iterable of dict
            Each with `src`, `dst`, `src_port`, `dst_port`, `seq` and `flags` (see `TCP_FLAGS`); where not
            zero or empty also `payload`, `wire_size`, `ack`, `time` (ns), `number`, `source`, `interface`,
            `place`, `direction`, `ip_ttl`.
        events : list, optional
            Gaps and evictions are appended to it.

        Returns
        -------
        list of dict
        """
        cdef Outbox box
        cdef EventLog log
        cdef Segment seg
        cdef bytearray held = bytearray()
        cdef uint8_t[::1] view
        cdef bytes payload
        cdef list out = []
        cdef int status = 0
        if outbox_open(&box) != 0:
            raise MemoryError
        event_log_open(&log)
        try:
            for row in segments:
                payload = row.get("payload", b"")
                held = bytearray(payload + bytes(PADDING))
                view = held
                memset(&seg, 0, sizeof(Segment))
                seg.octets = &view[0]
                seg.size = <uint32_t>len(payload)
                seg.wire_size = row.get("wire_size", seg.size)
                seg.ip_version = read_address(row["src"], seg.src)
                read_address(row["dst"], seg.dst)
                seg.src_port = row["src_port"]
                seg.dst_port = row["dst_port"]
                seg.seq = row["seq"]
                seg.ack = row.get("ack", 0)
                seg.flags = row["flags"]
                seg.place = row.get("place", 0)
                seg.time = row.get("time", 0)
                seg.number = row.get("number", 0)
                seg.source = row.get("source", 0)
                seg.interface = row.get("interface", 0)
                seg.direction = row.get("direction", 0)
                seg.ip_ttl = row.get("ip_ttl", 64)
                with nogil:
                    status = self.streams.segment(&seg, &box, &log)
                if status != 0:
                    raise MemoryError
                take_box(&box, out)
            take_log(&log, events)
        finally:
            outbox_close(&box)
            event_log_close(&log)
        return out

    def finish_all(self, events=None):
        """Close every connection and return the messages that were still held; see `feed`."""
        cdef Outbox box
        cdef EventLog log
        cdef list out = []
        cdef int status
        if outbox_open(&box) != 0:
            raise MemoryError
        event_log_open(&log)
        try:
            with nogil:
                status = self.streams.finish(&box, &log)
            if status != 0:
                raise MemoryError
            take_box(&box, out)
            take_log(&log, events)
        finally:
            outbox_close(&box)
            event_log_close(&log)
        return out

    def connections(self):
        """The connections closed since the last call, as dicts with the names of the connections table."""
        cdef list out = []
        cdef Connection* c
        cdef StreamTable* t = self.streams.table
        cdef uint32_t i
        for i in range(t.closed_count):
            c = &t.closed[i]
            out.append({
                "stream": c.stream,
                "client": write_address(c.client),
                "client_port": c.client_port,
                "server": write_address(c.server),
                "server_port": c.server_port,
                "time": c.time,
                "end_time": c.end_time,
                "handshake": None if c.handshake < 0 else c.handshake,
                "first_frame": c.first_frame,
                "last_frame": c.last_frame,
                "octets_to_server": c.octets_to_server,
                "octets_to_client": c.octets_to_client,
                "gap_octets": c.gap_octets,
                "source": c.source,
                "syns": c.syns,
                "retransmissions": c.retransmissions,
                "out_of_order": c.out_of_order,
                "queries": c.queries,
                "responses": c.responses,
                "end": STREAM_ENDS[c.end],
                "ip_version": c.ip_version,
            })
        t.closed_count = 0
        return out
