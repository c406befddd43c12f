"""Domain names in wire format: expansion of compressed names, bounded and without loops."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from dnscap.native.octets cimport PADDING, be16

cdef extern from "status.h" nogil:
    const int STATUS_OK, STATUS_TRUNCATED_CAPTURE, STATUS_FIRST_FRAGMENT, STATUS_SHORT_HEADER
    const int STATUS_LABEL_OVERRUN, STATUS_BAD_LABEL, STATUS_BAD_POINTER, STATUS_NAME_TOO_LONG
    const int STATUS_QUESTION_OVERRUN, STATUS_RECORD_OVERRUN, STATUS_RDATA_OVERRUN, STATUS_BAD_RDATA
    const int STATUS_BAD_OPT, STATUS_TRAILING_OCTETS, STATUS_COUNT

cdef enum:
    MOST_NAME = 255            # octets of a name, RFC 1035 section 2.3.4
    NAME_ROOM = 320            # what `expand_name` may write: a whole label block past the longest name
    # pointers followed in one name: as many as it can have labels.  A chain of bare pointers through a whole message
    # would cost thousands of steps for each of thousands of records.
    MOST_POINTERS = 127


cdef inline int expand_name(const uint8_t* message, uint32_t size, uint32_t at,
                            uint8_t* out, uint32_t* after) noexcept nogil:
    """Write the name at `at` uncompressed to `out` (NAME_ROOM octets).

    Returns its length in octets, the root label included, with `after` set to the offset behind it in the message;
    or minus a status, with `after` set to where the fault is.  `message` must be followed by PADDING readable octets.
    Each pointer must point before the smallest offset visited so far, as in dnspython: loops are impossible.
    """
    cdef uint32_t written = 0, behind = 0, smallest = at, target
    cdef uint32_t octet, pointers = 0
    while True:
        if at >= size:
            after[0] = at
            return -STATUS_LABEL_OVERRUN
        octet = message[at]
        if octet >= 0xC0:
            if at + 2 > size:
                after[0] = at
                return -STATUS_LABEL_OVERRUN
            target = be16(message + at) & 0x3FFF
            pointers += 1
            if target >= smallest or pointers > MOST_POINTERS:
                after[0] = at
                return -STATUS_BAD_POINTER
            if behind == 0:
                behind = at + 2
            smallest = target
            at = target
            continue
        if octet > 63:
            after[0] = at
            return -STATUS_BAD_LABEL
        if written + octet + 1 > MOST_NAME:
            after[0] = at
            return -STATUS_NAME_TOO_LONG
        if at + octet + 1 > size:
            after[0] = at
            return -STATUS_LABEL_OVERRUN
        memcpy(out + written, message + at, 64)
        written += octet + 1
        at += octet + 1
        if octet == 0:
            after[0] = behind if behind else at
            return <int>written


cdef inline uint32_t skip_name(const uint8_t* message, uint32_t size, uint32_t at, uint32_t* after) noexcept nogil:
    """Check the name at `at` as `expand_name` does without writing it.

    Returns 0 with `after` set to the offset behind it, or a status with `after` set to where the fault is.
    """
    cdef uint32_t written = 0, behind = 0, smallest = at, target
    cdef uint32_t octet, pointers = 0
    while True:
        if at >= size:
            after[0] = at
            return STATUS_LABEL_OVERRUN
        octet = message[at]
        if octet >= 0xC0:
            if at + 2 > size:
                after[0] = at
                return STATUS_LABEL_OVERRUN
            target = be16(message + at) & 0x3FFF
            pointers += 1
            if target >= smallest or pointers > MOST_POINTERS:
                after[0] = at
                return STATUS_BAD_POINTER
            if behind == 0:
                behind = at + 2
            smallest = target
            at = target
            continue
        if octet > 63:
            after[0] = at
            return STATUS_BAD_LABEL
        written += octet + 1
        if written > MOST_NAME:
            after[0] = at
            return STATUS_NAME_TOO_LONG
        if at + octet + 1 > size:
            after[0] = at
            return STATUS_LABEL_OVERRUN
        at += octet + 1
        if octet == 0:
            after[0] = behind if behind else at
            return 0
