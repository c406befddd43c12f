"""Aggregates of exchanges and lookups; see tallies.pxd.

The counters themselves are arrays of their Python owners, who make them as long as the numbers that may come: what
is here only adds to them.  The arithmetic is that of dnscap/servers/tally.py, dnscap/findings/scorecard.py,
dnscap/clients and dnscap/findings, which do the same to rows of saved tables.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset
from cpython.bytes cimport PyBytes_FromStringAndSize

from dnscap.native.exchange_rows cimport ExchangeBatch, RowColumns
from dnscap.native.exchanges cimport (
    EXCHANGE_AMBIGUOUS, EXCHANGE_EDNS, EXCHANGE_NO_OPT_BACK, EXCHANGE_NO_QUESTION, NO_LOOKUP, NO_MESSAGE, OUTCOME_ANSWER,
    OUTCOME_DUPLICATE, OUTCOME_FORMERR, OUTCOME_NOTIMP, OUTCOME_OTHER_RCODE, OUTCOME_UNANSWERED, OUTCOME_UNFINISHED,
    OUTCOME_UNSOLICITED,
)
from dnscap.native.histograms cimport BUCKETS, OCTAVES, PARTS, Histograms, Scale
from dnscap.native.interning cimport NO_CODE, prefetch
from dnscap.native.key_tables cimport Numbers, enter, expect as expect_key, slot_of, table_close, table_open
from dnscap.native.lookup_columns cimport LookupBatch, LookupBrief, causes_at
from dnscap.native.lookup_index cimport hash_client
from dnscap.native.packed cimport rest_of

cdef enum:
    PLAIN = 0                  # grades of lookups (dnscap/clients/keeping.py)
    TELLING = 1
    TROUBLED = 2
    UNFINISHED = 9             # outcomes of lookups
    NXDOMAIN = 1
    NODATA = 2
    FAILED_FROM = 3            # servfail ...
    FAILED_TO = 8              # ... timeout
    ANSWER_BUCKET = 6          # of the time budget
    BUDGET = 8
    MOST_CAUSES = 64           # numbers that a cause may have
    AHEAD = 12                 # rows whose counters are asked for before their turn
    STRETCH = 32               # rows that are taken together, so that the places of all are on their way from memory at once
    MOST_NUMBERS = 1 << 20     # keys told apart in one table: beyond, it begins anew, and a key may come as new again
    AMBIGUOUS = 0              # counters of a server after its outcomes (dnscap/servers/tally.py)
    ITERATED = 1
    IN_LOOKUPS = 2
    EDNS_ANSWERED = 3
    EDNS_SILENT = 4
    EDNS_FORMERR = 5
    EDNS_IGNORED = 6
    PLAIN_ANSWERED = 7


# ---------------------------------------------------------------- exchanges

def count_exchanges(
    ExchangeBatch batch not None, const int32_t[::1] servers not None, int64_t end,
    int64_t[:, ::1] outcomes not None, int64_t[:, ::1] extras not None, Histograms latencies not None,
    int64_t[:, ::1] types not None, Numbers type_keys not None, const uint8_t[::1] full not None, Numbers client_keys not None,
    int64_t[::1] ours not None, int64_t[::1] our_latencies not None,
):
    """Count a batch of exchanges by server, and those of lookups for the scorecard.

    Parameters
    ----------
    batch : ExchangeBatch
        Rows to count.
    servers : array of int32
        Number of the server of each address code; every number has a row in the counters.
    end : int
        What was sent before and is unfinished counts as unanswered.
    outcomes, extras, latencies : arrays, Histograms
        Counters of each server.
    types : array
        Answered or silent, and answered, of each pair of server and type, in the order of `type_keys`; as many as
        are told apart.
    type_keys : Numbers
        Pairs of server number (upper half) and type that came up.
    full : array of bool
        Servers whose clients are not told apart any more.
    client_keys : Numbers
        Pairs of server number (upper half) and address code of the client that came up.
    ours, our_latencies : arrays
        Outcomes and histogram of the exchanges that belong to lookups.

    Returns
    -------
    tuple
        Pairs of server and client that are new, pairs of server and type that are new, each as a list of keys, and
        times of queries outside lookups, in minutes, as a list of minute and count.
    """
    cdef RowColumns c = batch.page.c
    cdef uint32_t i, j, k, first = batch.first_row, kind, before
    cdef uint32_t[STRETCH] buckets
    cdef uint32_t width = <uint32_t>outcomes.shape[1], addresses = <uint32_t>servers.shape[0]
    cdef int64_t server, latency, minute, run_minute = 0, run = 0, at
    cdef bint answered, silent, edns, formerr, in_lookup, good = True
    cdef Scale scale = latencies.scale
    cdef uint8_t outcome
    cdef uint16_t flags
    cdef list new_clients = [], new_types = [], minutes = []
    if width < 16 or extras.shape[1] < 8 or latencies.rows < outcomes.shape[0] or ours.shape[0] < 16 \
            or extras.shape[0] < outcomes.shape[0] or our_latencies.shape[0] != BUCKETS or full.shape[0] < outcomes.shape[0] or types.shape[1] != 2:
        raise ValueError("counters of another shape")
    if client_keys.table.count > MOST_NUMBERS:
        client_keys.clear()
    for i in range(batch.count):
        k = first + i
        if i % STRETCH == 0:
            for j in range(k, first + min(i + STRETCH, batch.count)):
                buckets[j % STRETCH] = scale.bucket_of(c.latency[j])
                if c.server[j] < addresses and 0 <= servers[c.server[j]] < outcomes.shape[0]:
                    server = servers[c.server[j]]
                    prefetch(&outcomes[server, 0])
                    prefetch(&extras[server, 0])
                    prefetch(&latencies.places[server * OCTAVES + buckets[j % STRETCH] // PARTS])
                    expect_key(type_keys.table, <uint64_t>server << 32 | c.qtype[j])
        outcome = c.outcome[k]
        flags = c.flags[k]
        latency = c.latency[k]
        kind = outcome - 1 if 1 <= outcome <= OUTCOME_DUPLICATE else 15
        if outcome == OUTCOME_UNFINISHED and c.time[k] < end:
            kind = OUTCOME_UNANSWERED - 1
        in_lookup = c.lookup[k] != NO_LOOKUP
        answered = OUTCOME_ANSWER <= outcome <= OUTCOME_OTHER_RCODE
        if in_lookup:
            ours[kind] += 1
            if answered and latency >= 0:
                our_latencies[buckets[k % STRETCH]] += 1
        elif outcome != OUTCOME_UNSOLICITED and outcome != OUTCOME_DUPLICATE:
            minute = c.time[k] // 60000000000
            if c.time[k] < 0 and minute * 60000000000 != c.time[k]:
                minute -= 1
            if minute != run_minute or run == 0:
                if run:
                    minutes.append((run_minute, run))
                run_minute = minute
                run = 0
            run += 1
        if c.server[k] >= addresses:
            continue
        server = servers[c.server[k]]
        if server < 0 or server >= outcomes.shape[0]:
            continue
        outcomes[server, kind] += 1
        if outcome == OUTCOME_UNSOLICITED or outcome == OUTCOME_DUPLICATE:
            continue
        silent = kind == OUTCOME_UNANSWERED - 1
        if flags & EXCHANGE_AMBIGUOUS and silent:
            extras[server, AMBIGUOUS] += 1
            silent = False
        extras[server, IN_LOOKUPS if in_lookup else ITERATED] += 1
        edns = flags & EXCHANGE_EDNS and c.query[k] != NO_MESSAGE
        if answered:
            formerr = outcome == OUTCOME_FORMERR or outcome == OUTCOME_NOTIMP
            if not edns:
                extras[server, PLAIN_ANSWERED] += 1
            elif formerr:
                extras[server, EDNS_FORMERR] += 1
            else:
                extras[server, EDNS_ANSWERED] += 1
                if flags & EXCHANGE_NO_OPT_BACK or c.response[k] == NO_MESSAGE:
                    extras[server, EDNS_IGNORED] += 1
            if latency >= 0:
                good &= latencies.note(<uint32_t>server, buckets[k % STRETCH])
        elif silent and edns:
            extras[server, EDNS_SILENT] += 1
        if c.client[k] != NO_CODE and not full[server]:
            before = client_keys.table.count
            if enter(client_keys.table, <uint64_t>server << 32 | c.client[k]) < 0:
                raise MemoryError("no memory to count")
            if client_keys.table.count != before:
                new_clients.append(<uint64_t>server << 32 | c.client[k])
        if (answered or silent) and not flags & EXCHANGE_NO_QUESTION:
            before = type_keys.table.count
            if before >= types.shape[0] and not type_keys.table.slots[slot_of(type_keys.table, <uint64_t>server << 32 | c.qtype[k])]:
                continue
            at = enter(type_keys.table, <uint64_t>server << 32 | c.qtype[k])
            if at < 0:
                raise MemoryError("no memory to count")
            if type_keys.table.count != before:
                new_types.append(<uint64_t>server << 32 | c.qtype[k])
            types[at, 0] += 1
            types[at, 1] += answered
    if run:
        minutes.append((run_minute, run))
    if not good:
        raise MemoryError("no memory to count")
    return new_clients, new_types, minutes


# ---------------------------------------------------------------- lookups

@cython.final
cdef class Pairs:
    """Numbers of clients with the stub seen there.

    Parameters
    ----------
    limit : int
        Pairs told apart; further ones share the number `limit`.
    """

    def __cinit__(self, uint32_t limit):
        self.limit = limit
        self.table = table_open()

    def __dealloc__(self):
        table_close(self.table)
        free(self.clients)
        free(self.stubs)

    def __len__(self):
        return self.table.count

    cdef int64_t number(self, const uint64_t* client, uint8_t stub) noexcept nogil:
        """Number of a pair, entered if new; -1 without memory."""
        # Pairs of one key are told apart by probing with the next key.
        cdef uint64_t key = hash_client(self.table.seed + stub, client)
        cdef uint32_t i
        cdef int64_t n
        cdef uint32_t room
        cdef uint64_t* clients
        cdef uint8_t* stubs
        while True:
            i = slot_of(self.table, key)
            if not self.table.slots[i]:
                break
            n = self.table.slots[i] - 1
            if self.clients[2 * n] == client[0] and self.clients[2 * n + 1] == client[1] and self.stubs[n] == stub:
                return n
            key += 1
        if self.table.count >= self.limit:
            return self.limit
        if self.table.count == self.room:
            room = self.room * 2 if self.room else 256
            clients = <uint64_t*>realloc(self.clients, <size_t>room * 16)
            if clients == NULL:
                return -1
            self.clients = clients
            stubs = <uint8_t*>realloc(self.stubs, room)
            if stubs == NULL:
                return -1
            self.stubs = stubs
            self.room = room
        n = enter(self.table, key)
        if n >= 0:
            self.clients[2 * n] = client[0]
            self.clients[2 * n + 1] = client[1]
            self.stubs[n] = stub
        return n

    cdef void expect(self, const uint64_t* client, uint8_t stub) noexcept nogil:
        """Have the place of a pair on its way from memory."""
        expect_key(self.table, hash_client(self.table.seed + stub, client))

    def number_rows(self, LookupBatch batch not None, int64_t[::1] numbers not None):
        """Fill `numbers` with the number of each row of a batch."""
        cdef const LookupBrief* rows = batch.brief()
        cdef uint64_t i
        cdef bint bad = False
        if <uint64_t>numbers.shape[0] < batch.count:
            raise ValueError("too few places for the rows of the batch")
        with nogil:
            for i in range(batch.count):
                if i + AHEAD < batch.count:
                    self.expect(rows[i + AHEAD].client, rows[i + AHEAD].stub)
                numbers[i] = self.number(rows[i].client, rows[i].stub)
                bad |= numbers[i] < 0
        if bad:
            raise MemoryError("no memory to count")

    def pair(self, uint32_t number):
        """Address (16 octets) and number of the stub of a pair."""
        if number >= self.table.count:
            raise IndexError("no such pair")
        return PyBytes_FromStringAndSize(<char*>&self.clients[2 * number], 16), self.stubs[number]


cdef inline int grade_of(const LookupBrief* r) noexcept nogil:
    if r.causes or FAILED_FROM <= r.outcome <= FAILED_TO or r.troubled:
        return TROUBLED
    if r.candidates > 1 or r.outcome == NXDOMAIN or r.outcome == NODATA:
        return TELLING
    return PLAIN


cdef void share(const LookupBrief* r, const uint8_t* row, const uint8_t* wanted, int64_t* costs) noexcept nogil:
    """Share the time budget of a lookup out among its causes, the most costly first: each claims of what is left."""
    cdef const uint8_t* causes = causes_at(row)
    cdef int64_t[BUDGET] plain
    cdef const int64_t* budget = plain
    cdef uint32_t claimed = 0, claim, wasted = 0, place
    cdef int64_t taken
    cdef int64_t* cost
    if r.whole:
        budget = &rest_of(row).budget[0]
        wasted = rest_of(row).wasted
    else:
        memset(plain, 0, sizeof(plain))
        plain[ANSWER_BUCKET] = r.duration
    for place in range(r.causes):
        if causes[place] >= MOST_CAUSES:
            continue
        claim = wanted[causes[place]] & ~claimed
        taken = budget_of(budget, claim)
        if place == 0 and taken == 0:
            # The most costly cause stands for the wait even where the budget names it otherwise.
            claim = 1 << ANSWER_BUCKET
            taken = budget_of(budget, claim)
            if taken == 0:
                claim = (1 << BUDGET) - 1
                taken = budget_of(budget, claim)
        claimed |= claim
        cost = &costs[4 * causes[place]]
        cost[0] += 1
        cost[1] += FAILED_FROM <= r.outcome <= FAILED_TO
        cost[2] += taken
        if place == 0:
            cost[3] += wasted


cdef inline int64_t budget_of(const int64_t* budget, uint32_t buckets) noexcept nogil:
    cdef int64_t total = 0
    cdef uint32_t k
    for k in range(BUDGET):
        if buckets >> k & 1:
            total += budget[k]
    return total


def count_lookups(
    LookupBatch batch not None, const int64_t[::1] pairs not None,
    int64_t[::1] lookups not None, int64_t[::1] failed not None, Histograms durations not None,
    int64_t[:, ::1] left not None, int64_t[::1] room not None, int64_t[:, ::1] slowest not None,
    uint32_t[::1] chosen not None, uint8_t[::1] grades not None, const uint8_t[::1] wanted not None, int64_t[:, ::1] costs not None,
):
    """Count a batch of lookups by client and stub and by cause, and choose those to be kept.

    Parameters
    ----------
    batch : LookupBatch
        Rows to count.
    pairs : array of int64
        Number of client and stub of each row; every number has a row in the counters.
    lookups, failed, durations : arrays, Histograms
        Counters of each pair.
    left, room : arrays
        Lookups that may still be kept, of each pair and in all, by grade.
    slowest : array
        A heap of those that took longest: nanoseconds (-1 free) and number, the shortest first.
    chosen, grades : arrays
        Filled with the rows that quotas choose, and the grade of every row.
    wanted : array of uint8
        Buckets of the time budget that each cause claims, as bits.
    costs : array
        Counters of each cause: lookups, failed ones, nanoseconds, queries.

    Returns
    -------
    tuple of int
        How many were chosen, failed lookups, troubled ones, nanoseconds waited in all.
    """
    cdef const LookupBrief* rows = batch.brief()
    cdef const LookupBrief* r
    cdef Scale scale = durations.scale
    cdef uint64_t i, k
    cdef uint32_t n = 0, troubled = 0, failures = 0
    cdef uint32_t[STRETCH] buckets
    cdef int64_t pair, waited, total = 0
    cdef int grade
    cdef bint bad, good = True
    if <uint64_t>pairs.shape[0] < batch.count or <uint64_t>chosen.shape[0] < batch.count or <uint64_t>grades.shape[0] < batch.count \
            or left.shape[1] != 3 or room.shape[0] != 3 or slowest.shape[1] != 2 or slowest.shape[0] == 0 \
            or wanted.shape[0] != MOST_CAUSES or costs.shape[0] != MOST_CAUSES or costs.shape[1] != 4:
        raise ValueError("counters of another shape")
    with nogil:
        for i in range(batch.count):
            if i % STRETCH == 0:
                for k in range(i, min(i + STRETCH, batch.count)):
                    buckets[k % STRETCH] = scale.bucket_of(rows[k].duration)
                    if 0 <= pairs[k] < durations.rows and pairs[k] < left.shape[0]:
                        prefetch(&durations.places[pairs[k] * OCTAVES + buckets[k % STRETCH] // PARTS])
                        prefetch(&left[pairs[k], 0])
                for k in range(i, min(i + STRETCH, batch.count)):
                    if 0 <= pairs[k] < durations.rows:
                        durations.expect(<uint32_t>pairs[k], buckets[k % STRETCH])
            r = &rows[i]
            pair = pairs[i]
            if pair < 0 or pair >= lookups.shape[0] or pair >= failed.shape[0] or pair >= durations.rows or pair >= left.shape[0]:
                continue
            lookups[pair] += 1
            bad = FAILED_FROM <= r.outcome <= FAILED_TO
            failed[pair] += bad
            failures += bad
            if r.outcome != UNFINISHED:
                good &= durations.note(<uint32_t>pair, buckets[i % STRETCH])
            waited = r.duration - r.gap
            total += waited
            grade = grade_of(r)
            grades[i] = <uint8_t>grade
            troubled += grade == TROUBLED
            if r.causes:
                share(r, batch.packed.octets + r.at, &wanted[0], &costs[0, 0])
            if left[pair, grade] > 0 and room[grade] > 0:
                left[pair, grade] -= 1
                room[grade] -= 1
                chosen[n] = <uint32_t>i
                n += 1
            if waited > slowest[0, 0]:
                sift(&slowest[0, 0], <uint32_t>slowest.shape[0], waited, <int64_t>(batch.first + i))
    if not good:
        raise MemoryError("no memory to count")
    return n, failures, troubled, total


cdef inline bint shorter(const int64_t* a, int64_t waited, int64_t number) noexcept nogil:
    """Whether a lookup of the heap goes before another: took less long, or as long and came later."""
    return a[0] < waited or a[0] == waited and a[1] > number


cdef void sift(int64_t* heap, uint32_t size, int64_t waited, int64_t number) noexcept nogil:
    """Put a lookup into the heap in place of the one that goes first."""
    cdef uint32_t at = 0, child
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and shorter(&heap[2 * child + 2], heap[2 * child], heap[2 * child + 1]):
            child += 1
        if not shorter(&heap[2 * child], waited, number):
            break
        heap[2 * at] = heap[2 * child]
        heap[2 * at + 1] = heap[2 * child + 1]
        at = child
    heap[2 * at] = waited
    heap[2 * at + 1] = number
