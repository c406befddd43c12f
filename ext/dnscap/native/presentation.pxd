"""Presentation format of RDATA and EDNS options."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from dnscap.native.text cimport Text

# Append the presentation format of expanded RDATA: 1 done, 0 not a form known here (nothing appended), -1 no
# memory.  Trusts nothing about the octets; `rdata` may not be NULL.
cdef int rdata_text(uint16_t rtype, uint16_t rclass, const uint8_t* rdata, uint32_t size,
                    Text* out) noexcept nogil

# Append the text of an EDNS option (ECS, cookie, NSID, extended error; any other and any malformed one in the
# generic form of RFC 3597): 0, or -1 without memory.
cdef int edns_text(uint16_t code, const uint8_t* octets, uint32_t size, Text* out) noexcept nogil
