"""Reading octets: the only place where input is turned into numbers.

Two ways in.  `be16` and its kin trust their caller to have checked that the octets
are there; use them where one check covers a whole fixed header.  `Octets` is a
cursor that checks for itself; use it wherever lengths come from the input.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "loads.h" nogil:
    uint64_t load64(const void* p) noexcept
    uint32_t load32(const void* p) noexcept
    uint16_t be16(const void* p) noexcept
    uint32_t be32(const void* p) noexcept
    uint64_t be64(const void* p) noexcept
    uint16_t le16(const void* p) noexcept
    uint32_t le32(const void* p) noexcept
    uint64_t le64(const void* p) noexcept
    uint64_t mapped_ip4(const void* p) noexcept     # second half of ::ffff:a.b.c.d, in memory order

# Octets that may be read (never meant) past the end of every frame and every reassembled
# payload, so that names can be loaded and compared in whole vectors.
cdef enum:
    PADDING = 64

cdef struct Octets:
    const uint8_t* at
    const uint8_t* end

cdef inline size_t left(const Octets* o) noexcept nogil:
    return <size_t>(o.end - o.at)

cdef inline bint has(const Octets* o, size_t n) noexcept nogil:
    return <size_t>(o.end - o.at) >= n

cdef inline const uint8_t* take(Octets* o, size_t n) noexcept nogil:
    """Advance over `n` octets and return where they start; NULL, and no move, where fewer are left."""
    cdef const uint8_t* p = o.at
    if <size_t>(o.end - p) < n:
        return NULL
    o.at = p + n
    return p
