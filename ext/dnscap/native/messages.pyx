"""Wire-format decode: payloads in, columns of messages and records out.

Payloads are handled in strides of up to STRIDE, one stage after another, so that branches are few and the
cache misses of the dictionary overlap: headers and question names first, then the dictionary, then records,
then the dictionary again for owner names.  A question name that equals an entry of the dictionary up to its first
zero octet *is* that entry (wire names end themselves), so labels are only walked for names not seen before.
"""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from dnscap.native.datagrams cimport CUT_BY_CAPTURE, WHOLE, Datagram
from dnscap.native.domain cimport (
    MOST_NAME,
    NAME_ROOM,
    STATUS_BAD_OPT,
    STATUS_BAD_RDATA,
    STATUS_FIRST_FRAGMENT,
    STATUS_OK,
    STATUS_QUESTION_OVERRUN,
    STATUS_RDATA_OVERRUN,
    STATUS_RECORD_OVERRUN,
    STATUS_SHORT_HEADER,
    STATUS_TRAILING_OCTETS,
    STATUS_TRUNCATED_CAPTURE,
    expand_name,
    skip_name,
)
from dnscap.native.interning cimport (
    ENTRY_ALIGN,
    NO_CODE,
    AddressTable,
    Dictionary,
    Entry,
    NameTable,
    Slot,
    address_tag,
    big_alloc,
    big_grow,
    candidate,
    entry_octets,
    find_address,
    fold_hash,
    fold_name,
    intern_name,
    likely,
    mix128,
    prefetch,
    same_octets,
    unlikely,
)
from dnscap.native.octets cimport PADDING, be16, be32, be64, load32, load64
from dnscap.native.rdata cimport expand_rdata, rdata_room
from dnscap.native.text cimport NAME_TEXT_ROOM, put_name

cdef extern from "headers.h" nogil:
    enum:
        HEADERS_AT_ONCE "DNSCAP_HEADERS_AT_ONCE"
    void header_columns(const void* row, size_t stride, uint16_t** columns, size_t at) noexcept

cdef enum:
    STRIDE = 128
    MOST_JOBS = 16384          # owner names that wait for the dictionary
    LEAST_RECORD = 11          # octets: the root, type, class, TTL, length; so many names a message can hold at most
    SCRATCH_OCTETS = MOST_JOBS * 288     # far more than the largest expanded RDATA, which `take_rdata` puts there
    COLUMN_STEP = 192          # octets
    SEEN_NAMES = 16            # owner names of a message remembered by offset; further ones are expanded again
    BATCH_OCTETS = 1 << 27     # a batch is closed when its rdata or options reach this: expanded names swell up to 18 times
    MOST_OCTETS = 0xFFFF0000   # of one growable octet column
    BATCH_ROWS = 1 << 22       # and before it holds more messages, or twice as many records
    SMALLEST_FRAME = 70        # octets in a capture file of a frame with a DNS header over UDP, IPv4 and Ethernet
    RESERVED_OCTETS = 1 << 28  # more than this the octets of options or rdata must grow into

    TYPE_A = 1
    TYPE_NS = 2
    TYPE_CNAME = 5
    TYPE_SOA = 6
    TYPE_PTR = 12
    TYPE_AAAA = 28
    TYPE_OPT = 41
    CLASS_IN = 1
    CLASS_NONE = 254
    CLASS_ANY = 255
    OPCODE_UPDATE = 5
    PORT_MDNS = 5353

    SIGHTING_SLOTS = 1 << 12   # direct-mapped: at 200,000 packets a second 5 ms hold 1,000 messages
    SIGHTING_PLACES = 4
    SIGHTING_WINDOW = 5000000  # nanoseconds within which the same packet can pass two capture points
    MOST_HOPS = 16             # a NAT rewrite between two capture points of one host takes no more hops off the TTL
    DIRECTION_OUT = 2
    DIRECTION_IN = 1

cdef struct NameJob:
    const uint8_t* name        # folded
    uint32_t tag
    uint32_t size
    uint32_t ref               # candidate in the arena
    uint32_t code

cdef struct Sighting:          # one cache line
    uint64_t key
    int64_t time
    uint64_t flow              # mix of addresses and ports
    uint64_t place             # where it was seen first
    uint64_t src               # mix of the address
    uint64_t dst
    uint32_t message
    uint8_t more               # further places, in Sightings.places
    uint8_t ip_ttl
    uint8_t direction
    uint8_t[9] unused

cdef struct Sightings:
    Sighting[SIGHTING_SLOTS] slots
    uint64_t[SIGHTING_SLOTS][SIGHTING_PLACES] places

cdef struct Stride:            # what the stages of one stride share
    uint32_t[STRIDE] at        # offset behind the question section
    uint32_t[STRIDE] plain     # octets of the question name, where it is one plain name at offset 12; else 0
    uint64_t[STRIDE] hash      # of the question name; later the key of the sighting


cdef struct Seen:              # an owner name of this message: its offset, and its code or pending job
    uint32_t at
    uint32_t owner


@cython.final
cdef class Messages:
    """Decoder of payloads into the columns of one batch at a time."""

    def __cinit__(self, bint with_records=True):
        self.with_records = with_records
        self.dictionary = Dictionary()
        self.jobs = <NameJob*>big_alloc(MOST_JOBS * sizeof(NameJob))
        self.scratch = <uint8_t*>big_alloc(SCRATCH_OCTETS + NAME_ROOM)
        self.sightings = <Sightings*>big_alloc(sizeof(Sightings))
        if self.jobs == NULL or self.scratch == NULL or self.sightings == NULL:
            raise MemoryError("no memory for the message decoder")
        memset(self.sightings, 0, sizeof(Sightings))

    def __dealloc__(self):
        free(self.jobs)
        free(self.scratch)
        free(self.sightings)
        free_messages(&self.columns)
        free_records(&self.records)

    cdef void renew(self, Dictionary dictionary, const MessageColumns* columns, const RecordColumns* records):
        self.base += self.columns.count
        self.dictionary = dictionary
        self.columns = columns[0]
        self.columns.count = self.columns.options_used = 0
        self.records = records[0]
        self.records.count = self.records.rdata_used = 0

    cdef void reserve(self, uint64_t octets) noexcept nogil:
        cdef size_t rows = octets // SMALLEST_FRAME if octets // SMALLEST_FRAME < BATCH_ROWS else BATCH_ROWS
        cdef size_t text = octets // 2 if octets // 2 < RESERVED_OCTETS else RESERVED_OCTETS
        if rows > self.columns.room and widen_messages(&self.columns, rows) != 0:
            return
        if text > self.columns.options_room:
            grow_octets(&self.columns.options_octets, self.columns.options_used, &self.columns.options_room, text)
        if self.with_records:
            if rows > self.records.room and widen_records(&self.records, rows) != 0:
                return
            if text > self.records.rdata_room:
                grow_octets(&self.records.rdata_octets, self.records.rdata_used, &self.records.rdata_room, text)

    cdef int decode(self, const Datagram* rows, uint32_t count, uint32_t* done) noexcept nogil:
        cdef uint32_t at = 0, n
        cdef MessageColumns* c = &self.columns
        while at < count:
            n = stride_of(rows + at, count - at)
            done[0] = at
            if not self.dictionary.has_room(MOST_JOBS, 2 * STRIDE) or c.count + n > BATCH_ROWS \
                    or self.records.rdata_used > BATCH_OCTETS or c.options_used > BATCH_OCTETS \
                    or self.records.count > BATCH_ROWS * 2:
                return 0
            if c.count + n > c.room and grow_messages(c) != 0:
                return -1
            if decode_stride(self, rows + at, n) != 0:
                return -1
            at += n
        done[0] = at
        return 0


cdef inline uint32_t stride_of(const Datagram* rows, uint32_t count) noexcept nogil:
    """How many payloads make up the next stride: no more than whose names all have room."""
    cdef uint32_t n = 0, names = 0
    if count > STRIDE:
        count = STRIDE
    while n < count:
        names += rows[n].size // LEAST_RECORD + 1
        if names > MOST_JOBS and n:
            break
        n += 1
    return n


# ---------------------------------------------------------------- memory of the columns

cdef inline void* column_block(void* column) noexcept nogil:
    """The block of memory in which a column lies."""
    return (<void**>column - 1)[0] if column != NULL else NULL


cdef int grow_column(void** column, size_t width, size_t used, size_t room, uint32_t place) noexcept nogil:
    """Give a column room for `room` rows and one more, in a new block if there is none or the old one is too small.

    Large blocks begin at like places in their pages.  Columns that did so too would all want the same few sets of the
    caches where they are written side by side, so each begins three cache lines further into its block than the one
    before; in front of it stands where the block begins.
    """
    cdef uint8_t* block = <uint8_t*>big_alloc((room + 1) * width + PADDING + (place + 1) * COLUMN_STEP)
    cdef void** wider
    if block == NULL:
        return -1
    wider = <void**>(block + (place + 1) * COLUMN_STEP)
    (wider - 1)[0] = block
    if used:
        memcpy(wider, column[0], used * width)
    free(column_block(column[0]))
    column[0] = wider
    return 0


cdef int grow_columns(void** columns, uint32_t many, size_t width, size_t used, size_t room,
                      uint32_t place) noexcept nogil:
    cdef uint32_t k
    for k in range(many):
        if grow_column(columns + k, width, used, room, place + k) != 0:
            return -1
    return 0


cdef int grow_messages(MessageColumns* c) noexcept nogil:
    # Never less than a whole stride more, however little was reserved: the octets of a compressed file say little.
    return widen_messages(c, <size_t>c.room * 2 if c.room > 1 << 13 else 1 << 14)


cdef int widen_messages(MessageColumns* c, size_t room) noexcept nogil:
    cdef size_t n = c.count
    if grow_columns(<void**>&c.frame, MESSAGE_COLUMNS_8, 8, n, room, 0) != 0 \
            or grow_columns(<void**>&c.frames, MESSAGE_COLUMNS_4, 4, n, room, MESSAGE_COLUMNS_8) != 0 \
            or grow_columns(<void**>&c.src_port, MESSAGE_COLUMNS_2, 2, n, room,
                            MESSAGE_COLUMNS_8 + MESSAGE_COLUMNS_4) != 0 \
            or grow_columns(<void**>&c.edns_version, MESSAGE_COLUMNS_1, 1, n, room,
                            MESSAGE_COLUMNS_8 + MESSAGE_COLUMNS_4 + MESSAGE_COLUMNS_2) != 0:
        return -1
    c.room = <uint32_t>room
    return 0


cdef int grow_records(RecordColumns* c) noexcept nogil:
    return widen_records(c, <size_t>c.room * 2 if c.room else 1 << 15)


cdef int widen_records(RecordColumns* c, size_t room) noexcept nogil:
    cdef size_t n = c.count
    if grow_columns(<void**>&c.message, RECORD_COLUMNS_4, 4, n, room, 0) != 0 \
            or grow_columns(<void**>&c.type, RECORD_COLUMNS_2, 2, n, room, RECORD_COLUMNS_4) != 0 \
            or grow_column(<void**>&c.section, 1, n, room, RECORD_COLUMNS_4 + RECORD_COLUMNS_2) != 0:
        return -1
    c.room = <uint32_t>room
    return 0


cdef int grow_octets(uint8_t** octets, uint32_t used, uint32_t* room, size_t need) noexcept nogil:
    """Make room for `need` more octets and PADDING; batches are closed long before 32 bits run out."""
    cdef size_t wide = <size_t>room[0] * 2 if room[0] else 1 << 18
    cdef void* wider
    while wide < used + need:
        wide *= 2
    if wide > MOST_OCTETS:
        wide = MOST_OCTETS
        if used + need > wide:
            return -1
    wider = big_grow(octets[0], used, wide + PADDING)
    if wider == NULL:
        return -1
    octets[0] = <uint8_t*>wider
    room[0] = <uint32_t>wide
    return 0


cdef void free_messages(MessageColumns* c) noexcept nogil:
    cdef void** columns = <void**>c
    cdef uint32_t k
    for k in range(MESSAGE_COLUMNS_8 + MESSAGE_COLUMNS_4 + MESSAGE_COLUMNS_2 + MESSAGE_COLUMNS_1):
        free(column_block(columns[k]))
    free(c.options_octets)
    memset(c, 0, sizeof(MessageColumns))


cdef void free_records(RecordColumns* c) noexcept nogil:
    cdef void** columns = <void**>c
    cdef uint32_t k
    for k in range(RECORD_COLUMNS_4 + RECORD_COLUMNS_2):
        free(column_block(columns[k]))
    free(column_block(c.section))
    free(c.rdata_octets)
    memset(c, 0, sizeof(RecordColumns))


# ---------------------------------------------------------------- one stride

cdef inline void fault(MessageColumns* c, uint32_t r, int status, uint32_t at) noexcept nogil:
    """The first fault of a message stays."""
    if c.status[r] == STATUS_OK:
        c.status[r] = <uint8_t>status
        c.status_at[r] = at


cdef int decode_stride(Messages self, const Datagram* rows, uint32_t n) noexcept nogil:
    cdef Stride s
    cdef uint32_t i
    cdef uint32_t first = self.columns.count
    self.job_count = 0
    self.scratch_used = 0
    copy_datagrams(&self.columns, rows, n)
    find_addresses(&self.columns, &self.dictionary.addresses, rows, n)
    read_headers(&self.columns, rows, n)
    find_questions(self, &s, rows, n)
    resolve_jobs(self)
    read_questions(self, &s, rows, n)
    if self.with_records:
        self.job_count = 0
        self.scratch_used = 0
    if self.with_records:
        if walk_sections(self, &s, rows, n, True) != 0:
            return -1
    elif walk_sections(self, &s, rows, n, False) != 0:
        return -1
    if self.with_records:
        settle_owners(self)
        if self.records.rdata != NULL:
            self.records.rdata[self.records.count] = self.records.rdata_used
    find_sightings(self, &s, rows, n)
    for i in range(n):
        if unlikely(rows[i].wholeness != WHOLE):
            self.columns.status[first + i] = <uint8_t>(STATUS_TRUNCATED_CAPTURE if rows[i].wholeness == CUT_BY_CAPTURE
                                                       else STATUS_FIRST_FRAGMENT)
            self.columns.status_at[first + i] = rows[i].size
    self.columns.count = first + n
    self.columns.options[first + n] = self.columns.options_used
    return 0


cdef void copy_datagrams(const MessageColumns* c, const Datagram* rows, uint32_t n) noexcept nogil:
    """What the network stages tell of each payload.

    Nearly all rows of a stride agree in where and how they came: that is written for all as the first row has it, and
    again for the few that differ.
    """
    cdef uint32_t i, r = c.count, count = 0
    cdef uint32_t[STRIDE] odd
    cdef const Datagram* d
    cdef const Datagram* first = rows
    cdef uint64_t* frame = c.frame + r
    cdef int64_t* time = c.time + r
    cdef uint32_t* size = c.size + r
    cdef uint16_t* src_port = c.src_port + r
    cdef uint16_t* dst_port = c.dst_port + r
    cdef uint8_t* ip_ttl = c.ip_ttl + r
    cdef uint64_t where = load64(&first.source), whole = load64(&first.frames)
    for i in range(n):
        d = rows + i
        odd[count] = i
        count += ((load64(&d.source) ^ where) | (load64(&d.frames) ^ whole)
                  | (d.transport ^ first.transport) | (d.direction ^ first.direction)) != 0
        frame[i] = d.number
        time[i] = d.time
        size[i] = d.wire_size
        src_port[i] = d.src_port
        dst_port[i] = d.dst_port
        ip_ttl[i] = d.ip_ttl
    fill32(c.source + r, first.source, n)
    fill32(c.interface + r, first.interface, n)
    fill32(c.frames + r, first.frames, n)
    fill32(c.stream + r, first.stream, n)
    memset(c.transport + r, first.transport, n)
    memset(c.direction + r, first.direction, n)
    for i in range(count):
        d = rows + odd[i]
        c.source[r + odd[i]] = d.source
        c.interface[r + odd[i]] = d.interface
        c.frames[r + odd[i]] = d.frames
        c.stream[r + odd[i]] = d.stream
        c.transport[r + odd[i]] = d.transport
        c.direction[r + odd[i]] = d.direction


cdef inline void fill32(uint32_t* to, uint32_t value, uint32_t n) noexcept nogil:
    cdef uint32_t i
    for i in range(n):
        to[i] = value


cdef void find_addresses(const MessageColumns* c, AddressTable* t, const Datagram* rows, uint32_t n) noexcept nogil:
    """Codes of both addresses of each payload."""
    cdef uint32_t[STRIDE] src, dst     # tags
    cdef uint32_t i, mask = t.mask
    cdef uint32_t* src_code = c.src + c.count
    cdef uint32_t* dst_code = c.dst + c.count
    cdef const Slot* slots = t.slots
    cdef const Datagram* d
    for i in range(n):
        d = rows + i
        src[i] = address_tag(t, d.src[0], d.src[1])
        dst[i] = address_tag(t, d.dst[0], d.dst[1])
        prefetch(slots + (src[i] & mask))
        prefetch(slots + (dst[i] & mask))
    for i in range(n):
        prefetch(t.keys + 2 * <size_t>slots[src[i] & mask].ref - 2)
        prefetch(t.keys + 2 * <size_t>slots[dst[i] & mask].ref - 2)
    for i in range(n):
        d = rows + i
        src_code[i] = address_code(t, d.src[0], d.src[1], src[i])
        dst_code[i] = address_code(t, d.dst[0], d.dst[1], dst[i])


cdef inline uint32_t address_code(AddressTable* t, uint64_t a, uint64_t b, uint32_t tag) noexcept nogil:
    """As `find_address`, at its best where the first slot looked at is the right one."""
    cdef uint32_t ref = t.slots[tag & t.mask].ref
    cdef const uint64_t* key = t.keys + 2 * <size_t>ref - 2
    if likely(ref != 0 and key[0] == a and key[1] == b):
        return ref - 1
    return find_address(t, a, b, tag)


cdef void read_headers(const MessageColumns* c, const Datagram* rows, uint32_t n) noexcept nogil:
    """The twelve octets of each header."""
    cdef uint32_t i = 0, k, r = c.count
    cdef uint16_t** columns = [c.id, c.flags, c.qdcount, c.ancount, c.nscount, c.arcount]
    cdef uint16_t* flags = c.flags + r
    cdef uint16_t* rcode = c.rcode + r
    # What most messages lack or have is set for the whole stride at once.
    memset(c.sighting_of + r, 0xFF, n * 4)
    memset(c.status + r, STATUS_OK, n)
    memset(c.status_at + r, 0, n * 4)
    memset(c.edns_version + r, 0, n)
    memset(c.edns_udp_size + r, 0, n * 2)
    memset(c.edns_flags + r, 0, n * 2)
    memset(c.presence + r, HAS_ID | HAS_HEADER | HAS_NAME | HAS_TYPE, n)
    while i + HEADERS_AT_ONCE <= n:
        header_columns(rows + i, sizeof(Datagram), columns, r + i)
        i += HEADERS_AT_ONCE
    while i < n:
        for k in range(6):
            columns[k][r + i] = be16(rows[i].octets + 2 * k)
        i += 1
    for i in range(n):
        rcode[i] = flags[i] & 15


cdef void short_header(const MessageColumns* c, uint32_t r, uint32_t size) noexcept nogil:
    """Forget what was taken for a header behind the octets that are there."""
    if size < 2:
        c.id[r] = 0
    c.flags[r] = c.rcode[r] = c.qdcount[r] = c.ancount[r] = c.nscount[r] = c.arcount[r] = 0
    c.presence[r] = HAS_ID if size >= 2 else 0
    c.status[r] = <uint8_t>STATUS_SHORT_HEADER
    c.status_at[r] = size


cdef void find_questions(Messages self, Stride* s, const Datagram* rows, uint32_t n) noexcept nogil:
    """A job for the question name of each message, of size 0 where there is none that ends."""
    cdef MessageColumns* c = &self.columns
    cdef const uint16_t* qdcount = c.qdcount + c.count
    cdef uint8_t* presence = c.presence + c.count
    cdef NameTable* names = &self.dictionary.names
    cdef NameJob* j = self.jobs
    cdef uint8_t* scratch = self.scratch
    cdef uint64_t seed = names.seed, capitals
    cdef uint32_t i, size, length
    for i in range(n):
        size = rows[i].size
        length = 0
        s.hash[i] = 0
        s.at[i] = 12
        if unlikely(size < 12):
            short_header(c, c.count + i, size)
            s.at[i] = 0
        elif likely(qdcount[i] != 0):
            length = fold_name(rows[i].octets + 12, size - 12 if size - 12 < MOST_NAME else <uint32_t>MOST_NAME, scratch,
                               seed, &s.hash[i], &capitals)
            if likely(length != 0):
                s.at[i] = 12 + length
                if capitals:
                    presence[i] |= HAS_CAPITALS
        j.name = scratch
        j.tag = <uint32_t>s.hash[i]
        j.size = length
        prefetch(&names.slots[j.tag & names.mask])
        scratch += (length + 31) & ~<uint32_t>31
        j += 1
    self.job_count = n


cdef void resolve_jobs(Messages self) noexcept nogil:
    """Give each job its code, or NO_CODE where it has no name, or a new one that is not well formed."""
    cdef NameTable* t = &self.dictionary.names
    cdef NameJob* jobs = self.jobs
    cdef NameJob* j
    cdef uint32_t i
    cdef const Entry* e
    for i in range(self.job_count):
        jobs[i].ref = candidate(t, jobs[i].tag)
        # an entry is compared to its octet 40, and every second one begins in the middle of a cache line
        prefetch(t.arena + <size_t>jobs[i].ref * ENTRY_ALIGN)
        prefetch(t.arena + <size_t>jobs[i].ref * ENTRY_ALIGN + ENTRY_ALIGN)
    for i in range(self.job_count):
        j = &jobs[i]
        e = <const Entry*>(t.arena + <size_t>j.ref * ENTRY_ALIGN)
        if likely(j.ref != 0 and e.size == j.size and same_octets(entry_octets(e), j.name, j.size)):
            j.code = e.code
        elif j.size == 0:
            j.code = NO_CODE
        else:
            j.code = intern_name(t, j.name, j.size, j.tag, False)


cdef void read_questions(Messages self, Stride* s, const Datagram* rows, uint32_t n) noexcept nogil:
    cdef MessageColumns* c = &self.columns
    cdef const NameJob* j = self.jobs
    cdef uint32_t i, r = c.count, at, question
    cdef bint multicast = False
    for i in range(n):
        at = s.at[i]
        if likely(j.code != NO_CODE and at + 4 <= rows[i].size and c.qdcount[r] == 1):
            question = be32(rows[i].octets + at)
            c.qname[r] = j.code
            c.qtype[r] = <uint16_t>(question >> 16)
            c.qclass[r] = <uint16_t>question
            s.at[i] = at + 4
            s.plain[i] = at - 12
        else:
            c.qname[r] = 0
            c.qtype[r] = c.qclass[r] = 0
            c.presence[r] &= ~(HAS_NAME | HAS_TYPE)
            s.plain[i] = 0
            if at != 0 and c.qdcount[r] != 0:
                s.at[i] = read_odd_questions(self, c, r, rows[i].octets, rows[i].size, &s.hash[i])
        r += 1
        j += 1
    r = c.count
    for i in range(n):
        multicast |= (c.src_port[r + i] == PORT_MDNS) | (c.dst_port[r + i] == PORT_MDNS)
    if unlikely(multicast):
        for i in range(n):
            if c.src_port[r + i] == PORT_MDNS or c.dst_port[r + i] == PORT_MDNS:
                fold_multicast_class(c, r + i)


cdef void fold_multicast_class(MessageColumns* c, uint32_t r) noexcept nogil:
    """RFC 6762 section 5.4: the top bit of a question's class asks for a unicast response."""
    if c.qclass[r] & 0x8000:
        c.qclass[r] &= 0x7FFF
        c.presence[r] |= HAS_UNICAST


cdef uint32_t read_odd_questions(Messages self, MessageColumns* c, uint32_t r, const uint8_t* m, uint32_t size,
                                 uint64_t* hash) noexcept nogil:
    """Questions that are not one plain name: several, compressed, with a zero octet in a label, or faulty.

    Returns the offset behind the question section, 0 where it could not be read to its end.
    """
    cdef uint8_t[NAME_ROOM] name
    cdef uint8_t[NAME_ROOM] folded
    cdef uint32_t k, at = 12, after = 12
    cdef uint64_t capitals = 0
    cdef int length
    c.presence[r] &= ~HAS_CAPITALS
    hash[0] = 0
    for k in range(c.qdcount[r]):
        if at >= size:
            fault(c, r, STATUS_QUESTION_OVERRUN, at)
            return 0
        length = expand_name(m, size, at, name, &after)
        if length < 0:
            fault(c, r, -length, after)
            return 0
        if k == 0:
            hash[0] = fold_hash(name, folded, length, self.dictionary.names.seed, &capitals)
            c.qname[r] = intern_name(&self.dictionary.names, folded, length, <uint32_t>hash[0], True)
            c.presence[r] |= HAS_NAME
            if capitals:
                c.presence[r] |= HAS_CAPITALS
        if after + 4 > size:
            fault(c, r, STATUS_QUESTION_OVERRUN, after)
            return 0
        if k == 0:
            c.qtype[r] = be16(m + after)
            c.qclass[r] = be16(m + after + 2)
            c.presence[r] |= HAS_TYPE
        at = after + 4
    return at


# ---------------------------------------------------------------- records

cdef inline int take_edns(Messages self, uint32_t r, const uint8_t* m, uint32_t owner, uint32_t at, uint32_t length,
                          uint32_t section) noexcept nogil:
    """An OPT record whose RDATA starts at `at`; its owner name ended just before `at - 10`.  -1 without memory."""
    cdef MessageColumns* c = &self.columns
    cdef uint32_t end = at + length, o = at
    if unlikely(c.presence[r] & HAS_EDNS or section != 2 or at != owner + 11):
        fault(c, r, STATUS_BAD_OPT, owner)
        if c.presence[r] & HAS_EDNS:
            return 0
    c.presence[r] |= HAS_EDNS
    c.edns_udp_size[r] = be16(m + at - 8)
    c.rcode[r] = <uint16_t>((c.flags[r] & 15) | m[at - 6] << 4)
    c.edns_version[r] = m[at - 5]
    c.edns_flags[r] = be16(m + at - 4)
    if length == 0:
        return 0
    while o < end:
        if o + 4 > end or o + 4 + be16(m + o + 2) > end:
            fault(c, r, STATUS_BAD_OPT, o)
            break
        o += 4 + be16(m + o + 2)
    length = o - at
    if length:
        if c.options_used + length > c.options_room \
                and grow_octets(&c.options_octets, c.options_used, &c.options_room, length) != 0:
            return -1
        if likely(length <= PADDING):
            memcpy(c.options_octets + c.options_used, m + at, PADDING)
        else:
            memcpy(c.options_octets + c.options_used, m + at, length)
        c.options_used += length
    return 0


cdef inline bint has_empty_form(uint16_t flags, uint32_t rclass) noexcept nogil:
    """UPDATE says 'any' and 'none' by records without RDATA (RFC 2136 section 2.4)."""
    return (flags >> 11 & 15) == OPCODE_UPDATE and (rclass == CLASS_ANY or rclass == CLASS_NONE)


cdef inline int walk_sections(Messages self, const Stride* s, const Datagram* rows, uint32_t n, const bint keep) noexcept nogil:
    """Check the records of all messages of a stride and take their EDNS; with `keep`, put them into the record columns.

    Called with a constant `keep`, so that the compiler makes two loops of it, which find the same faults.
    Returns -1 without memory.
    """
    cdef MessageColumns* c = &self.columns
    cdef uint32_t i, r = c.count, all, at, size, length
    cdef uint64_t head
    cdef const uint8_t* m
    for i in range(n):
        c.options[r] = c.options_used
        at = s.at[i]
        if likely(at != 0):
            size = rows[i].size
            all = <uint32_t>c.ancount[r] + c.nscount[r] + c.arcount[r]
            if all != 0:
                m = rows[i].octets
                head = be64(m + at)
                length = be16(m + at + 9)
                # an OPT alone, as of nearly every query: the root, type, and what comes with them fills the message
                if all == 1 and c.arcount[r] == 1 and head >> 40 == TYPE_OPT and at + 11 + length == size:
                    if take_edns(self, r, m, at, at + 11, length, 2) != 0:
                        return -1
                elif walk_records(self, r, m, size, at, s.plain[i], keep) != 0:
                    return -1
            elif unlikely(at < size):
                fault(c, r, STATUS_TRAILING_OCTETS, at)
        r += 1
    return 0


cdef inline int walk_records(Messages self, uint32_t r, const uint8_t* m, uint32_t size, uint32_t at, uint32_t plain,
                             const bint keep) noexcept nogil:
    """The records of one message; -1 without memory."""
    cdef MessageColumns* c = &self.columns
    cdef RecordColumns* q = &self.records
    cdef uint32_t answers = c.ancount[r], authorities = answers + c.nscount[r], all = authorities + c.arcount[r]
    cdef uint32_t k = 0, seen_count = 0, head, owner, offset, owner_at, after, rtype, rclass, length, end, fault_at, x
    cdef bint multicast = c.src_port[r] == PORT_MDNS or c.dst_port[r] == PORT_MDNS
    cdef uint32_t class_bits = 0x7FFF if multicast else 0xFFFF     # RFC 6762 section 10.2: the top bit flushes caches
    cdef uint32_t qname = c.qname[r]
    cdef bint has_name = c.presence[r] & HAS_NAME
    # Nearly every record is an address of the question's name: seven octets tell that, and nothing of it can be wrong
    # but its length.
    cdef uint64_t ip4 = <uint64_t>0xC00C00010001 if has_name else 0, ip6 = <uint64_t>0xC00C001C0001 if has_name else 0
    cdef uint64_t first
    cdef Seen[SEEN_NAMES] seen
    cdef uint8_t* to
    cdef int written
    while k < all:
        first = be64(m + at) >> 16
        if first != 0 and (first == ip4 or first == ip6):
            length = 4 if first == ip4 else 16
            end = at + 12 + length
            if likely(be16(m + at + 10) == length and end <= size):
                if keep:
                    if unlikely(q.count >= q.room) and grow_records(q) != 0:
                        return -1
                    if unlikely(q.rdata_used + rdata_room(16) > q.rdata_room) \
                            and grow_octets(&q.rdata_octets, q.rdata_used, &q.rdata_room, rdata_room(16)) != 0:
                        return -1
                    memcpy(q.rdata_octets + q.rdata_used, m + at + 12, 16)
                    x = q.count
                    q.message[x] = r
                    q.name[x] = qname
                    q.ttl[x] = be32(m + at + 6)
                    q.rdata[x] = q.rdata_used
                    q.type[x] = <uint16_t>(first >> 16)
                    q.rclass[x] = CLASS_IN
                    q.section[x] = <uint8_t>((k >= answers) + (k >= authorities))
                    q.rdata_used += length
                    q.count = x + 1
                at = end
                k += 1
                continue
        owner_at = at
        if unlikely(at >= size):
            fault(c, r, STATUS_RECORD_OVERRUN, at)
            return 0
        # owner name: nearly always a pointer to the question's or to one met before, or the root of an OPT
        head = m[at]
        owner = qname
        if likely(head >= 0xC0 and at + 2 <= size):
            offset = be16(m + at) & 0x3FFF
            after = at + 2
            if unlikely(offset != 12 or not has_name):
                x = 0
                while x < seen_count and seen[x].at != offset:
                    x += 1
                if x < seen_count:
                    owner = seen[x].owner
                else:
                    if not take_owner(self, r, m, size, at, plain, keep, &after, &owner):
                        return 0
                    if seen_count < SEEN_NAMES:
                        seen[seen_count].at = offset
                        seen[seen_count].owner = owner
                        seen_count += 1
        elif head == 0 and (not keep or (at + 11 <= size and be16(m + at + 1) == TYPE_OPT)):
            after = at + 1
        else:
            if not take_owner(self, r, m, size, at, plain, keep, &after, &owner):
                return 0
            if seen_count < SEEN_NAMES and head != 0:
                seen[seen_count].at = at
                seen[seen_count].owner = owner
                seen_count += 1
        at = after
        if unlikely(at + 10 > size):
            fault(c, r, STATUS_RECORD_OVERRUN, at)
            return 0
        rtype = be16(m + at)
        rclass = be16(m + at + 2) & class_bits
        length = be16(m + at + 8)
        at += 10
        end = at + length
        if unlikely(end > size):
            fault(c, r, STATUS_RDATA_OVERRUN, at)
            return 0
        if rtype == TYPE_OPT:
            if take_edns(self, r, m, owner_at, at, length, (k >= answers) + (k >= authorities)) != 0:
                return -1
            at = end
            k += 1
            continue
        to = NULL
        if keep:
            if unlikely(q.count >= q.room) and grow_records(q) != 0:
                return -1
            if unlikely(q.rdata_used + rdata_room(length) > q.rdata_room) \
                    and grow_octets(&q.rdata_octets, q.rdata_used, &q.rdata_room, rdata_room(length)) != 0:
                return -1
            to = q.rdata_octets + q.rdata_used
        written = take_rdata(self, rtype, rclass, m, size, at, end, plain, keep, to, &fault_at)
        if unlikely(written < 0):
            if length != 0 or not has_empty_form(c.flags[r], rclass):
                fault(c, r, -written, fault_at)
                return 0
            written = 0
        if rtype == TYPE_NS and answers <= k < authorities:
            c.presence[r] |= HAS_DELEGATION
        if keep:
            x = q.count
            q.message[x] = r
            q.name[x] = owner
            q.ttl[x] = be32(m + at - 6)
            q.rdata[x] = q.rdata_used
            q.type[x] = <uint16_t>rtype
            q.rclass[x] = <uint16_t>rclass
            q.section[x] = <uint8_t>((k >= answers) + (k >= authorities) + (4 if multicast and m[at - 8] & 0x80 else 0))
            q.rdata_used += written
            q.count = x + 1
        at = end
        k += 1
    if at < size:
        fault(c, r, STATUS_TRAILING_OCTETS, at)
    return 0


cdef inline bint take_owner(Messages self, uint32_t r, const uint8_t* m, uint32_t size, uint32_t at, uint32_t plain,
                            const bint keep, uint32_t* after, uint32_t* owner) noexcept nogil:
    """Check the owner name at `at`; with `keep`, make a job of it.  False where it is faulty."""
    cdef uint32_t bad
    if keep:
        owner[0] = new_owner(self, m, size, at, after, &self.columns, r)
        return owner[0] != NO_CODE
    bad = skip_known(m, size, at, plain, after)
    if unlikely(bad):
        fault(&self.columns, r, bad, after[0])
    return bad == 0


cdef inline int take_rdata(Messages self, uint32_t rtype, uint32_t rclass, const uint8_t* m, uint32_t size, uint32_t at,
                           uint32_t end, uint32_t plain, const bint keep, uint8_t* to, uint32_t* fault_at) noexcept nogil:
    """Check the form of RDATA; with `keep`, write it to `to` with its names expanded.

    Returns octets written (of no meaning without `keep`), or minus a status.
    """
    cdef uint32_t length = end - at, after = at, bad
    cdef int written
    fault_at[0] = at
    # the forms of A and AAAA are those of the Internet class; others are left to the tables
    if rtype == TYPE_A and likely(rclass == CLASS_IN):
        if keep:
            memcpy(to, m + at, 4)
        return 4 if likely(length == 4) else -STATUS_BAD_RDATA
    if rtype == TYPE_AAAA and likely(rclass == CLASS_IN):
        if keep:
            memcpy(to, m + at, 16)
        return 16 if likely(length == 16) else -STATUS_BAD_RDATA
    if rtype == TYPE_CNAME or rtype == TYPE_NS or rtype == TYPE_PTR:
        if unlikely(length == 0):
            return -STATUS_BAD_RDATA
        if keep:
            written = expand_name(m, end, at, to, &after)
        else:
            bad = skip_known(m, end, at, plain, &after)
            written = -<int>bad
        if unlikely(written < 0 or after != end):
            fault_at[0] = after
            return written if written < 0 else -STATUS_BAD_RDATA
        return written
    if rtype == TYPE_SOA and plain_soa(m, at, end, plain):
        if not keep:
            return 0
        written = expand_name(m, end, at, to, &after)
        written += expand_name(m, end, after, to + written, &after)
        memcpy(to + written, m + after, 20)
        return written + 20
    if keep:
        return expand_rdata(<uint16_t>rtype, <uint16_t>rclass, m, size, at, length, to, rdata_room(length), fault_at)
    # what is expanded only to be checked goes to the scratch memory, and is forgotten
    return expand_rdata(<uint16_t>rtype, <uint16_t>rclass, m, size, at, length, self.scratch, SCRATCH_OCTETS, fault_at)


cdef inline bint plain_soa(const uint8_t* m, uint32_t at, uint32_t end, uint32_t plain) noexcept nogil:
    """Whether RDATA is two sound names and five numbers: the SOA of every negative answer."""
    cdef uint32_t after
    return skip_known(m, end, at, plain, &after) == 0 and skip_known(m, end, after, plain, &after) == 0 \
        and after + 20 == end


cdef inline uint32_t skip_known(const uint8_t* m, uint32_t size, uint32_t at, uint32_t plain,
                                uint32_t* after) noexcept nogil:
    """As `skip_name`, short for labels and a pointer to the question name, which is known to be sound."""
    cdef uint32_t o = at, octet
    while o < size:
        octet = m[o]
        if octet - 1 >= 63:
            if octet == 0xC0 and m[o + 1] == 12 and plain != 0 and o + 2 <= size and o - at + plain <= MOST_NAME:
                after[0] = o + 2
                return 0
            break
        o += octet + 1
    return skip_name(m, size, at, after)


cdef enum:
    PENDING = 0x80000000       # marks a job number in a column of codes; codes stay far below


cdef uint32_t new_owner(Messages self, const uint8_t* m, uint32_t size, uint32_t at, uint32_t* after,
                        MessageColumns* c, uint32_t r) noexcept nogil:
    """A job, marked PENDING, for the owner name at `at`; NO_CODE where the name is faulty."""
    cdef uint8_t[NAME_ROOM] name
    cdef NameJob* j = &self.jobs[self.job_count]
    cdef uint64_t capitals, hash
    cdef uint8_t* to = self.scratch + self.scratch_used
    cdef int length = expand_name(m, size, at, name, after)
    if unlikely(length < 0):
        fault(c, r, -length, after[0])
        return NO_CODE
    hash = fold_hash(name, to, length, self.dictionary.names.seed, &capitals)
    j.name = to
    j.tag = <uint32_t>hash
    j.size = length
    prefetch(&self.dictionary.names.slots[j.tag & self.dictionary.names.mask])
    self.scratch_used += (length + 31) & ~<uint32_t>31
    self.job_count += 1
    return PENDING | (self.job_count - 1)


cdef void settle_owners(Messages self) noexcept nogil:
    """Resolve the waiting owner names and put their codes in place of the job numbers."""
    cdef RecordColumns* q = &self.records
    cdef uint32_t x = q.count, v
    resolve_jobs(self)
    # Pending rows are the last ones; walk back to the first row of the stride, whose messages are not counted yet.
    while x > 0 and q.message[x - 1] >= self.columns.count:
        x -= 1
        v = q.name[x]
        if v & PENDING:
            q.name[x] = self.jobs[v & ~<uint32_t>PENDING].code
    self.job_count = 0
    self.scratch_used = 0


# ---------------------------------------------------------------- sightings

cdef void find_sightings(Messages self, Stride* s, const Datagram* rows, uint32_t n) noexcept nogil:
    """Tell rows that are another sighting of a packet already seen at a different place within 5 ms.

    The same packet has the same id, question and size; its addresses are the same too, or rewritten by a NAT that it
    passed on its way.  On TCP, where segments seen again do not come here, they are always rewritten.
    """
    cdef const uint16_t* qtype = self.columns.qtype + self.columns.count
    cdef uint32_t* sighting_of = self.columns.sighting_of + self.columns.count
    cdef uint32_t message = <uint32_t>(self.base + self.columns.count), i
    cdef Sightings* all = self.sightings
    cdef const Datagram* d
    for i in range(n):
        d = rows + i
        if likely(d.size >= 12):
            s.hash[i] = mix128(s.hash[i] ^ load64(d.octets) ^ d.wire_size,
                               load64(d.octets + d.size - 8) ^ <uint64_t>0x4b33a62ed433d4a3 ^ qtype[i]) | 1
            prefetch(&all.slots[s.hash[i] >> 52])
        else:
            s.hash[i] = 0
    for i in range(n):
        if likely(s.hash[i] != 0):
            sighting_of[i] = note_sighting(all, s.hash[i], rows + i, message + i)


cdef inline uint32_t note_sighting(Sightings* all, uint64_t key, const Datagram* d, uint32_t message) noexcept nogil:
    """The message of which this is another sighting, or NO_CODE."""
    cdef uint32_t at = key >> 52
    cdef Sighting* slot = &all.slots[at]
    cdef uint64_t place = d.place * <uint64_t>0x9e3779b97f4a7c15 \
        + (load64(&d.source) ^ <uint64_t>d.direction << 24) * <uint64_t>0xd6e8feb86659fd93
    cdef uint64_t src = d.src[0] ^ d.src[1] * <uint64_t>0x8bb84b93962eacc9
    cdef uint64_t dst = d.dst[0] ^ d.dst[1] * <uint64_t>0x8bb84b93962eacc9
    cdef uint64_t flow = (src ^ dst * 5) * <uint64_t>0x8bb84b93962eacc9 + load32(&d.src_port)
    cdef bint again = False
    if unlikely(slot.key == key and d.time - slot.time <= SIGHTING_WINDOW and slot.time - d.time <= SIGHTING_WINDOW):
        if other_place(all.places[at], slot, place):
            again = d.stream == NO_CODE if flow == slot.flow else was_translated(slot, d, src, dst)
    if again:
        if slot.more < SIGHTING_PLACES:
            all.places[at][slot.more] = place
            slot.more += 1
    else:
        slot.key = key
        slot.time = d.time
        slot.place = place
        slot.more = 0
        slot.message = message
    slot.flow = flow
    slot.src = src
    slot.dst = dst
    slot.ip_ttl = d.ip_ttl
    slot.direction = d.direction
    return slot.message if again else NO_CODE


cdef bint other_place(const uint64_t* places, const Sighting* slot, uint64_t place) noexcept nogil:
    """The same packet at the same place again is a duplicate delivery, no sighting."""
    cdef uint32_t k
    if slot.place == place:
        return False
    for k in range(slot.more):
        if places[k] == place:
            return False
    return True


cdef bint was_translated(const Sighting* slot, const Datagram* d, uint64_t src, uint64_t dst) noexcept nogil:
    """Whether new addresses can be the work of a NAT between the two places.

    A router takes hops off the TTL.  A bridge leaves it, and turns an incoming packet into an outgoing one; so does a
    forwarder that keeps the id, but its packets have both a source and a destination of their own.
    """
    if slot.ip_ttl > d.ip_ttl:
        return slot.ip_ttl - d.ip_ttl <= MOST_HOPS
    return slot.ip_ttl == d.ip_ttl and slot.direction == DIRECTION_IN and d.direction == DIRECTION_OUT \
        and (slot.src == src or slot.dst == dst)


# ---------------------------------------------------------------- for Python

def question_text(const uint8_t[::1] message not None):
    """Name and type of the first question of a message, which may be cut.

    Returns
    -------
    (str or None, int or None)
        Presentation format and type number, each None where it is not whole.
    """
    cdef uint8_t[NAME_ROOM] name
    cdef uint8_t[NAME_ROOM] folded
    cdef uint8_t[NAME_TEXT_ROOM] text
    cdef uint8_t* end
    cdef uint8_t[400] room
    cdef uint32_t size = <uint32_t>message.shape[0], after = 0
    cdef uint64_t capitals
    cdef int length
    if size < 13 or be16(&message[0] + 4) == 0:
        return None, None
    if size > 400 - PADDING:
        size = 400 - PADDING
    memset(room, 0, sizeof(room))
    memcpy(room, &message[0], size)
    length = expand_name(room, size, 12, name, &after)
    if length < 0:
        return None, None
    fold_hash(name, folded, length, 0, &capitals)
    end = put_name(text, folded, length)
    return (<char*>text)[:end - text].decode("ascii"), be16(room + after) if after + 2 <= size else None
