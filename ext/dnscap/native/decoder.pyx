"""The stages from octets to message batches, joined: framing, walk, decode.

A `Decoder` takes windows of octets and gives batches.  It belongs to one thread at a time.
"""
cimport cython
from cpython.buffer cimport PyBUF_FORMAT, PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from dnscap.native.datagrams cimport Datagram, Outbox, outbox_clear, outbox_close, outbox_open
from dnscap.native.events cimport Event, EventLog, event_log_close, event_log_open
from dnscap.native.flows cimport StreamTable
from dnscap.native.frames cimport FRAME_BATCH, Frame
from dnscap.native.framing cimport FRAMING_END, FRAMING_FULL, Framing
from dnscap.native.interning cimport Dictionary
from dnscap.native.message_columns cimport MessageColumns, RecordColumns, free_messages, free_records
from dnscap.native.messages cimport Messages
from dnscap.native.tcp cimport Connection
from dnscap.native.walk cimport Walk

cdef extern from "status.h" nogil:
    const int STATUS_COUNT
    const char** dnscap_status_names
    const char** dnscap_status_meanings


def statuses():
    """Names and meanings of message statuses, in the order of their numbers.

    Returns
    -------
    list of (str, str)
    """
    return [(dnscap_status_names[i].decode(), dnscap_status_meanings[i].decode()) for i in range(STATUS_COUNT)]


@cython.final
cdef class NativeColumn:
    """A column in native memory as a read-only buffer; keeps its batch alive."""

    cdef Batch owner
    cdef const void* data
    cdef Py_ssize_t count
    cdef Py_ssize_t width
    cdef bytes kind

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        buffer.buf = <void*>self.data
        buffer.obj = self
        buffer.len = self.count * self.width
        buffer.itemsize = self.width
        buffer.readonly = 1
        buffer.ndim = 1
        buffer.format = <char*>self.kind if flags & PyBUF_FORMAT else NULL
        buffer.shape = &self.count
        buffer.strides = &self.width
        buffer.suboffsets = NULL
        buffer.internal = NULL


cdef uint64_t EMPTY = 0        # what the buffer of an empty column points to

cdef dict MESSAGE_FORMATS = {
    "frame": b"Q", "time": b"q", "frames": b"I", "source": b"I", "interface": b"I", "src": b"I", "dst": b"I",
    "stream": b"I", "qname": b"I", "size": b"I", "sighting_of": b"I", "status_at": b"I", "options": b"I",
    "src_port": b"H", "dst_port": b"H", "id": b"H", "flags": b"H", "rcode": b"H", "qdcount": b"H", "ancount": b"H",
    "nscount": b"H", "arcount": b"H", "qtype": b"H", "qclass": b"H", "edns_udp_size": b"H", "edns_flags": b"H",
    "edns_version": b"B", "transport": b"B", "direction": b"B", "ip_ttl": b"B", "status": b"B", "presence": b"B",
}
cdef list MESSAGE_ORDER = list(MESSAGE_FORMATS)
cdef dict RECORD_FORMATS = {
    "message": b"I", "name": b"I", "ttl": b"I", "rdata": b"I", "type": b"H", "class": b"H", "section": b"B",
}
cdef list RECORD_ORDER = list(RECORD_FORMATS)


@cython.final
cdef class ColumnPool:
    """Memory of columns between two batches.

    A stream of batches that are used and let go works in the same memory all the time: pages of fresh memory
    have to be cleared, which costs as much as a fifth of decoding.
    """

    def __dealloc__(self):
        free_messages(&self.messages)
        free_records(&self.records)


@cython.final
cdef class Batch:
    """Messages, their records, and the connections and events that ended meanwhile, in native columns.

    Attributes
    ----------
    first_message : int
        Number in the capture of the batch's first message.
    messages, records : int
        Rows.
    dictionary : Dictionary
        What the codes of names and addresses mean.
    """

    def __dealloc__(self):
        if self.pool is not None and self.pool.messages.room == 0:
            self.pool.messages = self.columns
            self.pool.records = self.record_columns
        else:
            free_messages(&self.columns)
            free_records(&self.record_columns)
        free(self.closed)
        free(self.turns)
        free(self.event_rows)

    @property
    def messages(self):
        return self.columns.count

    @property
    def records(self):
        return self.record_columns.count

    @property
    def event_rows_count(self):
        """Rows of `events`."""
        return self.event_count

    def message_column(self, str name):
        """A column of the messages as a buffer, by native name (``flags`` holds the header bits)."""
        cdef void** columns = <void**>&self.columns
        if name == "options_octets":
            return column_of(self, self.columns.options_octets, self.columns.options_used, b"B")
        return column_of(self, columns[MESSAGE_ORDER.index(name)], self.columns.count + (name == "options"),
                         MESSAGE_FORMATS[name])

    def record_column(self, str name):
        """A column of the records as a buffer, by native name."""
        cdef void** columns = <void**>&self.record_columns
        if name == "rdata_octets":
            return column_of(self, self.record_columns.rdata_octets, self.record_columns.rdata_used, b"B")
        return column_of(self, columns[RECORD_ORDER.index(name)], self.record_columns.count + (name == "rdata"),
                         RECORD_FORMATS[name])

    def connections(self):
        """Connections that ended, as the octets of an array of Connection structs and the size of one."""
        return column_of(self, self.closed, self.closed_count * sizeof(Connection), b"B"), sizeof(Connection)

    def events(self):
        """Events, as the octets of an array of Event structs and the size of one."""
        return column_of(self, self.event_rows, self.event_count * sizeof(Event), b"B"), sizeof(Event)


cdef NativeColumn column_of(Batch owner, const void* data, Py_ssize_t count, bytes kind):
    cdef NativeColumn column = NativeColumn()
    column.owner = owner
    column.data = data if data != NULL else <const void*>&EMPTY
    column.count = count
    column.kind = kind
    column.width = {b"B": 1, b"H": 2, b"I": 4, b"Q": 8, b"q": 8}[kind]
    return column


@cython.final
cdef class Decoder:
    """From octets of capture files to batches of messages.

    Parameters
    ----------
    dns_ports : iterable of int
        UDP and TCP ports taken as DNS.
    records : bool
        Whether batches hold records.  Without, the same faults are found and no memory is spent on records.
    most_names : int
        Distinct names after which a batch is closed and a new dictionary begun.
    """

    cdef readonly Framing framing
    cdef readonly Walk walk
    cdef Messages decoder
    cdef Frame* frames
    cdef Outbox box
    cdef EventLog event_log
    cdef ColumnPool pool
    cdef list cut
    cdef readonly bint ended       # nothing further can be read of the current file
    cdef uint64_t wanted           # number of the message to keep octets of
    cdef readonly object watched   # its octets, as far as captured; None until it has gone by

    def __cinit__(self, dns_ports=(53, 5353, 5355), bint records=True, uint32_t most_names=<uint32_t>-1):
        self.framing = Framing()
        self.walk = Walk(dns_ports)
        self.decoder = Messages(records, most_names)
        self.pool = ColumnPool()
        self.cut = []
        self.wanted = <uint64_t>-1
        self.frames = <Frame*>malloc(FRAME_BATCH * sizeof(Frame))
        if self.frames == NULL or outbox_open(&self.box) != 0 or event_log_open(&self.event_log) != 0:
            raise MemoryError("no memory for the decoder")

    def __dealloc__(self):
        free(self.frames)
        outbox_close(&self.box)
        event_log_close(&self.event_log)

    def begin_file(self):
        """A new file starts; fragments, connections and dictionary go on over the seam."""
        self.framing.begin()
        self.ended = False

    def reserve(self, uint64_t octets):
        """Expect so many octets to come in one batch: columns will not be copied as they grow."""
        with nogil:
            self.decoder.reserve(octets)

    @property
    def window(self):
        """Octets that the next window must have to get any further, after one of which nothing was consumed."""
        return self.framing.file.wanted

    @property
    def rows(self):
        """Messages decoded and not yet taken."""
        return self.decoder.work.columns.count

    @property
    def events_lost(self):
        """Events not kept because too many came at once."""
        return self.event_log.lost

    cdef Batch close_batch(self):
        cdef Batch batch = Batch()
        cdef StreamTable* streams = self.walk.streams.table
        batch.columns = self.decoder.work.columns
        batch.record_columns = self.decoder.work.records
        batch.dictionary = self.decoder.dictionary
        batch.first_message = self.decoder.base
        batch.closed = streams.closed
        batch.closed_count = streams.closed_count
        streams.closed = NULL
        streams.closed_count = streams.closed_room = 0
        batch.pool = self.pool
        batch.turns = streams.turns
        batch.turn_count = streams.turn_count
        streams.turns = NULL
        streams.turn_count = streams.turn_room = 0
        batch.event_rows = self.event_log.rows
        batch.event_count = self.event_log.count
        self.event_log.rows = NULL
        self.event_log.count = self.event_log.room = 0
        return batch

    cdef void renew(self, Dictionary dictionary):
        """Start a batch, in the memory of one let go if there is any."""
        self.decoder.renew(dictionary, &self.pool.messages, &self.pool.records)
        memset(&self.pool.messages, 0, sizeof(MessageColumns))
        memset(&self.pool.records, 0, sizeof(RecordColumns))

    cdef int drain(self) except -1 nogil:
        """Decode what the walk put out.  Where the dictionary is full, close the batch and go on with a new one."""
        cdef uint32_t at = 0, done = 0
        cdef uint64_t first
        cdef Datagram* d
        cdef int bad
        while at < self.box.count:
            first = self.decoder.base + self.decoder.work.columns.count
            bad = self.decoder.decode(self.box.rows + at, self.box.count - at, &done)
            if self.wanted - first < done:
                with gil:
                    d = &self.box.rows[at + <uint32_t>(self.wanted - first)]
                    self.watched = d.octets[:d.size]
            at += done
            if bad != 0 or at < self.box.count:
                with gil:
                    if bad != 0:
                        raise MemoryError("no memory for decoded messages")
                    self.cut.append(self.close_batch())
                    self.renew(Dictionary(self.decoder.dictionary.names.most))
        outbox_clear(&self.box)
        return 0

    def feed(self, window, bint last=False):
        """Decode the whole frames in a window of the current file.

        Parameters
        ----------
        window : buffer
            Octets that follow those consumed so far.
        last : bool
            No more octets of this file will come.

        Returns
        -------
        int
            Octets consumed; the rest must be given again, with more behind it.
        """
        cdef Py_buffer buffer
        cdef const uint8_t* data
        cdef size_t size, consumed, total = 0
        cdef uint32_t count
        cdef int result
        PyObject_GetBuffer(window, &buffer, PyBUF_SIMPLE)
        try:
            data = <const uint8_t*>buffer.buf
            size = buffer.len
            with nogil:
                while True:
                    result = self.framing.fill(data + total, size - total, last, self.frames, &count, &consumed)
                    if count and self.walk.frames(self.frames, count, &self.box, &self.event_log) != 0:
                        with gil:
                            raise MemoryError("no memory to follow packets")
                    total += consumed
                    self.drain()
                    if result != FRAMING_FULL:
                        break
                self.ended = result == FRAMING_END
        finally:
            PyBuffer_Release(&buffer)
        return total

    def watch(self, uint64_t message):
        """Keep the octets of the message with this number when it goes by; see `watched`."""
        self.wanted = message

    def finish(self):
        """The capture ends: give up fragments and close connections."""
        cdef int bad
        with nogil:
            bad = self.walk.finish(&self.box, &self.event_log)
            self.drain()
        if bad:
            raise MemoryError("no memory to close connections")

    def take(self, bint rest=True):
        """Batches ready: those the dictionary closed, and with `rest` all that is decoded so far.

        Returns
        -------
        list of Batch
        """
        batches = self.cut
        self.cut = []
        cdef StreamTable* streams = self.walk.streams.table
        if rest and (self.decoder.work.columns.count or streams.closed_count or streams.turn_count
                     or self.event_log.count):
            batches.append(self.close_batch())
            # The dictionary goes on while it has room: batches share it.
            self.renew(self.decoder.dictionary)
        return batches
