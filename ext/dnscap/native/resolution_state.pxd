"""What the resolution stage holds: exchanges as it sees them, the hosts they run between, the whole."""
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.cache_model cimport CacheModel

cdef enum CacheWord:           # in the order of the words in dnscap/resolutions/words.py
    CACHE_UNKNOWN = 0
    CACHE_HIT = 1
    CACHE_MISS = 2
    CACHE_COALESCED = 3        # waited for what was asked upstream for another client
    CACHE_PREFETCH = 4         # answered at once, refreshed afterwards
    CACHE_STALE = 5            # answered with data whose time was up (RFC 8767)
    CACHE_NEGATIVE_HIT = 6
    CACHE_FORWARDED = 7

cdef enum Evidence:            # bits; words in the same order in dnscap/resolutions/words.py
    SAID_NOTHING_UPSTREAM = 1
    SAID_ASKED_UPSTREAM = 2
    SAID_UNDER_WAY = 4         # the same question was under way already
    SAID_REFRESHED = 8
    SAID_EXPIRED = 16          # the answers seen before had run out
    SAID_STALE_ERROR = 32      # Extended DNS Error 3 or 19 (RFC 8914)
    SAID_STALE_TTL = 64
    SAID_UPSTREAM_SILENT = 128
    SAID_VALID = 256           # an answer seen before still holds
    SAID_TTL_BELOW = 512       # TTL below the full one of the name
    SAID_TTL_FULL = 1024
    SAID_FAST = 2048           # as fast as what this server has cached
    SAID_SLOW = 4096
    SAID_BEFORE_CAPTURE = 8192     # how it came into the cache is not in the capture
    SAID_NXDOMAIN_KNOWN = 16384    # the name was said not to exist, whatever the type (RFC 8020)
    SAID_ALIAS = 32768         # reached over an alias that others share
    SAID_AUTHORITATIVE = 65536
    SAID_TTL_ODD = 131072      # a TTL that nobody configures: counted down
    SAID_BACK_ENDS = 262144    # TTLs of this server disagree: several caches
    SAID_CONSTANT_TTL = 524288     # this server does not count TTLs down
    SAID_ASKED_AGAIN = 1048576     # the question went upstream once more while it was out already

cdef enum EntryKind:           # bits
    ENTRY_CLIENT = 1           # asked of a resolver or forwarder
    ENTRY_UPSTREAM = 2         # asked by one
    ENTRY_DONE = 4             # judged
    ENTRY_WAITED = 8           # something upstream was waited for
    ENTRY_JOINED = 16          # the same question was open when it came
    ENTRY_ANSWERED = 32
    ENTRY_REFRESHED = 64       # asked upstream again right after it was answered
    ENTRY_RECURSIVE = 128      # recursion was desired
    ENTRY_CLOSED = 256         # waits no more

cdef enum:
    EXPECT_NOTHING = 0
    EXPECT_VALID = 1
    EXPECT_EXPIRED = 2
    NO_TTL = 0xFFFFFFFF
    NO_HOST = 0xFFFFFFFF
    LATENCY_CLASSES = 64
    MOST_LINKS = 4

cdef struct Waited:            # what a client's exchange waited for; `numbers` has as many places as `count` says
    int64_t time               # in which something upstream was out
    uint32_t count
    int8_t start_depth         # -1 not known
    uint64_t[1] numbers        # of exchanges

cdef struct Entry:             # what chains are searched by stands first
    uint64_t number            # of the exchange; another one's where the slot is free
    uint64_t name              # hash of the whole name
    int64_t time
    int64_t answered           # -1 not
    int64_t since              # when the first of the queries that wait together was sent
    uint32_t older_key         # links to older entries, low 32 bits of their numbers
    uint32_t older_name
    uint32_t client_host
    uint32_t server_host
    uint16_t kind              # EntryKind bits
    uint16_t qtype
    uint16_t client_port
    uint8_t outcome
    uint8_t direction
    uint64_t[2] client
    uint64_t[2] server
    Waited* waited             # NULL none
    int64_t older_over         # whoever asks later has nothing to do with the older ones of its name; INT64_MAX not known
    uint32_t ttl               # least of the answer; NO_TTL none
    uint32_t expected_ttl
    uint32_t full_ttl          # greatest seen of this name at this server up to then
    uint32_t evidence
    float probability
    uint32_t joined            # link to the exchange of the same question that was open when it came
    uint32_t qname             # code in the dictionary of its era
    uint16_t rcode
    uint16_t flags             # of the exchange
    uint8_t expected
    uint8_t cache
    uint8_t cut_labels         # of the zone a referral leads to

cdef struct Host:              # what is asked for with each exchange stands first
    uint64_t[2] address        # both zero: free
    uint64_t offers            # answers that offered recursion
    uint64_t iterates          # queries it sent without recursion desired
    uint64_t joined            # exchanges of its clients that upstream queries were found for
    uint64_t forwards          # and those of them that it passed on
    uint32_t disagreements     # TTLs that rose though the answer before still held
    uint32_t agreements
    uint32_t fast_count
    uint32_t slow_count
    uint32_t[4] links          # hosts that ask upstream in its name
    uint16_t[4] link_counts
    uint32_t[64] fast          # latencies of what was surely cached, by class
    uint32_t[64] slow          # and of what surely was not

cdef enum:
    HEADS = 1 << 16

cdef struct QuestionHead:      # of a chain of clients' questions: enough to pass over it unread
    int64_t until              # nothing of it was open, or had just been answered, later; INT64_MAX while one is open
    uint32_t newest            # low 32 bits of its number
    uint32_t open

cdef struct NameHead:          # of a chain of upstream queries, likewise
    int64_t until
    uint32_t newest
    uint32_t open
    int64_t over               # whoever asks later has nothing to do with any of them that is not open

cdef struct Hashes:            # of the names of a dictionary, by code
    uint64_t* of
    uint32_t room

cdef struct Place:             # of an address of a dictionary, by code
    uint32_t host              # + 1; 0 where it was not among the hosts
    uint32_t as_of             # when there were so many, + 1

cdef struct Places:
    Place* of
    uint32_t room

cdef struct Era:               # exchanges whose names are codes of one dictionary; it and what it holds stay where they are
    uint64_t first             # from this number on
    const char* text
    const int32_t* offsets
    void* dictionary

cdef enum:
    DENIALS = 16

cdef struct Denials:           # answers from upstream that a name does not exist: the latest ones
    int64_t[16] answered
    uint64_t[16] numbers
    uint64_t count
    int64_t before             # the latest of those that are not here any more

cdef struct Resolving:
    Entry* ring
    uint64_t mask
    uint64_t first             # oldest that was not given out
    uint64_t next
    uint64_t seed
    int64_t now
    QuestionHead* questions
    NameHead* upstream
    uint32_t record_at         # where the records of the message looked at last begin
    Host* hosts
    uint32_t* host_slots
    uint32_t host_count
    Era* eras                  # oldest first
    uint32_t era_count
    uint32_t era_room
    Hashes hashes              # of the names of the latest era
    Places places              # of its addresses
    Denials denials
    CacheModel* model
    uint64_t given             # rows
    uint64_t cut_short         # given out before they were answered, because of a limit
    uint64_t hosts_refused     # servers beyond the limit
    uint8_t any_upstream
    uint8_t outside            # verdicts from outside as well, where nothing upstream is seen
    uint8_t failed


cdef inline Entry* entry_at(const Resolving* t, uint32_t link, uint64_t before) noexcept nogil:
    """The entry that a link of an entry, or a head, leads to, older than `before`; NULL where it is gone."""
    cdef uint64_t number = (before & ~<uint64_t>0xFFFFFFFF) | link
    cdef Entry* e
    if number >= before:
        if number < <uint64_t>1 << 32:
            return NULL
        number -= <uint64_t>1 << 32
    e = &t.ring[number & t.mask]
    return e if e.number == number else NULL


cdef inline Entry* entry_of(const Resolving* t, uint64_t number) noexcept nogil:
    cdef Entry* e = &t.ring[number & t.mask]
    return e if e.number == number else NULL


cdef inline const Era* era_of(const Resolving* t, uint64_t number) noexcept nogil:
    cdef uint32_t k = t.era_count - 1
    while k > 0 and t.eras[k].first > number:
        k -= 1
    return &t.eras[k]
