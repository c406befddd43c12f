"""Messages and records of a whole capture as the columns of frames, gathered while their batches go by.

A batch is taken over while it lies in the processor's cache, and its memory serves the next one, so that only what
frames keep is ever written to fresh pages.
"""
cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from dnscap.native.decoder cimport Batch
from dnscap.native.growing cimport (
    Codes,
    Numbers,
    Room,
    Texts,
    code_room,
    number,
    numbers_close,
    numbers_open,
    numbers_seen,
    pages_of,
    put_codes,
    put_octets,
    room_close,
    room_for,
)
from dnscap.native.interning cimport NO_CODE, AddressTable, Dictionary
from dnscap.native.message_columns cimport (
    HAS_CAPITALS,
    HAS_EDNS,
    HAS_HEADER,
    HAS_ID,
    HAS_NAME,
    HAS_TYPE,
    HAS_UNICAST,
    MessageColumns,
    RecordColumns,
)

cdef enum:                     # columns of messages by width: 8 octets
    FRAME
    TIME
    MESSAGE                    # 4 octets
    FRAMES
    SOURCE
    STREAM
    SIZE
    SIGHTING_OF
    STATUS_AT
    SRC_PORT                   # 2 octets
    DST_PORT
    ID
    QDCOUNT
    ANCOUNT
    NSCOUNT
    ARCOUNT
    EDNS_UDP_SIZE
    DIRECTION                  # 1 octet
    TRANSPORT
    STATUS
    QR
    AA
    TC
    RD
    RA
    Z
    AD
    CD
    UNICAST_RESPONSE
    MIXED_CASE
    EDNS_VERSION
    DO
    IP_TTL
    NO_ID                      # where a value is missing
    NO_HEADER
    NO_TYPE
    NO_EDNS
    NO_STREAM
    NO_SIGHTING
    NO_FAULT
    MANY

cdef enum:                     # columns of codes
    SRC
    DST
    OPCODE
    RCODE
    QTYPE
    QCLASS
    MANY_CODED
    FIRST_NUMBERED = OPCODE

cdef enum:                     # columns of records
    R_MESSAGE                  # 4 octets
    R_TTL
    R_SECTION                  # 1 octet
    R_FLUSH
    R_MANY

cdef enum:                     # and their columns of codes
    R_TYPE
    R_CLASS
    R_MANY_CODED

cdef dict PLACES = {
    "frame": FRAME, "time": TIME, "message": MESSAGE, "frames": FRAMES, "source": SOURCE, "stream": STREAM,
    "size": SIZE, "sighting_of": SIGHTING_OF, "status_at": STATUS_AT, "src_port": SRC_PORT, "dst_port": DST_PORT,
    "id": ID, "qdcount": QDCOUNT, "ancount": ANCOUNT, "nscount": NSCOUNT, "arcount": ARCOUNT,
    "edns_udp_size": EDNS_UDP_SIZE, "direction": DIRECTION, "transport": TRANSPORT, "status": STATUS, "qr": QR,
    "aa": AA, "tc": TC, "rd": RD, "ra": RA, "z": Z, "ad": AD, "cd": CD, "unicast_response": UNICAST_RESPONSE,
    "mixed_case": MIXED_CASE, "edns_version": EDNS_VERSION, "do": DO, "ip_ttl": IP_TTL,
}
cdef dict MASKS = {
    "id": NO_ID, "header": NO_HEADER, "type": NO_TYPE, "edns": NO_EDNS, "stream": NO_STREAM,
    "sighting_of": NO_SIGHTING, "status_at": NO_FAULT,
}
cdef dict CODED = {"src": SRC, "dst": DST, "opcode": OPCODE, "rcode": RCODE, "qtype": QTYPE, "qclass": QCLASS}
cdef dict RECORD_PLACES = {"message": R_MESSAGE, "ttl": R_TTL, "section": R_SECTION, "cache_flush": R_FLUSH}
cdef dict RECORD_CODED = {"type": R_TYPE, "class": R_CLASS}


cdef inline size_t width_of(uint32_t column) noexcept nogil:
    return 8 if column <= TIME else 4 if column <= STATUS_AT else 2 if column <= EDNS_UDP_SIZE else 1


cdef void put_bit(uint8_t* to, const uint16_t* values, uint32_t shift, size_t n) noexcept nogil:
    cdef size_t k
    for k in range(n):
        to[k] = <uint8_t>(values[k] >> shift & 1)


cdef void put_presence(uint8_t* to, const uint8_t* presence, uint8_t bit, uint8_t there, size_t n) noexcept nogil:
    """`there` where the bit is set, its opposite elsewhere."""
    cdef size_t k
    for k in range(n):
        to[k] = (presence[k] & bit != 0) == there


cdef void blank(uint32_t* codes, const uint8_t* presence, uint8_t bit, size_t n) noexcept nogil:
    cdef size_t k
    for k in range(n):
        if not presence[k] & bit:
            codes[k] = NO_CODE


@cython.final
cdef class Addresses:
    """One numbering of addresses over all generations of the dictionary.

    Attributes
    ----------
    count : int
        How many addresses there are.
    first : Dictionary or None
        The first generation, whose numbers are the codes.
    further : list of str
        Addresses that later generations brought, in order.
    """

    cdef readonly Dictionary first
    cdef readonly list further
    cdef Dictionary latest
    cdef dict places           # of addresses; None while one generation is all there is
    cdef uint32_t* place       # of the codes of the latest generation; NULL in the first
    cdef uint32_t known        # how many of them are numbered

    def __cinit__(self):
        self.further = []

    def __dealloc__(self):
        free(self.place)

    @property
    def count(self):
        return (self.first.addresses.count if self.first is not None else 0) + len(self.further)

    cdef int follow(self, Dictionary dictionary) except -1:
        cdef AddressTable* t = &dictionary.addresses
        cdef uint32_t code
        cdef uint32_t* wider
        cdef bytes octets
        if self.first is None:
            self.first = self.latest = dictionary
        if dictionary is self.first:
            return 0
        if dictionary is not self.latest:
            if self.places is None:
                self.places = {}
                t = &self.first.addresses
                for code in range(t.count):
                    self.places[(<char*>(t.keys + 2 * <size_t>code))[:16]] = code
                t = &dictionary.addresses
            self.latest = dictionary
            self.known = 0
        if self.known == t.count:
            return 0
        wider = <uint32_t*>realloc(self.place, <size_t>t.count * 4)
        if wider == NULL:
            raise MemoryError("no memory to number addresses")
        self.place = wider
        for code in range(self.known, t.count):
            octets = (<char*>(t.keys + 2 * <size_t>code))[:16]
            if octets not in self.places:
                self.places[octets] = len(self.places)
                self.further.append((t.text + t.text_offsets[code])[:t.text_offsets[code + 1] - t.text_offsets[code]].decode("ascii"))
            self.place[code] = self.places[octets]
        self.known = t.count
        return 0

    cdef void renumber(self, const uint32_t* codes, size_t n, uint32_t* to) noexcept nogil:
        cdef size_t k
        if self.place == NULL:
            for k in range(n):
                to[k] = codes[k]
        else:
            for k in range(n):
                to[k] = self.place[codes[k]] if codes[k] < self.known else NO_CODE


cdef class Gathering:
    """What messages and records have in common."""

    cdef readonly size_t rows
    cdef size_t expected
    cdef uint32_t* scratch     # codes of a batch
    cdef size_t scratch_rows

    def __dealloc__(self):
        free(self.scratch)

    cdef int begin(self, size_t n) noexcept nogil:
        cdef uint32_t* wider
        if n > self.scratch_rows:
            wider = <uint32_t*>realloc(self.scratch, n * 4)
            if wider == NULL:
                return -1
            self.scratch = wider
            self.scratch_rows = n
        return 0

    cdef int put_numbers(self, Codes* c, Numbers* v, const uint16_t* values, uint32_t shift, uint32_t most,
                         const uint8_t* presence, uint8_t bit, size_t n) noexcept nogil:
        """The vocabulary holds what rows without a value have as well, as tables of Arrow do.

        Without `presence` all rows have one.
        """
        if number(v, values, shift, most, n, self.scratch) and presence == NULL:
            return code_room(c, self.rows, n, v.count, self.expected)
        if presence != NULL:
            blank(self.scratch, presence, bit, n)
        return put_codes(c, self.rows, self.scratch, n, v.count, self.expected)


@cython.final
cdef class MessageGathering(Gathering):
    """Columns of messages.

    Attributes
    ----------
    rows : int
        Messages gathered.
    names : Texts
        Their question names.
    addresses : Addresses
        What the codes of sources and destinations mean.
    one_interface : (int, int) or None
        Source and interface where all messages of the latest batch came by the same.
    """

    cdef readonly Texts names
    cdef readonly Addresses addresses
    cdef uint32_t source       # of the first message of the latest batch
    cdef uint32_t interface
    cdef bint by_one           # whether it is that of all
    cdef Room[MANY] columns
    cdef Codes[MANY_CODED] coded
    cdef Numbers[MANY_CODED] numbers
    cdef bint[MANY] some       # whether any row has a value, of columns that most rows lack

    def __cinit__(self):
        cdef uint32_t k
        self.names = Texts()
        self.addresses = Addresses()
        for k in range(FIRST_NUMBERED, MANY_CODED):
            if numbers_open(&self.numbers[k]) != 0:
                raise MemoryError("no memory to number columns")

    def __dealloc__(self):
        cdef uint32_t k
        for k in range(MANY):
            room_close(&self.columns[k])
        for k in range(MANY_CODED):
            room_close(&self.coded[k].room)
            numbers_close(&self.numbers[k])

    @property
    def one_interface(self):
        return (self.source, self.interface) if self.by_one else None

    def expect(self, size_t rows):
        """So many messages are going to come in all, more or less."""
        self.expected = rows
        self.names.expect(rows)

    def add(self, Batch batch not None):
        """Take over the messages of a batch."""
        cdef int bad
        self.addresses.follow(batch.dictionary)
        with nogil:
            bad = self.take_over(batch)
        if bad:
            raise MemoryError("no memory for columns of messages")

    cdef int take_over(self, Batch batch) noexcept nogil:
        cdef const MessageColumns* c = &batch.columns
        cdef size_t n = c.count, at = self.rows
        cdef uint32_t k
        cdef uint8_t common
        if self.begin(n) != 0:
            return -1
        for k in range(MANY):
            if room_for(&self.columns[k], at * width_of(k), (at + n) * width_of(k), self.expected * width_of(k)) != 0:
                return -1
        put_numbered(<uint32_t*>self.columns[MESSAGE].data + at, batch.first_message, n)
        self.put(FRAME, c.frame, n)
        self.put(TIME, c.time, n)
        self.put(FRAMES, c.frames, n)
        self.put(SOURCE, c.source, n)
        self.put(SIZE, c.size, n)
        self.put(SRC_PORT, c.src_port, n)
        self.put(DST_PORT, c.dst_port, n)
        self.put(ID, c.id, n)
        self.put(QDCOUNT, c.qdcount, n)
        self.put(ANCOUNT, c.ancount, n)
        self.put(NSCOUNT, c.nscount, n)
        self.put(ARCOUNT, c.arcount, n)
        self.put(EDNS_UDP_SIZE, c.edns_udp_size, n)
        self.put(EDNS_VERSION, c.edns_version, n)
        self.put(TRANSPORT, c.transport, n)
        self.put(STATUS, c.status, n)
        self.put(IP_TTL, c.ip_ttl, n)
        self.by_one = n and all_same(c.source, n) and all_same(c.interface, n)
        if self.by_one:
            self.source = c.source[0]
            self.interface = c.interface[0]
        self.put_some(STREAM, NO_STREAM, c.stream, n)
        self.put_some(SIGHTING_OF, NO_SIGHTING, c.sighting_of, n)
        self.put_faults(c.status, c.status_at, n)
        put_directions(self.columns[DIRECTION].data + at, c.direction, n)
        self.put_flags(c, n)
        common = self.put_presences(c, n)
        if self.put_all_codes(c, n, common) != 0:
            return -1
        if self.names.spell(c.qname, NULL if common & HAS_NAME else c.presence, HAS_NAME, n, batch.dictionary.names.text_offsets,
                            batch.dictionary.names.text, batch.dictionary.names.count) != 0:
            return -1
        self.rows += n
        return 0

    cdef inline void put(self, uint32_t column, const void* values, size_t n) noexcept nogil:
        put_octets(self.columns[column].data + self.rows * width_of(column), values, n * width_of(column))

    cdef void put_some(self, uint32_t column, uint32_t mask, const uint32_t* values, size_t n) noexcept nogil:
        """A column that most rows lack: nothing is written before one has it."""
        cdef uint32_t* to = <uint32_t*>self.columns[column].data + self.rows
        cdef uint8_t* lacks = self.columns[mask].data + self.rows
        cdef size_t k
        cdef uint32_t common = NO_CODE
        for k in range(n):
            common &= values[k]
        if common == NO_CODE:
            if self.some[mask]:
                memset(lacks, 1, n)
            return
        self.first_of(mask)
        for k in range(n):
            lacks[k] = values[k] == NO_CODE
            to[k] = 0 if values[k] == NO_CODE else values[k]

    cdef void put_faults(self, const uint8_t* status, const uint32_t* places, size_t n) noexcept nogil:
        cdef uint8_t* lacks = self.columns[NO_FAULT].data + self.rows
        cdef size_t k
        cdef uint32_t some = 0
        for k in range(n):
            some |= status[k]
        if some == 0:
            if self.some[NO_FAULT]:
                memset(lacks, 1, n)
            return
        self.first_of(NO_FAULT)
        self.put(STATUS_AT, places, n)
        for k in range(n):
            lacks[k] = status[k] == 0

    cdef void first_of(self, uint32_t mask) noexcept nogil:
        """The first row that has a value is among those to come."""
        if not self.some[mask]:
            self.some[mask] = True
            memset(self.columns[mask].data, 1, self.rows)

    cdef void put_flags(self, const MessageColumns* c, size_t n) noexcept nogil:
        cdef uint32_t k
        cdef uint16_t some = 0, edns = 0
        cdef size_t i
        cdef uint32_t[8] shift = [15, 10, 9, 8, 7, 6, 5, 4]
        for i in range(n):
            some |= c.flags[i]
            edns |= c.edns_flags[i]
        for k in range(8):
            if some >> shift[k] & 1:
                put_bit(self.columns[QR + k].data + self.rows, c.flags, shift[k], n)
        if edns & 0x8000:
            put_bit(self.columns[DO].data + self.rows, c.edns_flags, 15, n)

    cdef uint8_t put_presences(self, const MessageColumns* c, size_t n) noexcept nogil:
        """Gives what all of them have."""
        cdef size_t i, at = self.rows
        cdef uint8_t all_ = 255, some = 0
        for i in range(n):
            all_ &= c.presence[i]
            some |= c.presence[i]
        if not all_ & HAS_ID:
            put_presence(self.columns[NO_ID].data + at, c.presence, HAS_ID, 0, n)
        if not all_ & HAS_HEADER:
            put_presence(self.columns[NO_HEADER].data + at, c.presence, HAS_HEADER, 0, n)
        if not all_ & HAS_TYPE:
            put_presence(self.columns[NO_TYPE].data + at, c.presence, HAS_TYPE, 0, n)
        if not all_ & HAS_EDNS:
            put_presence(self.columns[NO_EDNS].data + at, c.presence, HAS_EDNS, 0, n)
        if some & HAS_UNICAST:
            put_presence(self.columns[UNICAST_RESPONSE].data + at, c.presence, HAS_UNICAST, 1, n)
        if some & HAS_CAPITALS:
            put_presence(self.columns[MIXED_CASE].data + at, c.presence, HAS_CAPITALS, 1, n)
        return all_

    cdef int put_all_codes(self, const MessageColumns* c, size_t n, uint8_t common) noexcept nogil:
        cdef size_t addresses = self.address_count()
        cdef const uint8_t* header = NULL if common & HAS_HEADER else c.presence
        cdef const uint8_t* type_ = NULL if common & HAS_TYPE else c.presence
        self.addresses.renumber(c.src, n, self.scratch)
        if put_codes(&self.coded[SRC], self.rows, self.scratch, n, addresses, self.expected) != 0:
            return -1
        self.addresses.renumber(c.dst, n, self.scratch)
        if put_codes(&self.coded[DST], self.rows, self.scratch, n, addresses, self.expected) != 0:
            return -1
        if self.put_numbers(&self.coded[OPCODE], &self.numbers[OPCODE], c.flags, 11, 15, header, HAS_HEADER, n) != 0 \
                or self.put_numbers(&self.coded[RCODE], &self.numbers[RCODE], c.rcode, 0, 65535, header, HAS_HEADER, n) != 0 \
                or self.put_numbers(&self.coded[QTYPE], &self.numbers[QTYPE], c.qtype, 0, 65535, type_, HAS_TYPE, n) != 0 \
                or self.put_numbers(&self.coded[QCLASS], &self.numbers[QCLASS], c.qclass, 0, 65535, type_, HAS_TYPE, n) != 0:
            return -1
        return 0

    cdef size_t address_count(self) noexcept nogil:
        cdef size_t count = self.addresses.first.addresses.count
        if self.addresses.place != NULL:
            with gil:
                count += len(self.addresses.further)
        return count

    def column(self, str name):
        """A column, in the octets its kind takes; it is not gathered any further."""
        cdef uint32_t place = PLACES[name]
        return pages_of(&self.columns[place], self.rows * width_of(place))

    def mask(self, str name):
        """Where a value is missing, an octet a row; None where it is missing in all rows."""
        cdef uint32_t place = MASKS[name]
        if NO_STREAM <= place and not self.some[place]:
            return None
        return pages_of(&self.columns[place], self.rows)

    def codes(self, str name):
        """Codes of a column, how many octets each takes, and the numbers they stand for (addresses: none)."""
        cdef size_t place = CODED[name]
        cdef Codes* c
        if place >= MANY_CODED:
            raise ValueError(name)
        c = &self.coded[place]
        if place < FIRST_NUMBERED and put_codes(c, self.rows, NULL, 0, self.address_count(), 0) != 0:
            raise MemoryError("no memory for codes")
        return pages_of(&c.room, self.rows * c.width), c.width, \
            numbers_seen(&self.numbers[place]) if place >= FIRST_NUMBERED else []


cdef bint all_same(const uint32_t* values, size_t n) noexcept nogil:
    cdef size_t k
    cdef uint32_t other = 0
    for k in range(n):
        other |= values[k] ^ values[0]
    return other == 0


cdef void put_numbered(uint32_t* to, uint64_t first, size_t n) noexcept nogil:
    cdef uint32_t k
    for k in range(<uint32_t>n):
        to[k] = <uint32_t>first + k


cdef void put_directions(uint8_t* to, const uint8_t* directions, size_t n) noexcept nogil:
    """In and out as 0 and 1, -1 where there is none."""
    cdef size_t k
    for k in range(n):
        to[k] = <uint8_t>(directions[k] - 1)


@cython.final
cdef class RecordGathering(Gathering):
    """Columns of records.

    Attributes
    ----------
    rows : int
        Records gathered.
    names : Texts
        Their owner names.
    """

    cdef readonly Texts names
    cdef Room[R_MANY] columns
    cdef Codes[R_MANY_CODED] coded
    cdef Numbers[R_MANY_CODED] numbers
    cdef bint spelled

    def __cinit__(self, bint names=True):
        cdef uint32_t k
        self.names = Texts()
        self.spelled = names
        for k in range(R_MANY_CODED):
            if numbers_open(&self.numbers[k]) != 0:
                raise MemoryError("no memory to number columns")

    def __dealloc__(self):
        cdef uint32_t k
        for k in range(R_MANY):
            room_close(&self.columns[k])
        for k in range(R_MANY_CODED):
            room_close(&self.coded[k].room)
            numbers_close(&self.numbers[k])

    def expect(self, size_t rows):
        """So many records are going to come in all, more or less."""
        self.expected = rows
        self.names.expect(rows)

    def add(self, Batch batch not None):
        """Take over the records of a batch."""
        cdef int bad
        with nogil:
            bad = self.take_over(batch)
        if bad:
            raise MemoryError("no memory for columns of records")

    cdef int take_over(self, Batch batch) noexcept nogil:
        cdef const RecordColumns* c = &batch.record_columns
        cdef size_t n = c.count, at = self.rows, k
        cdef uint32_t wide, first = <uint32_t>batch.first_message
        cdef uint32_t* message
        cdef uint8_t* section
        cdef uint8_t* flush
        cdef uint8_t some = 0
        if self.begin(n) != 0:
            return -1
        for k in range(R_MANY):
            wide = 4 if k < R_SECTION else 1
            if room_for(&self.columns[k], at * wide, (at + n) * wide, self.expected * wide) != 0:
                return -1
        message = <uint32_t*>self.columns[R_MESSAGE].data + at
        section = self.columns[R_SECTION].data + at
        for k in range(n):
            message[k] = c.message[k] + first
        put_octets(self.columns[R_TTL].data + at * 4, c.ttl, n * 4)
        for k in range(n):
            section[k] = c.section[k] & 3
            some |= c.section[k]
        if some & 4:
            flush = self.columns[R_FLUSH].data + at
            for k in range(n):
                flush[k] = c.section[k] >> 2 & 1
        if self.put_numbers(&self.coded[R_TYPE], &self.numbers[R_TYPE], c.type, 0, 65535, NULL, 0, n) != 0 \
                or self.put_numbers(&self.coded[R_CLASS], &self.numbers[R_CLASS], c.rclass, 0, 65535, NULL, 0, n) != 0:
            return -1
        if self.spelled and self.names.spell(c.name, NULL, 0, n, batch.dictionary.names.text_offsets,
                                             batch.dictionary.names.text, batch.dictionary.names.count) != 0:
            return -1
        self.rows += n
        return 0

    def column(self, str name):
        """A column, in the octets its kind takes; it is not gathered any further."""
        cdef uint32_t place = RECORD_PLACES[name]
        return pages_of(&self.columns[place], self.rows * (4 if place < R_SECTION else 1))

    def codes(self, str name):
        """Codes of a column, how many octets each takes, and the numbers they stand for."""
        cdef Codes* c = &self.coded[RECORD_CODED[name]]
        return pages_of(&c.room, self.rows * c.width), c.width, numbers_seen(&self.numbers[RECORD_CODED[name]])
