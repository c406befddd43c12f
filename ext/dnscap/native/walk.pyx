"""From frames to payloads.

Nearly every frame of a DNS capture is an unfragmented UDP datagram under one of a few link layers, so those go
a short way: `fast4` and `fast6` read the headers where they must be and fill the outbox's row in place.
Whatever they do not know by sight takes the long way, `slow_frame`, which takes off one layer after another.

Checksums of UDP and TCP are never looked at: network cards compute them after the capture, so they are
wrong in good captures.
"""
cimport cython
from libc.stdint cimport UINT32_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy, memset

from dnscap.native.datagrams cimport (
    CUT_BY_CAPTURE, NO_STREAM, TRANSPORT_TCP, TRANSPORT_UDP, WHOLE,
    Datagram, Outbox, outbox_add, outbox_clear, outbox_close, outbox_open,
)
from dnscap.native.events cimport (
    EVENT_ARP_FAILURE, EVENT_ICMP_ERROR, QUOTE_ROOM,
    Event, EventLog, event_log_add, event_log_close, event_log_open,
)
from dnscap.native.fragments cimport (
    INTEREST_DNS, INTEREST_NONE, INTEREST_UNKNOWN, Fragment, Fragments, Reassembled,
)
from dnscap.native.frames cimport DIRECTION_IN, DIRECTION_OUT, DIRECTION_UNKNOWN, FRAME_BATCH, Frame
from dnscap.native.links cimport (
    LAYER_ARP, LAYER_DEEP, LAYER_IP, LAYER_OTHER, LAYER_UNKNOWN, LINK_ETHERNET, LINK_IPV4, LINK_IPV6, LINK_LINUX_SLL,
    LINK_LINUX_SLL2, LINK_RAW, LINK_RAW_BSD, LINK_RAW_OPENBSD, MOST_DEPTH, TYPE_BRIDGED, TYPE_IP4, TYPE_IP6,
    Packet, ethernet_layer, ethernet_likely, link_layer, mac_place, mix, on_wire, promise, typed_layer,
)
from dnscap.native.octets cimport (
    PADDING, be16, be32, be64, has, le64, left, load32, load64, mapped_ip4, take,
)
from dnscap.native.streams cimport Segment, Streams

import ipaddress

cdef enum:
    PROTOCOL_HOP_BY_HOP = 0
    PROTOCOL_ICMP = 1
    PROTOCOL_IP4 = 4
    PROTOCOL_TCP = 6
    PROTOCOL_UDP = 17
    PROTOCOL_IP6 = 41
    PROTOCOL_ROUTING = 43
    PROTOCOL_FRAGMENT = 44
    PROTOCOL_GRE = 47
    PROTOCOL_AH = 51
    PROTOCOL_ICMP6 = 58
    PROTOCOL_DESTINATION_OPTIONS = 60
    PROTOCOL_ETHERIP = 97
    PROTOCOL_MOBILITY = 135
    PROTOCOL_HIP = 139
    PROTOCOL_SHIM6 = 140

cdef enum:
    PORT_GTP = 2152
    PORT_TEREDO = 3544
    PORT_VXLAN = 4789
    PORT_GENEVE = 6081
    PORT_VXLAN_LINUX = 8472    # what Linux used before IANA gave one

cdef enum:
    MOST_EXTENSIONS = 16       # extension headers of a packet; RFC 8200 section 4.1 lists seven, one of them twice
    ARP_SLOTS = 512            # addresses asked for without reply that are remembered
    ARP_TRIES = 3              # what Linux, Windows and macOS send before they give up

cdef int64_t ARP_WINDOW = 5_000_000_000     # in which the tries must come: they are sent a second apart
cdef int64_t ARP_APART = 100_000_000        # nearer ones are sightings of one request

cdef struct Ends:              # what an IP header tells
    uint64_t src[2]
    uint64_t dst[2]
    uint8_t version
    uint8_t ttl

cdef struct Way:               # what stays the same while a frame is taken apart
    const Frame* frame
    Outbox* box
    EventLog* events
    bint tunnelled

cdef struct ArpSlot:
    uint32_t asked
    uint32_t asker
    uint32_t tries
    int64_t first
    int64_t latest

cdef struct ArpTable:
    ArpSlot slots[ARP_SLOTS]

# Public resolvers that also speak DNS over HTTPS: Cloudflare, Google, Quad9, OpenDNS, AdGuard.
cdef uint32_t[13] DOH_IP4 = [
    0x01010101, 0x01000001, 0x01010102, 0x01010103, 0x08080808, 0x08080404, 0x09090909, 0x0909090A, 0x95707070,
    0xD043DEDE, 0xD043DCDC, 0x5E8C0E0E, 0x5E8C0F0F,
]
cdef uint64_t[20] DOH_IP6 = [                   # upper and lower half in turn
    0x2606470047000000, 0x1111, 0x2606470047000000, 0x1001,
    0x2001486048600000, 0x8888, 0x2001486048600000, 0x8844,
    0x262000FE00000000, 0x00FE, 0x262000FE00000000, 0x0009,
    0x2620011900350000, 0x0035, 0x2620011900530000, 0x0053,
    0x2A1050C000000000, 0x0AD100FF, 0x2A1050C000000000, 0x0AD200FF,
]


cdef inline bint is_dns(const uint8_t* ports, uint32_t src, uint32_t dst) noexcept nogil:
    return ((ports[src >> 3] >> (src & 7)) | (ports[dst >> 3] >> (dst & 7))) & 1


cdef inline uint32_t in32(uint64_t size) noexcept nogil:
    return <uint32_t>size if size < UINT32_MAX else UINT32_MAX


# ---- the short way

cdef inline int fast4(WalkCounts* seen, const uint8_t* ports, const Frame* frame, const uint8_t* ip, const uint8_t* end,
                      uint64_t place, uint32_t interface, uint8_t direction, Outbox* box) noexcept nogil:
    """Take an IPv4 packet with no options and no fragmentation that carries UDP on DNS ports.

    1: taken.  0: not one of those.  -1: no memory.  28 octets from `ip` must be there.
    """
    cdef uint32_t total, length, have, src_port, dst_port
    cdef Datagram* d
    if ip[0] != 0x45 or ip[9] != PROTOCOL_UDP or be16(ip + 6) & 0x3FFF:
        return 0
    src_port = be16(ip + 20)
    dst_port = be16(ip + 22)
    total = be16(ip + 2)
    length = be16(ip + 24)
    # lengths that contradict each other are weighed on the long way
    if not is_dns(ports, src_port, dst_port) or length <= 8 or total < length + 20:
        return 0
    have = <uint32_t>(end - ip) - 28
    length -= 8
    if have == 0:
        return 0
    d = outbox_add(box)
    if d == NULL:
        return -1
    seen.dns_udp += 1
    d.octets = ip + 28
    d.src[0] = d.dst[0] = 0
    d.src[1] = mapped_ip4(ip + 12)
    d.dst[1] = mapped_ip4(ip + 16)
    d.place = place
    d.size = length if length <= have else have
    d.wire_size = length
    d.time = frame.time
    d.number = frame.number
    d.source = frame.source
    d.interface = interface
    d.frames = 1
    d.stream = NO_STREAM
    d.src_port = <uint16_t>src_port
    d.dst_port = <uint16_t>dst_port
    d.transport = TRANSPORT_UDP
    d.wholeness = WHOLE if length <= have else CUT_BY_CAPTURE
    d.ip_ttl = ip[8]
    d.ip_version = 4
    d.direction = direction
    return 1


cdef inline int fast6(WalkCounts* seen, const uint8_t* ports, const Frame* frame, const uint8_t* ip, const uint8_t* end,
                      uint64_t place, uint32_t interface, uint8_t direction, Outbox* box) noexcept nogil:
    """As `fast4`, for an IPv6 packet without extension headers; 48 octets from `ip` must be there."""
    cdef uint32_t length, have, src_port, dst_port
    cdef Datagram* d
    if ip[0] >> 4 != 6 or ip[6] != PROTOCOL_UDP:
        return 0
    src_port = be16(ip + 40)
    dst_port = be16(ip + 42)
    length = be16(ip + 44)
    if not is_dns(ports, src_port, dst_port) or length <= 8 or be16(ip + 4) < length:
        return 0
    have = <uint32_t>(end - ip) - 48
    length -= 8
    if have == 0:
        return 0
    d = outbox_add(box)
    if d == NULL:
        return -1
    seen.dns_udp += 1
    d.octets = ip + 48
    d.src[0] = load64(ip + 8)
    d.src[1] = load64(ip + 16)
    d.dst[0] = load64(ip + 24)
    d.dst[1] = load64(ip + 32)
    d.place = place
    d.size = length if length <= have else have
    d.wire_size = length
    d.time = frame.time
    d.number = frame.number
    d.source = frame.source
    d.interface = interface
    d.frames = 1
    d.stream = NO_STREAM
    d.src_port = <uint16_t>src_port
    d.dst_port = <uint16_t>dst_port
    d.transport = TRANSPORT_UDP
    d.wholeness = WHOLE if length <= have else CUT_BY_CAPTURE
    d.ip_ttl = ip[7]
    d.ip_version = 6
    d.direction = direction
    return 1


cdef inline int fast_frame(WalkCounts* seen, const uint8_t* ports, const Frame* frame, Outbox* box) noexcept nogil:
    cdef const uint8_t* p = frame.octets
    cdef const uint8_t* ip
    cdef const uint8_t* end = p + frame.size
    cdef uint64_t place = 0, address
    cdef uint32_t kind, interface = 0, size = frame.size
    cdef uint8_t direction = frame.direction
    if frame.link == LINK_ETHERNET:
        if size < 14 + 28:
            return 0
        kind = be16(p + 12)
        ip = p + 14
        place = mac_place(p)
    elif frame.link == LINK_LINUX_SLL:
        # addresses of other lengths than a MAC's are for the long way
        if size < 16 + 28 or be16(p + 4) != 6:
            return 0
        kind = be16(p + 14)
        ip = p + 16
        address = le64(p + 6) & <uint64_t>0xFFFFFFFFFFFF
        place = mix(0, address)
        if direction == DIRECTION_UNKNOWN:
            direction = DIRECTION_OUT if be16(p) == 4 else DIRECTION_IN
    elif frame.link == LINK_LINUX_SLL2:
        if size < 20 + 28 or p[11] != 6:
            return 0
        kind = be16(p)
        ip = p + 20
        address = le64(p + 12) & <uint64_t>0xFFFFFFFFFFFF
        place = mix(0, address)
        interface = be32(p + 4)
        if direction == DIRECTION_UNKNOWN:
            direction = DIRECTION_OUT if p[10] == 4 else DIRECTION_IN
    elif (frame.link == LINK_RAW or frame.link == LINK_IPV4 or frame.link == LINK_IPV6
            or frame.link == LINK_RAW_BSD or frame.link == LINK_RAW_OPENBSD):
        if size < 28:
            return 0
        kind = TYPE_IP4 if p[0] >> 4 == 4 else TYPE_IP6
        ip = p
    else:
        return 0
    if kind == TYPE_IP4:
        return fast4(seen, ports, frame, ip, end, place, interface, direction, box)
    if kind == TYPE_IP6 and end - ip >= 48:
        return fast6(seen, ports, frame, ip, end, place, interface, direction, box)
    return 0


# ---- the long way

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
    result = layer(walk, &way, link_layer(frame.link, &p), &p)
    walk.seen.tunnelled += way.tunnelled
    return result


cdef int layer(Walk walk, Way* way, int kind, Packet* p) noexcept nogil:
    if kind == LAYER_IP:
        return ip_packet(walk, way, p)
    if kind == LAYER_ARP:
        walk.seen.not_ip += 1
        arp_packet(walk.arp, way, p)
    elif kind == LAYER_DEEP:
        walk.seen.too_deep += 1
    elif kind == LAYER_UNKNOWN:
        walk.seen.unknown_link += 1
    else:
        walk.seen.not_ip += 1
    return 0


cdef int inner(Walk walk, Way* way, Packet* p, const Ends* ends, uint32_t kind) noexcept nogil:
    """Follow a tunnel whose header is taken off to what follows it: an EtherType, TYPE_BRIDGED for a whole frame."""
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
    cdef uint32_t size
    cdef Fragment f
    cdef int i
    for i in range(MOST_EXTENSIONS + 1):
        if protocol == PROTOCOL_UDP:
            return udp(walk, way, p, ends)
        if protocol == PROTOCOL_TCP:
            return tcp(walk, way, p, ends)
        if protocol == PROTOCOL_ICMP or protocol == PROTOCOL_ICMP6:
            return icmp(walk, way, p, ends, protocol)
        if protocol == PROTOCOL_IP4:
            return inner(walk, way, p, ends, TYPE_IP4)
        if protocol == PROTOCOL_IP6:
            return inner(walk, way, p, ends, TYPE_IP6)
        if protocol == PROTOCOL_GRE:
            return gre(walk, way, p, ends)
        if protocol == PROTOCOL_ETHERIP:
            # RFC 3378: version 3, the rest zero
            h = take(&p.body, 2)
            if h != NULL and be16(h) == 0x3000:
                return inner(walk, way, p, ends, TYPE_BRIDGED)
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
        elif (protocol == PROTOCOL_HOP_BY_HOP or protocol == PROTOCOL_ROUTING or protocol == PROTOCOL_DESTINATION_OPTIONS
                or protocol == PROTOCOL_MOBILITY or protocol == PROTOCOL_HIP or protocol == PROTOCOL_SHIM6):
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
    return INTEREST_UNKNOWN if protocol == PROTOCOL_UDP and (is_tunnel(src) or is_tunnel(dst)) else INTEREST_NONE


cdef int fragment(Walk walk, Way* way, Packet* p, const Ends* ends, Fragment* f) noexcept nogil:
    """`f` has what the header says of the fragment; the body is its payload."""
    cdef Reassembled whole
    cdef int result
    cdef uint32_t protocol = f.protocol
    walk.seen.fragments += 1
    if (protocol != PROTOCOL_UDP and protocol != PROTOCOL_TCP and protocol != PROTOCOL_IP4 and protocol != PROTOCOL_IP6
            and protocol != PROTOCOL_GRE and protocol != PROTOCOL_ETHERIP and protocol != PROTOCOL_AH
            and protocol != PROTOCOL_DESTINATION_OPTIONS):
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


cdef bint is_doh(uint32_t port, const uint64_t* address, uint8_t version) noexcept nogil:
    cdef const uint8_t* octets = <const uint8_t*>address
    cdef uint32_t ip4
    cdef int i
    if port != 443:
        return False
    if version == 4:
        ip4 = be32(octets + 12)
        for i in range(13):
            if ip4 == DOH_IP4[i]:
                return True
        return False
    for i in range(10):
        if be64(octets) == DOH_IP6[2 * i] and be64(octets + 8) == DOH_IP6[2 * i + 1]:
            return True
    return False


cdef int udp(Walk walk, Way* way, Packet* p, const Ends* ends) noexcept nogil:
    cdef const uint8_t* h = take(&p.body, 8)
    cdef uint32_t src_port, dst_port, length, size
    cdef uint64_t wire
    cdef Datagram* d
    cdef int result
    if h == NULL:
        walk.seen.bad_ip += 1
        return 0
    src_port = be16(h)
    dst_port = be16(h + 2)
    if not is_dns(walk.dns_ports, src_port, dst_port):
        if is_tunnel(src_port) or is_tunnel(dst_port):
            result = udp_tunnel(walk, way, p, ends, src_port, dst_port)
            if result != NOT_A_TUNNEL:
                return result
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


# ---- tunnels

cdef enum:
    NOT_A_TUNNEL = 1           # what is behind the port is not what the tunnel would put there


cdef inline bint is_tunnel(uint32_t port) noexcept nogil:
    return (port == PORT_VXLAN or port == PORT_VXLAN_LINUX or port == PORT_GENEVE or port == PORT_GTP
            or port == PORT_TEREDO)


cdef inline bint starts_ip(const Packet* p) noexcept nogil:
    return has(&p.body, 1) and (p.body.at[0] >> 4 == 4 or p.body.at[0] >> 4 == 6)


cdef int gre(Walk walk, Way* way, Packet* p, const Ends* ends) noexcept nogil:
    """RFC 2784, RFC 2890; version 1 (RFC 2637) carries PPP.  ERSPAN puts an Ethernet frame behind a header of its own."""
    cdef const uint8_t* h = take(&p.body, 4)
    cdef uint32_t flags, kind, size = 0
    if h != NULL:
        flags = be16(h)
        kind = be16(h + 2)
        size = 4 * (flags >> 15) + 4 * (flags >> 13 & 1) + 4 * (flags >> 12 & 1)
        if flags & 7 == 1:
            size += 4 * (flags >> 7 & 1)       # acknowledgment number
        # source routes (RFC 1701) went out of use
        if flags & 0x4000 == 0 and flags & 7 < 2 and take(&p.body, size) != NULL:
            if kind == 0x88BE and flags & 0x1000 == 0:                  # ERSPAN type I: no header, no sequence number
                return inner(walk, way, p, ends, TYPE_BRIDGED)
            if kind == 0x88BE:
                if take(&p.body, 8) != NULL:
                    return inner(walk, way, p, ends, TYPE_BRIDGED)
            elif kind == 0x22EB:
                h = take(&p.body, 12)
                if h != NULL and (h[11] & 1 == 0 or take(&p.body, 8) != NULL):
                    # the frame type of the header: 0 Ethernet, 2 IP
                    if be16(h + 10) >> 10 & 31 == 0:
                        return inner(walk, way, p, ends, TYPE_BRIDGED)
                    if be16(h + 10) >> 10 & 31 == 2:
                        return inner(walk, way, p, ends, TYPE_IP4)
            elif kind > 1500:
                return inner(walk, way, p, ends, kind)
    walk.seen.other_transport += 1
    return 0


cdef int udp_tunnel(Walk walk, Way* way, Packet* p, const Ends* ends, uint32_t src_port, uint32_t dst_port) noexcept nogil:
    """Follow a tunnel over UDP if what is behind the port is one; NOT_A_TUNNEL, with the packet as it was, if not."""
    cdef Packet kept = p[0]
    cdef const uint8_t* h = take(&p.body, 8)
    cdef uint32_t kind, more
    if h == NULL:
        p[0] = kept
        return NOT_A_TUNNEL
    if src_port == PORT_GENEVE or dst_port == PORT_GENEVE:
        # RFC 8926 section 3.4: version 0, options, the EtherType of what follows
        kind = be16(h + 2)
        if h[0] >> 6 == 0 and take(&p.body, (h[0] & 63) * 4) != NULL:
            if kind == TYPE_BRIDGED and ethernet_likely(p):
                return inner(walk, way, p, ends, TYPE_BRIDGED)
            if (kind == TYPE_IP4 or kind == TYPE_IP6) and starts_ip(p):
                return inner(walk, way, p, ends, kind)
    elif src_port == PORT_GTP or dst_port == PORT_GTP:
        # 3GPP TS 29.281: version 1, protocol type GTP, a user packet
        if h[0] >> 5 == 1 and h[0] & 0x10 and h[1] == 0xFF:
            if h[0] & 7 == 0 or gtp_options(p, h[0] & 4):
                if starts_ip(p):
                    return inner(walk, way, p, ends, TYPE_IP4)
    elif src_port == PORT_TEREDO or dst_port == PORT_TEREDO:
        # RFC 4380 section 5.1.1: authentication and origin come before the IPv6 packet
        p.body.at = h
        if has(&p.body, 4) and be16(h) == 0x0001:
            more = 13 + h[2] + h[3]
            if take(&p.body, more) == NULL:
                p[0] = kept
                return NOT_A_TUNNEL
        if has(&p.body, 8) and be16(p.body.at) == 0:
            p.body.at += 8
        if has(&p.body, 40) and p.body.at[0] >> 4 == 6 and be16(p.body.at + 4) + 40 <= on_wire(p):
            return inner(walk, way, p, ends, TYPE_IP6)
    elif h[0] & 0x77 == 0 and h[0] & 0x08 and h[7] == 0 and ethernet_likely(p):
        # VXLAN (RFC 7348 section 5), with or without a group policy
        return inner(walk, way, p, ends, TYPE_BRIDGED)
    p[0] = kept
    return NOT_A_TUNNEL


cdef bint gtp_options(Packet* p, uint32_t extended) noexcept nogil:
    """Take off sequence number, N-PDU number and extension headers."""
    cdef const uint8_t* h = take(&p.body, 4)
    cdef uint32_t size, kind
    cdef int i
    if h == NULL:
        return False
    kind = h[3] if extended else 0
    for i in range(MOST_EXTENSIONS):
        if kind == 0:
            return True
        if not has(&p.body, 1):
            return False
        size = p.body.at[0] * 4
        if size == 0:
            return False
        h = take(&p.body, size)
        if h == NULL:
            return False
        kind = h[size - 1]
    return False


# ---- what happens around the messages

cdef int icmp(Walk walk, Way* way, Packet* p, const Ends* ends, uint32_t protocol) noexcept nogil:
    """An ICMP error quotes the packet it is about: RFC 792, RFC 4443."""
    cdef const uint8_t* icmp_header = take(&p.body, 8)
    cdef const uint8_t* h = icmp_header
    cdef const uint8_t* q
    cdef Ends quoted
    cdef Event* e
    cdef uint32_t kind, size, total
    cdef int i
    if h == NULL:
        walk.seen.other_transport += 1
        return 0
    if protocol == PROTOCOL_ICMP:
        if h[0] != 3 and h[0] != 11 and h[0] != 12:
            walk.seen.other_transport += 1
            return 0
    elif h[0] < 1 or h[0] > 4:
        walk.seen.other_transport += 1
        return 0
    q = p.body.at
    kind = 256                 # no protocol
    if has(&p.body, 20) and q[0] >> 4 == 4:
        size = (q[0] & 15) * 4
        total = be16(q + 2)
        if total >= size + 8 and total < left(&p.body):
            p.body.end = q + total             # behind it: extensions (RFC 4884), padding
        quoted.src[0] = quoted.dst[0] = 0
        quoted.src[1] = mapped_ip4(q + 12)
        quoted.dst[1] = mapped_ip4(q + 16)
        if size >= 20 and take(&p.body, size) != NULL and be16(q + 6) & 0x1FFF == 0:
            kind = q[9]
    elif has(&p.body, 40) and q[0] >> 4 == 6:
        total = be16(q + 4)
        p.body.at += 40
        if total >= 8 and total < left(&p.body):
            p.body.end = p.body.at + total
        memcpy(quoted.src, q + 8, 16)
        memcpy(quoted.dst, q + 24, 16)
        kind = q[6]
        for i in range(MOST_EXTENSIONS):
            if kind == PROTOCOL_UDP or kind == PROTOCOL_TCP or not has(&p.body, 8):
                break
            h = p.body.at
            if kind == PROTOCOL_FRAGMENT:
                if be16(h + 2) & 0xFFF8:
                    break
                size = 8
            elif kind == PROTOCOL_HOP_BY_HOP or kind == PROTOCOL_ROUTING or kind == PROTOCOL_DESTINATION_OPTIONS:
                size = (h[1] + 1) * 8
            else:
                break
            if take(&p.body, size) == NULL:
                break
            kind = h[0]
    q = p.body.at
    if (kind != PROTOCOL_UDP and kind != PROTOCOL_TCP) or not has(&p.body, 4) or not is_dns(walk.dns_ports, be16(q), be16(q + 2)):
        walk.seen.other_transport += 1
        return 0
    walk.seen.icmp_errors += 1
    e = event_log_add(way.events)
    if e == NULL:
        return 0
    e.kind = EVENT_ICMP_ERROR
    e.code = be16(icmp_header) # type, code
    e.time = way.frame.time
    e.frame = way.frame.number
    e.source = way.frame.source
    memcpy(e.src, ends.src, 16)
    memcpy(e.dst, ends.dst, 16)
    memcpy(e.quoted_src, quoted.src, 16)
    memcpy(e.quoted_dst, quoted.dst, 16)
    e.quoted_src_port = be16(q)
    e.quoted_dst_port = be16(q + 2)
    e.transport = TRANSPORT_TCP if kind == PROTOCOL_TCP else TRANSPORT_UDP
    # a TCP segment may start anywhere in a message: nothing is quoted from it
    if kind == PROTOCOL_UDP and take(&p.body, 8) != NULL:
        size = <uint32_t>left(&p.body)
        if be16(q + 4) >= 8 and be16(q + 4) - 8 < size:
            size = be16(q + 4) - 8
        if size > QUOTE_ROOM:
            size = QUOTE_ROOM
        e.octets = size
        e.quote_size = <uint16_t>size
        memcpy(e.quote, p.body.at, size)
    return 0


cdef void arp_packet(ArpTable* table, Way* way, Packet* p) noexcept nogil:
    """Note an address that is asked for again and again while nobody answers (RFC 826; IPv4 over anything with MACs)."""
    cdef const uint8_t* h = take(&p.body, 28)
    cdef ArpSlot* slot
    cdef Event* e
    cdef uint32_t asked, asker
    cdef int64_t now = way.frame.time
    if h == NULL or be16(h + 2) != TYPE_IP4 or h[4] != 6 or h[5] != 4:
        return
    asker = load32(h + 14)
    asked = load32(h + 24)
    # whoever sends is there
    slot = arp_slot(table, asker)
    if slot.asked == asker:
        slot.tries = 0
    # probes (RFC 5227) and announcements expect no reply
    if be16(h + 6) != 1 or asker == 0 or asker == asked:
        return
    slot = arp_slot(table, asked)
    if slot.tries == 0 or slot.asked != asked or slot.asker != asker or now < slot.first or now - slot.first > ARP_WINDOW:
        slot.asked = asked
        slot.asker = asker
        slot.tries = 1
        slot.first = slot.latest = now
        return
    if now - slot.latest < ARP_APART:
        return
    slot.latest = now
    slot.tries += 1
    if slot.tries < ARP_TRIES:
        return
    slot.tries = 0
    e = event_log_add(way.events)
    if e == NULL:
        return
    e.kind = EVENT_ARP_FAILURE
    e.time = now
    e.frame = way.frame.number
    e.source = way.frame.source
    e.src[1] = e.quoted_src[1] = mapped_ip4(h + 14)
    e.dst[1] = e.quoted_dst[1] = mapped_ip4(h + 24)


cdef inline ArpSlot* arp_slot(ArpTable* table, uint32_t address) noexcept nogil:
    """Where an address is remembered; another one with the same slot takes its place."""
    return &table.slots[(address * <uint32_t>0x9E3779B1) >> 23]


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
            self.dns_ports[port >> 3] |= 1 << (port & 7)
        self.fragments = Fragments()
        self.streams = Streams()
        self.arp = <ArpTable*>calloc(1, sizeof(ArpTable))
        if self.arp == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.arp)

    cdef int frames(self, Frame* frames, uint32_t count, Outbox* box, EventLog* events) noexcept nogil:
        cdef WalkCounts* seen = &self.seen
        cdef const uint8_t* ports = self.dns_ports
        cdef Frame* frame
        cdef uint32_t i
        cdef int result
        for i in range(count):
            frame = &frames[i]
            seen.octets += frame.size
            seen.cut_frames += frame.size < frame.wire_size
            # by the clock of the frames, not of the batches: the result does not depend on how they were cut
            if frame.time > self.fragments.due and self.fragments.expire(frame.time, box, events) != 0:
                return -1
            result = fast_frame(seen, ports, frame, box)
            if result == 0:
                result = slow_frame(self, frame, box, events)
            if result < 0:
                return -1
        seen.frames += count
        return 0

    cdef int finish(self, Outbox* box, EventLog* events) noexcept nogil:
        if self.fragments.finish(box, events) != 0:
            return -1
        return self.streams.finish(box, events)

    def counts(self):
        """What was seen and what was passed over, fragments included.

        Returns
        -------
        dict of str to int
        """
        cdef dict counts = self.seen
        counts.update(self.fragments.counts())
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


cdef object address(const uint64_t* octets):
    return str(_mapped(ipaddress.IPv6Address((<const char*>octets)[:16])))


def _mapped(address):
    return address.ipv4_mapped or address


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
