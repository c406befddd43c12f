"""File framing under fuzzing.

Input: the octets of a capture file.  It is read in one piece and again in small windows, as from a pipe; both
ways must give the same frames and stop at the same place for the same reason.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from dnscap.native.frames cimport FRAME_BATCH, Frame
from dnscap.native.framing cimport FRAMING_END, FRAMING_FULL, FRAMING_MORE, Framing

from fuzz.feeding cimport check_frames, digest, offer


cdef int run(const uint8_t* data, size_t size) except -1:
    cdef Framing whole = Framing()
    cdef Framing pieces = Framing()
    cdef uint64_t seen_whole = 0, seen_pieces = 0
    # Somewhere from one octet to some hundreds, the same for the same input.
    cdef size_t step = 1 + digest(0, data, min(size, <size_t>64)) % 311

    read_through(whole, data, size, size, &seen_whole)
    read_through(pieces, data, size, step, &seen_pieces)
    if seen_whole != seen_pieces:
        raise AssertionError(f"other frames in windows of {step} octets")
    if whole.file.frame_number != pieces.file.frame_number:
        raise AssertionError("another number of frames in windows")
    if whole.file.offset != pieces.file.offset or whole.file.fault != pieces.file.fault or whole.file.cut != pieces.file.cut:
        raise AssertionError(
            f"ends at {whole.file.offset} for {whole.file.fault}, cut {whole.file.cut}; "
            f"in windows at {pieces.file.offset} for {pieces.file.fault}, cut {pieces.file.cut}")
    if whole.file.source_count != pieces.file.source_count:
        raise AssertionError("other sources in windows")
    return 0


cdef int read_through(Framing framing, const uint8_t* data, size_t size, size_t step,
                      uint64_t* seen) except -1:
    cdef Frame frames[FRAME_BATCH]
    cdef uint32_t count
    cdef size_t at = 0, end = min(step, size), used
    cdef uint8_t* window
    cdef int result

    framing.begin()
    while True:
        # In an allocation of its own, nothing behind it: the framing has to pad what it gives out.
        window = <uint8_t*>malloc(end - at)
        if window == NULL and end > at:
            raise MemoryError
        try:
            if end > at:
                memcpy(window, data + at, end - at)
            count = 0
            used = 0
            result = framing.fill(window, end - at, end == size, frames, &count, &used)
            if used > end - at:
                raise AssertionError("more octets used up than given")
            check_frames(frames, count, seen)
        finally:
            free(window)
        at += used
        if result == FRAMING_FULL:
            if count == 0:
                raise AssertionError("a batch that is full of nothing")
        elif result == FRAMING_MORE:
            if end == size:
                return 0
            end = min(size, max(end + step, at + framing.file.wanted))
        elif result == FRAMING_END:
            return 0
        else:
            raise AssertionError("no such result")


ENTRY = offer(run)
