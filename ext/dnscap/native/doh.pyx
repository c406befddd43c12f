"""Public resolvers whose HTTPS is taken for DNS; see doh.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from dnscap.native.octets cimport be32, be64

# Public resolvers that also speak DNS over HTTPS: Cloudflare, Google, Quad9, OpenDNS, AdGuard.
cdef uint32_t[13] DOH_IP4 = [
    0x01010101, 0x01000001, 0x01010102, 0x01010103, 0x08080808, 0x08080404, 0x09090909, 0x0909090A,
    0x95707070,
    0xD043DEDE, 0xD043DCDC, 0x5E8C0E0E, 0x5E8C0F0F,
]
cdef uint64_t[20] DOH_IP6 = [                   # upper and lower half in turn
    0x2606470047000000, 0x1111, 0x2606470047000000, 0x1001,
    0x2001486048600000, 0x8888, 0x2001486048600000, 0x8844,
    0x262000FE00000000, 0x00FE, 0x262000FE00000000, 0x0009,
    0x2620011900350000, 0x0035, 0x2620011900530000, 0x0053,
    0x2A1050C000000000, 0x0AD100FF, 0x2A1050C000000000, 0x0AD200FF,
]


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
