"""TCP as the network stages speak of it: segments go in, connections and their turns come out."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum TcpFlag:
    TCP_FIN = 1
    TCP_SYN = 2
    TCP_RST = 4
    TCP_ACK = 16

cdef struct Segment:
    const uint8_t* octets      # payload
    uint64_t src[2]
    uint64_t dst[2]
    uint64_t place
    int64_t time
    uint64_t number            # frame number
    uint32_t source
    uint32_t interface
    uint32_t size              # payload octets captured
    uint32_t wire_size         # payload octets on the wire
    uint32_t seq
    uint32_t ack
    uint16_t src_port
    uint16_t dst_port
    uint8_t flags              # TcpFlag bits
    uint8_t ip_ttl
    uint8_t ip_version
    uint8_t direction

cdef enum StreamEnd:
    STREAM_OPEN = 0            # the capture ended first
    STREAM_FIN = 1
    STREAM_RESET = 2           # RST after it was established
    STREAM_REFUSED = 3         # RST answered the SYN
    STREAM_UNANSWERED = 4      # SYN never answered
    STREAM_IDLE = 5            # forgotten after long silence
    STREAM_EVICTED = 6         # given up because of a limit

cdef struct Connection:        # one row of the connections table
    uint64_t client[2]
    uint64_t server[2]
    int64_t time               # first segment seen
    int64_t end_time           # last segment seen
    int64_t handshake          # nanoseconds from the last SYN to its SYN-ACK; -1 unknown
    uint64_t first_frame
    uint64_t last_frame
    uint64_t octets_to_server  # payload octets, each once
    uint64_t octets_to_client
    uint64_t gap_octets        # octets the capture does not hold
    uint32_t stream
    uint32_t source
    uint32_t syns              # SYN sent (1 = no retry); 0 where joined in mid-stream
    uint32_t retransmissions   # data segments seen again
    uint32_t out_of_order
    uint32_t queries           # DNS messages client to server
    uint32_t responses
    uint16_t client_port
    uint16_t server_port
    uint8_t end                # a StreamEnd
    uint8_t ip_version

cdef enum TurnKind:
    TURN_SYN = 0               # the client sent a SYN; `syns` counts them
    TURN_HANDSHAKE = 1         # the SYN-ACK came
    TURN_REFUSED = 2           # RST answered the SYN
    TURN_RESET = 3
    TURN_FIN = 4               # both sides have sent FIN

cdef struct Turn:              # what a later stage must learn of a connection before it is over
    int64_t time
    int64_t handshake          # nanoseconds; -1 unknown
    uint64_t frame             # number in its file
    uint64_t client[2]
    uint64_t server[2]
    uint32_t stream
    uint32_t source
    uint32_t syns
    uint16_t client_port
    uint16_t server_port
    uint8_t kind               # a TurnKind
