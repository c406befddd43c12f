"""Client subnets in EDNS (RFC 7871): to whom they are told, how much of an address they reveal, and what depends on them."""
cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset
from cpython.bytes cimport PyBytes_FromStringAndSize

from dnscap.native.decoder cimport Batch
from dnscap.native.domain cimport STATUS_OK
from dnscap.native.interning cimport NO_CODE, Dictionary
from dnscap.native.lookup_index cimport hash_client, hash_text, stir
from dnscap.native.message_columns cimport HAS_HEADER, HAS_NAME, HAS_TYPE, MessageColumns, RecordColumns
from dnscap.native.octets cimport be16

cdef enum:
    SERVERS = 512              # told apart, in a table of fixed size
    QUESTIONS = 1024           # of servers, whose answers are compared by subnet
    VALUES = 4                 # subnets of a question that are told apart
    FRAMES = 6                 # kept as evidence
    LONGEST_NAME = 128         # octets of the text of a name; longer ones are not compared
    SUBNET = 20                # octets of an option: family, prefix lengths, 16 of address
    OPTION_ECS = 8
    FLAG_QR = 0x8000
    OPCODE = 0x7800
    MOST_OF_IPV4 = 24          # bits that are advised to be told at most (RFC 7871 section 11.1)
    MOST_OF_IPV6 = 56

cdef struct Told:              # to a server
    uint64_t[2] address
    uint64_t strength
    uint64_t queries           # with a subnet
    uint64_t close             # with more of an address than is advised
    uint64_t answers           # that say for whom they hold
    uint64_t longer            # for a smaller network than was told
    uint64_t[FRAMES] close_frames
    uint64_t[FRAMES] longer_frames
    uint8_t[SUBNET] close_subnet
    uint8_t[SUBNET] longer_subnet

cdef struct Value:             # an answer, and the subnet that got it
    uint64_t digest            # of its records, in any order; 0 free
    uint64_t frame
    uint32_t answers
    uint8_t[SUBNET] subnet
    bint mixed                 # it got others, too

cdef struct Question:
    uint64_t key
    uint64_t[2] server
    uint64_t strength
    uint16_t qtype
    uint32_t size
    uint8_t[LONGEST_NAME] name
    Value[VALUES] values


cdef inline const uint8_t* subnet_of(const MessageColumns* c, uint32_t r, uint32_t* size) noexcept nogil:
    """The data of the first client subnet option of a message; NULL where there is none that can be read."""
    cdef uint32_t at = c.options[r], end = c.options[r + 1], length
    cdef const uint8_t* o = c.options_octets
    while end - at >= 4:
        length = be16(o + at + 2)
        if length > end - at - 4:
            return NULL
        if be16(o + at) == OPTION_ECS:
            size[0] = length
            # Family 1 or 2, prefix lengths that the family has, and octets for as many bits (RFC 7871 section 6).
            if length < 4 or o[at + 4] != 0 or o[at + 5] not in (1, 2) or o[at + 6] > (32 if o[at + 5] == 1 else 128) \
                    or length - 4 != (o[at + 6] + 7) // 8:
                return NULL
            return o + at + 4
        at += 4 + length
    return NULL


cdef inline void keep_subnet(uint8_t* to, const uint8_t* subnet, uint32_t size) noexcept nogil:
    memset(to, 0, SUBNET)
    memcpy(to, subnet, size if size < SUBNET else SUBNET)


cdef uint64_t digest_of(const RecordColumns* q, uint32_t r, uint16_t qtype, uint64_t seed) noexcept nogil:
    """Of the records of a type in the answer of a message, whatever their order; 0 where there are none."""
    cdef uint32_t low = 0, high = q.count, middle
    cdef uint64_t total = 0
    while low < high:
        middle = (low + high) // 2
        if q.message[middle] < r:
            low = middle + 1
        else:
            high = middle
    while low < q.count and q.message[low] == r and q.section[low] == 0:
        if q.type[low] == qtype:
            total += hash_text(seed, q.rdata_octets + q.rdata[low], q.rdata[low + 1] - q.rdata[low]) | 1
        low += 1
    return total


@cython.final
cdef class Subnets:
    """Adds up what batches of messages say of client subnets."""
    cdef Told* servers
    cdef Question* questions
    cdef uint64_t seed
    cdef Dictionary dictionary

    def __cinit__(self):
        # Fixed: one capture gives one result.  The tables do not grow, and what collides is only less well counted.
        self.seed = <uint64_t>0x9E3779B97F4A7C15
        self.servers = <Told*>calloc(SERVERS, sizeof(Told))
        self.questions = <Question*>calloc(QUESTIONS, sizeof(Question))
        if self.servers == NULL or self.questions == NULL:
            raise MemoryError("no memory to count")

    def __dealloc__(self):
        free(self.servers)
        free(self.questions)

    def feed(self, Batch batch not None, const uint8_t[::1] kept=None):
        """Look at a batch; `kept` has one octet a message, 0 for those to pass over."""
        cdef const MessageColumns* c = &batch.columns
        cdef uint32_t r, size = 0
        cdef const uint8_t* subnet
        if kept is not None and <uint32_t>kept.shape[0] != c.count:
            raise ValueError("one octet a message is needed")
        if c.options_used == 0:
            return
        self.dictionary = batch.dictionary
        with nogil:
            for r in range(c.count):
                if c.options[r + 1] - c.options[r] < 8 or c.sighting_of[r] != NO_CODE or (kept is not None and not kept[r]):
                    continue
                if not c.presence[r] & HAS_HEADER or c.flags[r] & OPCODE:
                    continue
                subnet = subnet_of(c, r, &size)
                if subnet != NULL:
                    self.take(c, &batch.record_columns, r, subnet, size)

    cdef void take(self, const MessageColumns* c, const RecordColumns* q, uint32_t r, const uint8_t* subnet, uint32_t size) noexcept nogil:
        cdef bint response = c.flags[r] & FLAG_QR
        cdef uint32_t code = c.src[r] if response else c.dst[r]
        cdef const uint64_t* address
        cdef Told* t
        if code >= self.dictionary.addresses.count:
            return
        address = self.dictionary.addresses.keys + 2 * <size_t>code
        t = &self.servers[hash_client(self.seed, address) >> 20 & SERVERS - 1]
        if t.strength == 0:
            memset(t, 0, sizeof(Told))
            t.address[0] = address[0]
            t.address[1] = address[1]
        if t.address[0] == address[0] and t.address[1] == address[1]:
            t.strength += 1
            if not response:
                t.queries += 1
                if subnet[2] > (MOST_OF_IPV4 if subnet[1] == 1 else MOST_OF_IPV6):
                    if t.close < FRAMES:
                        t.close_frames[t.close] = c.frame[r]
                    if t.close == 0:
                        keep_subnet(t.close_subnet, subnet, size)
                    t.close += 1
            else:
                t.answers += 1
                if subnet[3] > subnet[2]:
                    if t.longer < FRAMES:
                        t.longer_frames[t.longer] = c.frame[r]
                    if t.longer == 0:
                        keep_subnet(t.longer_subnet, subnet, size)
                    t.longer += 1
        else:
            t.strength -= 1
        if response and subnet[3] > 0 and c.rcode[r] == 0 and c.status[r] == STATUS_OK \
                and c.presence[r] & (HAS_NAME | HAS_TYPE) == HAS_NAME | HAS_TYPE:
            self.compare(c, q, r, subnet, size, address)

    cdef void compare(self, const MessageColumns* c, const RecordColumns* q, uint32_t r, const uint8_t* subnet, uint32_t size,
                      const uint64_t* server) noexcept nogil:
        """Keep the answer that a subnet got."""
        cdef uint64_t digest = digest_of(q, r, c.qtype[r], self.seed), key
        cdef uint32_t code = c.qname[r], i, length
        cdef const uint8_t* name
        cdef Question* asked
        cdef Value* v
        cdef uint8_t[SUBNET] own
        if digest == 0 or code >= self.dictionary.names.count:
            return
        name = <const uint8_t*>self.dictionary.names.text + self.dictionary.names.text_offsets[code]
        length = <uint32_t>(self.dictionary.names.text_offsets[code + 1] - self.dictionary.names.text_offsets[code])
        if length > LONGEST_NAME:
            return
        key = stir(hash_text(self.seed, name, length) ^ hash_client(self.seed, server) ^ c.qtype[r]) | 1
        asked = &self.questions[key >> 20 & QUESTIONS - 1]
        if asked.key != key:
            if asked.strength:
                asked.strength -= 1
                return
            memset(asked, 0, sizeof(Question))
            asked.key = key
            asked.server[0] = server[0]
            asked.server[1] = server[1]
            asked.qtype = c.qtype[r]
            asked.size = length
            memcpy(asked.name, name, length)
        asked.strength += 1
        keep_subnet(own, subnet, size)
        own[3] = 0             # for whom the answer holds may change; whom it was given to does not
        for i in range(VALUES):
            v = &asked.values[i]
            if v.digest == 0:
                v.digest = digest
                v.frame = c.frame[r]
                v.answers = 1
                memcpy(v.subnet, own, SUBNET)
                return
            if memcmp(v.subnet, own, SUBNET) == 0:
                v.answers += 1
                v.mixed |= v.digest != digest
                return

    def servers_told(self):
        """Servers, with what they were told and what they said.

        Returns
        -------
        list of dict
        """
        return [server_told(&self.servers[i]) for i in range(SERVERS) if self.servers[i].strength]

    def differing(self):
        """Questions whose answer depends on the subnet: each subnet always got the same, and not all got the same.

        Returns
        -------
        list of tuple
            Server (16 octets), name, type, and of each subnet its option and the frame of its first answer.
        """
        return [question_told(&self.questions[i]) for i in range(QUESTIONS) if differs(&self.questions[i])]


cdef bint differs(const Question* asked) noexcept nogil:
    cdef uint32_t i, n = 0
    cdef bint apart = False
    for i in range(VALUES):
        if asked.values[i].digest:
            n += asked.values[i].answers > 1
            apart |= asked.values[i].digest != asked.values[0].digest
            if asked.values[i].mixed:
                return False
    return apart and n > 1     # what was given but once may be one turn of several


cdef dict server_told(const Told* t):
    return {
        "address": PyBytes_FromStringAndSize(<const char*>t.address, 16),
        "queries": t.queries,
        "close": t.close,
        "answers": t.answers,
        "longer": t.longer,
        "close_frames": [t.close_frames[i] for i in range(FRAMES) if t.close_frames[i]],
        "longer_frames": [t.longer_frames[i] for i in range(FRAMES) if t.longer_frames[i]],
        "close_subnet": PyBytes_FromStringAndSize(<const char*>t.close_subnet, SUBNET),
        "longer_subnet": PyBytes_FromStringAndSize(<const char*>t.longer_subnet, SUBNET),
    }


cdef tuple question_told(const Question* asked):
    return (
        PyBytes_FromStringAndSize(<const char*>asked.server, 16),
        PyBytes_FromStringAndSize(<const char*>asked.name, asked.size).decode("utf-8", "replace"),
        asked.qtype,
        [
            (PyBytes_FromStringAndSize(<const char*>asked.values[i].subnet, SUBNET), asked.values[i].frame)
            for i in range(VALUES) if asked.values[i].digest
        ],
    )
