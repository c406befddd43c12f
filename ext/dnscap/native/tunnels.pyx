"""Headers of tunnels taken off; see tunnels.pxd."""
from libc.stdint cimport uint8_t, uint32_t

from dnscap.native.links cimport TYPE_BRIDGED, TYPE_IP4, TYPE_IP6, ethernet_likely
from dnscap.native.octets cimport be16, has, take
from dnscap.native.packets cimport MOST_EXTENSIONS, Packet, on_wire


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
    elif h[0] & 0x08:
        # VXLAN (RFC 7348 section 5), or its generic extension, which names what follows; both use both ports
        if (h[3] == 1 or h[3] == 2) and starts_ip(p):
            kind = TYPE_IP4
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
