"""RDATA off the wire: the form of every type by tables, the check of it, expansion of the names in it."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from dnscap.native.domain cimport NAME_ROOM

cdef extern from "rdata_forms.h" nogil:
    ctypedef enum dnscap_field:
        F_END, F_NAME, F_NAMES, F_U8, F_U16, F_U32, F_U48, F_U64, F_IPV4, F_IPV6, F_TIME, F_TYPE
        F_CERTIFICATE, F_ALGORITHM, F_SCHEME, F_RCODE, F_OCTAL, F_LOCATOR, F_EUI48, F_EUI64
        F_STRING, F_MORE_STRING, F_STRINGS
        F_DECIMAL_STRING, F_TAG, F_SALT, F_HASH, F_MAC, F_OTHER, F_KEY, F_MORE_KEY, F_TEXT, F_SOME_TEXT, F_HEX
        F_HEX_0X, F_BASE64, F_BASE64_WHOLE, F_BITMAP, F_FLAT_BITMAP, F_PARAMS, F_PREFIXES, F_PORTS, F_GATEWAY
        F_RELAY, F_DISCOVERY, F_LOCATION, F_IDENTITY
    ctypedef struct dnscap_form:
        uint8_t[10] fields
        uint8_t internet

cdef enum:
    RDATA_GROWTH = 2 * NAME_ROOM   # no type holds more than two names that may be compressed
    RDATA_NO_ROOM = -1000          # of `expand_rdata`: the caller gave less than it promised
    MOST_RDATA = 65535 + RDATA_GROWTH

    TYPE_A = 1
    TYPE_AAAA = 28
    TYPE_TA = 32768
    TYPE_DLV = 32769
    CLASS_IN = 1
    CLASS_CH = 3
    CLASS_NONE = 254
    CLASS_ANY = 255

cdef enum SvcParam:                # SvcParamKeys whose values have a form (RFC 9460, 9540, 9953)
    PARAM_MANDATORY = 0
    PARAM_ALPN = 1
    PARAM_NO_DEFAULT_ALPN = 2
    PARAM_PORT = 3
    PARAM_IPV4HINT = 4
    PARAM_ECH = 5
    PARAM_IPV6HINT = 6
    PARAM_OHTTP = 8
    PARAM_DOCPATH = 10


cdef inline uint32_t rdata_room(uint32_t rdlength) noexcept nogil:
    """Octets to reserve for `expand_rdata`."""
    return rdlength + RDATA_GROWTH


# Check the form of the RDATA at message[at:at + rdlength] and copy it to `out` with its names expanded, their
# case kept.  `rclass` is without the cache-flush bit of mDNS.  `message` must be followed by PADDING readable
# octets and `room` be at least rdata_room(rdlength).  Returns the octets written, or minus a status with
# `fault_at` set to the offset in the message at which that was found.  Types without a known form are copied
# as they are; so is the empty RDATA that UPDATE messages hold with class ANY or NONE (RFC 2136 section 2.4),
# and OPT, which is not looked into.
cdef int expand_rdata(uint16_t rtype, uint16_t rclass, const uint8_t* message, uint32_t size, uint32_t at,
                      uint32_t rdlength, uint8_t* out, uint32_t room, uint32_t* fault_at) noexcept nogil

# The fields of a type in a class, or NULL where its RDATA is opaque.
cdef const dnscap_form* form_of(uint16_t rtype, uint16_t rclass) noexcept nogil
# Where the field at `p` of the expanded RDATA start:end ends, or NULL where it has not the form of its kind.
cdef const uint8_t* field_end(int kind, const uint8_t* start, const uint8_t* p,
                              const uint8_t* end) noexcept nogil
cdef const uint8_t* name_end(const uint8_t* p, const uint8_t* end) noexcept nogil
