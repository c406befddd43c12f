"""Open lookups: the queries one lookup sent, and what is concluded of them when it is over."""
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum Role:                # of an exchange in its lookup
    ROLE_NONE = 0
    ROLE_PRIMARY = 1
    ROLE_COMPANION = 2         # another type of the same name: the other family, HTTPS
    ROLE_SEARCH = 3            # the first query for a further candidate of the search list
    ROLE_RETRANSMISSION = 4
    ROLE_FAILOVER = 5
    ROLE_TCP_FALLBACK = 6
    ROLE_EDNS_FALLBACK = 7
    ROLE_PARALLEL = 8          # the same question to a further server at the same time
    ROLE_CHASE = 9             # the target of an alias, asked by the stub itself

cdef enum LookupOutcome:
    LOOKUP_OK = 0
    LOOKUP_NXDOMAIN = 1
    LOOKUP_NODATA = 2
    LOOKUP_SERVFAIL = 3
    LOOKUP_REFUSED = 4
    LOOKUP_FORMERR = 5
    LOOKUP_NOTIMP = 6
    LOOKUP_UNREACHABLE = 7
    LOOKUP_TIMEOUT = 8
    LOOKUP_UNFINISHED = 9

cdef enum EndBasis:
    END_PACKET = 0
    END_TIMER = 1
    END_NEXT_LOOKUP = 2
    END_UNKNOWN = 3

cdef enum:                     # buckets of the time budget; an instant belongs to the first that claims it
    BUCKET_TIMEOUT = 0
    BUCKET_FAILED_SERVER = 1
    BUCKET_EDNS = 2
    BUCKET_TRUNCATION = 3
    BUCKET_SEARCH = 4
    BUCKET_SERIAL = 5
    BUCKET_ANSWER = 6
    BUCKET_GAP = 7
    BUCKETS = 8

cdef enum:                     # causes
    CAUSE_SEARCH_FANOUT = 0
    CAUSE_NAMESERVER_TIMEOUT = 1
    CAUSE_NO_ANSWER = 2
    CAUSE_PACKET_LOSS = 3
    CAUSE_PAIR_RACE = 4
    CAUSE_AAAA_DROPPED = 5
    CAUSE_SECOND_ANSWER_DROPPED = 6
    CAUSE_REPLY_SWALLOWED = 7
    CAUSE_QUEUE_OVERFLOW = 8
    CAUSE_SERVER_UNREACHABLE = 9
    CAUSE_SLOW_ANSWER = 10
    CAUSE_SERIAL_A_AAAA = 11
    CAUSE_TRUNCATION = 12
    CAUSE_TCP_BLOCKED = 13
    CAUSE_TCP_RETRANSMISSION = 14
    CAUSE_FRAGMENTS_LOST = 15
    CAUSE_EDNS_FALLBACK = 16
    CAUSE_EDNS_DROPPED = 17
    CAUSE_SERVFAIL = 18
    CAUSE_REFUSED = 19
    CAUSE_FORMERR = 20
    CAUSE_PARTIAL_ANSWER = 21
    CAUSE_BOGUS_ANSWER_IGNORED = 22
    CAUSE_CNAME_LOOP = 23
    CAUSE_DANGLING_CNAME = 24
    CAUSE_COLD_RECURSION = 25
    CAUSE_SLOW_AUTHORITATIVE = 26
    CAUSE_LAME_DELEGATION = 27
    CAUSE_DEAD_AUTHORITATIVE = 28
    CAUSE_DNSSEC_BOGUS = 29
    CAUSE_SERVE_STALE = 30
    CAUSE_UPSTREAM_REFUSED = 31
    CAUSE_UPSTREAM_SERVFAIL = 32
    CAUSE_UPSTREAM_TRUNCATION = 33
    CAUSE_UPSTREAM_TCP_BLOCKED = 34
    CAUSE_UPSTREAM_EDNS_FALLBACK = 35
    CAUSE_UPSTREAM_EDNS_DROPPED = 36
    CAUSE_FORWARDER_UPSTREAM_TIMEOUT = 37
    CAUSE_FORWARDER_EDNS_FALLBACK = 38
    CAUSES = 39

cdef enum AttemptFlag:
    ATTEMPT_BOGUS = 1          # an answer came that the stub could not take: wrong id, wrong question
    ATTEMPT_LOOP = 2           # the aliases of the answer lead back to one of them
    ATTEMPT_ALIAS = 4          # the answer holds aliases
    ATTEMPT_WANTED = 8         # and records of the type asked for
    ATTEMPT_CUT = 16           # only part of the answer is in the capture
    ATTEMPT_FRAGMENT = 32      # because later fragments never came
    ATTEMPT_CLOSED = 64        # its connection ended without the answer
    ATTEMPT_STALE = 128        # the answer says that it is stale (RFC 8914, codes 3 and 19)
    ATTEMPT_LATE = 512         # the answer came when the stub had given up
    ATTEMPT_IN_FRAGMENTS = 1024    # the answer came in IP fragments, all of them seen
    ATTEMPT_REJECTED = 4096    # the client's host said that nobody waited for the answer any more (ICMP)
    ATTEMPT_TAKEN_IN = 2048    # the answer was seen to reach the client's host
    ATTEMPT_CAME_IN = 16384    # the query came to the host that captured
    ATTEMPT_LED = 8192         # the stub followed the alias that it was, instead of taking it for the answer
    ATTEMPT_DNSSEC = 256       # or that validation failed (RFC 8914, codes 1, 2 and 5 to 12)

cdef struct Attempt:           # one query sent
    int64_t time
    int64_t answered           # when the answer came, or the error that says that none will; -1 neither
    uint64_t exchange
    uint64_t[2] server
    uint32_t first             # transmission 1 of this query, as in Exchange
    uint32_t stream
    uint32_t note              # of its server among the ServerNotes; NO_NOTE without
    uint16_t port
    uint16_t id
    uint16_t qtype
    uint16_t rcode
    uint16_t edns_size
    uint16_t sent              # ExchangeFlag bits of the query
    uint16_t flags             # AttemptFlag bits
    uint16_t server_port
    uint8_t outcome            # an Outcome (exchanges.pxd)
    uint8_t transport
    uint8_t role
    uint8_t candidate          # which name
    uint8_t again              # data segments of its connection sent again
    uint8_t syns
    uint8_t load               # under which it was sent, as a power of two

cdef struct Dial:              # a connection that was tried for a lookup
    int64_t time               # first SYN
    int64_t last               # last SYN
    int64_t ended              # when it was open, or refused; -1 neither
    uint64_t[2] server
    uint32_t stream
    uint16_t port
    uint8_t syns
    uint8_t refused

cdef enum:
    LOADS = 12                 # powers of two of load that are told apart
    NO_NOTE = 0xFFFFFFFF
    MOST_ATTEMPTS = 240        # followed one by one; real stubs stay far below, a loop that asks for ever must not grow without end
    MOST_CANDIDATES = 32       # names of one search walk; glibc 2.26 and later have no limit, lists of more than 6 are rare
    MOST_DIALS = 8
    MOST_RECORDS = 1024        # records of answers kept
    MOST_RECORD_OCTETS = 32768
    MOST_CAUSES = 8

cdef struct Conclusion:        # what is concluded when a lookup is over
    int64_t duration
    int64_t duration_min
    int64_t duration_max
    int64_t[8] budget
    uint32_t wasted
    uint32_t retransmissions
    uint32_t failovers
    uint8_t end_basis
    uint8_t outcome
    uint8_t name_certain
    uint8_t tcp_fallback
    uint8_t edns_fallback
    uint8_t stub               # a Stub (stubs.pxd)
    uint8_t cause_count
    uint8_t[8] causes
    uint8_t final              # candidate answered, or the last one
    uint16_t name_size         # of the name as the application gave it: octets of candidate `name`'s text
    uint8_t name               # candidate that begins with it

cdef struct Lookup

cdef enum:                     # what a lookup has room for in itself: enough for nearly all
    FEW_ATTEMPTS = 2
    FEW_NAME_OCTETS = 56
    FEW_RECORD_OCTETS = 112

cdef struct Lookup:            # in lines of 64 octets, those that few lookups use among the others
    uint8_t[56] few_name_octets
    uint16_t[34] names         # where the candidates' names start; one more entry at the end
    uint32_t client_moves      # as of so many moves
    uint64_t number
    int64_t deadline           # when it is over unless something happens
    Lookup* earlier            # in the list of those that wait equally long
    Lookup* later
    int64_t time
    int64_t step               # when its current name was fully answered; -1 not yet
    int64_t last               # latest packet
    uint64_t text_hash         # of the current name
    uint64_t client_hash
    uint64_t[2] client
    Attempt* attempts
    uint8_t* text              # names of the candidates, one after another
    uint8_t* records           # of the answers: type (2), size (2), candidate (1), 1 free, rdata
    uint32_t attempt_count
    uint32_t attempt_room
    uint32_t queries           # sent, those past MOST_ATTEMPTS too
    uint32_t answer_count      # records of good answers, by their headers
    uint8_t candidate_count
    uint8_t dial_count
    uint8_t negative           # the current name was answered, and not with what was asked for
    uint8_t complete           # every type asked for has its answer
    uint8_t labelled           # may be found by its first label
    uint8_t list               # of those that wait equally long
    uint8_t node_count
    uint8_t walk               # candidate at which the walk over the search list began, for the last time
    uint16_t sent              # ExchangeFlag bits of its first query
    uint16_t edns_size
    uint32_t client_place      # where its client is among those known,
    uint32_t record_size
    uint32_t record_room
    uint32_t record_count
    uint32_t text_room
    Dial* dials                # room for MOST_DIALS; NULL while there are none
    Conclusion* end            # only while it is judged
    int64_t next_start         # when the client's next lookup began, -1 never; likewise
    uint8_t may_go_on          # another name that begins alike was asked for as soon as this one was known not to exist
    uint8_t[7] free_for_alignment
    Attempt[2] few_attempts
    uint8_t[112] few_record_octets
    uint32_t[8] nodes          # entries in the index
    uint64_t[2] to_whole_lines

cdef struct ServerNote:        # what is known of a server, over all lookups
    uint64_t[2] address
    int64_t last_answer        # when it answered last; -1 never
    uint32_t asked             # recursive queries sent to it
    uint32_t answered
    uint32_t asked_aaaa
    uint32_t answered_aaaa
    uint32_t lost_second       # queries lost although asked again with success: the second of a pair from one port,
    uint32_t lost_other        # and all others
    int64_t last_asked
    uint32_t silent            # sent to it since it answered last
    uint32_t pairs_whole       # two queries sent together from one port: both answered, once there were others,
    uint32_t pairs_without_first   # or only the second,
    uint32_t pairs_without_second  # or only the first,
    uint32_t pairs_silent      # or neither,
    uint32_t pairs_asked_again  # or both answered, and asked again all the same
    uint32_t lost_alone        # queries that were not sent in pairs
    uint32_t broken            # of all these but whole ones, how many: as long as there is none, whole ones are not counted
    uint32_t load              # now, as a power of two
    uint32_t in_window         # queries of late,
    int64_t window             # since then
    uint32_t[12] asked_under   # queries by load, as powers of two
    uint32_t[12] lost_under    # those that were lost although asked again with success

cdef struct Surroundings:      # what a verdict may look at beside the lookup itself
    ServerNote* notes
    const void* upstream       # an Upstream (upstreams.pxd)
    int64_t now                # time of the capture
    bint finished              # the capture ends here
    bint cut                   # and so often had a query in flight that its end may have cut one off
