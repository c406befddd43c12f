"""A packet while its layers are taken off: what link layers, IP, tunnels and ICMP hand to each other."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from dnscap.native.octets cimport Octets, load32, load64

cdef enum Protocol:            # IP protocol numbers and IPv6 extension headers
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
    PROTOCOL_MPLS = 137
    PROTOCOL_HIP = 139
    PROTOCOL_SHIM6 = 140

cdef enum:
    # extension headers of a packet; RFC 8200 section 4.1 lists seven, one of them twice
    MOST_EXTENSIONS = 16

cdef struct Packet:            # what is left of a frame while its layers are taken off
    Octets body                # captured octets
    uint64_t place             # as in Datagram
    uint64_t missing           # octets that follow the body on the wire and are not in the capture
    uint32_t interface
    uint32_t frames            # how many frames carried it: more than one after IP reassembly
    uint32_t depth             # encapsulations taken off
    uint32_t layers            # EtherTypes followed
    uint8_t direction

cdef struct Ends:              # what an IP header tells
    uint64_t src[2]
    uint64_t dst[2]
    uint8_t version
    uint8_t ttl


cdef inline uint64_t mix(uint64_t place, uint64_t what) noexcept nogil:
    """Fold one more mark of the place where a frame was seen into `place`."""
    place = (place ^ what) * <uint64_t>0x9E3779B97F4A7C15
    return place ^ (place >> 29)


cdef inline uint64_t mac_place(const uint8_t* macs) noexcept nogil:
    """Both addresses of an Ethernet header in one number; 0 for the zeros of a loopback interface."""
    return mix(load64(macs) * <uint64_t>0xD6E8FEB86659FD93, load32(macs + 8))


cdef inline void promise(Packet* p, uint64_t size) noexcept nogil:
    """Say that the body is `size` octets on the wire: more is padding, what lacks was not captured."""
    cdef uint64_t have = <uint64_t>(p.body.end - p.body.at)
    if size <= have:
        p.body.end = p.body.at + size
        p.missing = 0
    else:
        p.missing = size - have


cdef inline uint64_t on_wire(const Packet* p) noexcept nogil:
    return <uint64_t>(p.body.end - p.body.at) + p.missing


cdef enum:
    PORT_WORDS = 2048          # a bit for each of the 65,536 ports
    PORT_DNS = 53
    NO_PORT = 0x10000


cdef inline bint is_dns(const uint32_t* ports, uint32_t src, uint32_t dst) noexcept nogil:
    return ((ports[src >> 5] >> (src & 31)) | (ports[dst >> 5] >> (dst & 31))) & 1
