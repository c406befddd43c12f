"""What the rooms of the matcher share: its state, and the words in which it tells what happened."""
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.exchange_index cimport KeyIndex, WireHashes
from dnscap.native.exchange_rows cimport RowColumns, Rows, columns_of, place
from dnscap.native.exchange_words cimport Happening
from dnscap.native.tcp cimport Turn

cdef extern from *:
    """
    /* Nanoseconds of capture time. */
    #define DNSCAP_OPEN_WAIT INT64_C(30000000000)   /* the longest a stub waits for one answer (glibc's limit for timeout:) */
    #define DNSCAP_LINGER INT64_C(6000000000)       /* an answered query is remembered so long for further responses, and
                                                       for one more transmission: a stub that missed the answer asks
                                                       again after 5 s */
    #define DNSCAP_EARLY INT64_C(1000000)           /* queues of a network card may put an answer so far before its query */
    #define DNSCAP_STUB_WAIT INT64_C(5000000000)    /* most stubs wait so long: younger queries at the end are unfinished */
    #define DNSCAP_ICMP_WAIT INT64_C(1000000000)    /* a further response is kept so long for the ICMP error it may meet */
    """
    const int64_t OPEN_WAIT "DNSCAP_OPEN_WAIT"
    const int64_t LINGER "DNSCAP_LINGER"
    const int64_t EARLY "DNSCAP_EARLY"
    const int64_t STUB_WAIT "DNSCAP_STUB_WAIT"
    const int64_t ICMP_WAIT "DNSCAP_ICMP_WAIT"

cdef enum:
    NO_GROUP = 0xFFFFFFFF
    TRANSLATED = 1 << 12       # responses between two sightings: at 200,000 packets a second 5 ms hold 1,000 messages

cdef struct Group:             # transmissions of one key, from the second on
    int64_t last_response      # of the segment
    uint32_t newest            # rows by the low 32 bits of their numbers
    uint32_t pending           # oldest open one, where `open` is not 0
    uint32_t open
    uint32_t segment           # first transmission since all were answered
    uint32_t answered          # transmissions of the segment with a response
    uint32_t last_answered
    uint32_t first
    uint32_t transmissions
    uint32_t next_unused

cdef struct Note:              # of a connection or an ICMP error, until the clock has come to it
    int64_t time
    uint64_t frame
    Turn turn                  # of an ICMP error: the quoted end points, `syns` the id
    uint16_t code
    uint8_t kind               # a NoteKind
    uint8_t transport
    uint8_t from_client        # ICMP: the quoted packet is a response

cdef struct Rtt:
    int64_t handshake
    uint32_t stream

cdef struct Matcher:
    Rows rows
    KeyIndex index
    WireHashes wire
    uint64_t most_rows         # from the oldest that a message may go to up to the newest
    uint64_t cursor            # rows before it are not open
    int64_t cursor_time        # clock at which the row there must be looked at
    int64_t now
    Group* groups
    uint32_t group_count
    uint32_t group_room
    uint32_t unused_group
    Note* notes
    uint32_t note_at
    uint32_t note_count
    uint32_t note_room
    Rtt* rtts
    Happening* happenings
    uint32_t happening_count
    uint32_t happening_room
    Turn* turns
    uint32_t turn_count
    uint32_t turn_room
    bint telling               # whether anyone listens
    bint failed                # memory ran out
    uint64_t evicted           # open queries given up because of a limit
    uint64_t multicast         # mDNS and LLMNR messages passed over
    uint64_t sightings         # passed over
    uint32_t[TRANSLATED] translated    # by number: responses of which another sighting is to be matched

# Tell what happened to a row, or with the index of a turn in `row`.
cdef void happened(Matcher* t, int64_t time, uint64_t number, uint32_t row, uint8_t kind, uint16_t answers) noexcept nogil
cdef int more_happenings(Matcher* t) noexcept nogil        # room for one more: 0, or -1 without memory


cdef inline void happened_now(Matcher* t, int64_t time, uint64_t number, uint32_t row, uint32_t first, uint8_t kind, uint8_t outcome,
                              uint16_t rcode, uint16_t answers) noexcept nogil:
    """The same where the row is at hand, and somebody listens."""
    cdef Happening* h
    if t.happening_count == t.happening_room and more_happenings(t) != 0:
        return
    h = &t.happenings[t.happening_count]
    t.happening_count += 1
    h.time = time
    h.exchange = number
    h.row = row
    h.first = first
    h.rcode = rcode
    h.answers = answers
    h.kind = kind
    h.outcome = outcome

cdef inline uint64_t elapsed(int64_t later, int64_t earlier) noexcept nogil:
    """Nanoseconds from one time to another, 0 where they are the other way round; times may be any number."""
    return <uint64_t>later - <uint64_t>earlier if later > earlier else 0

cdef inline int64_t span(int64_t later, int64_t earlier) noexcept nogil:
    cdef uint64_t n = elapsed(later, earlier)
    return <int64_t>n if n < <uint64_t>INT64_MAX else INT64_MAX

cdef inline int64_t plus(int64_t time, int64_t wait) noexcept nogil:
    return time + wait if time < INT64_MAX - wait else INT64_MAX
