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
    STATUS_FIRST_FRAGMENT,
    STATUS_OK,
    STATUS_QUESTION_OVERRUN,
    STATUS_SHORT_HEADER,
    STATUS_TRUNCATED_CAPTURE,
    expand_name,
)
from dnscap.native.interning cimport (
    NO_CODE,
    AddressTable,
    Dictionary,
    NameTable,
    Slot,
    address_tag,
    big_alloc,
    find_address,
    fold_hash,
    fold_name,
    intern_name,
    likely,
    prefetch,
    unlikely,
)
from dnscap.native.message_columns cimport (
    HAS_CAPITALS,
    HAS_HEADER,
    HAS_ID,
    HAS_NAME,
    HAS_TYPE,
    HAS_UNICAST,
    MessageColumns,
    RecordColumns,
    fault,
    free_messages,
    free_records,
    grow_messages,
    grow_octets,
    widen_messages,
    widen_records,
)
from dnscap.native.message_records cimport walk_and_keep, walk_only
from dnscap.native.message_sightings cimport Sightings, find_sightings
from dnscap.native.message_work cimport MOST_JOBS, SCRATCH_OCTETS, STRIDE, NameJob, Stride, Work, resolve_jobs
from dnscap.native.octets cimport PADDING, be16, be32, load64
from dnscap.native.text cimport NAME_TEXT_ROOM, put_name

cdef extern from "headers.h" nogil:
    enum:
        HEADERS_AT_ONCE "DNSCAP_HEADERS_AT_ONCE"
    void header_columns(const void* row, size_t stride, uint16_t** columns, size_t at) noexcept

cdef enum:
    LEAST_RECORD = 11          # octets: the root, type, class, TTL, length; so many names a message can hold at most
    BATCH_OCTETS = 1 << 27     # a batch is closed when its rdata or options reach this: expanded names swell up to 18 times
    BATCH_ROWS = 1 << 22       # and before it holds more messages, or twice as many records
    SMALLEST_FRAME = 70        # octets in a capture file of a frame with a DNS header over UDP, IPv4 and Ethernet
    RESERVED_OCTETS = 1 << 28  # more than this the octets of options or rdata must grow into
    PORT_MDNS = 5353


@cython.final
cdef class Messages:
    """Decoder of payloads into the columns of one batch at a time."""

    def __cinit__(self, bint with_records=True, uint32_t most_names=<uint32_t>-1):
        self.with_records = with_records
        self.dictionary = Dictionary(most_names)
        self.work.names = &self.dictionary.names
        self.work.jobs = <NameJob*>big_alloc(MOST_JOBS * sizeof(NameJob))
        self.work.scratch = <uint8_t*>big_alloc(SCRATCH_OCTETS + NAME_ROOM)
        self.sightings = <Sightings*>big_alloc(sizeof(Sightings))
        if self.work.jobs == NULL or self.work.scratch == NULL or self.sightings == NULL:
            raise MemoryError("no memory for the message decoder")
        memset(self.sightings, 0, sizeof(Sightings))

    def __dealloc__(self):
        free(self.work.jobs)
        free(self.work.scratch)
        free(self.sightings)
        free_messages(&self.work.columns)
        free_records(&self.work.records)

    cdef void renew(self, Dictionary dictionary, const MessageColumns* columns, const RecordColumns* records):
        self.base += self.work.columns.count
        # Sightings are remembered by tags of addresses.
        if dictionary.addresses.count == 0:
            dictionary.addresses.seed = self.dictionary.addresses.seed
        self.dictionary = dictionary
        self.work.names = &dictionary.names
        self.work.columns = columns[0]
        self.work.columns.count = self.work.columns.options_used = 0
        self.work.records = records[0]
        self.work.records.count = self.work.records.rdata_used = 0

    cdef void reserve(self, uint64_t octets) noexcept nogil:
        cdef size_t rows = octets // SMALLEST_FRAME if octets // SMALLEST_FRAME < BATCH_ROWS else BATCH_ROWS
        cdef size_t text = octets // 2 if octets // 2 < RESERVED_OCTETS else RESERVED_OCTETS
        if rows > self.work.columns.room and widen_messages(&self.work.columns, rows) != 0:
            return
        if text > self.work.columns.options_room:
            grow_octets(&self.work.columns.options_octets, self.work.columns.options_used, &self.work.columns.options_room, text)
        if self.with_records:
            if rows > self.work.records.room and widen_records(&self.work.records, rows) != 0:
                return
            if text > self.work.records.rdata_room:
                grow_octets(&self.work.records.rdata_octets, self.work.records.rdata_used, &self.work.records.rdata_room, text)

    cdef int decode(self, const Datagram* rows, uint32_t count, uint32_t* done) noexcept nogil:
        cdef uint32_t at = 0, n
        cdef MessageColumns* c = &self.work.columns
        while at < count:
            n = stride_of(rows + at, count - at)
            done[0] = at
            if not self.dictionary.has_room(MOST_JOBS, 2 * STRIDE) or c.count + n > BATCH_ROWS \
                    or self.work.records.rdata_used > BATCH_OCTETS or c.options_used > BATCH_OCTETS \
                    or self.work.records.count > BATCH_ROWS * 2:
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
    cdef uint64_t octets = 0
    if count > STRIDE:
        count = STRIDE
    for n in range(count):
        octets += rows[n].size
    if likely(octets // LEAST_RECORD + count <= MOST_JOBS):
        return count
    n = 0
    while n < count:
        names += rows[n].size // LEAST_RECORD + 1
        if names > MOST_JOBS and n:
            break
        n += 1
    return n


# ---------------------------------------------------------------- one stride

cdef int decode_stride(Messages self, const Datagram* rows, uint32_t n) noexcept nogil:
    cdef Stride s
    cdef uint32_t i, k
    cdef Work* w = &self.work
    cdef uint32_t first = w.columns.count
    copy_datagrams(&w.columns, &s, rows, n)
    find_addresses(&w.columns, &s, &self.dictionary.addresses, rows, n)
    read_headers(&w.columns, rows, n)
    find_questions(w, &s, rows, n)
    count_records(&w.columns, &s, n)
    resolve_jobs(w)
    read_questions(w, &s, rows, n)
    if self.with_records:
        if walk_and_keep(w, &s, rows, n) != 0:
            return -1
    elif walk_only(w, &s, rows, n) != 0:
        return -1
    find_sightings(self.sightings, &w.columns, &s, rows, n, <uint32_t>(self.base + first))
    for k in range(s.odd_count):
        i = s.odd[k]
        if rows[i].wholeness != WHOLE:
            w.columns.status[first + i] = <uint8_t>(STATUS_TRUNCATED_CAPTURE if rows[i].wholeness == CUT_BY_CAPTURE
                                                    else STATUS_FIRST_FRAGMENT)
            w.columns.status_at[first + i] = rows[i].size
    w.columns.count = first + n
    w.columns.options[first + n] = w.columns.options_used
    return 0


cdef void copy_datagrams(const MessageColumns* c, Stride* s, const Datagram* rows, uint32_t n) noexcept nogil:
    """What the network stages tell of each payload.

    Nearly all rows of a stride agree in where and how they came: that is written for all as the first row has it, and
    again for the few that differ.
    """
    cdef uint32_t i, r = c.count, count = 0
    cdef uint32_t* odd = s.odd
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
                  | (d.transport ^ first.transport) | (d.direction ^ first.direction) | d.wholeness) != WHOLE
        frame[i] = d.number
        time[i] = d.time
        size[i] = d.wire_size
        src_port[i] = d.src_port
        dst_port[i] = d.dst_port
        ip_ttl[i] = d.ip_ttl
    s.odd_count = count
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


cdef void find_addresses(const MessageColumns* c, Stride* s, AddressTable* t, const Datagram* rows, uint32_t n) noexcept nogil:
    """Codes of both addresses of each payload."""
    cdef uint32_t i, mask = t.mask, ref
    cdef uint32_t* src = s.src
    cdef uint32_t* dst = s.dst
    cdef uint32_t* src_code = c.src + c.count
    cdef uint32_t* dst_code = c.dst + c.count
    cdef const Slot* slots = t.slots
    cdef const uint64_t* keys = t.keys - 2     # from code 1 on
    cdef const uint64_t* key
    cdef const Datagram* d
    for i in range(n):
        d = rows + i
        src[i] = address_tag(t, d.src[0], d.src[1])
        dst[i] = address_tag(t, d.dst[0], d.dst[1])
        prefetch(slots + (src[i] & mask))
        prefetch(slots + (dst[i] & mask))
    for i in range(n):
        prefetch(keys + 2 * <size_t>slots[src[i] & mask].ref)
        prefetch(keys + 2 * <size_t>slots[dst[i] & mask].ref)
    # At its best where the first slot looked at is the right one.
    for i in range(n):
        d = rows + i
        ref = slots[src[i] & mask].ref
        key = keys + 2 * <size_t>ref
        if likely(ref != 0 and key[0] == d.src[0] and key[1] == d.src[1]):
            src_code[i] = ref - 1
        else:
            src_code[i] = find_address(t, d.src[0], d.src[1], src[i])
            slots = t.slots
            mask = t.mask
        ref = slots[dst[i] & mask].ref
        key = keys + 2 * <size_t>ref
        if likely(ref != 0 and key[0] == d.dst[0] and key[1] == d.dst[1]):
            dst_code[i] = ref - 1
        else:
            dst_code[i] = find_address(t, d.dst[0], d.dst[1], dst[i])
            slots = t.slots
            mask = t.mask


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


cdef void count_records(const MessageColumns* c, Stride* s, uint32_t n) noexcept nogil:
    cdef uint32_t i
    cdef uint32_t* records = s.records
    cdef const uint16_t* ancount = c.ancount + c.count
    cdef const uint16_t* nscount = c.nscount + c.count
    cdef const uint16_t* arcount = c.arcount + c.count
    for i in range(n):
        records[i] = <uint32_t>ancount[i] + nscount[i] + arcount[i]


cdef void find_questions(Work* w, Stride* s, const Datagram* rows, uint32_t n) noexcept nogil:
    """A job for the question name of each message, of size 0 where there is none that ends."""
    cdef MessageColumns* c = &w.columns
    cdef const uint16_t* qdcount = c.qdcount + c.count
    cdef uint8_t* presence = c.presence + c.count
    cdef NameTable* names = w.names
    cdef NameJob* j = w.jobs
    cdef uint8_t* scratch = w.scratch
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
    w.job_count = n


cdef void read_questions(Work* w, Stride* s, const Datagram* rows, uint32_t n) noexcept nogil:
    cdef MessageColumns* c = &w.columns
    cdef const NameJob* j = w.jobs
    cdef const uint16_t* qdcount = c.qdcount + c.count
    cdef const uint16_t* src_port = c.src_port + c.count
    cdef const uint16_t* dst_port = c.dst_port + c.count
    cdef uint32_t* qname = c.qname + c.count
    cdef uint16_t* qtype = c.qtype + c.count
    cdef uint16_t* qclass = c.qclass + c.count
    cdef uint32_t* ends = s.at
    cdef uint32_t* plain = s.plain
    cdef uint32_t i, at, question
    cdef uint16_t multicast = 0
    for i in range(n):
        at = ends[i]
        if likely(j.code != NO_CODE and at + 4 <= rows[i].size and qdcount[i] == 1):
            question = be32(rows[i].octets + at)
            qname[i] = j.code
            qtype[i] = <uint16_t>(question >> 16)
            qclass[i] = <uint16_t>question
            ends[i] = at + 4
            plain[i] = at - 12
        else:
            qname[i] = 0
            qtype[i] = qclass[i] = 0
            c.presence[c.count + i] &= ~(HAS_NAME | HAS_TYPE)
            plain[i] = 0
            if at != 0 and qdcount[i] != 0:
                ends[i] = read_odd_questions(w, c, c.count + i, rows[i].octets, rows[i].size, &s.hash[i])
        j += 1
    for i in range(n):
        multicast |= (src_port[i] == PORT_MDNS) | (dst_port[i] == PORT_MDNS)
    s.multicast = multicast
    if unlikely(multicast):
        for i in range(n):
            if src_port[i] == PORT_MDNS or dst_port[i] == PORT_MDNS:
                fold_multicast_class(c, c.count + i)


cdef void fold_multicast_class(MessageColumns* c, uint32_t r) noexcept nogil:
    """RFC 6762 section 5.4: the top bit of a question's class asks for a unicast response."""
    if c.qclass[r] & 0x8000:
        c.qclass[r] &= 0x7FFF
        c.presence[r] |= HAS_UNICAST


cdef uint32_t read_odd_questions(Work* w, MessageColumns* c, uint32_t r, const uint8_t* m, uint32_t size,
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
            hash[0] = fold_hash(name, folded, length, w.names.seed, &capitals)
            c.qname[r] = intern_name(w.names, folded, length, <uint32_t>hash[0], True)
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
