"""Classic pcap: the file header and the records."""
from libc.stdint cimport uint8_t, uint32_t

from dnscap.native.capture_file cimport CaptureFile
from dnscap.native.frames cimport Frame

# Read the file header: its octets that are done with, or -1 if it is not there yet or not good.
cdef int pcap_header(CaptureFile* file, const uint8_t* data, size_t size) noexcept nogil

# Frames out of the whole records of [p, end), as far as there is room in the batch; returns where it stopped.
cdef const uint8_t* pcap_records(CaptureFile* file, const uint8_t* p, const uint8_t* end,
                                 Frame* frames, uint32_t* count) noexcept nogil

# Size of the record at `p`; 0 if too few octets are there to tell; of its head if that is not sane.
cdef size_t pcap_need(const CaptureFile* file, const uint8_t* p, size_t rest) noexcept nogil
