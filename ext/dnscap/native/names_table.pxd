"""The table of what servers say of names: a row a name, type, server and section, and its values over time."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from libc.string cimport memcpy, memset

from dnscap.native.interning cimport mix128
from dnscap.native.message_columns cimport RecordColumns
from dnscap.native.octets cimport load64

cdef enum:
    SECTION_ANSWER = 1             # of keys: 0 is no section
    SECTION_AUTHORITY = 2
    SECTION_ADDITIONAL = 3
    VERSION_CLIENTS = 4            # told apart; more only says that there are more
    TRIALS = 3                     # lifetimes that caching is tried with
    NO_VERSION = 0                 # versions count from 1
    NO_RRSET = 0xFFFFFFFF
    FRAME_BITS = 40                # of frames, whose source is above: a file of so many frames has more than 16 TB

cdef enum SeenFlag:
    SEEN_AUTHORITATIVE = 1         # some answer had AA
    SEEN_RECURSIVE = 2             # some response had RA
    SEEN_NXDOMAIN = 4              # the last negative answer said that the name does not exist
    SEEN_NO_SOA = 8                # the last negative answer carried no SOA: not to be cached (RFC 2308 section 5)
    SEEN_MORE = 16                 # more values than are kept
    SEEN_ASKED = 32                # some query for it wanted recursion

cdef struct Seen:                  # one name, type, server and section: what each answer touches, two cache lines
    uint64_t key
    int64_t first                  # positive answers
    int64_t last
    int64_t expires                # when the answer seen last is due to expire
    int64_t[TRIALS] until          # a cache would hold it to, had it these lifetimes
    uint32_t answers
    uint32_t ttl_min
    uint32_t ttl_max
    uint32_t ttl_last
    uint32_t ttl_own               # largest TTL with AA
    uint32_t versions              # first of the chain, oldest first
    uint32_t current
    uint32_t changes               # answers whose value was another than the one before
    uint32_t[TRIALS] hits          # responses that it would have given
    uint32_t asked                 # responses to queries that wanted recursion
    uint32_t checked_off           # answers with CD
    uint32_t absence               # in the table of these; 0 none
    uint16_t version_count
    uint16_t ede                   # of the last failure, code + 1; 0 none
    uint8_t flags

cdef struct Absence:               # what few rows have: negative answers, failures, signatures
    int64_t first_negative
    int64_t last_negative
    int64_t negative_until
    uint64_t negative_frame        # of the first
    uint64_t failed_frame          # of the first
    int64_t failed                 # when it failed last
    int64_t signed_at              # message that `signed_*` are of
    uint32_t negatives
    uint32_t negative_ttl
    uint32_t zone                  # name code of the SOA's owner, of the last negative answer
    uint32_t servfails             # without CD
    uint32_t refused
    uint32_t signed_until          # seconds since 1970, in serial arithmetic (RFC 4034 section 3.1.5)
    uint32_t signed_from

cdef struct SeenRow:               # a row as it is given out
    uint64_t key
    int64_t first
    int64_t last
    int64_t expires
    uint32_t answers
    uint32_t ttl_min
    uint32_t ttl_max
    uint32_t ttl_last
    uint32_t ttl_own
    uint32_t versions
    uint32_t current
    uint32_t changes
    int64_t[TRIALS] until
    uint32_t[TRIALS] hits
    uint32_t asked
    int64_t first_negative
    int64_t last_negative
    int64_t negative_until
    uint64_t negative_frame
    uint64_t failed_frame
    int64_t failed
    int64_t signed_at
    uint32_t negatives
    uint32_t negative_ttl
    uint32_t zone
    uint32_t servfails
    uint32_t checked_off
    uint32_t refused
    uint32_t signed_until
    uint32_t signed_from
    uint16_t version_count
    uint16_t ede
    uint8_t flags

cdef struct Version:               # a value that an RRset had
    uint64_t value                 # equal values of one type have equal hashes
    int64_t first
    int64_t last
    int64_t expires                # the latest that an answer seen may live to
    uint64_t first_frame
    uint64_t last_frame
    uint32_t rrset                 # in the table of RRsets; NO_RRSET where it is not kept
    uint32_t answers
    uint32_t ttl_max
    uint32_t ttl_last
    uint32_t after                 # in the chain
    uint32_t[VERSION_CLIENTS] clients
    uint8_t client_count           # one more than VERSION_CLIENTS where there are more

cdef struct TagSlot:
    uint32_t tag                   # of the hash of a key
    uint32_t place                 # of what has the key, + 1; 0 empty

cdef struct SeenTable:
    Seen* rows                     # at the boundary of a cache line
    uint32_t count
    uint32_t room
    TagSlot* slots
    uint32_t mask
    Absence* absences              # from 1 on
    uint32_t absence_count
    uint32_t absence_room
    Version* versions              # from 1 on
    uint32_t version_count
    uint32_t version_room
    TagSlot* values                # RRsets by hash
    uint32_t value_mask
    uint64_t* rrset_values         # hash of each
    uint64_t* rrsets               # where each starts in `octets`; one more at the end
    uint32_t rrset_count
    uint32_t rrset_room
    uint8_t* octets                # an RRset: type, number of records, then each with its size
    size_t used
    size_t octet_room
    uint64_t seed

cdef int table_open(SeenTable* t, uint64_t seed) noexcept nogil            # -1 without memory
cdef void table_close(SeenTable* t) noexcept nogil

# Place of a new row whose key has that hash, + 1; 0 without memory.
cdef uint32_t add_row(SeenTable* t, uint64_t key, uint32_t tag) noexcept nogil
# What a row has of negative answers and failures, added if new; NULL without memory.
cdef Absence* absence_of(SeenTable* t, Seen* s) noexcept nogil
cdef void give_out(const SeenTable* t, const Seen* s, SeenRow* into) noexcept nogil
# The version of a row with this value, added and current if new; NULL where there is no room for it.
cdef Version* version_of(SeenTable* t, Seen* s, uint64_t value, bint* new) noexcept nogil
cdef void note_client(Version* v, uint32_t client) noexcept nogil
# The current value is the one that was seen last.
cdef void settle_current(SeenTable* t, Seen* s) noexcept nogil

# Hash of an RRset, whatever the order of its records and the case of names in them.
cdef uint64_t value_of(const RecordColumns* q, uint32_t start, uint32_t end) noexcept nogil
# Keep an RRset's octets; its number, or NO_RRSET where there is no room.
cdef uint32_t lay_by(SeenTable* t, const RecordColumns* q, uint32_t start, uint32_t end, uint64_t value) noexcept nogil
# Number of an RRset by its hash, kept if new; NO_RRSET where there is no room.  `octets` NULL: only look.
cdef uint32_t keep_rrset(SeenTable* t, uint64_t value, const uint8_t* octets, size_t size) noexcept nogil


cdef inline uint64_t key_of(uint32_t name, uint32_t rtype, uint32_t server, uint32_t section) noexcept nogil:
    """Codes stay below 2^19, see interning; a key is never 0 because no section is."""
    return <uint64_t>name << 37 | <uint64_t>server << 18 | <uint64_t>(rtype & 65535) << 2 | section


cdef inline uint32_t key_hash(const SeenTable* t, uint64_t key) noexcept nogil:
    return <uint32_t>mix128(key ^ t.seed, <uint64_t>0x9E3779B97F4A7C15)


cdef inline uint32_t find_row(const SeenTable* t, uint64_t key, uint32_t tag) noexcept nogil:
    """Place of a row whose key has that hash, + 1; 0 where there is none."""
    cdef uint32_t i = tag & t.mask
    while t.slots[i].place:
        if t.slots[i].tag == tag and t.rows[t.slots[i].place - 1].key == key:
            return t.slots[i].place
        i = (i + 1) & t.mask
    return 0


cdef inline uint64_t raw_hash(const uint8_t* p, uint32_t size, uint64_t h) noexcept nogil:
    cdef uint64_t a, b
    cdef uint8_t[16] rest
    h ^= size
    while size >= 16:
        h = mix128(load64(p) ^ h, load64(p + 8) ^ <uint64_t>0x8bb84b93962eacc9)
        p += 16
        size -= 16
    if size:
        memset(rest, 0, 16)
        memcpy(rest, p, size)
        a = load64(rest)
        b = load64(rest + 8)
        h = mix128(a ^ h, b ^ <uint64_t>0x2d358dccaa6c78a5)
    return h
