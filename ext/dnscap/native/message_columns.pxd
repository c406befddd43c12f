"""Columns of messages and records while a batch of them is decoded: what they are, and their memory."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.domain cimport STATUS_OK

cdef enum Presence:            # bits of MessageColumns.presence: what of a message could be read
    HAS_HEADER = 1
    HAS_NAME = 2               # of the first question
    HAS_TYPE = 4               # and its type and class
    HAS_EDNS = 8
    HAS_UNICAST = 16           # mDNS unicast-response bit
    HAS_CAPITALS = 32          # the question name used capitals
    HAS_ID = 64                # more than the id only with HAS_HEADER
    HAS_DELEGATION = 128       # the authority section names servers

# Columns of one width stand together, so that growing and freeing can run over them: see MESSAGE_COLUMNS_8 and so on.
cdef enum:
    MESSAGE_COLUMNS_8 = 2
    MESSAGE_COLUMNS_4 = 11
    MESSAGE_COLUMNS_2 = 13
    MESSAGE_COLUMNS_1 = 6
    RECORD_COLUMNS_4 = 4
    RECORD_COLUMNS_2 = 2

cdef struct MessageColumns:
    uint64_t* frame
    int64_t* time
    uint32_t* frames
    uint32_t* source
    uint32_t* interface
    uint32_t* src              # codes of the dictionary
    uint32_t* dst
    uint32_t* stream
    uint32_t* qname            # code
    uint32_t* size
    uint32_t* sighting_of      # message number, NO_CODE without
    uint32_t* status_at
    uint32_t* options          # where the EDNS options of a row start in `options_octets`; one more entry at the end
    uint16_t* src_port
    uint16_t* dst_port
    uint16_t* id
    uint16_t* flags            # the 16 bits of the header, as on the wire
    uint16_t* rcode            # extended
    uint16_t* qdcount
    uint16_t* ancount
    uint16_t* nscount
    uint16_t* arcount
    uint16_t* qtype
    uint16_t* qclass
    uint16_t* edns_udp_size
    uint16_t* edns_flags
    uint8_t* edns_version
    uint8_t* transport
    uint8_t* direction
    uint8_t* ip_ttl
    uint8_t* status
    uint8_t* presence
    uint8_t* options_octets
    uint32_t count
    uint32_t room
    uint32_t options_used
    uint32_t options_room

cdef struct RecordColumns:
    uint32_t* message          # row in the batch's messages
    uint32_t* name             # code
    uint32_t* ttl
    uint32_t* rdata            # where the rdata of a row starts in `rdata_octets`; one more entry at the end
    uint16_t* type
    uint16_t* rclass
    uint8_t* section           # 0 answer, 1 authority, 2 additional
    uint8_t* rdata_octets      # names in it are expanded
    uint32_t count
    uint32_t room
    uint32_t rdata_used
    uint32_t rdata_room

# Room for a stride more, for `room` rows, for `need` more octets and PADDING.  0, or -1 without memory.
cdef int grow_messages(MessageColumns* c) noexcept nogil
cdef int widen_messages(MessageColumns* c, size_t room) noexcept nogil
cdef int grow_records(RecordColumns* c) noexcept nogil
cdef int widen_records(RecordColumns* c, size_t room) noexcept nogil
cdef int grow_octets(uint8_t** octets, uint32_t used, uint32_t* room, size_t need) noexcept nogil

cdef void free_messages(MessageColumns* c) noexcept nogil
cdef void free_records(RecordColumns* c) noexcept nogil


cdef inline void fault(MessageColumns* c, uint32_t r, int status, uint32_t at) noexcept nogil:
    """The first fault of a message stays."""
    if c.status[r] == STATUS_OK:
        c.status[r] = <uint8_t>status
        c.status_at[r] = at
