"""File framing: octets of a pcap or pcapng file in, frames out.

The formats are read by `pcap` and `pcapng`; here a file is told to be one of them, and what lies at the end
of a window is given the padding that later stages read into.

Nothing here reads a file: the caller hands over windows of octets, of any size that holds a whole record.
Damage is not an exception: the frames before it are given out, `fault` and `offset` tell the rest.
"""
cimport cython

from libc.stdint cimport UINT32_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from dnscap.native.capture_file cimport (
    FAULT_BLOCK_SIZE,
    FAULT_BYTE_ORDER,
    FAULT_MEMORY,
    FAULT_NONE,
    FAULT_NOT_A_CAPTURE,
    FAULT_RECORD_SIZE,
    FAULT_SHORT_FILE,
    FAULT_VERSION,
    STATE_ENDED,
    STATE_HEADER,
    STATE_PCAP,
    STATE_PCAPNG,
    TOLD_INTERFACE_DROPS,
    TOLD_SYSTEM_DROPS,
    Source,
    Text,
    file_begin,
    file_close,
    refuse,
)
from dnscap.native.frames cimport FRAME_BATCH, Frame
from dnscap.native.octets cimport PADDING, be32
from dnscap.native.pcap cimport pcap_header, pcap_need, pcap_records
from dnscap.native.pcapng cimport BLOCK_HEAD, BLOCK_SECTION, pcapng_blocks, pcapng_need

_OTHER_FORMATS = {                # captures that people may take for pcap: editcap converts them
    0x736E6F6F: "a snoop file",
    0x474D4255: "a Network Monitor file",
    0x5254534D: "a Network Monitor file",
}


@cython.final
cdef class Framing:
    """Reads capture files given as windows of octets, one file after another."""

    def __cinit__(self):
        self.file.index = UINT32_MAX
        self.file.state = STATE_ENDED

    def __dealloc__(self):
        file_close(&self.file)
        free(self.tail)

    cdef void begin(self) noexcept nogil:
        file_begin(&self.file)

    cdef int fill(self, const uint8_t* data, size_t size, bint last,
                  Frame* frames, uint32_t* count, size_t* consumed) noexcept nogil:
        cdef const uint8_t* p = data
        cdef const uint8_t* end = data + size
        cdef size_t rest
        cdef size_t need
        cdef int header
        cdef uint8_t* tail
        count[0] = 0
        consumed[0] = 0
        self.file.wanted = 0
        if self.file.state == STATE_ENDED:
            return FRAMING_END
        if self.file.state == STATE_HEADER:
            header = self.header(data, size)
            if header < 0:
                if last and not self.file.fault:
                    refuse(&self.file, FAULT_SHORT_FILE, size)
                return FRAMING_END if self.file.fault else FRAMING_MORE
            p += header
        if end - p > PADDING:
            p = self.frames_in(p, end - PADDING, frames, count)
        rest = <size_t>(end - p)
        need = self.need(p, rest)
        if self.file.state != STATE_ENDED and count[0] < FRAME_BATCH and need and need <= rest:
            # What follows ends where there may be nothing to read beyond: one record of any size, and the few
            # that begin within PADDING of the end.
            if self.tail_room < rest + PADDING:
                tail = <uint8_t*>realloc(self.tail, rest + PADDING)
                if tail == NULL:
                    refuse(&self.file, FAULT_MEMORY, rest)
                else:
                    self.tail = tail
                    self.tail_room = rest + PADDING
            if self.file.state != STATE_ENDED:
                memcpy(self.tail, p, rest)
                memset(self.tail + rest, 0, PADDING)
                p += self.frames_in(self.tail, self.tail + rest, frames, count) - self.tail
                rest = <size_t>(end - p)
                need = self.need(p, rest)
        consumed[0] = <size_t>(p - data)
        self.file.offset += consumed[0]
        if self.file.state == STATE_ENDED:
            return FRAMING_END
        if count[0] == FRAME_BATCH:
            return FRAMING_FULL
        if last and rest:
            self.file.cut = True
            self.file.state = STATE_ENDED
            return FRAMING_END
        if need:
            self.file.wanted = need
        else:
            self.file.wanted = self.file.record_header if self.file.state == STATE_PCAP else BLOCK_HEAD
        return FRAMING_MORE

    cdef int header(self, const uint8_t* data, size_t size) noexcept nogil:
        """Read the file header: its octets that are done with, or -1 if it is not there yet or not good."""
        if size < 4:
            self.file.wanted = 24
            return -1
        if be32(data) == BLOCK_SECTION:
            self.file.state = STATE_PCAPNG
            return 0
        return pcap_header(&self.file, data, size)

    cdef const uint8_t* frames_in(self, const uint8_t* p, const uint8_t* end,
                                  Frame* frames, uint32_t* count) noexcept nogil:
        """Frames out of the whole records of [p, end); returns where it stopped."""
        if self.file.state == STATE_PCAP:
            return pcap_records(&self.file, p, end, frames, count)
        return pcapng_blocks(&self.file, p, end, frames, count)

    cdef size_t need(self, const uint8_t* p, size_t rest) noexcept nogil:
        """Size of the record at `p`; 0 if too few are there to tell; of its head if that is not sane."""
        if self.file.state == STATE_PCAP:
            return pcap_need(&self.file, p, rest)
        return pcapng_need(&self.file, p, rest)

    # The Python face.

    def begin_file(self):
        """A new file starts: frame numbers from 1, offsets from 0, a file header expected."""
        self.begin()

    @property
    def frames(self) -> int:
        """Number of the last frame of this file."""
        return self.file.frame_number

    @property
    def last_time(self) -> int | None:
        """Time of the latest frame of all files, nanoseconds since the epoch; None before the first."""
        cdef int64_t latest = 0
        cdef bint any = False
        cdef uint32_t i
        for i in range(self.file.source_count):
            if self.file.sources[i].frames and (not any or self.file.sources[i].last_time > latest):
                latest = self.file.sources[i].last_time
                any = True
        return latest if any else None

    @property
    def end_time(self) -> int | None:
        """When capturing ended, as far as files tell; None where none does."""
        return self.file.end_time or None

    @property
    def position(self) -> int:
        """Octets of this file read."""
        return self.file.offset

    @property
    def cut_at(self) -> int | None:
        """Offset of the record inside which this file ends; None if it ends where it should."""
        return self.file.offset if self.file.cut else None

    @property
    def losses(self) -> dict[str, int]:
        """What was passed over in all files: packets, and interfaces and texts beyond the limits."""
        return {
            "skipped_packets": self.file.skipped,
            "lost_interfaces": self.file.lost_sources,
            "lost_texts": self.file.lost_texts,
        }

    def fault_text(self) -> str | None:
        """Why reading of this file stopped early, and where; None if nothing is wrong."""
        value = self.file.fault_value
        if self.file.fault == FAULT_NONE:
            return None
        if self.file.fault == FAULT_NOT_A_CAPTURE:
            kind = _OTHER_FORMATS.get(value, "it")
            what = f"not a pcap or pcapng file: {kind} begins with {value:08x}"
        elif self.file.fault == FAULT_SHORT_FILE:
            what = f"not a capture file: {value} octets, no whole file header" if value else "an empty file"
        elif self.file.fault == FAULT_VERSION:
            what = f"version {value >> 16}.{value & 0xFFFF} of the format is not known"
        elif self.file.fault == FAULT_RECORD_SIZE:
            what = f"a record of {value} octets, where {self.file.most} are the most there can be"
        elif self.file.fault == FAULT_BLOCK_SIZE:
            what = f"a block of {value} octets, which no block of its type can have"
        elif self.file.fault == FAULT_BYTE_ORDER:
            what = f"a section with the byte-order magic {value:08x}"
        else:
            what = f"no memory for {value} octets"
        return f"{what}, at offset {self.file.offset}"

    cdef object text(self, Text text):
        if text.size == 0:
            return None
        octets = self.file.texts[text.offset:text.offset + text.size]
        return octets.decode("utf-8", "replace").rstrip("\0") or None

    def source_rows(self) -> list[dict[str, object]]:
        """One row a pcap file or pcapng interface, over all files, in order of appearance."""
        rows = []
        cdef Source* s
        cdef uint32_t i
        for i in range(self.file.source_count):
            s = &self.file.sources[i]
            drops = None
            if s.told_drops & (TOLD_INTERFACE_DROPS | TOLD_SYSTEM_DROPS):
                drops = s.interface_drops + s.system_drops
            elif s.told_drops:
                drops = s.packet_drops
            comments = [text for text in (self.text(s.section_comment), self.text(s.comment)) if text]
            rows.append({
                "source": i,
                "file": s.file,
                "format": "pcapng" if s.pcapng else "pcap",
                "interface": self.text(s.name) or self.text(s.description),
                "link": s.link,
                "snaplen": s.snaplen,
                "filter": self.text(s.filter),
                "comment": "\n".join(comments) or None,
                "frames": s.frames,
                "first_frame": s.first_frame if s.frames else None,
                "last_frame": s.last_frame if s.frames else None,
                "first_time": s.first_time if s.frames else None,
                "last_time": s.last_time if s.frames else None,
                "drops": drops,
            })
        return rows

    cdef uint64_t run(self, const uint8_t* data, size_t size, size_t window, list out):
        """Feed a whole file in windows; frames go to `out` unless it is None."""
        cdef Frame frames[FRAME_BATCH]
        cdef uint32_t count = 0
        cdef uint32_t i
        cdef size_t at = 0
        cdef size_t consumed = 0
        cdef size_t given
        cdef uint64_t total = 0
        cdef int result
        cdef bint last
        cdef unsigned int beyond = 0
        self.begin()
        while True:
            given = self.file.wanted if self.file.wanted > window else window
            last = size - at <= given
            if last:
                given = size - at
            with nogil:
                result = self.fill(data + at, given, last, frames, &count, &consumed)
                for i in range(count):         # every frame may be read beyond: let a checker see it if not
                    beyond += frames[i].octets[frames[i].size + PADDING - 1]
            at += consumed
            total += count
            if out is not None:
                for i in range(count):
                    out.append((
                        frames[i].number,
                        frames[i].time,
                        frames[i].octets[:frames[i].size],
                        frames[i].wire_size,
                        frames[i].source,
                        frames[i].link,
                        frames[i].direction,
                    ))
            if result == FRAMING_END or (result == FRAMING_MORE and last):
                break
        self.padding_sum = beyond
        return total

    def read(
        self, const uint8_t[::1] data not None, size_t window=1 << 20
    ) -> list[tuple[int, int, bytes, int, int, int, int]]:
        """Read a whole file: (number, time, octets, wire size, source, link type, direction) a frame."""
        frames = []
        self.run(&data[0] if data.shape[0] else NULL, <size_t>data.shape[0], window, frames)
        return frames

    def count(self, const uint8_t[::1] data not None, size_t window=1 << 20) -> int:
        """Read a whole file for its sources only: how many frames it has."""
        return self.run(&data[0] if data.shape[0] else NULL, <size_t>data.shape[0], window, None)
