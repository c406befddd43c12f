"""Notes of connections and ICMP errors; see exchange_notes.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport malloc, realloc
from libc.string cimport memcpy, memmove, memset

from dnscap.native.datagrams cimport NO_STREAM, TRANSPORT_TCP
from dnscap.native.decoder cimport Batch
from dnscap.native.events cimport EVENT_ICMP_ERROR, Event
from dnscap.native.exchange_index cimport find_ends, hash_address, hash_ends, hash_stream, older_ends
from dnscap.native.exchange_rows cimport (
    ROW_ENDED, ROW_REPEATED, RowColumns, alive, columns_of, place, whole_number,
)
from dnscap.native.exchange_state cimport LINGER, Note, Rtt, happened, plus
from dnscap.native.exchange_transmissions cimport close_row
from dnscap.native.exchange_waiting cimport clock
from dnscap.native.exchange_words cimport (
    EXCHANGE_LATE,
    HAPPENED_CONNECTED,
    HAPPENED_EXPIRED,
    HAPPENED_REFUSED,
    HAPPENED_SYN,
    HAPPENED_REJECTED,
    HAPPENED_UNREACHABLE,
    NO_LOOKUP,
    NO_MESSAGE,
    OUTCOME_OPEN,
    OUTCOME_UNANSWERED,
    OUTCOME_UNREACHABLE,
)
from dnscap.native.octets cimport be16
from dnscap.native.tcp cimport TURN_FIN, TURN_HANDSHAKE, TURN_REFUSED, TURN_SYN, Turn

cdef enum:
    MOST_NOTES = 1 << 16       # turns of connections and ICMP errors that wait for the clock
    MOST_WALK = 64             # rows of the same ends looked at for an ICMP error

    PORT_MDNS = 5353
    PORT_LLMNR = 5355

    ICMP_TOO_BIG_4 = 3 << 8 | 4
    ICMP_TOO_BIG_6 = 2 << 8
    ICMP_EXCEEDED_4 = 11 << 8 | 1      # fragment reassembly time
    ICMP_EXCEEDED_6 = 3 << 8 | 1

cdef enum NoteKind:
    NOTE_TURN = 0
    NOTE_ICMP = 1


cdef int add_note(Matcher* t, const Note* note) noexcept nogil:
    cdef uint32_t room
    cdef Note* notes
    if t.note_count == t.note_room:
        if t.note_at > t.note_count // 2:
            memmove(t.notes, t.notes + t.note_at, (t.note_count - t.note_at) * sizeof(Note))
            t.note_count -= t.note_at
            t.note_at = 0
        else:
            room = t.note_room * 2 if t.note_room else 256
            notes = <Note*>realloc(t.notes, <size_t>room * sizeof(Note))
            if notes == NULL:
                t.failed = True
                return -1
            t.notes = notes
            t.note_room = room
    t.notes[t.note_count] = note[0]
    t.note_count += 1
    return 0


cdef void note_icmp(Note* note, const Event* e) noexcept nogil:
    memset(note, 0, sizeof(Note))
    note.kind = NOTE_ICMP
    note.time = e.time
    note.frame = e.frame
    note.code = e.code
    note.transport = e.transport
    note.turn.stream = e.stream
    note.turn.syns = be16(e.quote) if e.quote_size >= 2 else 0x10000
    note.from_client = e.quote_size >= 3 and e.quote[2] & 0x80
    if note.from_client:
        memcpy(note.turn.client, e.quoted_dst, 16)
        memcpy(note.turn.server, e.quoted_src, 16)
        note.turn.client_port = e.quoted_dst_port
        note.turn.server_port = e.quoted_src_port
    else:
        memcpy(note.turn.client, e.quoted_src, 16)
        memcpy(note.turn.server, e.quoted_dst, 16)
        note.turn.client_port = e.quoted_src_port
        note.turn.server_port = e.quoted_dst_port


cdef int gather_notes(Matcher* t, Batch batch) noexcept nogil:
    cdef Note note
    cdef uint32_t i = 0, j = 0
    cdef const Turn* turn
    cdef const Event* e
    while i < batch.turn_count or j < batch.event_count:
        turn = &batch.turns[i] if i < batch.turn_count else NULL
        e = &batch.event_rows[j] if j < batch.event_count else NULL
        if e != NULL and e.kind != EVENT_ICMP_ERROR:
            j += 1
            continue
        if turn != NULL and (e == NULL or turn.time < e.time or (turn.time == e.time and turn.frame <= e.frame)):
            i += 1
            note.kind = NOTE_TURN
            note.time = turn.time
            note.frame = turn.frame
            note.turn = turn[0]
        else:
            j += 1
            note_icmp(&note, e)
        if t.note_count - t.note_at >= MOST_NOTES:
            take_note(t)
        if add_note(t, &note) != 0:
            return -1
    return 0


cdef void unreachable(Matcher* t, uint32_t n, int64_t time, uint8_t outcome) noexcept nogil:
    close_row(t, n, outcome, plus(time, LINGER))
    happened(t, time, whole_number(&t.rows, n), NO_MESSAGE,
             HAPPENED_UNREACHABLE if outcome == OUTCOME_UNREACHABLE else HAPPENED_EXPIRED, 0)


cdef void end_stream(Matcher* t, uint32_t stream, int64_t time, uint8_t outcome) noexcept nogil:
    """Nothing more comes on a connection: its open queries are final."""
    cdef uint64_t ends = hash_stream(&t.index, stream)
    cdef uint32_t at, newest
    cdef RowColumns* c
    if not find_ends(&t.index, &t.rows, ends, &at):
        return
    newest = at
    while True:
        c = columns_of(&t.rows, at)
        if c.state[place(at)] & ROW_ENDED:
            break              # this was done before: each row is passed once
        if c.outcome[place(at)] == OUTCOME_OPEN:
            unreachable(t, at, time, outcome)
        if not older_ends(&t.rows, ends, &at):
            break
    columns_of(&t.rows, newest).state[place(newest)] |= ROW_ENDED


cdef int keep_turn(Matcher* t, const Turn* turn, uint8_t kind) noexcept nogil:
    cdef uint32_t room
    cdef Turn* turns
    if not t.telling or turn.server_port == PORT_MDNS or turn.server_port == PORT_LLMNR:
        return 0
    if t.turn_count == t.turn_room:
        room = t.turn_room * 2 if t.turn_room else 256
        turns = <Turn*>realloc(t.turns, <size_t>room * sizeof(Turn))
        if turns == NULL:
            t.failed = True
            return -1
        t.turns = turns
        t.turn_room = room
    t.turns[t.turn_count] = turn[0]
    t.turn_count += 1
    happened(t, turn.time, NO_LOOKUP, t.turn_count - 1, kind, 0)
    return 0


cdef inline bint passing(uint16_t code) noexcept nogil:
    """An ICMP error that does not say that its packet cannot arrive."""
    return code == ICMP_TOO_BIG_4 or code == ICMP_TOO_BIG_6 or code == ICMP_EXCEEDED_4 or code == ICMP_EXCEEDED_6


cdef bint was_late(Matcher* t, uint32_t n) noexcept nogil:
    """The socket that a response was for is closed: about the last one, a further one where there were several."""
    cdef RowColumns* c = columns_of(&t.rows, n)
    cdef RowColumns* d
    cdef uint32_t extra
    if c.response[place(n)] == NO_MESSAGE or t.now > c.release[place(n)]:
        return False
    if c.state[place(n)] & ROW_REPEATED:
        extra = c.extra[place(n)]
        if alive(&t.rows, extra):
            d = columns_of(&t.rows, extra)
            if t.now <= d.release[place(extra)]:
                d.flags[place(extra)] |= EXCHANGE_LATE
                return True
    c.flags[place(n)] |= EXCHANGE_LATE
    if not c.state[place(n)] & ROW_REPEATED:
        happened(t, t.now, whole_number(&t.rows, n), NO_MESSAGE, HAPPENED_REJECTED, 0)
    return True


cdef void take_icmp(Matcher* t, const Note* note) noexcept nogil:
    cdef const Turn* q = &note.turn
    cdef uint64_t ends
    cdef uint32_t at, _k
    if note.transport == TRANSPORT_TCP:
        if q.stream != NO_STREAM and not note.from_client and not passing(note.code):
            end_stream(t, q.stream, note.time, OUTCOME_UNREACHABLE)
        return
    if q.syns > 0xFFFF or passing(note.code):
        return                 # the quote stops before the id, as routers are allowed to
    ends = hash_ends(&t.index, hash_address(&t.index, q.client), hash_address(&t.index, q.server), q.client_port,
                     q.server_port, <uint16_t>q.syns)
    if not find_ends(&t.index, &t.rows, ends, &at):
        return
    for _k in range(MOST_WALK):
        if note.from_client:
            if was_late(t, at):
                return
        elif columns_of(&t.rows, at).outcome[place(at)] == OUTCOME_OPEN:
            unreachable(t, at, note.time, OUTCOME_UNREACHABLE)
            return
        if not older_ends(&t.rows, ends, &at):
            return


cdef void take_note(Matcher* t) noexcept nogil:
    cdef const Note* note = &t.notes[t.note_at]
    cdef const Turn* turn = &note.turn
    cdef Rtt* rtt
    t.note_at += 1
    if note.time > t.now:
        clock(t, note.time)
    if note.kind == NOTE_ICMP:
        take_icmp(t, note)
    elif turn.kind == TURN_SYN:
        keep_turn(t, turn, HAPPENED_SYN)
    elif turn.kind == TURN_HANDSHAKE:
        if t.rtts == NULL:
            t.rtts = <Rtt*>malloc(STREAMS * sizeof(Rtt))
            if t.rtts == NULL:
                t.failed = True
                return
            memset(t.rtts, 0xFF, STREAMS * sizeof(Rtt))
        rtt = &t.rtts[turn.stream & (STREAMS - 1)]
        rtt.stream = turn.stream
        rtt.handshake = turn.handshake
        keep_turn(t, turn, HAPPENED_CONNECTED)
    elif turn.kind == TURN_FIN:
        end_stream(t, turn.stream, turn.time, OUTCOME_UNANSWERED)
    else:
        if turn.kind == TURN_REFUSED:
            keep_turn(t, turn, HAPPENED_REFUSED)
        end_stream(t, turn.stream, turn.time, OUTCOME_UNREACHABLE)
