"""What is said of exchanges: outcomes, flags, and what happened to which row."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

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
    NO_LOOKUP = 0xFFFFFFFFFFFFFFFF

cdef struct Exchange:          # what the message of a row says of its client and question
    uint64_t number            # row number: dense, in order of queries
    int64_t time
    uint64_t[2] client         # addresses as in Datagram
    uint64_t[2] server
    uint32_t qname             # code in the dictionary of the batch; NO_CODE not known
    uint32_t stream            # TCP connection, NO_STREAM on UDP
    uint32_t first             # transmission 1 of this query: its number's low 32 bits (own number where it is the first)
    uint16_t client_port
    uint16_t server_port
    uint16_t id
    uint16_t qtype
    uint16_t qclass
    uint16_t edns_udp_size     # of the query
    uint16_t flags             # ExchangeFlag bits that a query has
    uint8_t transport
    uint8_t opcode

cdef enum HappeningKind:
    HAPPENED_QUERY = 0         # a query was sent: a new row
    HAPPENED_ANSWER = 1        # a response was paired with it
    HAPPENED_UNREACHABLE = 2   # an ICMP error or RST says that it will not be answered
    HAPPENED_EXPIRED = 3       # given up waiting for an answer: final, unanswered
    HAPPENED_EXTRA = 4         # a further, unsolicited or bogus response; `exchange` is the row it went to
    HAPPENED_SYN = 5           # a TCP connection attempt to a DNS port: exchange = NO_LOOKUP, `row` is an index into `turns`
    HAPPENED_CONNECTED = 6     # its handshake came; as above
    HAPPENED_REFUSED = 7       # RST answered the SYN; as above
    HAPPENED_REJECTED = 8      # an ICMP error says that nobody waited for its answer any more

cdef struct Happening:         # says all that a later stage may ask of the row, as of then: rows may have changed since
    int64_t time
    uint64_t exchange          # row number
    uint32_t row               # row of the message in the batch at hand; NO_MESSAGE none (QUERY, ANSWER, EXTRA have one)
    uint32_t first             # QUERY: low 32 bits of the number of its transmission 1
    uint16_t rcode             # ANSWER: of the response
    uint16_t answers           # ANSWER: its ANCOUNT
    uint8_t kind               # a HappeningKind
    uint8_t outcome            # an Outcome
