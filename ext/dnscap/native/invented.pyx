"""Names that no person gave: made by programs to find a controller, to get past a cache, or to carry data.

Two groups of suffixes and one of clients, each in a table of fixed size: a suffix that comes often drives out those that came
once, so that a flood of random names neither fills the tables nor hides what goes on beside it.
"""
cimport cython
from libc.math cimport log2
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from cpython.bytes cimport PyBytes_FromStringAndSize

from dnscap.native.exchange_rows cimport ExchangeBatch, RowColumns
from dnscap.native.exchanges cimport NO_MESSAGE, OUTCOME_ANSWER, OUTCOME_NXDOMAIN, OUTCOME_OTHER_RCODE
from dnscap.native.interning cimport Dictionary
from dnscap.native.lookup_index cimport hash_client, hash_text, stir

cdef enum:
    GROUPS = 2048              # of each kind: some 700 KiB
    LONG = 50                  # octets of the text of a name from which on it may carry data
    AROUND = 16                # octets that a query has beside its name, at least
    SIGNS = 37                 # letters without case, digits, all else
    SEEN_WORDS = 16            # of the sieve that counts distinct names
    SEEN_BITS = 64 * SEEN_WORDS
    FRAMES = 6                 # kept as evidence
    LONGEST_SUFFIX = 64        # octets of a suffix; longer ones are not looked at
    MOST_LABELS = 4            # at the end of a name that are told apart
    TYPE_NULL = 10
    TYPE_CNAME = 5
    TYPE_MX = 15
    TYPE_TXT = 16
    TYPE_SRV = 33
    FIRST_PRIVATE = 65280      # types for private use (RFC 6895 section 3.1)

cdef struct Group:             # names that have a suffix, or a client, in common
    uint64_t key               # 0 free
    uint64_t[2] client
    uint64_t strength          # how often it came, less how often others wanted its place
    uint64_t count
    uint64_t octets            # of what was made up, in all
    uint64_t data              # queries for types that carry data back
    uint64_t answered          # of the client, where the group is one's
    uint64_t[FRAMES] frames
    int64_t first
    int64_t last
    uint64_t[SEEN_WORDS] seen
    uint32_t[SIGNS] signs
    uint32_t size
    uint8_t[LONGEST_SUFFIX] suffix

cdef struct Parts:             # of the text of a name
    uint32_t registered        # where the domain begins that somebody registered, as far as its form tells
    uint32_t top               # where what follows its first label begins
    uint32_t labels


cdef inline bint take_apart(const uint8_t* name, uint32_t size, Parts* p) noexcept nogil:
    """Where the registered domain of a name begins: its last two labels, or three where these look like co.uk.

    False for names of one label, for reverse zones and for names with labels that start with an underscore at that place.
    """
    cdef uint32_t[MOST_LABELS] starts
    cdef uint32_t i, n = 0
    if size < 4 or name[size - 1] != c".":
        return False
    i = size - 1
    while i > 0 and n < MOST_LABELS:
        i -= 1
        if name[i] == c"." and not (i > 0 and name[i - 1] == c"\\"):
            starts[n] = i + 1
            n += 1
    if i == 0 and n < MOST_LABELS:
        starts[n] = 0
        n += 1
    if n < 2:
        return False
    if size - starts[0] == 5 and name[starts[0]] == c"a" and name[starts[0] + 1] == c"r" and name[starts[0] + 2] == c"p":
        return False           # what is looked up in reverse looks random by nature
    p.registered = starts[1]
    p.top = starts[0]
    if n > 2 and size - starts[0] == 3 and starts[0] - starts[1] <= 4:
        p.registered = starts[2]
        p.top = starts[1]
    p.labels = n
    return True


cdef inline uint32_t sign_of(uint8_t octet) noexcept nogil:
    if c"a" <= octet <= c"z":
        return octet - c"a"
    if c"A" <= octet <= c"Z":
        return octet - c"A"
    return 26 + octet - c"0" if c"0" <= octet <= c"9" else 36


cdef inline void add(Group* g, const uint8_t* text, uint32_t size, uint64_t hash, int64_t time, uint64_t frame) noexcept nogil:
    """Count a made-up text."""
    cdef uint32_t i, at = <uint32_t>hash & SEEN_BITS - 1
    if g.count == 0:
        g.first = time
    g.last = time
    if g.count < FRAMES:
        g.frames[g.count] = frame
    g.count += 1
    if g.seen[at >> 6] >> (at & 63) & 1:
        return                 # most likely counted already
    g.seen[at >> 6] |= <uint64_t>1 << (at & 63)
    g.octets += size
    for i in range(size):
        if text[i] != c".":
            g.signs[sign_of(text[i])] += 1


@cython.final
cdef class Invented:
    """Gathers names that look made up, from batches of exchanges."""
    cdef Group* clients        # of names that do not exist, by client: what was registered of each
    cdef Group* absent         # the same by suffix: what stands before it
    cdef Group* long           # long names, by client and suffix
    cdef uint64_t seed
    cdef Dictionary dictionary

    def __cinit__(self):
        # Fixed: one capture gives one result.  The tables do not grow, and what collides is only less well counted.
        self.seed = <uint64_t>0x9E3779B97F4A7C15
        self.clients = <Group*>calloc(GROUPS, sizeof(Group))
        self.absent = <Group*>calloc(GROUPS, sizeof(Group))
        self.long = <Group*>calloc(GROUPS, sizeof(Group))
        if self.clients == NULL or self.absent == NULL or self.long == NULL:
            raise MemoryError("no memory to count")

    def __dealloc__(self):
        free(self.clients)
        free(self.absent)
        free(self.long)

    cdef Group* of(self, Group* groups, uint64_t key, const uint64_t* client, const uint8_t* suffix, uint32_t size) noexcept nogil:
        """The group of a key; NULL where another has its place."""
        cdef Group* g = &groups[key >> 20 & GROUPS - 1]
        key |= 1
        if g.key == key:
            g.strength += 1
            return g
        if g.strength:
            g.strength -= 1
            return NULL
        memset(g, 0, sizeof(Group))
        g.key = key
        g.strength = 1
        g.client[0] = client[0]
        g.client[1] = client[1]
        g.size = size
        memcpy(g.suffix, suffix, size)
        return g

    def feed(self, ExchangeBatch batch not None, const uint8_t[::1] kept=None):
        """Look at a batch; `kept` has one octet a row, 0 for those to pass over."""
        cdef RowColumns* c = &batch.page.c
        cdef uint32_t i, k, code, size, names, addresses
        cdef const int32_t* ends
        cdef const uint8_t* name
        if kept is not None and <uint32_t>kept.shape[0] != batch.count:
            raise ValueError("one octet a row is needed")
        self.dictionary = batch.dictionary
        with nogil:
            names = self.dictionary.names.count
            addresses = self.dictionary.addresses.count
            ends = self.dictionary.names.text_offsets
            for i in range(batch.count):
                k = batch.first_row + i
                if c.outcome[k] != OUTCOME_NXDOMAIN and c.query_size[k] < LONG + AROUND:
                    continue
                code = c.qname[k]
                if code >= names or c.client[k] >= addresses or (kept is not None and not kept[i]) or c.query[k] == NO_MESSAGE:
                    continue
                if c.transmission[k] != 1:
                    continue
                size = <uint32_t>(ends[code + 1] - ends[code])
                if c.outcome[k] != OUTCOME_NXDOMAIN and size < LONG:
                    continue
                name = <const uint8_t*>self.dictionary.names.text + ends[code]
                self.look(c, k, name, size)

    cdef void look(self, const RowColumns* c, uint32_t k, const uint8_t* name, uint32_t size) noexcept nogil:
        cdef const uint64_t* client = self.dictionary.addresses.keys + 2 * <size_t>c.client[k]
        cdef uint64_t whole, suffix
        cdef uint32_t tail
        cdef Parts p
        cdef Group* g
        if not take_apart(name, size, &p):
            return
        tail = size - p.registered
        if tail > LONGEST_SUFFIX:
            return
        whole = hash_text(self.seed, name, size)
        suffix = hash_text(self.seed, name + p.registered, tail)
        if c.outcome[k] == OUTCOME_NXDOMAIN:
            g = self.of(self.clients, hash_client(self.seed, client), client, name, 0)
            if g != NULL:
                add(g, name + p.registered, p.top - p.registered, suffix, c.time[k], c.response_frame[k])
            if p.registered > 1:
                g = self.of(self.absent, suffix, client, name + p.registered, tail)
                if g != NULL:
                    add(g, name, p.registered - 1, whole, c.time[k], c.response_frame[k])
        if size >= LONG and p.registered > 1:
            g = self.of(self.long, stir(suffix ^ hash_client(self.seed, client)), client, name + p.registered, tail)
            if g != NULL:
                g.data += carries_data(c.qtype[k])
                g.answered += OUTCOME_ANSWER <= c.outcome[k] <= OUTCOME_OTHER_RCODE and c.outcome[k] != OUTCOME_NXDOMAIN
                add(g, name, p.registered - 1, whole, c.time[k], c.query_frame[k])

    def rows(self, kind, uint64_t least):
        """Groups of a kind ("clients", "absent" or "long") that came so often at least.

        Returns
        -------
        list of dict
        """
        cdef Group* groups
        cdef int which = {"clients": 0, "absent": 1, "long": 2}[kind]
        groups = self.clients if which == 0 else self.absent if which == 1 else self.long
        return [told(&groups[i]) for i in range(GROUPS) if groups[i].key and groups[i].count >= least]


cdef inline bint carries_data(uint32_t qtype) noexcept nogil:
    return qtype in (TYPE_NULL, TYPE_CNAME, TYPE_MX, TYPE_TXT, TYPE_SRV) or qtype >= FIRST_PRIVATE


cdef dict told(const Group* g):
    cdef uint32_t i, empty = 0, used = 0
    cdef uint64_t total = 0
    cdef double share, entropy = 0
    for i in range(SEEN_BITS):
        empty += not g.seen[i >> 6] >> (i & 63) & 1
    for i in range(SIGNS):
        total += g.signs[i]
        used += g.signs[i] > 0
    for i in range(SIGNS):
        if g.signs[i]:
            share = <double>g.signs[i] / total
            entropy -= share * log2(share)
    return {
        "client": PyBytes_FromStringAndSize(<const char*>g.client, 16),
        "suffix": PyBytes_FromStringAndSize(<const char*>g.suffix, g.size).decode("utf-8", "replace"),
        "count": g.count,
        "distinct": SEEN_BITS * log2(SEEN_BITS / (empty if empty else 0.5)) * 0.6931471805599453,   # linear counting
        "sieved": SEEN_BITS - empty,
        "octets": g.octets,
        "letters": total,
        "signs": used,
        "evenness": entropy / log2(<double>used) if used > 1 else 0.0,
        "data": g.data,
        "answered": g.answered,
        "first": g.first,
        "last": g.last,
        "frames": [g.frames[i] for i in range(FRAMES) if g.frames[i]],
    }
