"""Message decode under fuzzing, and the presentation of what it found.

Input: the octets of a DNS message.  It is decoded whole, as mDNS, cut by the capture, as a first fragment,
and whole once more: by then its names are in the dictionary and take the short way, which must lead to the
same row.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memset

from dnscap.native.datagrams cimport CUT_BY_CAPTURE, FIRST_FRAGMENT, NO_STREAM, WHOLE, Datagram
from dnscap.native.domain cimport STATUS_COUNT
from dnscap.native.interning cimport NO_CODE
from dnscap.native.message_columns cimport HAS_NAME, MessageColumns, RecordColumns
from dnscap.native.messages cimport Messages
from dnscap.native.octets cimport be16
from dnscap.native.presentation cimport edns_text, rdata_text
from dnscap.native.text cimport Text, text_open

from fuzz.feeding cimport digest, offer, padded_copy

cdef enum:
    WAYS = 5
    AGAIN = WAYS - 1           # the row that must be like the first

cdef Messages kept             # from one input to the next: its tables are large
cdef Text text
cdef int64_t now = 1_700_000_000_000_000_000
cdef bint opened = False


cdef int run(const uint8_t* data, size_t size) except -1:
    global kept, now, opened
    cdef Datagram rows[WAYS]
    cdef uint32_t done = 0
    cdef uint8_t* octets
    cdef int code

    if not opened:
        kept = Messages(True)
        if text_open(&text, 1 << 17) != 0:
            raise MemoryError
        opened = True
    octets = padded_copy(data, size)
    if octets == NULL:
        raise MemoryError
    now += 1_000_000_000       # too late for one input to be another sighting of the one before
    set_rows(rows, octets, <uint32_t>size)
    try:
        with nogil:
            code = kept.decode(rows, WAYS, &done)
        if code != 0:
            raise MemoryError
        if done < WAYS:
            # The dictionary is full of what earlier inputs asked for.
            kept = Messages(True)
            return 0
        check_messages(<uint32_t>size)
        check_records()
        check_again()
    finally:
        free(octets)
        empty()
    return 0


cdef void empty() noexcept:
    kept.work.columns.count = kept.work.columns.options_used = 0
    kept.work.records.count = kept.work.records.rdata_used = 0


cdef void set_rows(Datagram* rows, const uint8_t* octets, uint32_t size) noexcept nogil:
    cdef int i
    memset(rows, 0, WAYS * sizeof(Datagram))
    for i in range(WAYS):
        rows[i].octets = octets
        rows[i].size = rows[i].wire_size = size
        rows[i].src[1] = 1
        rows[i].dst[1] = 2
        # Each of its own place and time, so that none counts as a sighting of another.
        rows[i].place = 1
        rows[i].time = now + i * <int64_t>100_000_000
        rows[i].number = i + 1
        rows[i].frames = 1
        rows[i].stream = NO_STREAM
        rows[i].src_port = 40000
        rows[i].dst_port = 5353 if i == 1 else 53
        rows[i].wholeness = WHOLE
        rows[i].ip_version = 4
    rows[2].wholeness = CUT_BY_CAPTURE
    rows[2].wire_size = size + 100
    rows[3].wholeness = FIRST_FRAGMENT
    rows[3].wire_size = size + 100


cdef int check_messages(uint32_t size) except -1:
    cdef const MessageColumns* c = &kept.work.columns
    cdef uint32_t names = kept.dictionary.names.count
    cdef uint32_t i, at, end
    cdef uint16_t length
    if c.count != WAYS:
        raise AssertionError("another number of rows than of messages")
    for i in range(c.count):
        if c.status[i] >= STATUS_COUNT:
            raise AssertionError("no such status")
        if c.status_at[i] != NO_CODE and c.status_at[i] > size:
            raise AssertionError("a fault behind the end of the message")
        if c.presence[i] & HAS_NAME and c.qname[i] >= names:
            raise AssertionError("a name that is not in the dictionary")
        if c.sighting_of[i] != NO_CODE:
            raise AssertionError("a sighting of nothing")
        if c.options[i] > c.options[i + 1] or c.options[i + 1] > c.options_used:
            raise AssertionError("options that lie nowhere")
        at = c.options[i]
        end = c.options[i + 1]
        while at < end:
            if end - at < 4:
                raise AssertionError("an option without a header")
            length = be16(c.options_octets + at + 2)
            if length > end - at - 4:
                raise AssertionError("an option that overruns")
            text.size = 0
            if edns_text(be16(c.options_octets + at), c.options_octets + at + 4, length, &text) != 0:
                raise MemoryError
            digest(0, text.octets, text.size)
            at += 4 + length
    return 0


cdef int check_records() except -1:
    cdef const RecordColumns* r = &kept.work.records
    cdef uint32_t names = kept.dictionary.names.count
    cdef uint32_t i, size
    for i in range(r.count):
        if r.message[i] >= kept.work.columns.count or (i and r.message[i] < r.message[i - 1]):
            raise AssertionError("records out of order")
        if r.name[i] >= names:
            raise AssertionError("an owner that is not in the dictionary")
        if r.section[i] & 3 > 2 or r.section[i] > 7:     # bit 2 is the cache-flush bit of mDNS
            raise AssertionError("no such section")
        if r.rdata[i] > r.rdata[i + 1] or r.rdata[i + 1] > r.rdata_used:
            raise AssertionError("RDATA that lies nowhere")
        text.size = 0
        size = r.rdata[i + 1] - r.rdata[i]
        if rdata_text(r.type[i], r.rclass[i], r.rdata_octets + r.rdata[i], size, &text) < 0:
            raise MemoryError
        digest(0, text.octets, text.size)
    return 0


cdef int check_again() except -1:
    cdef const MessageColumns* c = &kept.work.columns
    cdef const RecordColumns* r = &kept.work.records
    cdef uint32_t first = 0, i, at, size
    if c.status[0] != c.status[AGAIN] or c.status_at[0] != c.status_at[AGAIN]:
        raise AssertionError(
            f"status {c.status[0]} at {c.status_at[0]}, then {c.status[AGAIN]} at {c.status_at[AGAIN]}")
    if c.presence[0] != c.presence[AGAIN] or c.flags[0] != c.flags[AGAIN] or c.rcode[0] != c.rcode[AGAIN]:
        raise AssertionError("another header the second time")
    if c.presence[0] & HAS_NAME and c.qname[0] != c.qname[AGAIN]:
        raise AssertionError("another question the second time")
    while first < r.count and r.message[first] == 0:
        first += 1
    at = r.count - first if r.count > first else 0
    for i in range(first):
        if r.message[at + i] != AGAIN:
            raise AssertionError("other records the second time")
        if r.name[i] != r.name[at + i] or r.type[i] != r.type[at + i] or r.ttl[i] != r.ttl[at + i]:
            raise AssertionError("another record the second time")
        size = r.rdata[i + 1] - r.rdata[i]
        if size != r.rdata[at + i + 1] - r.rdata[at + i] or memcmp(
                r.rdata_octets + r.rdata[i], r.rdata_octets + r.rdata[at + i], size) != 0:
            raise AssertionError("other RDATA the second time")
    return 0


ENTRY = offer(run)
