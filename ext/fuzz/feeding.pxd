"""What the fuzz targets share: taking an input apart, and looking hard at what a stage gives back."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.datagrams cimport Outbox
from dnscap.native.events cimport EventLog
from dnscap.native.frames cimport Frame
from dnscap.native.octets cimport Octets

# A target: looks at one input.  It raises where a stage broke a promise; anything else the sanitizers find.
ctypedef int (*Entry)(const uint8_t* data, size_t size) except -1

cdef object offer(Entry entry)                       # the capsule that the driver and `call` understand

# Numbers out of the input; zero once it is used up.
cdef uint8_t next8(Octets* o) noexcept nogil
cdef uint16_t next16(Octets* o) noexcept nogil
cdef uint32_t next32(Octets* o) noexcept nogil

cdef uint64_t digest(uint64_t seed, const uint8_t* octets, size_t size) noexcept nogil    # reads every octet

# A copy in an allocation of its own with PADDING zero octets behind, so that an overrun meets a red zone.
cdef uint8_t* padded_copy(const uint8_t* octets, size_t size) noexcept nogil

# Frames and what the network stages make of them: every field and octet is read, every promise of the
# contracts checked.  The digest lets two ways of feeding the same input be compared.
cdef int check_frames(const Frame* frames, uint32_t count, uint64_t* seen) except -1
cdef int check_outbox(const Outbox* box, uint64_t* seen) except -1
cdef int check_events(const EventLog* log, uint64_t* seen) except -1

# Kept from one input to the next, because opening them costs more than a small input; given out empty.
cdef Outbox* empty_outbox() except NULL
cdef EventLog* empty_log() except NULL
