"""Connections while they last: their two directions, what waits in each, the table that holds them all.

Each direction of a connection is a `Flow`.  Octets that are next in sequence are framed as they come;
segments that come before their turn wait as `Piece`s.  A flow that holds octets is on a list, and so is every
connection, so that what is oldest is found at once when time or room runs out.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.datagrams cimport Outbox
from dnscap.native.events cimport EventLog
from dnscap.native.tcp cimport Connection, Turn

cdef enum:
    HEADER = 12                # of a message: RFC 1035 section 4.1.1
    LARGEST_SEGMENT = 1 << 20  # payload octets; segmentation offload hands on 64 KiB, BIG TCP up to 512 KiB
    FAR = 1 << 26              # sequence distance at which a segment belongs to another connection
    SLAB = 256                 # connections allocated at a time
    SECOND = 1000000000        # all times are nanoseconds of capture time

cdef enum FlowState:
    BLANK = 0                  # no sequence number known
    SEEKING = 1                # sequence number known, no message boundary
    TRYING = 2                 # began at a segment too short to be judged
    FRAMED = 3                 # message boundaries known

cdef enum:                     # a flow that holds octets is on one of these lists, oldest first
    NO_LIST = 0
    PARTIAL = 1                # a message in progress
    DOUBT = 2                  # segments wait behind a hole
    ACKED = 3                  # so too, and the other side has acknowledged what is missing, or all is over
    FLOW_LISTS = 4

cdef enum:                     # connections, least recently active first; lists are given up in this order
    DONE = 0                   # closed by its ends
    TENTATIVE = 1              # never carried data
    PROVEN = 2
    CONN_LISTS = 3

cdef enum Told:                # how the client was found, stronger reasons last
    BY_NOTHING = 0
    BY_QR = 1
    BY_PORT = 2
    BY_SYN = 3

cdef struct Stamp:             # what a message keeps of the segment that completed it
    int64_t time
    uint64_t number
    uint64_t serial            # order of arrival over all segments
    uint32_t source
    uint32_t interface
    uint8_t ip_ttl
    uint8_t direction

cdef struct Piece:             # a segment that waits, or what other pieces left of it; its octets follow
    Piece* prev
    Piece* next
    Stamp stamp
    uint32_t seq
    uint32_t size              # octets captured
    uint32_t wire              # octets it takes in sequence

cdef struct Conn
cdef struct Flow

cdef struct Flow:              # one direction
    Conn* conn
    Flow* prev
    Flow* next
    Piece* first
    Piece* last
    uint8_t* part              # message in progress, length prefix included
    uint64_t octets            # payload octets seen, each once
    uint64_t part_serial       # last segment that carried some of `part`
    Stamp part_stamp           # latest segment that `part` waited for
    int64_t home_time          # where the latest new segment was seen: tells sightings from retransmissions
    uint64_t home_place
    int64_t ack_time
    uint64_t ack_serial
    int64_t since              # when it came on its list
    uint64_t since_serial
    uint32_t home_interface
    uint32_t base              # sequence number of the first payload octet
    uint32_t expected          # of the next octet to be framed
    uint32_t reached           # behind the last octet seen
    uint32_t acked             # highest acknowledgement by the other side beyond `expected`
    uint32_t fin               # sequence number of the FIN
    uint32_t hole              # `expected` when it came on its list
    uint32_t part_size
    uint32_t part_room
    uint32_t part_frames
    uint32_t skip              # octets to pass over: the rest of a message that has a hole in it
    uint32_t pieces
    uint32_t waiting           # octets charged for them
    uint32_t messages
    uint32_t strays            # segments from far outside the window, in a row
    uint8_t state
    uint8_t list
    uint8_t side
    uint8_t fin_seen
    uint8_t ack_seen
    uint8_t home_direction

cdef struct Conn:
    Conn* chain                # of its hash bucket, or of the free ones
    Conn* prev
    Conn* next
    Flow flows[2]              # [0] is what the lower end point sends
    uint64_t low[2]
    uint64_t high[2]
    uint64_t hash
    int64_t time
    int64_t end_time
    int64_t syn_time
    int64_t handshake
    int64_t touched
    uint64_t first_frame
    uint64_t last_frame
    uint64_t gap
    uint32_t stream
    uint32_t source
    uint32_t syns
    uint32_t retransmissions
    uint32_t out_of_order
    uint16_t low_port
    uint16_t high_port
    uint8_t ip_version
    uint8_t list
    uint8_t client             # index into `flows`
    uint8_t told
    uint8_t answered           # the handshake went beyond the SYN
    uint8_t ending             # RST, or FIN from both sides
    uint8_t end

cdef struct Slab:
    Slab* next
    Conn conns[SLAB]

cdef struct StreamCounts:
    uint64_t segments
    uint64_t orphans           # neither data nor SYN, and no connection for it
    uint64_t strays            # far outside the window, ignored
    uint64_t duplicates        # deliveries or sightings of a segment already seen
    uint64_t keepalives
    uint64_t unplaced          # data segments passed over while seeking
    uint64_t oversized         # segments no network carries
    uint64_t gaps
    uint64_t evicted_connections
    uint64_t evicted_octets    # of unfinished messages given up because of MOST_HELD
    uint64_t lost_turns        # beyond MOST_TURNS

cdef struct StreamTable:
    Conn** buckets
    Slab* slabs
    Conn* unused
    Conn* head[CONN_LISTS]
    Conn* tail[CONN_LISTS]
    Flow* flow_head[FLOW_LISTS]
    Flow* flow_tail[FLOW_LISTS]
    Outbox* box                # of the call in progress
    EventLog* events
    Connection* closed         # finished connections that wait to be taken
    Turn* turns                # since they were last taken, in frame order
    StreamCounts counts
    uint64_t seed[2]
    uint64_t mask
    uint64_t held              # octets charged
    uint64_t most_held
    uint64_t serial
    int64_t now                # latest time seen
    uint32_t closed_count
    uint32_t closed_room
    uint32_t turn_count
    uint32_t turn_room
    uint32_t count
    uint32_t most
    uint32_t numbered          # next stream number
    bint failed                # memory ran out

cdef inline int32_t ahead(uint32_t a, uint32_t b) noexcept nogil:
    """How far `a` is ahead of `b` in sequence space, which wraps around (RFC 9293 section 3.4)."""
    return <int32_t>(a - b)

cdef inline uint64_t elapsed(int64_t later, int64_t earlier) noexcept nogil:
    """Never negative and never overflowing: captures hold any time stamps."""
    return <uint64_t>later - <uint64_t>earlier if later > earlier else 0

cdef inline uint64_t apart(int64_t a, int64_t b) noexcept nogil:
    return elapsed(a, b) if a > b else elapsed(b, a)

cdef inline uint64_t seconds(uint64_t n) noexcept nogil:
    return n * SECOND

cdef inline const uint64_t* flow_src(const Flow* f) noexcept nogil:
    return &f.conn.high[0] if f.side else &f.conn.low[0]

cdef inline const uint64_t* flow_dst(const Flow* f) noexcept nogil:
    return &f.conn.low[0] if f.side else &f.conn.high[0]

cdef inline bint carried(const Conn* c) noexcept nogil:
    return c.flows[0].octets + c.flows[1].octets != 0
