"""From frames to payloads.

Nearly every frame of a DNS capture is an unfragmented UDP datagram under one of a few link layers; those
go the short way of fast.pxd.  Everything else goes the long way, `slow_frame`, which takes off one layer
after another.

Checksums of UDP and TCP are never looked at: network cards compute them after the capture, so they are
wrong in good captures.
"""
cimport cython
from libc.stdint cimport UINT32_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from dnscap.native.datagrams cimport (
    CUT_BY_CAPTURE, NO_STREAM, TRANSPORT_UDP, WHOLE,
    Datagram, Outbox, outbox_add, outbox_close, outbox_open, outbox_room,
)
from dnscap.native.doh cimport is_doh
from dnscap.native.events cimport EventLog, event_log_close, event_log_open
from dnscap.native.fast cimport fast_frame
from dnscap.native.fragments cimport (
    INTEREST_DNS, INTEREST_NONE, INTEREST_UNKNOWN, Fragment, Fragments, Reassembled,
)
from dnscap.native.frames cimport FRAME_BATCH, Frame
from dnscap.native.interning cimport likely
from dnscap.native.links cimport (
    LAYER_ARP, LAYER_DEEP, LAYER_IP, LAYER_UNKNOWN, LINK_NETLINK, MOST_DEPTH, TYPE_BRIDGED, TYPE_IP4, TYPE_IP6,
    ethernet_layer, link_layer, nflog, typed_layer,
)
from dnscap.native.notices cimport arp_close, arp_open, note_arp, note_icmp
from dnscap.native.octets cimport (
    PADDING, be16, be32, has, le16, le32, left, load64, mapped_ip4, take,
)
from dnscap.native.packets cimport (
    MOST_EXTENSIONS, NO_PORT, PORT_DNS, PROTOCOL_AH, PROTOCOL_DESTINATION_OPTIONS, PROTOCOL_ETHERIP, PROTOCOL_FRAGMENT,
    PROTOCOL_GRE,
    PROTOCOL_HIP, PROTOCOL_HOP_BY_HOP, PROTOCOL_ICMP, PROTOCOL_ICMP6, PROTOCOL_IP4, PROTOCOL_IP6,
    PROTOCOL_MOBILITY, PROTOCOL_MPLS,
    PROTOCOL_ROUTING, PROTOCOL_SHIM6, PROTOCOL_TCP, PROTOCOL_UDP, Ends, Packet, is_dns, mix, on_wire, promise,
)
from dnscap.native.streams cimport Streams
from dnscap.native.tcp cimport Segment
from dnscap.native.tunnels cimport NO_TUNNEL, etherip_tunnel, gre_tunnel, is_tunnel, udp_tunnel
from dnscap.native.walk_rows cimport drain

cdef struct Way:               # what stays the same while a frame is taken apart
    const Frame* frame
    Outbox* box
    EventLog* events
    bint tunnelled

cdef inline uint32_t in32(uint64_t size) noexcept nogil:
    return <uint32_t>size if size < UINT32_MAX else UINT32_MAX


cdef int slow_frame(Walk walk, const Frame* frame, Outbox* box, EventLog* events) noexcept nogil:
    cdef Packet p
    cdef Way way
    cdef int result
    way.frame = frame
    way.box = box
    way.events = events
    way.tunnelled = False
    memset(&p, 0, sizeof(Packet))
    p.body.at = frame.octets
    p.body.end = frame.octets + frame.size
    p.missing = frame.wire_size - frame.size if frame.wire_size > frame.size else 0
    p.frames = 1
    p.direction = frame.direction
    if frame.link == LINK_NETLINK:
        result = netlink(walk, &way, &p)
    else:
        result = layer(walk, &way, link_layer(frame.link, &p), &p)
    walk.seen.tunnelled += way.tunnelled
    return result


cdef int netlink(Walk walk, Way* way, Packet* p) noexcept nogil:
    """A read from a netlink socket (linux/netlink.h): messages in a row, of which netfilter's log ones hold a packet each."""
    cdef const uint8_t* h = take(&p.body, 16)
    cdef Packet logged
    cdef uint32_t size, kind
    cdef bint big
    # the hardware type of netlink, the family of netfilter
    if h == NULL or be16(h + 2) != 824 or be16(h + 14) != 12:
        walk.seen.not_ip += 1
        return 0
    while True:
        h = p.body.at
        if not has(&p.body, 16):
            return 0
        # in the byte order of the machine that wrote it: a read is smaller than 64 KiB
        big = le32(h) > 0xFFFF
        size = be32(h) if big else le32(h)
        kind = be16(h + 4) if big else le16(h + 4)
        if size < 16 or size > 0xFFFF:
            return 0
        if kind == 0x0400:     # NFNL_SUBSYS_ULOG, NFULNL_MSG_PACKET
            logged = p[0]
            logged.body.at += 16
            promise(&logged, size - 16)
            if layer(walk, way, nflog(&logged), &logged) != 0:
                return -1
        if take(&p.body, (size + 3) & ~<uint32_t>3) == NULL:
            return 0


cdef int layer(Walk walk, Way* way, int kind, Packet* p) noexcept nogil:
    if kind == LAYER_IP:
        return ip_packet(walk, way, p)
    if kind == LAYER_ARP:
        walk.seen.not_ip += 1
        note_arp(walk.arp, p, way.frame, way.events)
    elif kind == LAYER_DEEP:
        walk.seen.too_deep += 1
    elif kind == LAYER_UNKNOWN:
        walk.seen.unknown_link += 1
    else:
        walk.seen.not_ip += 1
    return 0


cdef int inner(Walk walk, Way* way, Packet* p, const Ends* ends, uint32_t kind) noexcept nogil:
    """Follow a tunnel to what is behind its header: an EtherType, TYPE_BRIDGED for a whole frame."""
    way.tunnelled = True
    p.depth += 1
    if p.depth > MOST_DEPTH:
        walk.seen.too_deep += 1
        return 0
    # the tunnel's end points are part of where a packet was seen
    p.place = mix(mix(p.place, ends.src[0] ^ ends.src[1]), ends.dst[0] ^ ends.dst[1])
    return layer(walk, way, ethernet_layer(p) if kind == TYPE_BRIDGED else typed_layer(kind, p), p)


cdef int ip_packet(Walk walk, Way* way, Packet* p) noexcept nogil:
    cdef const uint8_t* h = p.body.at
    cdef size_t have = left(&p.body)
    cdef uint32_t size, total, offset
    cdef Ends ends
    cdef Fragment f
    if have >= 20 and h[0] >> 4 == 4:
        size = (h[0] & 15) * 4
        total = be16(h + 2)
        # a length of 0 stands in captures taken before the network card cut a large send into packets
        if size < 20 or have < size or (total < size and total != 0):
            walk.seen.bad_ip += 1
            return 0
        if total:
            promise(p, total)
        ends.src[0] = ends.dst[0] = 0
        ends.src[1] = mapped_ip4(h + 12)
        ends.dst[1] = mapped_ip4(h + 16)
        ends.version = 4
        ends.ttl = h[8]
        p.body.at += size
        offset = be16(h + 6) & 0x3FFF
        if offset:
            f.id = be16(h + 4)
            f.offset = (offset & 0x1FFF) * 8
            f.more = offset >> 13
            f.protocol = h[9]
            return fragment(walk, way, p, &ends, &f)
        return transport(walk, way, p, &ends, h[9])
    if have >= 40 and h[0] >> 4 == 6:
        total = be16(h + 4)
        p.body.at += 40
        if total:              # 0: a jumbogram (RFC 2675), or as for IPv4
            promise(p, total)
        ends.src[0] = load64(h + 8)
        ends.src[1] = load64(h + 16)
        ends.dst[0] = load64(h + 24)
        ends.dst[1] = load64(h + 32)
        ends.version = 6
        ends.ttl = h[7]
        return transport(walk, way, p, &ends, h[6])
    walk.seen.bad_ip += 1
    return 0


cdef int transport(Walk walk, Way* way, Packet* p, const Ends* ends, uint32_t protocol) noexcept nogil:
    cdef const uint8_t* h
    cdef uint32_t size, kind
    cdef Fragment f
    cdef int _i
    for _i in range(MOST_EXTENSIONS + 1):
        if protocol == PROTOCOL_UDP:
            return udp(walk, way, p, ends)
        if protocol == PROTOCOL_TCP:
            return tcp(walk, way, p, ends)
        if protocol == PROTOCOL_ICMP or protocol == PROTOCOL_ICMP6:
            if note_icmp(p, ends, protocol, walk.dns_ports, way.frame, way.events):
                walk.seen.icmp_errors += 1
                return 0
            break
        if protocol == PROTOCOL_IP4:
            return inner(walk, way, p, ends, TYPE_IP4)
        if protocol == PROTOCOL_IP6:
            return inner(walk, way, p, ends, TYPE_IP6)
        if protocol == PROTOCOL_GRE:
            kind = gre_tunnel(p)
            if kind != NO_TUNNEL:
                return inner(walk, way, p, ends, kind)
            break
        if protocol == PROTOCOL_MPLS:
            return inner(walk, way, p, ends, 0x8847)       # RFC 4023
        if protocol == PROTOCOL_ETHERIP:
            kind = etherip_tunnel(p)
            if kind != NO_TUNNEL:
                return inner(walk, way, p, ends, kind)
            break
        if protocol == PROTOCOL_AH:
            size = 4           # in units of four octets, less two (RFC 4302 section 2.2)
        elif ends.version != 6:
            break
        elif protocol == PROTOCOL_FRAGMENT:
            h = take(&p.body, 8)
            if h == NULL:
                break
            f.protocol = h[0]
            f.offset = be16(h + 2) & 0xFFF8
            f.more = h[3] & 1
            f.id = be32(h + 4)
            if f.offset == 0 and f.more == 0:
                protocol = h[0]        # an atomic fragment is a whole packet (RFC 6946)
                continue
            return fragment(walk, way, p, ends, &f)
        elif (protocol == PROTOCOL_HOP_BY_HOP or protocol == PROTOCOL_ROUTING
                or protocol == PROTOCOL_DESTINATION_OPTIONS or protocol == PROTOCOL_MOBILITY
                or protocol == PROTOCOL_HIP or protocol == PROTOCOL_SHIM6):
            size = 8
        else:
            break
        if not has(&p.body, 2):
            break
        h = p.body.at
        size = (h[1] + 2) * 4 if size == 4 else (h[1] + 1) * 8
        if take(&p.body, size) == NULL:
            break
        protocol = h[0]
    walk.seen.other_transport += 1
    return 0


cdef uint8_t interest_of(Walk walk, const Packet* p, uint32_t protocol) noexcept nogil:
    """What a first fragment is the beginning of."""
    cdef uint32_t src, dst
    if protocol != PROTOCOL_UDP and protocol != PROTOCOL_TCP:
        return INTEREST_UNKNOWN
    if left(&p.body) < 4:
        return INTEREST_NONE
    src = be16(p.body.at)
    dst = be16(p.body.at + 2)
    if is_dns(walk.dns_ports, src, dst):
        return INTEREST_DNS if protocol == PROTOCOL_UDP else INTEREST_UNKNOWN
    if protocol == PROTOCOL_UDP and (is_tunnel(src) or is_tunnel(dst)):
        return INTEREST_UNKNOWN
    return INTEREST_NONE


cdef int fragment(Walk walk, Way* way, Packet* p, const Ends* ends, Fragment* f) noexcept nogil:
    """`f` has what the header says of the fragment; the body is its payload."""
    cdef Reassembled whole
    cdef int result
    cdef uint32_t protocol = f.protocol
    walk.seen.fragments += 1
    if (protocol != PROTOCOL_UDP and protocol != PROTOCOL_TCP and protocol != PROTOCOL_IP4
            and protocol != PROTOCOL_IP6 and protocol != PROTOCOL_GRE and protocol != PROTOCOL_ETHERIP
            and protocol != PROTOCOL_MPLS and protocol != PROTOCOL_AH and protocol != PROTOCOL_DESTINATION_OPTIONS):
        walk.seen.other_transport += 1
        return 0
    if p.depth >= MOST_DEPTH:
        walk.seen.too_deep += 1
        return 0
    f.octets = p.body.at
    memcpy(f.src, ends.src, 16)
    memcpy(f.dst, ends.dst, 16)
    f.place = p.place
    f.time = way.frame.time
    f.number = way.frame.number
    f.source = way.frame.source
    f.interface = p.interface
    f.size = <uint32_t>left(&p.body)
    # an IPv4 length of 0 with a frame larger than IP allows: more than the table takes
    f.wire_size = in32(on_wire(p))
    f.ip_version = ends.version
    f.ip_ttl = ends.ttl
    f.direction = p.direction
    f.interest = interest_of(walk, p, protocol) if f.offset == 0 else <uint8_t>INTEREST_UNKNOWN
    result = walk.fragments.add(f, &whole, way.box, way.events)
    if result <= 0:
        return result
    p.body.at = whole.octets
    p.body.end = whole.octets + whole.size
    p.missing = whole.wire_size - whole.size
    p.frames = whole.frames
    p.depth += 1               # fragments inside a reassembled packet nest calls as tunnels do
    return transport(walk, way, p, ends, whole.protocol)


cdef int udp(Walk walk, Way* way, Packet* p, const Ends* ends) noexcept nogil:
    cdef const uint8_t* h = take(&p.body, 8)
    cdef uint32_t src_port, dst_port, length, size, kind
    cdef uint64_t wire
    cdef Datagram* d
    if h == NULL:
        walk.seen.bad_ip += 1
        return 0
    src_port = be16(h)
    dst_port = be16(h + 2)
    if not is_dns(walk.dns_ports, src_port, dst_port):
        if is_tunnel(src_port) or is_tunnel(dst_port):
            kind = udp_tunnel(p, src_port, dst_port)
            if kind != NO_TUNNEL:
                return inner(walk, way, p, ends, kind)
        if src_port == 853 or dst_port == 853:
            walk.seen.doq += 1
        elif is_doh(src_port, ends.src, ends.version) or is_doh(dst_port, ends.dst, ends.version):
            walk.seen.doh += 1
        walk.seen.other_ports += 1
        return 0
    walk.seen.dns_udp += 1
    # the UDP length, unless it cannot be true: then what IP says
    length = be16(h + 4)
    wire = on_wire(p)
    if length >= 8 and length - 8 <= wire:
        wire = length - 8
    wire = in32(wire)
    size = <uint32_t>left(&p.body)
    if size > wire:
        size = <uint32_t>wire
    if size == 0:
        return 0
    d = outbox_add(way.box)
    if d == NULL:
        return -1
    d.octets = p.body.at
    memcpy(d.src, ends.src, 16)
    memcpy(d.dst, ends.dst, 16)
    d.place = p.place
    d.size = size
    d.wire_size = <uint32_t>wire
    d.time = way.frame.time
    d.number = way.frame.number
    d.source = way.frame.source
    d.interface = p.interface
    d.frames = p.frames
    d.stream = NO_STREAM
    d.src_port = <uint16_t>src_port
    d.dst_port = <uint16_t>dst_port
    d.transport = TRANSPORT_UDP
    d.wholeness = CUT_BY_CAPTURE if size < wire else WHOLE
    d.ip_ttl = ends.ttl
    d.ip_version = ends.version
    d.direction = p.direction
    return 0


cdef int tcp(Walk walk, Way* way, Packet* p, const Ends* ends) noexcept nogil:
    cdef const uint8_t* h = p.body.at
    cdef uint64_t wire = on_wire(p)
    cdef uint32_t header, src_port, dst_port
    cdef Segment s
    if not has(&p.body, 20):
        walk.seen.bad_ip += 1
        return 0
    src_port = be16(h)
    dst_port = be16(h + 2)
    if not is_dns(walk.dns_ports, src_port, dst_port):
        if src_port == 853 or dst_port == 853:
            walk.seen.dot += 1
        elif is_doh(src_port, ends.src, ends.version) or is_doh(dst_port, ends.dst, ends.version):
            walk.seen.doh += 1
        walk.seen.other_ports += 1
        return 0
    header = (h[12] >> 4) * 4
    if header < 20 or header > wire:
        walk.seen.bad_ip += 1
        return 0
    walk.seen.dns_tcp += 1
    wire -= header
    if take(&p.body, header) == NULL:
        p.body.at = p.body.end         # cut inside the options
    s.octets = p.body.at
    memcpy(s.src, ends.src, 16)
    memcpy(s.dst, ends.dst, 16)
    s.place = p.place
    s.time = way.frame.time
    s.number = way.frame.number
    s.source = way.frame.source
    s.interface = p.interface
    s.size = <uint32_t>left(&p.body)
    s.wire_size = in32(wire)
    s.seq = be32(h + 4)
    s.ack = be32(h + 8)
    s.src_port = <uint16_t>src_port
    s.dst_port = <uint16_t>dst_port
    s.flags = h[13] & 0x17     # FIN, SYN, RST, ACK
    s.ip_ttl = ends.ttl
    s.ip_version = ends.version
    s.direction = p.direction
    return walk.streams.segment(&s, way.box, way.events)


# ---- the stage

@cython.final
cdef class Walk:
    """From frames to DNS payloads and events.

    Parameters
    ----------
    dns_ports : iterable of int
        UDP and TCP ports on which DNS is looked for.
    """

    def __cinit__(self, dns_ports=(53, 5353, 5355)):
        for port in dns_ports:
            if not 0 < port < 65536:
                raise ValueError(f"not a port: {port}")
            self.dns_ports[port >> 5] |= <uint32_t>1 << (port & 31)
        self.fragments = Fragments()
        self.streams = Streams()
        self.arp = arp_open()
        if self.arp == NULL:
            raise MemoryError

    def __dealloc__(self):
        arp_close(self.arp)

    cdef int frames(self, Frame* frames, uint32_t count, Outbox* box, EventLog* events) noexcept nogil:
        cdef const uint32_t* ports = self.dns_ports
        cdef uint32_t usual = PORT_DNS if is_dns(ports, PORT_DNS, PORT_DNS) else NO_PORT
        cdef uint64_t octets = 0, cut = 0, slow = 0
        cdef int64_t due = self.fragments.due
        cdef Datagram* d = outbox_room(box, count)
        cdef uint32_t i
        if d == NULL:
            return -1
        for i in range(count):
            octets += frames[i].size
            cut += frames[i].size < frames[i].wire_size
        i = 0
        while True:
            # by the clock of the frames, not of the batches: the result does not depend on how they were cut
            while i < count and likely(frames[i].time <= due and fast_frame(ports, usual, &frames[i], d)):
                d += 1
                i += 1
            if i == count:
                break
            box.count = <uint32_t>(d - box.rows)
            if frames[i].time > due:
                if self.fragments.expire(frames[i].time, box, events) != 0:
                    return -1
                due = self.fragments.due if self.fragments.due > frames[i].time else frames[i].time
            else:
                if slow_frame(self, &frames[i], box, events) != 0:
                    return -1
                due = self.fragments.due
                slow += 1
                i += 1
            d = outbox_room(box, count - i)
            if d == NULL:
                return -1
        box.count = <uint32_t>(d - box.rows)
        self.seen.frames += count
        self.seen.octets += octets
        self.seen.cut_frames += cut
        self.seen.dns_udp += count - slow
        return 0

    cdef int finish(self, Outbox* box, EventLog* events) noexcept nogil:
        if self.fragments.finish(box, events) != 0:
            return -1
        return self.streams.finish(box, events)

    def counts(self):
        """What was seen and what was passed over, of fragments and streams too.

        Returns
        -------
        dict of str to int
        """
        cdef dict counts = self.seen
        counts.update(self.fragments.counts())
        counts.update(self.streams.counts())
        return counts

    def walk_frames(self, frames, *, bint finish=False):
        """Walk captured frames.

        Parameters
        ----------
        frames : sequence of tuple
            Link type, octets and time in nanoseconds since the epoch, and where known the octets on the
            wire, the direction (0 unknown, 1 in, 2 out) and the row of the sources table.
        finish : bool
            The capture ends with these frames: give out what still waits.

        Returns
        -------
        datagrams, events : list of dict
        """
        cdef Outbox box
        cdef EventLog log
        cdef Frame* rows = <Frame*>malloc(FRAME_BATCH * sizeof(Frame))
        cdef uint32_t count
        cdef int result = 0
        cdef list datagrams = [], events = []
        cdef uint64_t number = self.seen.frames
        memset(&box, 0, sizeof(Outbox))
        event_log_open(&log)
        try:
            if rows == NULL or outbox_open(&box) != 0:
                raise MemoryError
            for start in range(0, len(frames), FRAME_BATCH):
                batch = frames[start:start + FRAME_BATCH]
                padded = []
                count = 0
                for link, octets, when, *more in batch:
                    padded.append(bytes(octets) + bytes(PADDING))
                    memset(&rows[count], 0, sizeof(Frame))
                    rows[count].octets = padded[count]
                    rows[count].time = when
                    number += 1
                    rows[count].number = number
                    rows[count].size = len(octets)
                    rows[count].wire_size = max(more[0], len(octets)) if more else len(octets)
                    rows[count].direction = more[1] if len(more) > 1 else 0
                    rows[count].source = more[2] if len(more) > 2 else 0
                    rows[count].link = link
                    count += 1
                with nogil:
                    result = self.frames(rows, count, &box, &log)
                if result != 0:
                    raise MemoryError
                drain(&box, &log, datagrams, events)
            if finish:
                with nogil:
                    result = self.finish(&box, &log)
                if result != 0:
                    raise MemoryError
                drain(&box, &log, datagrams, events)
        finally:
            free(rows)
            outbox_close(&box)
            event_log_close(&log)
        return datagrams, events
