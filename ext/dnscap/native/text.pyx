"""Text out of octets: a growing buffer and writers of numbers, hex, base64, names and addresses."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

from dnscap.native.octets cimport be16

cdef extern from "text.h" nogil:
    const char dnscap_base64[65]
    const char dnscap_base32[33]

cdef const uint8_t NO_OCTETS = 0   # where empty input points


cdef int text_open(Text* out, size_t room) noexcept nogil:
    out.octets = <uint8_t*>malloc(room)
    out.size = 0
    out.room = room if out.octets != NULL else 0
    return 0 if out.octets != NULL else -1


cdef void text_close(Text* out) noexcept nogil:
    free(out.octets)
    memset(out, 0, sizeof(Text))


cdef int text_grow(Text* out, size_t more) noexcept nogil:
    cdef size_t room = out.size + more
    cdef uint8_t* octets
    if room < more:
        return -1
    if room < out.room + out.room // 2:        # by half: the buffer of a large capture would double into swap
        room = out.room + out.room // 2
    octets = <uint8_t*>realloc(out.octets, room)
    if octets == NULL:
        return -1
    out.octets = octets
    out.room = room
    return 0


cdef uint8_t* put_decimal(uint8_t* to, uint64_t number) noexcept nogil:
    cdef uint8_t[20] digits
    cdef int n = 20
    if number < 256:
        return put_u8(to, <uint8_t>number)
    while number:
        n -= 1
        digits[n] = <uint8_t>(c'0' + number % 10)
        number //= 10
    memcpy(to, &digits[n], 20 - n)
    return to + (20 - n)


cdef uint8_t* put_hex(uint8_t* to, const uint8_t* octets, uint32_t size, uint32_t chunk) noexcept nogil:
    """Hex digits, a space between chunks of `chunk` octets (0: none)."""
    cdef uint32_t i, until = chunk if chunk else size
    for i in range(size):
        if i == until:
            to = put_octet(to, c' ')
            until += chunk
        to[0] = dnscap_hex[octets[i] >> 4]
        to[1] = dnscap_hex[octets[i] & 15]
        to += 2
    return to


cdef uint8_t* put_base64(uint8_t* to, const uint8_t* octets, uint32_t size, uint32_t chunk) noexcept nogil:
    """Base64, a space between chunks of `chunk` octets (0: none), which three must divide."""
    cdef uint32_t i = 0, until = chunk if chunk else size, bits
    while i + 3 <= size:
        if i == until:
            to = put_octet(to, c' ')
            until += chunk
        bits = <uint32_t>octets[i] << 16 | <uint32_t>octets[i + 1] << 8 | octets[i + 2]
        to[0] = dnscap_base64[bits >> 18]
        to[1] = dnscap_base64[bits >> 12 & 63]
        to[2] = dnscap_base64[bits >> 6 & 63]
        to[3] = dnscap_base64[bits & 63]
        to += 4
        i += 3
    if i < size:
        if i == until and i:
            to = put_octet(to, c' ')
        bits = <uint32_t>octets[i] << 16
        if i + 1 < size:
            bits |= <uint32_t>octets[i + 1] << 8
        to[0] = dnscap_base64[bits >> 18]
        to[1] = dnscap_base64[bits >> 12 & 63]
        to[2] = dnscap_base64[bits >> 6 & 63] if i + 1 < size else c'='
        to[3] = c'='
        to += 4
    return to


cdef uint8_t* put_base32(uint8_t* to, const uint8_t* octets, uint32_t size) noexcept nogil:
    """Base32 with the extended hex alphabet, lower case, without padding (RFC 5155 section 3.3)."""
    cdef uint32_t i, bits = 0
    cdef int held = 0
    for i in range(size):
        bits = (bits << 8 | octets[i]) & 0xFFFF
        held += 8
        while held >= 5:
            held -= 5
            to = put_octet(to, dnscap_base32[bits >> held & 31])
    if held:
        to = put_octet(to, dnscap_base32[bits << (5 - held) & 31])
    return to


cdef uint8_t* put_escaped(uint8_t* to, const uint8_t* octets, uint32_t size) noexcept nogil:
    """The inside of a quoted character-string (RFC 1035 section 5.1)."""
    cdef uint32_t i
    cdef uint8_t c
    for i in range(size):
        c = octets[i]
        if c < 0x20 or c > 0x7E:
            to = put_ddd(to, c)
            continue
        if c == c'"' or c == c'\\':
            to = put_octet(to, c'\\')
        to = put_octet(to, c)
    return to


cdef uint8_t* put_date(uint8_t* to, uint32_t seconds) noexcept nogil:
    """YYYYMMDDHHmmSS in UTC (RFC 4034 section 3.2), counting years from March so that leap days come last."""
    cdef uint32_t days = seconds // 86400 + 719468, rest = seconds % 86400
    cdef uint32_t era = days // 146097, day_of_era = days % 146097
    cdef uint32_t leap_days = day_of_era // 1460 - day_of_era // 36524 + day_of_era // 146096
    cdef uint32_t year_of_era = (day_of_era - leap_days) // 365
    cdef uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    cdef uint32_t shifted = (5 * day_of_year + 2) // 153
    cdef uint32_t day = day_of_year - (153 * shifted + 2) // 5 + 1
    cdef uint32_t month = shifted + 3 if shifted < 10 else shifted - 9
    cdef uint32_t year = year_of_era + era * 400 + (1 if month <= 2 else 0)
    cdef uint32_t[7] pairs
    cdef int i
    pairs[0] = year // 100
    pairs[1] = year % 100
    pairs[2] = month
    pairs[3] = day
    pairs[4] = rest // 3600
    pairs[5] = rest // 60 % 60
    pairs[6] = rest % 60
    for i in range(7):
        to[0] = <uint8_t>(c'0' + pairs[i] // 10)
        to[1] = <uint8_t>(c'0' + pairs[i] % 10)
        to += 2
    return to


cdef inline uint8_t* put_group(uint8_t* to, uint32_t group) noexcept nogil:
    if group > 0xFFF:
        to = put_octet(to, dnscap_hex[group >> 12])
    if group > 0xFF:
        to = put_octet(to, dnscap_hex[group >> 8 & 15])
    if group > 0xF:
        to = put_octet(to, dnscap_hex[group >> 4 & 15])
    return put_octet(to, dnscap_hex[group & 15])


cdef uint8_t* put_ipv6(uint8_t* to, const uint8_t* address) noexcept nogil:
    """RFC 5952: the first of the longest runs of two or more zero groups becomes `::`.

    Mapped and compatible IPv4 addresses end in dotted decimal, as inet_ntop writes them.
    """
    cdef uint32_t[8] groups
    cdef int i, run = 0, most = 1, gap = -1
    for i in range(8):
        groups[i] = be16(address + 2 * i)
        if groups[i]:
            run = 0
            continue
        run += 1
        if run > most:
            most = run
            gap = i - run + 1
    if gap == 0 and (most == 6 or (most == 5 and groups[5] == 0xFFFF)):
        memcpy(to, "::ffff:", 7)
        return put_ipv4(to + (2 if most == 6 else 7), address + 12)
    i = 0
    while i < 8:
        if i == gap:
            to[0] = to[1] = c':'
            to += 2
            i += most
            continue
        if i and i != gap + most:
            to = put_octet(to, c':')
        to = put_group(to, groups[i])
        i += 1
    return to


cdef uint8_t* put_name_escaped(uint8_t* to, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef uint32_t at = 0, end, octet
    cdef uint8_t c
    cdef int need
    while at < size and name[at]:
        octet = name[at]
        end = at + 1 + octet if octet <= 63 and at + 1 + octet <= size else size
        at += 1
        while at < end:
            c = name[at]
            need = dnscap_label_octet(c)
            if need == DNSCAP_PLAIN:
                to = put_octet(to, c | 0x20 if c'A' <= c <= c'Z' else c)
            elif need == DNSCAP_QUOTED:
                to[0] = c'\\'
                to[1] = c
                to += 2
            else:
                to = put_ddd(to, c)
            at += 1
        to = put_octet(to, c'.')
    return to


cdef uint8_t* put_name(uint8_t* to, const uint8_t* name, uint32_t size) noexcept nogil:
    """The text of most names is their wire format moved by one octet, with dots for the length octets."""
    cdef uint32_t n, at, odd
    cdef uint8_t length
    if size <= 1 or name[0] == 0:
        return put_octet(to, c'.')
    if size > 255:
        size = 255
    n = size - 1
    memcpy(to, name + 1, n)
    memset(to + n, c'a', 16)
    odd = dnscap_fold(to, n)
    at = name[0]
    while at < n:
        length = name[at + 1]
        if dnscap_label_octet(length) != DNSCAP_PLAIN:
            odd -= 1
        to[at] = c'.'
        if length == 0:
            break
        at += length + 1
    # Ended by the root label and nothing to escape; anything else goes the careful way.
    if odd == 0 and at == n - 1 and name[at + 1] == 0:
        return to + n
    return put_name_escaped(to, name, size)


cdef int name_text(const uint8_t* name, uint32_t size, Text* out) noexcept nogil:
    if text_reserve(out, NAME_TEXT_ROOM) != 0:
        return -1
    out.size = put_name(out.octets + out.size, name, size) - out.octets
    return 0


cdef int address_text(const uint64_t* address, Text* out) noexcept nogil:
    cdef const uint8_t* octets = <const uint8_t*>address
    cdef uint8_t* to
    if text_reserve(out, 48) != 0:
        return -1
    to = out.octets + out.size
    if address[0] == 0 and be16(octets + 8) == 0 and be16(octets + 10) == 0xFFFF:
        to = put_ipv4(to, octets + 12)
    else:
        to = put_ipv6(to, octets)
    out.size = to - out.octets
    return 0


def format_names(const uint64_t[::1] offsets not None, const uint8_t[::1] blob not None):
    """Format wire-format names blob[offsets[i]:offsets[i+1]]; return the text octets and int64 offsets."""
    cdef size_t rows = offsets.shape[0] - 1 if offsets.shape[0] else 0, i
    cdef uint64_t size = <uint64_t>blob.shape[0]
    cdef const uint8_t* octets = &blob[0] if size else &NO_OCTETS
    cdef bytes ends = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>((rows + 1) * 8))
    cdef int64_t* end = <int64_t*>PyBytes_AS_STRING(ends)
    cdef Text out
    cdef uint32_t length
    cdef int failed
    failed = text_open(&out, size + size // 4 + NAME_TEXT_ROOM)
    try:
        with nogil:
            end[0] = 0
            for i in range(rows):
                if failed or offsets[i] > offsets[i + 1] or offsets[i + 1] > size:
                    failed = failed or -2
                    break
                length = <uint32_t>min(offsets[i + 1] - offsets[i], <uint64_t>255)
                failed = name_text(octets + offsets[i], length, &out)
                end[i + 1] = <int64_t>out.size
        if failed == -2:
            raise ValueError("offsets must rise and stay within the octets")
        if failed:
            raise MemoryError
        return PyBytes_FromStringAndSize(<char*>out.octets, <Py_ssize_t>out.size), ends
    finally:
        text_close(&out)


def format_addresses(const uint8_t[::1] blob not None):
    """Format addresses of 16 octets each, IPv4 as ::ffff:a.b.c.d; return text octets and int64 offsets."""
    cdef size_t rows = <size_t>blob.shape[0] // 16, i
    cdef bytes ends = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>((rows + 1) * 8))
    cdef int64_t* end = <int64_t*>PyBytes_AS_STRING(ends)
    cdef uint64_t[2] address
    cdef Text out
    cdef int failed
    failed = text_open(&out, rows * 16 + 64)
    try:
        with nogil:
            end[0] = 0
            for i in range(rows):
                memcpy(address, &blob[i * 16], 16)
                if failed == 0:
                    failed = address_text(address, &out)
                end[i + 1] = <int64_t>out.size
        if failed:
            raise MemoryError
        return PyBytes_FromStringAndSize(<char*>out.octets, <Py_ssize_t>out.size), ends
    finally:
        text_close(&out)
