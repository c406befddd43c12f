"""Texts as they stand in JSON (RFC 8259) and in CSV (RFC 4180), and the buffer they go into."""
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy

from dnscap.native.digits cimport NUMBER_ROOM, put_two

cdef extern from "lines.h" nogil:
    size_t json_plain(const uint8_t* text, size_t size) noexcept
    size_t csv_plain(const uint8_t* text, size_t size) noexcept

cdef enum:
    SLACK = 16                # octets past the end of a sink that a block copy may touch
    FIRST_ROOM = 1 << 16

cdef enum:
    FINE = 0
    NO_MEMORY = 1
    BAD_BATCH = 2             # offsets or dictionary codes that do not fit their values


cdef struct Sink:
    uint8_t* base
    uint8_t* at
    uint8_t* end              # SLACK octets before the true end


cdef inline int grow(Sink* sink, size_t need) noexcept nogil:
    cdef size_t used = sink.at - sink.base
    cdef size_t room = (sink.end - sink.base) * 2
    cdef uint8_t* base
    if room < used + need:
        room = used + need
    if room < FIRST_ROOM:
        room = FIRST_ROOM
    base = <uint8_t*>realloc(sink.base, room + SLACK)
    if base == NULL:
        return 0
    sink.base = base
    sink.at = base + used
    sink.end = base + room
    return 1


cdef inline bint has_room(Sink* sink, size_t need) noexcept nogil:
    if <size_t>(sink.end - sink.at) >= need:
        return 1
    return grow(sink, need)


cdef inline void copy_blocks(uint8_t* to, const uint8_t* source, size_t size) noexcept nogil:
    """Copy in blocks of 16; both sides must allow SLACK octets more than `size`."""
    cdef size_t i = 0
    while True:
        memcpy(to + i, source + i, 16)
        i += 16
        if i >= size:
            return


cdef inline uint32_t utf8_step(const uint8_t* p, size_t left, uint32_t* point) noexcept nogil:
    """Read one character; return how many octets it takes.

    Where the octets are not UTF-8, `point` is U+FFFD and the octets taken are the longest
    beginning of a character (Unicode 16.0 section 3.9.6), as Python's decoder does it.
    """
    cdef uint32_t c = p[0]
    cdef uint32_t size
    cdef uint32_t low = 0x80
    cdef uint32_t high = 0xBF
    cdef uint32_t value
    cdef uint32_t i
    if c < 0x80:
        point[0] = c
        return 1
    point[0] = 0xFFFD
    if c < 0xC2 or c > 0xF4:
        return 1
    if c < 0xE0:
        size = 2
        value = c & 0x1F
    elif c < 0xF0:
        size = 3
        value = c & 0x0F
        if c == 0xE0:
            low = 0xA0
        elif c == 0xED:           # surrogates are no characters
            high = 0x9F
    else:
        size = 4
        value = c & 0x07
        if c == 0xF0:
            low = 0x90
        elif c == 0xF4:
            high = 0x8F
    for i in range(1, size):
        if i >= left or not low <= p[i] <= high:
            return i
        value = value << 6 | (p[i] & 0x3F)
        low = 0x80
        high = 0xBF
    point[0] = value
    return size


cdef inline void put_hex4(uint8_t* at, uint32_t x) noexcept nogil:
    cdef uint32_t digit
    cdef int i
    for i in range(4):
        digit = x >> (12 - 4 * i) & 15
        at[i] = <uint8_t>(48 + digit if digit < 10 else 87 + digit)


cdef inline bint misleads(uint32_t point) noexcept nogil:
    """Whether a character steers a terminal or reorders what people see: C1 controls, marks of
    direction, line and paragraph separators, the byte order mark."""
    return (point < 0xA0 or point == 0x61C or 0x200E <= point <= 0x200F or 0x2028 <= point <= 0x202E
            or 0x2066 <= point <= 0x2069 or point == 0xFEFF)


cdef inline int put_json_text(Sink* out, const uint8_t* text, size_t size) noexcept nogil:
    cdef size_t plain
    cdef uint32_t point
    cdef uint32_t used
    cdef uint8_t c
    cdef uint8_t* at
    if not has_room(out, 1):
        return NO_MEMORY
    out.at[0] = c'"'
    out.at += 1
    while True:
        plain = json_plain(text, size)
        if not has_room(out, plain + NUMBER_ROOM):
            return NO_MEMORY
        at = out.at
        memcpy(at, text, plain)
        at += plain
        if plain == size:
            at[0] = c'"'
            out.at = at + 1
            return FINE
        text += plain
        size -= plain
        c = text[0]
        used = 1
        if c == c'"' or c == c'\\':
            at[0] = c'\\'
            at[1] = c
            at += 2
        elif c == c'\n' or c == c'\r' or c == c'\t':
            at[0] = c'\\'
            at[1] = c'n' if c == c'\n' else c'r' if c == c'\r' else c't'
            at += 2
        else:
            used = utf8_step(text, size, &point)
            if misleads(point):
                memcpy(at, b"\\u", 2)
                put_hex4(at + 2, point)
                at += 6
            elif point == 0xFFFD:
                memcpy(at, b"\xef\xbf\xbd", 3)
                at += 3
            else:
                memcpy(at, text, used)
                at += used
        out.at = at
        text += used
        size -= used


cdef inline bint begins_formula(const uint8_t* text, size_t size) noexcept nogil:
    """Whether a spreadsheet takes a cell that begins so for a formula; full-width forms included."""
    if text[0] == c'=' or text[0] == c'+' or text[0] == c'-' or text[0] == c'@':
        return 1
    return (size >= 3 and text[0] == 0xEF and text[1] == 0xBC
            and (text[2] == 0x8B or text[2] == 0x8D or text[2] == 0x9D or text[2] == 0xA0))


cdef inline uint8_t* put_octet_escaped(uint8_t* at, uint8_t c) noexcept nogil:
    """Write an octet as RFC 1035 section 5.1 has it: a backslash and three decimal digits."""
    at[0] = c'\\'
    at[1] = <uint8_t>(48 + c // 100)
    put_two(at + 2, c % 100)
    return at + 4


cdef inline int put_csv_text_odd(Sink* out, const uint8_t* text, size_t size) noexcept nogil:
    cdef size_t i
    cdef size_t plain
    cdef bint quoted = 0
    # 1: a cell begins here; 2: it does where a spreadsheet splits at semicolons, tabs or line ends
    cdef int fresh = 1
    cdef uint32_t point
    cdef uint32_t used
    cdef uint8_t c
    cdef uint8_t* at
    for i in range(size):
        c = text[i]
        if c == c'"' or c == c',' or c == c'\n' or c == c'\r':
            quoted = 1
            break
    if not has_room(out, 1):
        return NO_MEMORY
    if quoted:
        out.at[0] = c'"'
        out.at += 1
    while True:
        plain = csv_plain(text, size)
        if not has_room(out, plain + NUMBER_ROOM):
            return NO_MEMORY
        at = out.at
        if fresh and size > 0 and begins_formula(text, size):
            at[0] = c'\\'
            at += 1
            fresh = 0
        memcpy(at, text, plain)
        at += plain
        if plain == size:
            if quoted:
                at[0] = c'"'
                at += 1
            out.at = at
            return FINE
        if plain:
            fresh = 0
        text += plain
        size -= plain
        c = text[0]
        used = 1
        if c == c'"':
            memcpy(at, b'""', 2)
            at += 2
            fresh = 2 if fresh == 2 else 0
        elif c == c',':
            at[0] = c
            at += 1
            fresh = 0
        elif c == c';' or c == c'\t' or c == c'\n' or c == c'\r':
            at[0] = c
            at += 1
            fresh = 2
        else:
            fresh = 0
            used = utf8_step(text, size, &point)
            if point < 0xA0:      # C0, DEL, C1
                for i in range(used):
                    at = put_octet_escaped(at, text[i])
            elif point == 0xFFFD:
                memcpy(at, b"\xef\xbf\xbd", 3)
                at += 3
            else:
                memcpy(at, text, used)
                at += used
        out.at = at
        text += used
        size -= used


cdef inline int put_csv_text(Sink* out, const uint8_t* text, size_t size) noexcept nogil:
    if size == 0:                 # a text without characters is not an unknown text
        if not has_room(out, 2):
            return NO_MEMORY
        memcpy(out.at, b'""', 2)
        out.at += 2
        return FINE
    if csv_plain(text, size) != size or begins_formula(text, size):
        return put_csv_text_odd(out, text, size)
    if not has_room(out, size):
        return NO_MEMORY
    memcpy(out.at, text, size)
    out.at += size
    return FINE
