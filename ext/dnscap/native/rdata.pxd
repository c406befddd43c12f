"""RDATA by tables: the check of its form, expansion of names in it, and its presentation text."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from dnscap.native.domain cimport NAME_ROOM
from dnscap.native.text cimport Text

cdef enum:
    RDATA_GROWTH = 2 * NAME_ROOM   # no type holds more than two names that may be compressed
    RDATA_NO_ROOM = -1000          # of `expand_rdata`: the caller gave less than it promised
    MOST_RDATA = 65535 + RDATA_GROWTH


cdef inline uint32_t rdata_room(uint32_t rdlength) noexcept nogil:
    """Octets to reserve for `expand_rdata`."""
    return rdlength + RDATA_GROWTH


# Check the form of the RDATA at message[at:at + rdlength] and copy it to `out` with its names expanded, their case
# kept.  `rclass` is without the cache-flush bit of mDNS.  `message` must be followed by PADDING readable octets and
# `room` be at least rdata_room(rdlength).  Returns the octets written, or minus a status with `fault_at` set to the
# offset in the message at which that was found.  Types without a known form are copied as they are; so is the empty
# RDATA that UPDATE messages hold with class ANY or NONE (RFC 2136 section 2.4), and OPT, which is not looked into.
cdef int expand_rdata(uint16_t rtype, uint16_t rclass, const uint8_t* message, uint32_t size, uint32_t at,
                      uint32_t rdlength, uint8_t* out, uint32_t room, uint32_t* fault_at) noexcept nogil

# Append the presentation format of expanded RDATA: 1 done, 0 not a form known here (nothing appended), -1 no memory.
# Trusts nothing about the octets.
cdef int rdata_text(uint16_t rtype, uint16_t rclass, const uint8_t* rdata, uint32_t size, Text* out) noexcept nogil

# Append the text of an EDNS option (ECS, cookie, NSID, extended error; any other and any malformed one in the
# generic form of RFC 3597): 0, or -1 without memory.
cdef int edns_text(uint16_t code, const uint8_t* octets, uint32_t size, Text* out) noexcept nogil
