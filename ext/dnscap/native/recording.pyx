"""Frames written as pcapng blocks (draft-ietf-opsawg-pcapng); see recording.pxd.

Byte order is that of the machine, as the format allows.  Times are nanoseconds.  A recording has one section; every
block in it is whole at any time, so it may be handed on and cut after each of them.
"""
cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from dnscap.native.capture_file cimport aligned
from dnscap.native.frames cimport FRAME_BATCH, Frame
from dnscap.native.framing cimport FRAMING_END, FRAMING_FULL, Framing

cdef enum:                     # block types
    SECTION = 0x0A0D0D0A
    INTERFACE = 1
    STATISTICS = 5
    ENHANCED_PACKET = 6

cdef enum:                     # option codes
    OPTION_NAME = 2
    OPTION_CLOCK = 9
    OPTION_FILTER = 11
    OPTION_END_TIME = 3
    OPTION_RECEIVED = 4
    OPTION_INTERFACE_DROPS = 5
    OPTION_SYSTEM_DROPS = 7

cdef enum:
    PACKET_HEAD = 28
    TAIL = 4                   # the length again
    ROOM_AT_FIRST = 1 << 18
    MOST_TEXT = 4096           # octets of a name or filter that are written
    MOST_FRAME = 1 << 23       # of a frame: half of what readers take a block to be at most


cdef inline void put16(uint8_t* p, uint16_t value) noexcept nogil:
    memcpy(p, &value, 2)


cdef inline void put32(uint8_t* p, uint32_t value) noexcept nogil:
    memcpy(p, &value, 4)


cdef inline void put64(uint8_t* p, uint64_t value) noexcept nogil:
    memcpy(p, &value, 8)


cdef inline uint32_t get32(const uint8_t* p) noexcept nogil:
    cdef uint32_t value
    memcpy(&value, p, 4)
    return value


cdef inline uint8_t* more(Recording* r, size_t size) noexcept nogil:
    """Room for `size` more octets, or NULL."""
    cdef size_t room = r.room
    cdef uint8_t* octets
    if r.size + size > room:
        if room == 0:
            room = ROOM_AT_FIRST
        while r.size + size > room:
            room *= 2
        octets = <uint8_t*>realloc(r.octets, room)
        if octets == NULL:
            return NULL
        r.octets = octets
        r.room = room
    return r.octets + r.size


cdef void recording_close(Recording* r) noexcept nogil:
    free(r.octets)
    r.octets = NULL
    r.size = r.room = 0


cdef inline void close_block(Recording* r, uint8_t* p, uint32_t kind, uint32_t size) noexcept nogil:
    put32(p, kind)
    put32(p + 4, size)
    put32(p + size - TAIL, size)
    r.size += size


cdef inline uint8_t* option(uint8_t* p, uint16_t code, const void* value, size_t size) noexcept nogil:
    put16(p, code)
    put16(p + 2, <uint16_t>size)
    memset(p + 4, 0, aligned(size))
    memcpy(p + 4, value, size)
    return p + 4 + aligned(size)


cdef inline uint8_t* option64(uint8_t* p, uint16_t code, uint64_t value) noexcept nogil:
    return option(p, code, &value, 8)


cdef inline uint8_t* put_time(uint8_t* p, int64_t time) noexcept nogil:
    """A time stamp: the upper half first, in either byte order."""
    put32(p, <uint32_t>(<uint64_t>time >> 32))
    put32(p + 4, <uint32_t>(<uint64_t>time & 0xFFFFFFFFU))
    return p + 8


cdef int record_section(Recording* r) noexcept nogil:
    cdef uint8_t* p = more(r, 28)
    if p == NULL:
        return -1
    put32(p + 8, 0x1A2B3C4D)
    put16(p + 12, 1)
    put16(p + 14, 0)
    memset(p + 16, 0xFF, 8)        # how long the section is going to be is not known
    close_block(r, p, SECTION, 28)
    return 0


cdef int record_interface(Recording* r, const char* name, size_t name_size, const char* filter, size_t filter_size,
                          uint16_t link, uint32_t snaplen) noexcept nogil:
    cdef uint8_t* p
    cdef uint8_t* at
    cdef uint8_t clock = 9
    if name_size > MOST_TEXT:
        name_size = MOST_TEXT
    if filter_size > MOST_TEXT:
        filter_size = MOST_TEXT
    p = more(r, 16 + 4 + aligned(name_size) + 8 + 4 + aligned(filter_size + 1) + 4 + TAIL)
    if p == NULL:
        return -1
    put16(p + 8, link)
    put16(p + 10, 0)
    put32(p + 12, snaplen)
    at = p + 16
    if name_size:
        at = option(at, OPTION_NAME, name, name_size)
    at = option(at, OPTION_CLOCK, &clock, 1)
    if filter_size:
        # An octet before the text says what it is: 0, as libpcap takes it.
        put16(at, OPTION_FILTER)
        put16(at + 2, <uint16_t>(filter_size + 1))
        memset(at + 4, 0, aligned(filter_size + 1))
        memcpy(at + 5, filter, filter_size)
        at += 4 + aligned(filter_size + 1)
    put32(at, 0)
    close_block(r, p, INTERFACE, <uint32_t>(at + 4 + TAIL - p))
    r.interfaces += 1
    return 0


cdef int record_frame(Recording* r, uint32_t interface, int64_t time, const uint8_t* octets, uint32_t captured,
                      uint32_t wire) noexcept nogil:
    cdef size_t padded
    cdef uint8_t* p
    if captured > MOST_FRAME:
        captured = MOST_FRAME
    padded = aligned(captured)
    p = more(r, PACKET_HEAD + padded + TAIL)
    if p == NULL:
        r.lost += 1
        return -1
    put32(p + 8, interface)
    put_time(p + 12, time)
    put32(p + 20, captured)
    put32(p + 24, wire)
    if padded != captured:
        put32(p + PACKET_HEAD + padded - 4, 0)
    memcpy(p + PACKET_HEAD, octets, captured)
    close_block(r, p, ENHANCED_PACKET, <uint32_t>(PACKET_HEAD + padded + TAIL))
    if time > r.last_time:
        r.last_time = time
    r.frames += 1
    return 0


cdef int record_statistics(Recording* r, uint32_t interface, int64_t time, uint64_t received, uint64_t dropped,
                           uint64_t interface_dropped) noexcept nogil:
    cdef uint8_t* p = more(r, 20 + 4 * 12 + 4 + TAIL)
    cdef uint8_t* at
    cdef uint8_t stamp[8]
    if p == NULL:
        return -1
    put32(p + 8, interface)
    put_time(p + 12, time)
    put_time(stamp, time)
    at = option(p + 20, OPTION_END_TIME, stamp, 8)
    at = option64(at, OPTION_RECEIVED, received)
    at = option64(at, OPTION_INTERFACE_DROPS, interface_dropped)
    at = option64(at, OPTION_SYSTEM_DROPS, dropped)
    put32(at, 0)
    close_block(r, p, STATISTICS, <uint32_t>(at + 4 + TAIL - p))
    return 0


# ---------------------------------------------------------------- the Python face

cdef bytes taken(Recording* r):
    """The blocks so far; the recording goes on empty."""
    octets = r.octets[:r.size]
    r.size = 0
    return octets


@cython.final
cdef class Recorder:
    """Makes pcapng blocks for those who have their frames in Python, or in another capture format.

    Attributes
    ----------
    frames : int
        Frames recorded.
    last_time : int
        Time of the latest of them in nanoseconds since the epoch.
    """

    cdef Recording recording
    cdef Framing framing
    cdef dict places               # interface number by source of `framing`
    cdef readonly bint ended       # nothing further can be read of the stream that is converted

    def __cinit__(self):
        self.framing = Framing()
        self.places = {}

    def __dealloc__(self):
        recording_close(&self.recording)

    @property
    def frames(self):
        return self.recording.frames

    @property
    def last_time(self):
        return self.recording.last_time

    def section(self):
        """Begin: a section header block."""
        if record_section(&self.recording) != 0:
            raise MemoryError("no memory to record frames")

    def interface(self, str name, int link, int snaplen, str filter=""):
        """Declare an interface; gives its number."""
        cdef bytes called = name.encode("utf-8", "replace")
        cdef bytes expression = filter.encode("utf-8", "replace")
        if record_interface(&self.recording, called, len(called), expression, len(expression),
                            <uint16_t>link, <uint32_t>snaplen) != 0:
            raise MemoryError("no memory to record frames")
        return self.recording.interfaces - 1

    def frame(self, uint32_t interface, int64_t time, const uint8_t[::1] octets not None, uint32_t wire):
        """Record a frame."""
        cdef uint32_t captured = <uint32_t>min(octets.shape[0], <Py_ssize_t>MOST_FRAME)
        if interface >= self.recording.interfaces:
            raise ValueError(f"no interface {interface}")
        if record_frame(&self.recording, interface, time, &octets[0] if captured else NULL, captured,
                        max(wire, captured)) != 0:
            raise MemoryError("no memory to record frames")

    def statistics(self, uint32_t interface, int64_t time, uint64_t received, uint64_t dropped,
                   uint64_t interface_dropped=0):
        """Say how many frames an interface has had, and how many of them were dropped."""
        if record_statistics(&self.recording, interface, time, received, dropped, interface_dropped) != 0:
            raise MemoryError("no memory to record frames")

    def take(self):
        """The blocks made since the last time.

        Returns
        -------
        bytes
        """
        return taken(&self.recording)

    def begin_file(self):
        """Another capture is going to be converted."""
        self.framing.begin()
        self.ended = False

    def fault_text(self):
        """What is wrong with the capture that is converted; None where nothing is."""
        return self.framing.fault_text()

    def convert(self, window, bint last=False, uint64_t most=0):
        """Record the whole frames in a window of a capture file, pcap or pcapng.

        Parameters
        ----------
        window : buffer
            Octets that follow those consumed so far.
        last : bool
            No more octets of this file will come.
        most : int
            Frames to record in all; 0 for no limit.

        Returns
        -------
        int
            Octets consumed; the rest must be given again, with more behind it.
        """
        cdef Frame frames[FRAME_BATCH]
        cdef Py_buffer buffer
        cdef size_t consumed, total = 0
        cdef uint32_t count, i, source, place = 0, known = 0xFFFFFFFF
        cdef int result
        PyObject_GetBuffer(window, &buffer, PyBUF_SIMPLE)
        try:
            while True:
                with nogil:
                    result = self.framing.fill(<const uint8_t*>buffer.buf + total, buffer.len - total, last,
                                               frames, &count, &consumed)
                total += consumed
                for i in range(count):
                    if most and self.recording.frames >= most:
                        self.ended = True
                        return total
                    source = frames[i].source
                    if source != known:
                        place = self.place_of(source)
                        known = source
                    if record_frame(&self.recording, place, frames[i].time, frames[i].octets, frames[i].size,
                                    frames[i].wire_size) != 0:
                        raise MemoryError("no memory to record frames")
                if result != FRAMING_FULL:
                    break
            self.ended = result == FRAMING_END or (most and self.recording.frames >= most)
        finally:
            PyBuffer_Release(&buffer)
        return total

    cdef uint32_t place_of(self, uint32_t source) except? 0xFFFFFFFF:
        if source not in self.places:
            row = self.framing.source_rows()[source]
            self.places[source] = self.interface(row["interface"] or "", row["link"], row["snaplen"] or 0,
                                                 row["filter"] or "")
        return self.places[source]


def block_end(const uint8_t[::1] blocks not None, size_t start, size_t room, int64_t until=INT64_MAX):
    """Where a stretch of whole blocks written here has to be cut.

    Parameters
    ----------
    blocks : buffer
        Whole blocks.
    start : int
        Where the stretch begins.
    room : int
        Octets that it may have.
    until : int
        Nanoseconds since the epoch: the first frame of this time or later does not belong to it.

    Returns
    -------
    end : int
        Where it ends.
    declared : list of (int, int)
        Where in it interfaces are declared, from and to.
    """
    cdef size_t at = start, size = blocks.shape[0], told
    cdef uint32_t kind
    cdef int64_t time
    declared = []
    while size - at >= 12:
        kind = get32(&blocks[at])
        told = get32(&blocks[at + 4])
        if told < 12 or told > size - at or at + told - start > room:
            break
        if kind == ENHANCED_PACKET and told >= PACKET_HEAD + TAIL:
            time = <int64_t>(<uint64_t>get32(&blocks[at + 12]) << 32 | get32(&blocks[at + 16]))
            if time >= until:
                break
        elif kind == INTERFACE:
            declared.append((at, at + told))
        at += told
    return at, declared


def first_time(const uint8_t[::1] blocks not None):
    """Time of the first frame among blocks written here, nanoseconds since the epoch; None without."""
    cdef size_t at = 0, size = blocks.shape[0], told
    while size - at >= 12:
        told = get32(&blocks[at + 4])
        if told < 12 or told > size - at:
            break
        if get32(&blocks[at]) == ENHANCED_PACKET and told >= PACKET_HEAD + TAIL:
            return <int64_t>(<uint64_t>get32(&blocks[at + 12]) << 32 | get32(&blocks[at + 16]))
        at += told
    return None
