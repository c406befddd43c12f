"""Text out of octets: a growing buffer and writers of numbers, hex, base64, names and addresses.

Writers named `put_...` take where to write and return where the text ends; their caller has reserved the room
(`text_reserve`).  The others append to a `Text` and reserve for themselves.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from "text.h" nogil:
    const uint8_t dnscap_decimals[256][4]
    const char dnscap_hex[17]
    int DNSCAP_PLAIN, DNSCAP_QUOTED
    int dnscap_label_octet(uint8_t c) noexcept
    uint32_t dnscap_fold(uint8_t* at, uint32_t n) noexcept

cdef enum:
    NAME_TEXT_ROOM = 4 * 255 + 32      # what `put_name` may write: every octet as \DDD, or whole blocks

cdef struct Text:
    uint8_t* octets
    size_t size                # octets written
    size_t room

cdef int text_open(Text* out, size_t room) noexcept nogil      # 0, or -1 without memory
cdef void text_close(Text* out) noexcept nogil
cdef int text_grow(Text* out, size_t more) noexcept nogil      # room for `more` octets; 0, or -1

# Append the uncompressed wire-format name name[0:size] in lower case with the trailing dot; 0, or -1 without
# memory.
# A name that is not well formed is written as far as it goes.
cdef int name_text(const uint8_t* name, uint32_t size, Text* out) noexcept nogil
# Append an address given as the 16 octets of its IPv6 form in memory, IPv4-mapped ones as IPv4; 0, or -1
# without memory.
cdef int address_text(const uint64_t* address, Text* out) noexcept nogil

cdef uint8_t* put_name(uint8_t* to, const uint8_t* name, uint32_t size) noexcept nogil     # NAME_TEXT_ROOM
cdef uint8_t* put_ipv6(uint8_t* to, const uint8_t* address) noexcept nogil                 # 48 octets
cdef uint8_t* put_hex(uint8_t* to, const uint8_t* octets, uint32_t size, uint32_t chunk) noexcept nogil
cdef uint8_t* put_base64(uint8_t* to, const uint8_t* octets, uint32_t size, uint32_t chunk) noexcept nogil
cdef uint8_t* put_base32(uint8_t* to, const uint8_t* octets, uint32_t size) noexcept nogil
cdef uint8_t* put_escaped(uint8_t* to, const uint8_t* octets, uint32_t size) noexcept nogil    # 4 a octet
cdef uint8_t* put_date(uint8_t* to, uint32_t seconds) noexcept nogil                       # 14 octets
cdef uint8_t* put_decimal(uint8_t* to, uint64_t number) noexcept nogil                     # 20 octets


cdef inline int text_reserve(Text* out, size_t more) noexcept nogil:
    if out.room - out.size >= more:
        return 0
    return text_grow(out, more)


cdef inline uint8_t* put_octet(uint8_t* to, uint8_t c) noexcept nogil:
    to[0] = c
    return to + 1


cdef inline uint8_t* put_u8(uint8_t* to, uint8_t number) noexcept nogil:
    """Decimal text of an octet; may write 4 octets."""
    memcpy(to, &dnscap_decimals[number][0], 4)
    return to + dnscap_decimals[number][3]


cdef inline uint8_t* put_ddd(uint8_t* to, uint8_t c) noexcept nogil:
    to[0] = c'\\'
    to[1] = <uint8_t>(c'0' + c // 100)
    to[2] = <uint8_t>(c'0' + c // 10 % 10)
    to[3] = <uint8_t>(c'0' + c % 10)
    return to + 4


cdef inline uint8_t* put_ipv4(uint8_t* to, const uint8_t* address) noexcept nogil:
    """Dotted decimal; may write 16 octets."""
    to = put_u8(to, address[0])
    to[0] = c'.'
    to = put_u8(to + 1, address[1])
    to[0] = c'.'
    to = put_u8(to + 1, address[2])
    to[0] = c'.'
    return put_u8(to + 1, address[3])
