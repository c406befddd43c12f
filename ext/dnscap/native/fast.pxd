"""The short way from a frame to its DNS payload, for frames whose headers can be read where they must be.

Inline, so that a batch of frames runs through one loop: a datagram is filled in place, and nothing is kept of
the layers on the way.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.datagrams cimport CUT_BY_CAPTURE, NO_STREAM, TRANSPORT_UDP, WHOLE, Datagram
from dnscap.native.frames cimport DIRECTION_IN, DIRECTION_OUT, DIRECTION_UNKNOWN, Frame
from dnscap.native.interning cimport likely, unlikely
from dnscap.native.links cimport (
    ARPHRD_LOOPBACK, LINK_ETHERNET, LINK_IPV4, LINK_IPV6, LINK_LINUX_SLL, LINK_LINUX_SLL2, LINK_RAW, LINK_RAW_BSD,
    LINK_RAW_OPENBSD,
    TYPE_IP4, TYPE_IP6,
)
from dnscap.native.octets cimport be16, be32, le64, load64, mapped_ip4
from dnscap.native.packets cimport PROTOCOL_UDP, is_dns, mac_place, mix


cdef inline bint has_port(const uint32_t* ports, uint32_t usual, uint32_t src, uint32_t dst) noexcept nogil:
    """As `is_dns`.

    Which of the two it is changes with every packet: a product, as compilers make two branches of anything else.
    """
    return likely(<uint64_t>(src ^ usual) * (dst ^ usual) == 0) or is_dns(ports, src, dst)


cdef inline bint fast4(const uint32_t* ports, uint32_t usual, const Frame* frame, const uint8_t* ip, const uint8_t* end,
                       uint64_t place, uint32_t interface, uint8_t direction, Datagram* d) noexcept nogil:
    """Take an IPv4 packet with no options and no fragmentation that carries UDP on DNS ports.

    False where it is not one of those: then `d` is not touched.  28 octets from `ip` must be there.
    """
    cdef uint32_t total, length, have, src_port, dst_port
    if ip[0] != 0x45 or ip[9] != PROTOCOL_UDP or be16(ip + 6) & 0x3FFF:
        return False
    src_port = be16(ip + 20)
    dst_port = be16(ip + 22)
    total = be16(ip + 2)
    length = be16(ip + 24)
    # lengths that contradict each other are weighed on the long way
    if unlikely(not has_port(ports, usual, src_port, dst_port) or length <= 8 or total < length + 20):
        return False
    have = <uint32_t>(end - ip) - 28
    length -= 8
    if have == 0:
        return False
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
    return True


cdef inline bint fast6(const uint32_t* ports, uint32_t usual, const Frame* frame, const uint8_t* ip, const uint8_t* end,
                       uint64_t place, uint32_t interface, uint8_t direction, Datagram* d) noexcept nogil:
    """As `fast4`, for an IPv6 packet without extension headers; 48 octets from `ip` must be there."""
    cdef uint32_t length, have, src_port, dst_port
    if ip[0] >> 4 != 6 or ip[6] != PROTOCOL_UDP:
        return False
    src_port = be16(ip + 40)
    dst_port = be16(ip + 42)
    length = be16(ip + 44)
    if unlikely(not has_port(ports, usual, src_port, dst_port) or length <= 8 or be16(ip + 4) < length):
        return False
    have = <uint32_t>(end - ip) - 48
    length -= 8
    if have == 0:
        return False
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
    return True


cdef inline bint fast_frame(const uint32_t* ports, uint32_t usual, const Frame* frame, Datagram* d) noexcept nogil:
    """Fill `d` with the frame's DNS payload; False where it is not a frame known by sight.

    `usual` is the one of the ports that nearly all have, or NO_PORT.
    """
    cdef const uint8_t* p = frame.octets
    cdef const uint8_t* ip
    cdef const uint8_t* end = p + frame.size
    cdef uint64_t place = 0, address
    cdef uint32_t kind, interface = 0, size = frame.size
    cdef uint8_t direction = frame.direction
    if frame.link == LINK_ETHERNET:
        if size < 14 + 28:
            return False
        kind = be16(p + 12)
        ip = p + 14
        place = mac_place(p)
    elif frame.link == LINK_LINUX_SLL:
        # addresses of other lengths than a MAC's are for the long way
        if size < 16 + 28 or be16(p + 4) != 6:
            return False
        kind = be16(p + 14)
        ip = p + 16
        address = le64(p + 6) & <uint64_t>0xFFFFFFFFFFFF
        place = mix(0, address)
        if direction == DIRECTION_UNKNOWN:
            direction = DIRECTION_OUT if be16(p) == 4 or be16(p + 2) == ARPHRD_LOOPBACK else DIRECTION_IN
    elif frame.link == LINK_LINUX_SLL2:
        if size < 20 + 28 or p[11] != 6:
            return False
        kind = be16(p)
        ip = p + 20
        address = le64(p + 12) & <uint64_t>0xFFFFFFFFFFFF
        place = mix(0, address)
        interface = be32(p + 4)
        if direction == DIRECTION_UNKNOWN:
            direction = DIRECTION_OUT if p[10] == 4 or be16(p + 8) == ARPHRD_LOOPBACK else DIRECTION_IN
    elif (frame.link == LINK_RAW or frame.link == LINK_IPV4 or frame.link == LINK_IPV6
            or frame.link == LINK_RAW_BSD or frame.link == LINK_RAW_OPENBSD):
        if size < 28:
            return False
        kind = TYPE_IP4 if p[0] >> 4 == 4 else TYPE_IP6
        ip = p
    else:
        return False
    if kind == TYPE_IP4:
        return fast4(ports, usual, frame, ip, end, place, interface, direction, d)
    if kind == TYPE_IP6 and end - ip >= 48:
        return fast6(ports, usual, frame, ip, end, place, interface, direction, d)
    return False
