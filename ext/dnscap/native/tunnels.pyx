"""Headers of tunnels taken off; see tunnels.pxd."""
from libc.stdint cimport uint8_t, uint32_t

from dnscap.native.links cimport TYPE_BRIDGED, TYPE_IP4, TYPE_IP6, ethernet_likely
from dnscap.native.octets cimport be16, has, left, take
from dnscap.native.packets cimport MOST_EXTENSIONS, Packet, on_wire
from dnscap.native.rare_links cimport TYPE_WIRELESS

cdef enum:
    TYPE_PPP = 0x880B
    TYPE_MPLS = 0x8847
    TYPE_NSH = 0x894F
    MOST_LABELS = 16           # MPLS labels in a row
    MOST_FIELDS = 64           # tagged fields of a TZSP header


cdef inline bint starts_ip(const Packet* p) noexcept nogil:
    return has(&p.body, 1) and (p.body.at[0] >> 4 == 4 or p.body.at[0] >> 4 == 6)


cdef uint32_t etherip_tunnel(Packet* p) noexcept nogil:
    """RFC 3378: version 3, the rest zero."""
    cdef const uint8_t* h = take(&p.body, 2)
    return TYPE_BRIDGED if h != NULL and be16(h) == 0x3000 else NO_TUNNEL


cdef uint32_t gre_tunnel(Packet* p) noexcept nogil:
    """RFC 2784, RFC 2890; version 1 (RFC 2637) carries PPP, ERSPAN a header and an Ethernet frame."""
    cdef const uint8_t* h = take(&p.body, 4)
    cdef uint32_t flags, kind, size
    if h == NULL:
        return NO_TUNNEL
    flags = be16(h)
    kind = be16(h + 2)
    size = 4 * (flags >> 15) + 4 * (flags >> 13 & 1) + 4 * (flags >> 12 & 1)
    if flags & 7 == 1:
        size += 4 * (flags >> 7 & 1)           # acknowledgment number
    # source routes (RFC 1701) went out of use
    if flags & 0x4000 or flags & 7 > 1 or take(&p.body, size) == NULL:
        return NO_TUNNEL
    if kind == 0x88BE:
        # ERSPAN type I has neither header nor sequence number
        return TYPE_BRIDGED if flags & 0x1000 == 0 or take(&p.body, 8) != NULL else NO_TUNNEL
    if kind == 0x22EB:
        h = take(&p.body, 12)
        if h == NULL or (h[11] & 1 and take(&p.body, 8) == NULL):
            return NO_TUNNEL
        # the frame type of the header: 0 Ethernet, 2 IP
        kind = be16(h + 10) >> 10 & 31
        return TYPE_BRIDGED if kind == 0 else TYPE_IP4 if kind == 2 else NO_TUNNEL
    return kind if kind > 1500 else NO_TUNNEL


cdef uint32_t udp_tunnel(Packet* p, uint32_t src_port, uint32_t dst_port) noexcept nogil:
    cdef Packet kept = p[0]
    cdef const uint8_t* h = take(&p.body, 8)
    cdef uint32_t kind = NO_TUNNEL
    if h == NULL:
        kind = NO_TUNNEL
    elif src_port == PORT_GENEVE or dst_port == PORT_GENEVE:
        kind = geneve(p, h)
    elif src_port == PORT_GTP or dst_port == PORT_GTP:
        # 3GPP TS 29.281: version 1, protocol type GTP, a user packet
        if h[0] >> 5 == 1 and h[0] & 0x10 and h[1] == 0xFF and (h[0] & 7 == 0 or gtp_options(p, h[0] & 4)):
            kind = TYPE_IP4 if starts_ip(p) else NO_TUNNEL
    elif src_port == PORT_TEREDO or dst_port == PORT_TEREDO:
        p.body.at = h
        kind = teredo(p)
    elif src_port == PORT_L2TP or dst_port == PORT_L2TP:
        p.body.at = h
        kind = l2tp(p)
    elif src_port == PORT_TZSP or dst_port == PORT_TZSP:
        p.body.at = h
        kind = tzsp(p)
    elif src_port == PORT_MPLS or dst_port == PORT_MPLS:
        # RFC 7510 section 3
        p.body.at = h
        kind = TYPE_MPLS if labels_likely(p) else NO_TUNNEL
    elif src_port == PORT_LISP or dst_port == PORT_LISP:
        # RFC 9300 section 5.1
        kind = TYPE_IP4 if starts_ip(p) else NO_TUNNEL
    elif h[0] & 0x08:
        # VXLAN (RFC 7348 section 5), or its generic extension, which names what follows; both use both ports
        if (h[3] == 1 or h[3] == 2) and starts_ip(p):
            kind = TYPE_IP4
        elif h[0] & 0x04 and h[3] == 4 and has(&p.body, 8) and p.body.at[0] >> 6 == 0:
            kind = TYPE_NSH
        elif ethernet_likely(p):
            kind = TYPE_BRIDGED
    if kind == NO_TUNNEL:
        p[0] = kept
    return kind


cdef uint32_t geneve(Packet* p, const uint8_t* h) noexcept nogil:
    """RFC 8926 section 3.4: version 0, options, the EtherType of what follows."""
    cdef uint32_t kind = be16(h + 2)
    if h[0] >> 6 or take(&p.body, (h[0] & 63) * 4) == NULL:
        return NO_TUNNEL
    if kind == TYPE_BRIDGED:
        return TYPE_BRIDGED if ethernet_likely(p) else NO_TUNNEL
    return kind if (kind == TYPE_IP4 or kind == TYPE_IP6) and starts_ip(p) else NO_TUNNEL


cdef uint32_t teredo(Packet* p) noexcept nogil:
    """RFC 4380 section 5.1.1: authentication and origin come before the IPv6 packet."""
    cdef const uint8_t* h = p.body.at
    if has(&p.body, 4) and be16(h) == 0x0001 and take(&p.body, 13 + h[2] + h[3]) == NULL:
        return NO_TUNNEL
    if has(&p.body, 8) and be16(p.body.at) == 0:
        p.body.at += 8
    if has(&p.body, 40) and p.body.at[0] >> 4 == 6 and be16(p.body.at + 4) + 40 <= on_wire(p):
        return TYPE_IP6
    return NO_TUNNEL


cdef uint32_t l2tp(Packet* p) noexcept nogil:
    """RFC 2661 section 3.1: a data message of version 2, with length, sequence numbers and offset or without."""
    cdef const uint8_t* h = take(&p.body, 6)
    cdef uint32_t flags, skipped = 0
    if h == NULL:
        return NO_TUNNEL
    flags = be16(h)
    if flags & 0x800F != 2 or flags & 0x3430:
        return NO_TUNNEL
    if flags & 0x4000:
        skipped += 2
    if flags & 0x0800:
        skipped += 4
    if take(&p.body, skipped) == NULL:
        return NO_TUNNEL
    if flags & 0x0200:
        h = take(&p.body, 2)
        if h == NULL or take(&p.body, be16(h)) == NULL:
            return NO_TUNNEL
    h = p.body.at
    if has(&p.body, 4) and be16(h) == 0xFF03:
        h += 2
    elif not has(&p.body, 2):
        return NO_TUNNEL
    # IPv4 or IPv6, the protocol in one octet or two
    if h[0] == 0x21 or h[0] == 0x57 or be16(h) == 0x0021 or be16(h) == 0x0057:
        return TYPE_PPP
    return NO_TUNNEL


cdef uint32_t tzsp(Packet* p) noexcept nogil:
    """Version 1, a packet that was received or sent, its link layer, and fields up to the one that ends them."""
    cdef const uint8_t* h = take(&p.body, 4)
    cdef const uint8_t* field
    cdef int _i
    if h == NULL or h[0] != 1 or h[1] > 1:
        return NO_TUNNEL
    for _i in range(MOST_FIELDS):
        field = take(&p.body, 1)
        if field == NULL:
            return NO_TUNNEL
        if field[0] == 1:
            if be16(h + 2) == 1:
                return TYPE_BRIDGED if ethernet_likely(p) else NO_TUNNEL
            return TYPE_WIRELESS if be16(h + 2) == 18 else NO_TUNNEL
        if field[0] != 0:
            field = take(&p.body, 1)
            if field == NULL or take(&p.body, field[0]) == NULL:
                return NO_TUNNEL
    return NO_TUNNEL


cdef bint labels_likely(const Packet* p) noexcept nogil:
    """A stack of labels that ends, with IP behind it, or the control word of a pseudowire."""
    cdef const uint8_t* h = p.body.at
    cdef size_t have = left(&p.body), at = 0
    cdef int _i
    for _i in range(MOST_LABELS):
        if have < at + 5:
            return False
        at += 4
        if h[at - 2] & 1:
            return h[at] >> 4 == 4 or h[at] >> 4 == 6 or h[at] >> 4 == 0
    return False


cdef bint gtp_options(Packet* p, uint32_t extended) noexcept nogil:
    """Take off sequence number, N-PDU number and extension headers."""
    cdef const uint8_t* h = take(&p.body, 4)
    cdef uint32_t size, kind
    cdef int _i
    if h == NULL:
        return False
    kind = h[3] if extended else 0
    for _i in range(MOST_EXTENSIONS):
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
