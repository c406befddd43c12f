"""Who asks whom, and how: what of exchanges only shows in their number.

Of each address that asks: how its message IDs and ports follow one another, answers that are many times as large as their
questions, and how many names did not exist.  Of each server: for whom outside it recursed, answers to ANY, truncated answers
without need.  One pass over the native rows of each batch; tables of fixed size, so that no flood makes them grow.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.math cimport log2
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset
from cpython.bytes cimport PyBytes_FromStringAndSize

from dnscap.native.datagrams cimport TRANSPORT_UDP
from dnscap.native.exchange_rows cimport ExchangeBatch, RowColumns
from dnscap.native.exchanges cimport (
    EXCHANGE_AA, EXCHANGE_NO_QUESTION, EXCHANGE_RA, EXCHANGE_RD, NO_MESSAGE, OUTCOME_ANSWER, OUTCOME_DUPLICATE, OUTCOME_NODATA,
    OUTCOME_NXDOMAIN, OUTCOME_OTHER_RCODE, OUTCOME_REFUSED, OUTCOME_TRUNCATED, OUTCOME_UNANSWERED,
)
from dnscap.native.interning cimport NO_CODE, Dictionary, prefetch
from dnscap.native.key_tables cimport Table, enter, slot_of, table_close, table_open
from dnscap.native.lookup_index cimport hash_client, stir

cdef enum:
    MOST_ASKERS = 4096         # addresses told apart, on either side: some 5 MiB
    MOST_WATCHED = 1024        # queries of a client whose IDs and ports are looked at: more would show no more
    AHEAD = 12                 # rows whose counts are asked for before their turn
    PLACES = 64                # that IDs and ports are sorted into
    FRAMES = 6                 # kept as evidence
    NEAR = 8                   # ports that follow one another lie no further apart
    GAIN = 10                  # times as large as its question makes an answer heavy
    LARGE = 512                # octets that it has at least
    LARGE_ALONE = 1000         # the same without a question to compare with
    TINY = 12                  # octets that a truncated answer has beyond its question where it holds no record: an OPT record
    RECENT = 16                # questions of a server whose whole answer is remembered
    ENOUGH = 64                # queries before IDs and ports tell something
    MANY = 50                  # heavy answers before they do
    BUSY = 1000                # queries in a second from which on a client is told of
    LONGEST_NAME = 256         # octets of a name's text that are kept
    DNS_PORT = 53
    TYPE_SOA = 6
    TYPE_ANY = 255

cdef struct Asker:             # an address, as client or as server; what every exchange touches comes first
    uint64_t[2] address
    # as a client: answers, and those that a name does not exist
    uint64_t answered
    uint64_t absent
    # as a client: queries in a second, and in the busiest
    int64_t second
    uint32_t in_second
    uint32_t peak
    uint64_t peak_frame
    # as a client: of its queries by UDP to port 53, the first MOST_WATCHED, repeated ones left out
    uint32_t watched
    uint32_t iterative         # without RD
    # as a server
    uint64_t silent
    uint64_t whole             # answers over UDP that were not truncated
    uint64_t bare              # answers neither with RA nor with AA to questions with RD
    uint64_t both              # answers with RA and AA to such questions
    uint64_t aside             # other answers to such questions
    uint64_t recursed          # answers with RA, without AA, to clients outside
    uint32_t[RECENT] recent    # hashes of questions with a whole answer
    # as a client: its IDs and ports
    uint32_t same_ids          # the step from the ID before is the step before that
    uint32_t moved             # from another port than the query before
    uint32_t near_ports        # of these, from one that lies near the one before
    uint32_t turns             # to another server than the query before
    uint32_t last_server
    uint16_t last_id
    uint16_t last_step
    uint16_t last_port
    uint16_t[PLACES] ids
    uint16_t[PLACES] ports
    uint64_t[FRAMES] frames
    # as a client: answers much larger than their questions
    uint64_t heavy
    uint64_t heavy_any
    uint64_t heavy_unasked
    uint64_t heavy_in          # octets of their questions
    uint64_t heavy_out         # octets of them
    int64_t heavy_first
    int64_t heavy_last
    uint64_t[FRAMES] heavy_frames
    uint64_t[2] heavy_server
    uint64_t votes             # of the name that most of them have, more than of all others
    uint32_t name_size
    uint8_t[LONGEST_NAME] name
    # as a server: for whom it recursed
    uint64_t[4] regions        # /8 of IPv4 clients (hashed /24 of IPv6), as bits
    uint64_t[16] networks      # hashed /16 of them (/32 of IPv6), as bits
    uint64_t[FRAMES] recursed_frames
    uint64_t[2 * FRAMES] outside
    # as a server: what else
    uint64_t[FRAMES] bare_frames
    uint64_t[FRAMES] both_frames
    uint64_t any_asked
    uint64_t any_truncated
    uint64_t[FRAMES] any_frames
    uint64_t slips             # truncated to nothing though the same question had a whole answer
    int64_t slip_first
    int64_t slip_last
    uint64_t[FRAMES] slip_frames


cdef inline bint is_outside(const uint8_t* a) noexcept nogil:
    """Whether an address is routed on the Internet: no private, shared, local, or reserved one (RFC 6890).

    Addresses for documentation (RFC 5737, RFC 3849) count as outside, since that is what they stand for.
    """
    cdef uint32_t i
    cdef bint mapped = a[10] == 255 and a[11] == 255
    for i in range(10):
        mapped &= a[i] == 0
    if mapped:
        a += 12
        if a[0] in (0, 10, 127) or a[0] >= 224:
            return False
        if a[0] == 172 and a[1] & 0xF0 == 16 or a[0] == 192 and a[1] == 168 or a[0] == 169 and a[1] == 254:
            return False
        return not (a[0] == 100 and a[1] & 0xC0 == 64)
    return a[0] & 0xE0 == 0x20


cdef inline uint32_t network_of(const uint8_t* a, uint32_t* region) noexcept nogil:
    """A number for the network that an address is in (/16; /32 of IPv6), and for the region (/8; /24)."""
    cdef uint32_t i
    cdef bint mapped = a[10] == 255 and a[11] == 255
    for i in range(10):
        mapped &= a[i] == 0
    if mapped:
        region[0] = a[12]
        return <uint32_t>a[12] << 8 | a[13]
    i = <uint32_t>a[0] << 24 | <uint32_t>a[1] << 16 | <uint32_t>a[2] << 8 | a[3]
    region[0] = <uint32_t>stir(i >> 8) & 255
    return i


cdef inline void keep_frame(uint64_t* frames, uint64_t already, uint64_t frame) noexcept nogil:
    if already < FRAMES:
        frames[already] = frame


cdef inline uint32_t place_of(uint16_t value) noexcept nogil:
    return <uint32_t>(stir(value * <uint64_t>0x9E3779B97F4A7C15) >> 32) % PLACES


@cython.final
cdef class Askers:
    """Adds up, over batches of exchanges, what clients and servers do in numbers.

    Attributes
    ----------
    passed_over : int
        Queries of addresses for which there was no room.
    """
    cdef Table* table
    cdef Asker* askers
    cdef uint32_t room
    cdef int32_t* numbers      # of each address code; -1 unknown
    cdef uint32_t numbers_room
    cdef Dictionary dictionary
    cdef readonly uint64_t passed_over

    def __cinit__(self):
        self.table = table_open()

    def __dealloc__(self):
        table_close(self.table)
        free(self.askers)
        free(self.numbers)

    def __len__(self):
        return self.table.count

    cdef Asker* of(self, uint32_t code) noexcept nogil:
        """An address by its code; NULL where there is no room.  What was given before may move."""
        cdef const uint64_t* address
        cdef uint64_t key
        cdef uint32_t i, room
        cdef int64_t n
        cdef Asker* askers
        cdef Asker* a
        if self.numbers[code] >= 0:
            return &self.askers[self.numbers[code]]
        address = self.dictionary.addresses.keys + 2 * <size_t>code
        key = hash_client(self.table.seed, address)
        while True:
            i = slot_of(self.table, key)
            if not self.table.slots[i]:
                break
            n = self.table.slots[i] - 1
            if self.askers[n].address[0] == address[0] and self.askers[n].address[1] == address[1]:
                self.numbers[code] = <int32_t>n
                return &self.askers[n]
            key += 1
        if self.table.count >= MOST_ASKERS:
            return NULL
        if self.table.count == self.room:
            room = 2 * self.room if self.room else 64
            askers = <Asker*>realloc(self.askers, room * sizeof(Asker))
            if askers == NULL:
                return NULL
            self.askers = askers
            self.room = room
        n = enter(self.table, key)
        if n < 0:
            return NULL
        a = &self.askers[n]
        memset(a, 0, sizeof(Asker))
        a.address[0] = address[0]
        a.address[1] = address[1]
        a.last_server = NO_CODE
        self.numbers[code] = <int32_t>n
        return a

    cdef bint know_codes(self) noexcept nogil:
        """Room for the numbers of all address codes; False without memory."""
        cdef uint32_t count = self.dictionary.addresses.count, i, room
        cdef int32_t* numbers
        if count > self.numbers_room:
            room = count if count > 2 * self.numbers_room else 2 * self.numbers_room
            numbers = <int32_t*>realloc(self.numbers, room * sizeof(int32_t))
            if numbers == NULL:
                return False
            self.numbers = numbers
            for i in range(self.numbers_room, room):
                numbers[i] = -1
            self.numbers_room = room
        return True

    cdef inline void foresee(self, uint32_t code) noexcept nogil:
        """Have the counts of an address that comes soon on their way from memory: those that every exchange touches."""
        cdef const char* at
        if code < self.numbers_room and self.numbers[code] >= 0:
            at = <const char*>&self.askers[self.numbers[code]]
            prefetch(at)
            prefetch(at + 64)
            prefetch(at + 128)

    def feed(self, ExchangeBatch batch not None, const uint8_t[::1] kept=None):
        """Count a batch; `kept` has one octet a row, 0 for those to pass over."""
        cdef RowColumns* c = &batch.page.c
        cdef uint32_t i, k
        cdef bint good
        cdef Asker* client
        cdef Asker* server
        cdef uint8_t outcome
        if kept is not None and <uint32_t>kept.shape[0] != batch.count:
            raise ValueError("one octet a row is needed")
        if <void*>self.dictionary != <void*>batch.dictionary:
            self.dictionary = batch.dictionary
            for i in range(self.numbers_room):
                self.numbers[i] = -1
            for i in range(self.table.count):
                self.askers[i].last_server = NO_CODE
        with nogil:
            good = self.know_codes()
            if good:
                for i in range(batch.count):
                    if i + AHEAD < batch.count:
                        self.foresee(c.client[batch.first_row + i + AHEAD])
                        self.foresee(c.server[batch.first_row + i + AHEAD])
                    if kept is not None and not kept[i]:
                        continue
                    k = batch.first_row + i
                    if c.client[k] >= self.numbers_room or c.server[k] >= self.numbers_room:
                        continue
                    if self.of(c.client[k]) == NULL or self.of(c.server[k]) == NULL:
                        self.passed_over += 1
                        continue
                    client = &self.askers[self.numbers[c.client[k]]]
                    server = &self.askers[self.numbers[c.server[k]]]
                    outcome = c.outcome[k]
                    if c.query[k] != NO_MESSAGE:
                        if c.transmission[k] == 1 and client.watched < MOST_WATCHED:
                            watch(client, c, k)
                        pace(client, c.time[k], c.query_frame[k])
                    if c.response_size[k] > LARGE and c.transport[k] == TRANSPORT_UDP and outcome != OUTCOME_TRUNCATED:
                        self.weigh(client, server, c, k)
                    if OUTCOME_ANSWER <= outcome <= OUTCOME_OTHER_RCODE:
                        client.answered += 1
                        client.absent += outcome == OUTCOME_NXDOMAIN
                    serve(client, server, c, k)
        if not good:
            raise MemoryError("no memory to count")

    cdef void weigh(self, Asker* a, const Asker* server, const RowColumns* c, uint32_t k) noexcept nogil:
        """A large answer: whether it is heavy, and of which name most of these are."""
        cdef bint asked = c.query[k] != NO_MESSAGE
        cdef const uint8_t* name
        cdef uint32_t size, code = c.qname[k]
        cdef const int32_t* ends
        if c.response[k] == NO_MESSAGE or c.outcome[k] == OUTCOME_DUPLICATE:
            return
        if asked and c.response_size[k] < GAIN * <uint64_t>c.query_size[k] or not asked and c.response_size[k] < LARGE_ALONE:
            return
        if code >= self.dictionary.names.count:
            return
        if a.heavy == 0:
            a.heavy_first = c.time[k]
        a.heavy_last = c.time[k]
        keep_frame(a.heavy_frames, a.heavy, c.response_frame[k])
        a.heavy += 1
        a.heavy_any += c.qtype[k] == TYPE_ANY and not c.flags[k] & EXCHANGE_NO_QUESTION
        a.heavy_unasked += not asked
        a.heavy_in += c.query_size[k] if asked else 0
        a.heavy_out += c.response_size[k]
        a.heavy_server[0] = server.address[0]
        a.heavy_server[1] = server.address[1]
        ends = self.dictionary.names.text_offsets
        name = <const uint8_t*>self.dictionary.names.text + ends[code]
        size = <uint32_t>(ends[code + 1] - ends[code])
        size = size if size < LONGEST_NAME else LONGEST_NAME
        if a.votes and a.name_size == size and same(a.name, name, size):
            a.votes += 1
        elif a.votes:
            a.votes -= 1
        else:
            a.votes = 1
            a.name_size = size
            memcpy(a.name, name, size)

    def rows(self):
        """A dictionary for each address of which there is something to tell; see the struct.

        Returns
        -------
        list of dict
        """
        return [told(&self.askers[i]) for i in range(self.table.count) if is_telling(&self.askers[i])]


cdef inline bint same(const uint8_t* a, const uint8_t* b, uint32_t size) noexcept nogil:
    cdef uint32_t i
    for i in range(size):
        if a[i] != b[i]:
            return False
    return True


cdef void watch(Asker* a, const RowColumns* c, uint32_t k) noexcept nogil:
    """The ID and port of a new query: what an outsider has to guess to forge its answer (RFC 5452 section 4)."""
    cdef uint16_t step
    cdef int32_t apart
    if c.transport[k] != TRANSPORT_UDP or c.server_port[k] != DNS_PORT or c.qtype[k] == TYPE_SOA:
        return                 # SOA: secondaries may have to ask from an agreed port
    if a.watched:
        step = <uint16_t>(c.id[k] - a.last_id)
        a.same_ids += step == a.last_step and a.watched > 1
        a.last_step = step
        apart = <int32_t>c.client_port[k] - a.last_port
        a.moved += apart != 0
        a.near_ports += apart != 0 and -NEAR <= apart <= NEAR
        a.turns += a.last_server != NO_CODE and c.server[k] != a.last_server
    a.last_id = c.id[k]
    a.last_port = c.client_port[k]
    a.last_server = c.server[k]
    a.ids[place_of(c.id[k])] += 1
    a.ports[place_of(c.client_port[k])] += 1
    a.iterative += not c.flags[k] & EXCHANGE_RD
    keep_frame(a.frames, a.watched, c.query_frame[k])
    a.watched += 1


cdef inline void pace(Asker* a, int64_t time, uint64_t frame) noexcept nogil:
    """Queries in the second of a client that is the busiest; rows come in the order of their queries."""
    if time < a.second or time - a.second >= 1000000000:
        a.second = time
        a.in_second = 0
    a.in_second += 1
    if a.in_second > a.peak:
        a.peak = a.in_second
        a.peak_frame = frame


cdef void serve(const Asker* client, Asker* s, const RowColumns* c, uint32_t k) noexcept nogil:
    """What a server did: recursed for outsiders, answered ANY, or answered as one does that limits its rate."""
    cdef uint32_t flags = c.flags[k], network, region, question, i
    cdef uint8_t outcome = c.outcome[k]
    if c.query[k] == NO_MESSAGE:
        return
    if outcome == OUTCOME_UNANSWERED:
        s.silent += 1
    elif flags & EXCHANGE_RD and OUTCOME_ANSWER <= outcome <= OUTCOME_REFUSED:
        if not flags & (EXCHANGE_RA | EXCHANGE_AA):
            keep_frame(s.bare_frames, s.bare, c.response_frame[k])
            s.bare += 1
        elif flags & EXCHANGE_RA and flags & EXCHANGE_AA:
            keep_frame(s.both_frames, s.both, c.response_frame[k])
            s.both += 1
        else:
            s.aside += 1
    if outcome != OUTCOME_UNANSWERED and (outcome < OUTCOME_ANSWER or outcome > OUTCOME_TRUNCATED):
        return
    if flags & (EXCHANGE_RD | EXCHANGE_RA | EXCHANGE_AA) == EXCHANGE_RD | EXCHANGE_RA and outcome != OUTCOME_UNANSWERED \
            and is_outside(<const uint8_t*>client.address):
        network = network_of(<const uint8_t*>client.address, &region)
        if network != network_of(<const uint8_t*>s.address, &question):
            s.regions[region >> 6 & 3] |= <uint64_t>1 << (region & 63)
            network = <uint32_t>stir(network * <uint64_t>0x9E3779B97F4A7C15) & 1023
            if not s.networks[network >> 6] >> (network & 63) & 1:
                i = bits_of(s.networks, 16)
                if i < FRAMES:
                    s.recursed_frames[i] = c.response_frame[k]
                    s.outside[2 * i] = client.address[0]
                    s.outside[2 * i + 1] = client.address[1]
                s.networks[network >> 6] |= <uint64_t>1 << (network & 63)
            s.recursed += 1
    if flags & EXCHANGE_NO_QUESTION or c.transport[k] != TRANSPORT_UDP or outcome == OUTCOME_UNANSWERED:
        return
    if c.qtype[k] == TYPE_ANY:
        s.any_asked += 1
        if outcome == OUTCOME_TRUNCATED:
            keep_frame(s.any_frames, s.any_truncated, c.response_frame[k])
            s.any_truncated += 1
        return
    question = <uint32_t>stir((<uint64_t>c.qname[k] << 16 | c.qtype[k]) * <uint64_t>0x9E3779B97F4A7C15) | 1
    if outcome == OUTCOME_TRUNCATED:
        if c.response_size[k] > c.query_size[k] + TINY:
            return
        if s.recent[question >> 8 & RECENT - 1] == question:
            if s.slips == 0:
                s.slip_first = c.time[k]
            s.slip_last = c.time[k]
            keep_frame(s.slip_frames, s.slips, c.response_frame[k])
            s.slips += 1
    elif outcome in (OUTCOME_ANSWER, OUTCOME_NODATA, OUTCOME_NXDOMAIN):
        s.whole += 1
        s.recent[question >> 8 & RECENT - 1] = question


cdef uint32_t bits_of(const uint64_t* words, uint32_t count) noexcept nogil:
    cdef uint32_t i, found = 0
    cdef uint64_t word
    for i in range(count):
        word = words[i]
        while word:
            word &= word - 1
            found += 1
    return found


cdef double spread(const uint16_t* places) noexcept nogil:
    """Entropy of counts, from 0 (all in one place) to 1 (evenly spread)."""
    cdef uint32_t i, total = 0
    cdef double share, found = 0
    for i in range(PLACES):
        total += places[i]
    for i in range(PLACES):
        if places[i]:
            share = <double>places[i] / total
            found -= share * log2(share)
    return found / log2(<double>PLACES)


cdef bint is_telling(const Asker* a) noexcept nogil:
    if a.heavy >= MANY or a.absent >= MANY or a.recursed or a.any_truncated or a.slips or a.bare or a.both or a.peak >= BUSY:
        return True
    return a.watched >= ENOUGH and (
        2 * a.same_ids >= a.watched or 2 * a.near_ports >= a.moved or spread(a.ids) < 0.6 or spread(a.ports) < 0.6)


cdef list frames_of(const uint64_t* frames):
    return [frames[i] for i in range(FRAMES) if frames[i]]


cdef dict told(const Asker* a):
    cdef const char* outside = <const char*>a.outside
    return {
        "address": PyBytes_FromStringAndSize(<const char*>a.address, 16),
        "watched": a.watched,
        "iterative": a.iterative,
        "same_ids": a.same_ids,
        "moved": a.moved,
        "near_ports": a.near_ports,
        "turns": a.turns,
        "id_spread": spread(a.ids),
        "port_spread": spread(a.ports),
        "frames": frames_of(a.frames),
        "heavy": a.heavy,
        "heavy_any": a.heavy_any,
        "heavy_unasked": a.heavy_unasked,
        "heavy_in": a.heavy_in,
        "heavy_out": a.heavy_out,
        "heavy_same": a.votes,
        "heavy_first": a.heavy_first,
        "heavy_last": a.heavy_last,
        "heavy_frames": frames_of(a.heavy_frames),
        "heavy_server": PyBytes_FromStringAndSize(<const char*>a.heavy_server, 16),
        "heavy_name": PyBytes_FromStringAndSize(<const char*>a.name, a.name_size).decode("utf-8", "replace"),
        "answered": a.answered,
        "absent": a.absent,
        "recursed": a.recursed,
        "regions": bits_of(a.regions, 4),
        "networks": bits_of(a.networks, 16),
        "recursed_frames": frames_of(a.recursed_frames),
        "outside": [
            PyBytes_FromStringAndSize(outside + 16 * i, 16) for i in range(FRAMES) if a.outside[2 * i] or a.outside[2 * i + 1]
        ],
        "peak": a.peak,
        "peak_frame": a.peak_frame,
        "bare": a.bare,
        "both": a.both,
        "aside": a.aside,
        "bare_frames": frames_of(a.bare_frames),
        "both_frames": frames_of(a.both_frames),
        "any_asked": a.any_asked,
        "any_truncated": a.any_truncated,
        "any_frames": frames_of(a.any_frames),
        "whole": a.whole,
        "slips": a.slips,
        "silent": a.silent,
        "slip_first": a.slip_first,
        "slip_last": a.slip_last,
        "slip_frames": frames_of(a.slip_frames),
    }
