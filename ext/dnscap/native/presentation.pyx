"""Presentation format of RDATA and EDNS options."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset, strlen

from dnscap.native.octets cimport be16, be32, be64
from dnscap.native.rdata cimport (
    CLASS_ANY, CLASS_IN, CLASS_NONE, F_ALGORITHM, F_BASE64, F_BASE64_WHOLE, F_BITMAP, F_CERTIFICATE,
    F_DECIMAL_STRING, F_DISCOVERY, F_END, F_EUI48, F_EUI64, F_FLAT_BITMAP, F_GATEWAY, F_HASH, F_HEX,
    F_HEX_0X, F_IDENTITY, F_IPV4, F_IPV6, F_KEY, F_LOCATION, F_LOCATOR, F_MAC, F_MORE_KEY, F_MORE_STRING,
    F_NAME, F_NAMES, F_OCTAL, F_OTHER, F_PARAMS, F_PORTS, F_PREFIXES, F_RCODE, F_RELAY, F_SALT, F_SCHEME,
    F_SOME_TEXT, F_STRING, F_STRINGS, F_TAG, F_TEXT, F_TIME, F_TYPE, F_U16, F_U32, F_U48, F_U64, F_U8,
    MOST_RDATA, PARAM_ALPN, PARAM_DOCPATH, PARAM_ECH, PARAM_IPV4HINT, PARAM_IPV6HINT, PARAM_MANDATORY,
    PARAM_PORT, TYPE_A, TYPE_AAAA, TYPE_DLV, TYPE_TA, dnscap_form, field_end, form_of, name_end,
)
from dnscap.native.text cimport (
    NAME_TEXT_ROOM,
    put_base32,
    put_base64,
    put_date,
    put_ddd,
    put_decimal,
    put_escaped,
    put_hex,
    put_ipv4,
    put_ipv6,
    put_name,
    put_octet,
    text_close,
    text_open,
    text_reserve,
)

from dnscap.registry import EDNS_OPTIONS, RCODES, RRTYPES

cdef extern from "rdata_forms.h" nogil:
    enum:
        DNSCAP_PARAM_NAMES
    const char* const* dnscap_algorithms
    const char* const* dnscap_certificates
    const char* const* dnscap_param_names

cdef enum:
    TYPE_NULL = 10
    FIRST_PRIVATE_TYPE = 65280
    HEX_CHUNK = 64                 # octets between spaces, as other tools print long digests and keys
    BASE64_CHUNK = 24
    NAMED_TYPES = 512
    NAMED_RCODES = 32
    OPTION_NSID = 3
    OPTION_ECS = 8
    OPTION_COOKIE = 10
    OPTION_EDE = 15

cdef const uint8_t NO_OCTETS = 0   # where empty input points

# Mnemonics come from the registry module once, at import: one table for columns and for types inside RDATA.
cdef char[NAMED_TYPES][16] type_names
cdef uint8_t[NAMED_TYPES] type_name_sizes
cdef char[NAMED_RCODES][16] rcode_names


def _load_names():
    cdef bytes text
    for number, name in RRTYPES.items():
        text = name.encode("ascii")
        if number < NAMED_TYPES and len(text) < 16:
            memcpy(&type_names[number][0], PyBytes_AS_STRING(text), len(text))
            type_name_sizes[number] = <uint8_t>len(text)
    for number, name in RCODES.items():
        text = b"BADSIG" if number == 16 else name.encode("ascii")     # in a TSIG, RFC 8945 section 3
        if number < NAMED_RCODES and len(text) < 16:
            memcpy(&rcode_names[number][0], PyBytes_AS_STRING(text), len(text))


_load_names()


# Text: room has been reserved by `rdata_text`, form checked by `field_end`.

cdef uint8_t* put_chars(uint8_t* to, const char* text) noexcept nogil:
    cdef size_t n = strlen(text)
    memcpy(to, text, n)
    return to + n


cdef uint8_t* put_type(uint8_t* to, uint16_t rtype) noexcept nogil:
    if rtype < NAMED_TYPES and type_name_sizes[rtype]:
        memcpy(to, &type_names[rtype][0], 16)
        return to + type_name_sizes[rtype]
    if rtype == TYPE_TA:
        return put_chars(to, "TA")
    if rtype == TYPE_DLV:
        return put_chars(to, "DLV")
    return put_decimal(put_chars(to, "TYPE"), rtype)


cdef uint8_t* put_named(uint8_t* to, const char* const* names, uint32_t many, uint32_t number) noexcept nogil:
    if number < many and names[number] != NULL:
        return put_chars(to, names[number])
    return put_decimal(to, number)


cdef uint8_t* put_string(uint8_t* to, const uint8_t* octets, uint32_t size) noexcept nogil:
    to = put_escaped(put_octet(to, c'"'), octets, size)
    return put_octet(to, c'"')


cdef uint8_t* put_grouped(uint8_t* to, const uint8_t* p, const uint8_t* q, uint32_t many,
                          uint8_t between) noexcept nogil:
    """Hex in groups of `many` octets."""
    while True:
        to = put_hex(to, p, many, 0)
        p += many
        if p >= q:
            return to
        to = put_octet(to, between)


cdef uint8_t* put_bits(uint8_t* to, const uint8_t* octets, uint32_t size, uint32_t first,
                       bint types) noexcept nogil:
    """A space and a type (or a port) for every bit set."""
    cdef uint32_t i, bit
    for i in range(size):
        if octets[i] == 0:
            continue
        for bit in range(8):
            if octets[i] & (0x80 >> bit):
                to = put_octet(to, c' ')
                if types:
                    to = put_type(to, <uint16_t>(first + i * 8 + bit))
                else:
                    to = put_decimal(to, i * 8 + bit)
    return to


cdef uint8_t* put_list_octet(uint8_t* to, uint8_t c) noexcept nogil:
    """An octet of an item in a comma-separated list: escaped for the list, then for the character-string."""
    if c == c',':
        return put_octet(put_octet(put_octet(to, c'\\'), c'\\'), c',')
    if c == c'\\':
        return put_chars(to, "\\\\\\\\")
    if c == c'"':
        return put_chars(to, '\\"')
    if c < 0x20 or c > 0x7E:
        return put_ddd(to, c)
    return put_octet(to, c)


cdef uint8_t* put_param_name(uint8_t* to, uint32_t key) noexcept nogil:
    if key < DNSCAP_PARAM_NAMES and dnscap_param_names[key] != NULL:
        return put_chars(to, dnscap_param_names[key])
    return put_decimal(put_chars(to, "key"), key)


cdef uint8_t* put_param(uint8_t* to, uint32_t key, const uint8_t* p, const uint8_t* q) noexcept nogil:
    cdef const uint8_t* start = p
    cdef uint32_t i
    to = put_param_name(to, key)
    if p == q:
        return to
    to = put_chars(to, '="')
    if key == PARAM_PORT:
        to = put_decimal(to, be16(p))
    elif key == PARAM_ECH:
        to = put_base64(to, p, <uint32_t>(q - p), 0)
    elif (key == PARAM_MANDATORY or key == PARAM_ALPN or key == PARAM_DOCPATH or key == PARAM_IPV4HINT
          or key == PARAM_IPV6HINT):
        while p < q:
            if p > start:
                to = put_octet(to, c',')
            if key == PARAM_MANDATORY:
                to = put_param_name(to, be16(p))
                p += 2
            elif key == PARAM_IPV4HINT:
                to = put_ipv4(to, p)
                p += 4
            elif key == PARAM_IPV6HINT:
                to = put_ipv6(to, p)
                p += 16
            else:
                for i in range(p[0]):
                    to = put_list_octet(to, p[1 + i])
                p += 1 + p[0]
    else:
        to = put_escaped(to, p, <uint32_t>(q - p))
    return put_octet(to, c'"')


cdef uint8_t* put_prefixes(uint8_t* to, const uint8_t* p, const uint8_t* q) noexcept nogil:
    cdef uint8_t[16] address
    cdef const uint8_t* start = p
    cdef uint32_t size
    while p < q:
        if p > start:
            to = put_octet(to, c' ')
        if p[3] & 0x80:
            to = put_octet(to, c'!')
        to = put_octet(put_decimal(to, be16(p)), c':')
        size = p[3] & 0x7F
        if be16(p) == 1 or be16(p) == 2:
            memset(address, 0, 16)
            memcpy(address, p + 4, size)
            to = put_ipv4(to, address) if be16(p) == 1 else put_ipv6(to, address)
        else:
            to = put_hex(to, p + 4, size, 0)
        to = put_decimal(put_octet(to, c'/'), p[2])
        p += 4 + size
    return to


cdef uint8_t* put_hundredths(uint8_t* to, int64_t number) noexcept nogil:
    """Centimetres as metres with two decimals."""
    if number < 0:
        to = put_octet(to, c'-')
        number = -number
    to = put_octet(put_decimal(to, <uint64_t>(number // 100)), c'.')
    to = put_octet(to, <uint8_t>(c'0' + number // 10 % 10))
    return put_octet(put_octet(to, <uint8_t>(c'0' + number % 10)), c'm')


cdef uint8_t* put_angle(uint8_t* to, uint32_t number, uint8_t positive, uint8_t negative) noexcept nogil:
    cdef bint below = number < <uint32_t>0x80000000
    cdef uint32_t rest = <uint32_t>0x80000000 - number if below else number - <uint32_t>0x80000000
    to = put_octet(put_decimal(to, rest // 3600000), c' ')
    to = put_octet(put_decimal(to, rest // 60000 % 60), c' ')
    to = put_octet(put_decimal(to, rest // 1000 % 60), c'.')
    to = put_octet(to, <uint8_t>(c'0' + rest // 100 % 10))
    to = put_octet(to, <uint8_t>(c'0' + rest // 10 % 10))
    to = put_octet(put_octet(to, <uint8_t>(c'0' + rest % 10)), c' ')
    return put_octet(to, negative if below else positive)


cdef int64_t size_of(uint8_t octet) noexcept nogil:
    """A LOC size: mantissa and power of ten, in centimetres (RFC 1876 section 2)."""
    cdef int64_t size = octet >> 4
    cdef int power = octet & 15
    while power:
        size *= 10
        power -= 1
    return size


cdef uint8_t* put_location(uint8_t* to, const uint8_t* p) noexcept nogil:
    cdef int i
    to = put_octet(put_angle(to, be32(p + 4), c'N', c'S'), c' ')
    to = put_octet(put_angle(to, be32(p + 8), c'E', c'W'), c' ')
    to = put_hundredths(to, <int64_t>be32(p + 12) - 10000000)
    # The defaults of RFC 1876 section 3 are not shown.
    if size_of(p[1]) != 100 or size_of(p[2]) != 1000000 or size_of(p[3]) != 1000:
        for i in range(1, 4):
            to = put_hundredths(put_octet(to, c' '), size_of(p[i]))
    return to


cdef uint8_t* put_field(int kind, const uint8_t* start, const uint8_t* p, const uint8_t* q,
                        uint8_t* to) noexcept nogil:
    cdef uint32_t size = <uint32_t>(q - p), i
    cdef const uint8_t* next
    if kind == F_NAME:
        return put_name(to, p, size)
    elif kind == F_U8:
        return put_decimal(to, p[0])
    elif kind == F_U16:
        return put_decimal(to, be16(p))
    elif kind == F_U32:
        return put_decimal(to, be32(p))
    elif kind == F_U48:
        return put_decimal(to, <uint64_t>be16(p) << 32 | be32(p + 2))
    elif kind == F_U64:
        return put_decimal(to, be64(p))
    elif kind == F_IPV4:
        return put_ipv4(to, p)
    elif kind == F_IPV6:
        return put_ipv6(to, p)
    elif kind == F_TIME:
        return put_date(to, be32(p))
    elif kind == F_TYPE:
        return put_type(to, be16(p))
    elif kind == F_CERTIFICATE:
        return put_named(to, dnscap_certificates, 256, be16(p))
    elif kind == F_ALGORITHM:
        return put_named(to, dnscap_algorithms, 256, p[0])
    elif kind == F_SCHEME:
        return put_chars(to, "NOTIFY") if p[0] == 1 else put_decimal(to, p[0])
    elif kind == F_RCODE:
        if be16(p) < NAMED_RCODES and rcode_names[be16(p)][0]:
            return put_chars(to, &rcode_names[be16(p)][0])
        return put_decimal(to, be16(p))
    elif kind == F_OCTAL:
        i = 15
        while i and be16(p) >> i == 0:
            i -= 3
        while True:
            to = put_octet(to, <uint8_t>(c'0' + (be16(p) >> i & 7)))
            if i == 0:
                return to
            i -= 3
    elif kind == F_LOCATOR:
        return put_grouped(to, p, q, 2, c':')
    elif kind == F_EUI48 or kind == F_EUI64:
        return put_grouped(to, p, q, 1, c'-')
    elif kind == F_STRING:
        return put_string(to, p + 1, size - 1)
    elif kind == F_MORE_STRING:
        return put_string(put_octet(to, c' '), p + 1, size - 1) if size > 1 else to
    elif kind == F_STRINGS:
        while True:
            to = put_string(to, p + 1, p[0])
            p += 1 + p[0]
            if p == q:
                return to
            to = put_octet(to, c' ')
    elif kind == F_DECIMAL_STRING or kind == F_TAG:
        memcpy(to, p + 1, size - 1)
        return to + size - 1
    elif kind == F_SALT:
        return put_hex(to, p + 1, size - 1, 0) if size > 1 else put_octet(to, c'-')
    elif kind == F_HASH:
        return put_base32(to, p + 1, size - 1)
    elif kind == F_MAC:
        to = put_octet(put_decimal(to, size - 2), c' ')
        return put_base64(to, p + 2, size - 2, 0) if size > 2 else put_chars(to, '""')
    elif kind == F_OTHER:
        to = put_decimal(to, size - 2)
        return put_base64(put_octet(to, c' '), p + 2, size - 2, 0) if size > 2 else to
    elif kind == F_KEY:
        return put_base64(to, p + 2, size - 2, 0) if size > 2 else put_chars(to, '""')
    elif kind == F_MORE_KEY:
        return put_base64(put_octet(to, c' '), p + 2, size - 2, 0) if size > 2 else to
    elif kind == F_TEXT or kind == F_SOME_TEXT:
        return put_string(to, p, size)
    elif kind == F_HEX:
        return put_hex(to, p, size, HEX_CHUNK)
    elif kind == F_HEX_0X:
        return put_hex(put_chars(to, "0x"), p, size, 0)
    elif kind == F_BASE64:
        return put_base64(to, p, size, BASE64_CHUNK)
    elif kind == F_BASE64_WHOLE:
        return put_base64(to, p, size, 0)
    elif kind == F_BITMAP:
        while p < q:
            to = put_bits(to, p + 2, p[1], <uint32_t>p[0] << 8, True)
            p += 2 + p[1]
        return to
    elif kind == F_FLAT_BITMAP:
        return put_bits(to, p, size, 0, True)
    elif kind == F_PORTS:
        next = to
        to = put_bits(to, p, size, 0, False)
        return to if to > next else put_octet(to, c' ')
    elif kind == F_PARAMS:
        while p < q:
            next = p + 4 + be16(p + 2)
            to = put_param(put_octet(to, c' '), be16(p), p + 4, next)
            p = next
        return to
    elif kind == F_PREFIXES:
        return put_prefixes(to, p, q)
    elif kind == F_NAMES:
        while p < q:
            next = name_end(p, q)
            to = put_name(put_octet(to, c' '), p, <uint32_t>(next - p))
            p = next
        return to
    elif kind == F_GATEWAY or kind == F_RELAY:
        i = start[1] & 0x7F if kind == F_RELAY else start[1]
        if i == 0:
            return put_octet(to, c'.')
        if i == 3:
            return put_name(to, p, size)
        return put_ipv4(to, p) if i == 1 else put_ipv6(to, p)
    elif kind == F_DISCOVERY:
        to = put_octet(put_octet(to, <uint8_t>(c'0' + (p[0] >> 7))), c' ')
        return put_decimal(to, p[0] & 0x7F)
    elif kind == F_LOCATION:
        return put_location(to, p) if p[0] == 0 else NULL
    elif kind == F_IDENTITY:
        to = put_octet(put_decimal(to, p[1]), c' ')
        to = put_octet(put_hex(to, p + 4, p[0], 0), c' ')
        return put_base64(to, p + 4 + p[0], be16(p + 2), 0)
    return NULL


cdef inline bint spaces_itself(int kind) noexcept nogil:
    """Kinds that may write nothing, and so put the space before them themselves."""
    return (kind == F_MORE_STRING or kind == F_NAMES or kind == F_BITMAP or kind == F_FLAT_BITMAP
            or kind == F_PARAMS or kind == F_MORE_KEY or kind == F_PORTS)


cdef inline size_t field_text_room(int kind, size_t size) noexcept nogil:
    """More than the text of a field of `size` octets can be.

    An octet of a bitmap stands for up to eight types of eleven characters with their space; of the rest a
    list of SvcParamKeys grows most, two octets to sixteen.  Names, dates, numbers and mnemonics fit in the
    constant.
    """
    if kind == F_BITMAP or kind == F_FLAT_BITMAP or kind == F_PORTS:
        return 96 * size + NAME_TEXT_ROOM
    return 10 * size + NAME_TEXT_ROOM


cdef int generic_text(const uint8_t* octets, uint32_t size, Text* out) noexcept nogil:
    """The form of RFC 3597 section 5: `\\# 4 01020304`.  1, or -1 without memory."""
    cdef uint8_t* to
    if text_reserve(out, 3 * <size_t>size + 32) != 0:
        return -1
    to = put_decimal(put_chars(out.octets + out.size, "\\# "), size)
    if size:
        to = put_hex(put_octet(to, c' '), octets, size, HEX_CHUNK)
    out.size = to - out.octets
    return 1


cdef int rdata_text(uint16_t rtype, uint16_t rclass, const uint8_t* rdata, uint32_t size,
                    Text* out) noexcept nogil:
    cdef const dnscap_form* form
    cdef const uint8_t* p = rdata
    cdef const uint8_t* q
    cdef const uint8_t* end = rdata + size
    cdef uint8_t* to
    cdef size_t before = out.size
    cdef int i = 0, kind
    if rclass == CLASS_IN and (rtype == TYPE_A and size == 4 or rtype == TYPE_AAAA and size == 16):
        if text_reserve(out, 64) != 0:
            return -1
        to = out.octets + out.size
        to = put_ipv4(to, rdata) if rtype == TYPE_A else put_ipv6(to, rdata)
        out.size = to - out.octets
        return 1
    if size > MOST_RDATA:
        return 0
    if size == 0 and (rclass == CLASS_ANY or rclass == CLASS_NONE):
        return 1                           # an UPDATE that deletes: nothing to show
    form = form_of(rtype, rclass)
    if form == NULL:
        # Tunnels carry their load in NULL and private-use types, so these are not left to a slower way.
        if rtype == TYPE_NULL or rtype >= FIRST_PRIVATE_TYPE:
            return generic_text(rdata, size, out)
        return 0
    while True:
        kind = form.fields[i]
        if kind == F_END:
            break
        q = field_end(kind, rdata, p, end)
        if q == NULL:
            out.size = before
            return 0
        if text_reserve(out, field_text_room(kind, q - p)) != 0:
            out.size = before
            return -1
        to = out.octets + out.size
        if i and not spaces_itself(kind):
            to = put_octet(to, c' ')
        to = put_field(kind, rdata, p, q, to)
        if to == NULL:
            out.size = before
            return 0
        out.size = to - out.octets
        p = q
        i += 1
    if p != end:
        out.size = before
        return 0
    return 1


# EDNS options.

cdef uint32_t utf8_size(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """Octets of the well-formed UTF-8 sequence at `p` that shows something, or 0."""
    cdef uint32_t size, i, code
    if p[0] < 0x80:
        return 0 if p[0] < 0x20 or p[0] == 0x7F else 1
    if 0xC2 <= p[0] <= 0xDF:
        size = 2
        code = p[0] & 0x1F
    elif 0xE0 <= p[0] <= 0xEF:
        size = 3
        code = p[0] & 0x0F
    elif 0xF0 <= p[0] <= 0xF4:
        size = 4
        code = p[0] & 0x07
    else:
        return 0
    if end - p < size:
        return 0
    for i in range(1, size):
        if p[i] & 0xC0 != 0x80:
            return 0
        code = code << 6 | (p[i] & 0x3F)
    if code < 0xA0 or (size == 3 and (code < 0x800 or 0xD800 <= code <= 0xDFFF)):
        return 0                           # C1 controls, overlong forms, surrogates
    if size == 4 and not 0x10000 <= code <= 0x10FFFF:
        return 0
    return size


cdef uint8_t* put_utf8(uint8_t* to, const uint8_t* p, const uint8_t* end) noexcept nogil:
    """Text of a stranger: well-formed UTF-8 as it is, controls and all else as \\DDD."""
    cdef uint32_t size
    while p < end:
        size = utf8_size(p, end)
        if size == 0:
            to = put_ddd(to, p[0])
            p += 1
            continue
        if p[0] == c'\\':
            to = put_octet(to, c'\\')
        memcpy(to, p, size)
        to += size
        p += size
    return to


cdef bint is_printable(const uint8_t* octets, uint32_t size) noexcept nogil:
    cdef uint32_t i
    for i in range(size):
        if octets[i] < 0x20 or octets[i] > 0x7E:
            return False
    return True


cdef int edns_text(uint16_t code, const uint8_t* octets, uint32_t size, Text* out) noexcept nogil:
    cdef uint8_t[16] address
    cdef uint32_t family
    cdef uint8_t* to
    if text_reserve(out, 4 * <size_t>size + 64) != 0:
        return -1
    to = out.octets + out.size
    if code == OPTION_ECS and size >= 4:               # RFC 7871 section 6
        family = be16(octets)
        if not (family == 0 and size == 4 or family == 1 and size <= 8 or family == 2 and size <= 20):
            return 0 if generic_text(octets, size, out) > 0 else -1
        memset(address, 0, 16)
        memcpy(address, octets + 4, size - 4)
        if family == 0:
            to = put_octet(to, c'0')
        else:
            to = put_ipv4(to, address) if family == 1 else put_ipv6(to, address)
        to = put_decimal(put_octet(to, c'/'), octets[2])
        to = put_decimal(put_octet(to, c'/'), octets[3])
    elif code == OPTION_COOKIE:
        to = put_hex(to, octets, size, 0)
    elif code == OPTION_NSID:
        if is_printable(octets, size):
            memcpy(to, octets, size)
            to += size
        else:
            to = put_hex(to, octets, size, 0)
    elif code == OPTION_EDE and size >= 2:             # RFC 8914 section 2
        to = put_decimal(to, be16(octets))
        if size > 2 and octets[size - 1] == 0:         # EXTRA-TEXT may be null-terminated
            size -= 1
        if size > 2:
            to = put_utf8(put_chars(to, ": "), octets + 2, octets + size)
    else:
        return 0 if generic_text(octets, size, out) > 0 else -1
    out.size = to - out.octets
    return 0


# The Python face: whole columns at once.

ctypedef fused offset_t:
    uint32_t
    uint64_t


def format_rdata(
    const uint16_t[::1] types not None,
    const uint16_t[::1] classes not None,
    const offset_t[::1] offsets not None,
    const uint8_t[::1] blob not None,
):
    """Format RDATA blob[offsets[i]:offsets[i+1]], expanded, in presentation format.

    Returns the text octets, int64 offsets into them, and the int64 numbers of the rows whose form is not
    known here; those rows are left empty.
    """
    cdef size_t rows = types.shape[0], i
    cdef uint64_t size = <uint64_t>blob.shape[0], start, end
    cdef const uint8_t* octets = &blob[0] if size else &NO_OCTETS
    cdef bytes ends
    cdef int64_t* text_end
    cdef Text out, rare
    cdef int done = 1, failed = 0
    if <size_t>classes.shape[0] != rows or <size_t>offsets.shape[0] != rows + 1:
        raise ValueError("types, classes and offsets do not fit together")
    ends = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>((rows + 1) * 8))
    text_end = <int64_t*>PyBytes_AS_STRING(ends)
    if text_open(&out, size * 2 + rows * 4 + 4096) != 0:
        raise MemoryError
    if text_open(&rare, 64) != 0:
        text_close(&out)
        raise MemoryError
    try:
        with nogil:
            text_end[0] = 0
            for i in range(rows):
                start = offsets[i]
                end = offsets[i + 1]
                if start > end or end > size:
                    failed = 2
                    break
                if end - start > MOST_RDATA:
                    done = 0
                else:
                    done = rdata_text(types[i], classes[i], octets + start, <uint32_t>(end - start), &out)
                if done == 0:
                    if text_reserve(&rare, 8) != 0:
                        done = -1
                    else:
                        memcpy(rare.octets + rare.size, &i, 8)
                        rare.size += 8
                if done < 0:
                    failed = 1
                    break
                text_end[i + 1] = <int64_t>out.size
        if failed == 2:
            raise ValueError("offsets must rise and stay within the octets")
        if failed:
            raise MemoryError
        return (PyBytes_FromStringAndSize(<char*>out.octets, <Py_ssize_t>out.size), ends,
                PyBytes_FromStringAndSize(<char*>rare.octets, <Py_ssize_t>rare.size))
    finally:
        text_close(&out)
        text_close(&rare)


def format_edns(str kind not None, const offset_t[::1] offsets not None, const uint8_t[::1] blob not None):
    """Format EDNS options blob[offsets[i]:offsets[i+1]], all of one `kind` (a short name, as "ECS").

    Returns the text octets and int64 offsets into them.
    """
    cdef size_t rows = offsets.shape[0] - 1 if offsets.shape[0] else 0, i
    cdef uint64_t size = <uint64_t>blob.shape[0], start, end
    cdef const uint8_t* octets = &blob[0] if size else &NO_OCTETS
    cdef bytes ends = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>((rows + 1) * 8))
    cdef int64_t* text_end = <int64_t*>PyBytes_AS_STRING(ends)
    cdef Text out
    cdef uint16_t code = _option_code(kind)
    cdef int failed = 0
    if text_open(&out, size * 2 + 4096) != 0:
        raise MemoryError
    try:
        with nogil:
            text_end[0] = 0
            for i in range(rows):
                start = offsets[i]
                end = offsets[i + 1]
                if start > end or end > size or end - start > 65535:
                    failed = 2
                    break
                if edns_text(code, octets + start, <uint32_t>(end - start), &out) != 0:
                    failed = 1
                    break
                text_end[i + 1] = <int64_t>out.size
        if failed == 2:
            raise ValueError("offsets must rise and stay within the octets")
        if failed:
            raise MemoryError
        return PyBytes_FromStringAndSize(<char*>out.octets, <Py_ssize_t>out.size), ends
    finally:
        text_close(&out)


cdef int _option_code(str kind) except -1:
    for number, name in EDNS_OPTIONS.items():
        if name == kind.upper():
            return number
    raise ValueError(f"{kind!r} is not an EDNS option")
