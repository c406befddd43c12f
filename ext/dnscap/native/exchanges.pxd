"""Queries and their answers: every transmission a row, matched as the messages stream by.

Rows live in a ring in the order of their queries; a row leaves it, as part of an exchange batch, when it is final and no
open lookup refers to it.  What happens to rows is told to the lookup stage as happenings, in capture order.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.decoder cimport Batch
from dnscap.native.interning cimport Dictionary
from dnscap.native.tcp cimport Turn

cdef enum Outcome:
    OUTCOME_OPEN = 0           # not yet final
    OUTCOME_ANSWER = 1
    OUTCOME_NODATA = 2
    OUTCOME_NXDOMAIN = 3
    OUTCOME_REFERRAL = 4
    OUTCOME_TRUNCATED = 5
    OUTCOME_SERVFAIL = 6
    OUTCOME_REFUSED = 7
    OUTCOME_FORMERR = 8
    OUTCOME_NOTIMP = 9
    OUTCOME_OTHER_RCODE = 10   # the rcode column tells which
    OUTCOME_UNREACHABLE = 11   # ICMP error or RST
    OUTCOME_UNANSWERED = 12
    OUTCOME_UNFINISHED = 13    # the capture ended first
    OUTCOME_UNSOLICITED = 14
    OUTCOME_DUPLICATE = 15     # a further response to a query that had its answer

cdef enum ExchangeFlag:
    EXCHANGE_LATE = 1          # answered after the client had given up or asked again
    EXCHANGE_AMBIGUOUS = 2     # fewer answers than transmissions: which was answered cannot be told
    EXCHANGE_EDNS = 4          # the query carried an OPT record
    EXCHANGE_DO = 8
    EXCHANGE_AD = 16           # AD bit of the query
    EXCHANGE_CD = 32
    EXCHANGE_RD = 64
    EXCHANGE_RA = 128          # of the response
    EXCHANGE_AA = 256
    EXCHANGE_MIXED_CASE = 512
    EXCHANGE_BOGUS = 1024      # a response came that does not fit: wrong question, malformed
    EXCHANGE_NO_OPT_BACK = 2048    # EDNS in the query, none in the response
    EXCHANGE_COOKIE = 4096     # the query carried a DNS cookie
    EXCHANGE_CUT = 8192        # response known only in part (snap length, first fragment)
    EXCHANGE_NO_QUESTION = 16384   # `qtype` and `qclass` are not known

cdef enum:
    NO_MESSAGE = 0xFFFFFFFF

cdef struct Exchange:
    uint64_t number            # row number: dense, in order of queries
    int64_t time               # of the query; of the response where there is no query
    int64_t response_time      # of the response paired with it; only where `response` is not NO_MESSAGE
    int64_t latency            # nanoseconds; -1 null
    int64_t latency_min        # where ambiguous; -1 null
    int64_t latency_max
    int64_t tcp_rtt            # handshake of the connection that carried it; -1 null
    uint64_t query_frame       # frame numbers in their file; 0 none
    uint64_t response_frame
    uint64_t lookup            # number of the lookup it belongs to; NO_LOOKUP none yet or never
    uint64_t[2] client         # addresses as in Datagram
    uint64_t[2] server
    uint32_t query             # message numbers; NO_MESSAGE none
    uint32_t response
    uint32_t qname             # code in the stage's dictionary
    uint32_t client_code       # codes of the addresses there
    uint32_t server_code
    uint32_t stream            # TCP connection, NO_STREAM on UDP
    uint32_t responses         # how many came
    uint32_t transmission      # 1, 2, 3 ... of the same id, port and question
    uint32_t first             # transmission 1 of this query: its number's low 32 bits (own number where it is the first)
    uint32_t query_size        # octets
    uint32_t response_size
    uint32_t source
    uint16_t client_port
    uint16_t server_port
    uint16_t id
    uint16_t qtype
    uint16_t qclass
    uint16_t rcode             # of the response
    uint16_t edns_udp_size     # of the query
    uint16_t answers           # ANCOUNT of the response
    uint16_t flags             # ExchangeFlag bits
    uint8_t outcome            # an Outcome
    uint8_t transport
    uint8_t role               # a Role (lookups.pxd); 0 none
    uint8_t opcode

cdef enum:
    NO_LOOKUP = 0xFFFFFFFFFFFFFFFF

cdef enum HappeningKind:
    HAPPENED_QUERY = 0         # a query was sent: a new row
    HAPPENED_ANSWER = 1        # a response was paired with it
    HAPPENED_UNREACHABLE = 2   # an ICMP error or RST says that it will not be answered
    HAPPENED_EXPIRED = 3       # given up waiting for an answer: final, unanswered
    HAPPENED_EXTRA = 4         # a further, unsolicited or bogus response; `exchange` is the row it went to
    HAPPENED_SYN = 5           # a TCP connection attempt to a DNS port: exchange = NO_LOOKUP, `row` is an index into `turns`
    HAPPENED_CONNECTED = 6     # its handshake came; as above
    HAPPENED_REFUSED = 7       # RST answered the SYN; as above

cdef struct Happening:         # says all that a later stage may ask of the row, as of then: rows may have changed since
    int64_t time
    uint64_t exchange          # row number
    uint32_t row               # row of the message in the batch at hand; NO_MESSAGE none (QUERY, ANSWER, EXTRA have one)
    uint32_t first             # QUERY: low 32 bits of the number of its transmission 1
    uint16_t rcode             # ANSWER: of the response
    uint16_t answers           # ANSWER: its ANCOUNT
    uint8_t kind               # a HappeningKind
    uint8_t outcome            # an Outcome

cdef struct ExchangeTable      # private to exchanges.pyx

cdef struct ExchangeColumns:   # rows that left the ring; columns of one width stand together
    int64_t* time
    int64_t* latency
    int64_t* latency_min
    int64_t* latency_max
    int64_t* tcp_rtt
    uint64_t* query_frame
    uint64_t* response_frame
    uint64_t* lookup
    uint32_t* query
    uint32_t* response
    uint32_t* client
    uint32_t* server
    uint32_t* qname
    uint32_t* responses
    uint32_t* transmission
    uint32_t* query_size
    uint32_t* response_size
    uint16_t* client_port
    uint16_t* server_port
    uint16_t* id
    uint16_t* qtype
    uint16_t* qclass
    uint16_t* rcode
    uint16_t* flags
    uint8_t* outcome
    uint8_t* transport
    uint8_t* role
    uint32_t count
    uint32_t room

cdef class ExchangeBatch:
    cdef ExchangeColumns columns
    cdef readonly Dictionary dictionary
    cdef readonly uint64_t first_exchange

cdef class Exchanges:
    cdef ExchangeTable* table
    cdef Dictionary dictionary         # names and addresses of live rows
    cdef Happening* happenings         # of the batch fed last
    cdef uint32_t happening_count
    cdef uint32_t happening_room
    cdef Turn* turns                   # of connections, that happenings of the batch fed last refer to
    cdef uint32_t turn_count
    cdef uint32_t turn_room
    # Rows from this number on stay in the ring, final or not, unless it is full: for a stage that still refers to them.
    # All may leave where it is not set.
    cdef uint64_t keep_from
    cdef Dictionary translated         # of the batch fed last
    cdef list ready                    # ExchangeBatch closed because the dictionary was renewed

    # Match the messages of a batch; fills `happenings`.  0, or -1 without memory.
    cdef int match(self, Batch batch) noexcept nogil
    # The capture's clock has reached `now`: expire what waited too long.  Appends happenings.
    cdef int tick(self, int64_t now) noexcept nogil
    # The capture ends: what is open becomes unfinished (or unanswered, where it had waited long enough).
    cdef int finish(self) noexcept nogil
    # What the message of a QUERY or EXTRA says, which is a row of `batch`; `qname` is a code of the batch's dictionary.
    cdef void tell(self, const Happening* h, Batch batch, Exchange* into) noexcept nogil
    # The lookup that a row was given to; NO_LOOKUP without, or where it has left.
    cdef uint64_t lookup_of(self, uint64_t number) noexcept nogil
    # Give a row to a lookup.  Rows that came into being in the batch at hand have not left yet.
    cdef void give(self, uint64_t number, uint64_t lookup, uint8_t role) noexcept nogil
