"""RDATA off the wire: the form of every type by tables, the check of it, expansion of the names in it."""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from dnscap.native.domain cimport (
    MOST_NAME,
    STATUS_BAD_RDATA,
    STATUS_LABEL_OVERRUN,
    STATUS_RDATA_OVERRUN,
    expand_name,
)
from dnscap.native.octets cimport PADDING, be16, be32

cdef extern from "rdata_forms.h" nogil:
    enum:
        DNSCAP_FORMS
    const dnscap_form[265] dnscap_forms
    const dnscap_form dnscap_delegation_signer, dnscap_chaos_address
    const uint8_t[64] dnscap_widths


cdef const dnscap_form* form_of(uint16_t rtype, uint16_t rclass) noexcept nogil:
    """The form of a type, or NULL.

    Types defined for the Internet class only are opaque in others.  UPDATE writes them with class NONE too
    (RFC 2136 section 2.5.4); its records of class ANY have no RDATA (section 2.5.2).
    """
    cdef const dnscap_form* form
    if rtype < DNSCAP_FORMS:
        form = &dnscap_forms[rtype]
    elif rtype == TYPE_TA or rtype == TYPE_DLV:
        form = &dnscap_delegation_signer
    else:
        return NULL
    if form.fields[0] == F_END:
        return NULL
    if form.internet and rclass != CLASS_IN and rclass != CLASS_NONE:
        return &dnscap_chaos_address if rtype == TYPE_A and rclass == CLASS_CH else NULL
    return form


# Form: each function returns where the field ends, or NULL where the octets have not its form.

cdef const uint8_t* name_end(const uint8_t* p, const uint8_t* end) noexcept nogil:
    cdef const uint8_t* start = p
    cdef uint32_t octet
    while p < end:
        octet = p[0]
        if octet == 0:
            return p + 1
        if octet > 63 or end - p <= octet or (p - start) + octet + 2 > MOST_NAME:
            return NULL
        p += octet + 1
    return NULL


cdef const uint8_t* string_end(const uint8_t* p, const uint8_t* end) noexcept nogil:
    if p >= end or end - p <= p[0]:
        return NULL
    return p + 1 + p[0]


cdef const uint8_t* counted_end(const uint8_t* p, const uint8_t* end) noexcept nogil:
    if end - p < 2 or end - p - 2 < be16(p):
        return NULL
    return p + 2 + be16(p)


cdef const uint8_t* bitmap_end(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """Windows in rising order, 1 to 32 octets each (RFC 4034 section 4.1.2).

    Zero octets at the end of a window are forbidden too, but what they say is clear: they pass.
    """
    cdef int window = -1
    while p < end:
        if end - p < 2 or p[0] <= window or p[1] == 0 or p[1] > 32 or end - p - 2 < p[1]:
            return NULL
        window = p[0]
        p += 2 + p[1]
    return p


cdef bint is_decimal(const uint8_t* p, const uint8_t* end) noexcept nogil:
    cdef int digits = 0, points = 0
    if p < end and (p[0] == c'-' or p[0] == c'+'):
        p += 1
    while p < end:
        if c'0' <= p[0] <= c'9':
            digits += 1
        elif p[0] == c'.':
            points += 1
        else:
            return False
        p += 1
    return digits > 0 and points <= 1


cdef bint is_tag(const uint8_t* p, const uint8_t* end) noexcept nogil:
    if p == end:
        return False
    while p < end:
        if not (c'a' <= p[0] | 0x20 <= c'z' or c'0' <= p[0] <= c'9'):
            return False
        p += 1
    return True


cdef bint is_param(uint32_t key, const uint8_t* p, const uint8_t* end) noexcept nogil:
    """Whether a SvcParamValue has the format of its key (RFC 9460 sections 7 and 8)."""
    cdef int last = PARAM_MANDATORY
    if key == PARAM_MANDATORY:
        if p == end or (end - p) % 2:
            return False
        while p < end:
            if be16(p) <= last:            # in rising order, and `mandatory` not its own member
                return False
            last = be16(p)
            p += 2
        return True
    if key == PARAM_ALPN or key == PARAM_DOCPATH:
        if p == end:
            return key == PARAM_DOCPATH
        while p < end:
            if p[0] == 0 or end - p <= p[0]:
                return False
            p += 1 + p[0]
        return True
    if key == PARAM_NO_DEFAULT_ALPN or key == PARAM_OHTTP:
        return p == end
    if key == PARAM_PORT:
        return end - p == 2
    if key == PARAM_IPV4HINT:
        return p < end and (end - p) % 4 == 0
    if key == PARAM_IPV6HINT:
        return p < end and (end - p) % 16 == 0
    if key == PARAM_ECH:                   # an ECHConfigList: its length, then a configuration's head
        return end - p >= 6 and be16(p) == end - p - 2
    return True


cdef const uint8_t* params_end(const uint8_t* p, const uint8_t* end) noexcept nogil:
    cdef const uint8_t* wanted = NULL
    cdef const uint8_t* wanted_end = NULL
    cdef int last = -1, key
    cdef bint alpn = False
    cdef uint32_t size
    while p < end:
        if end - p < 4:
            return NULL
        key = be16(p)
        size = be16(p + 2)
        p += 4
        if key <= last or end - p < size or not is_param(key, p, p + size):
            return NULL
        last = key
        if key == PARAM_MANDATORY:
            wanted = p
            wanted_end = p + size
        elif key == PARAM_ALPN:
            alpn = True
        elif key == PARAM_NO_DEFAULT_ALPN and not alpn:
            return NULL
        if wanted < wanted_end and be16(wanted) <= key and key != PARAM_MANDATORY:
            if be16(wanted) < key:         # both rise: a mandatory key passed by is a key that is not there
                return NULL
            wanted += 2
        p += size
    return p if wanted == wanted_end else NULL


cdef const uint8_t* prefixes_end(const uint8_t* p, const uint8_t* end) noexcept nogil:
    cdef uint32_t family, size
    while p < end:
        if end - p < 4:
            return NULL
        family = be16(p)
        size = p[3] & 0x7F
        if end - p - 4 < size:
            return NULL
        if family == 1 and (size > 4 or p[2] > 32) or family == 2 and (size > 16 or p[2] > 128):
            return NULL
        p += 4 + size
    return p


cdef const uint8_t* location_end(const uint8_t* p, const uint8_t* end) noexcept nogil:
    cdef int i
    if p == end:
        return NULL
    if p[0] != 0:                          # RFC 1876 section 2: assume nothing of other versions
        return end
    if end - p < 16:
        return NULL
    for i in range(1, 4):
        if p[i] >> 4 > 9 or p[i] & 15 > 9 or (p[i] >> 4 == 0 and p[i] != 0):
            return NULL
    if not (<uint32_t>0x80000000 - 324000000 <= be32(p + 4) <= <uint32_t>0x80000000 + 324000000):
        return NULL
    if not (<uint32_t>0x80000000 - 648000000 <= be32(p + 8) <= <uint32_t>0x80000000 + 648000000):
        return NULL
    return p + 16


cdef const uint8_t* field_end(int kind, const uint8_t* start, const uint8_t* p,
                              const uint8_t* end) noexcept nogil:
    """Where the field at `p` of RDATA start:end ends, or NULL where it has not the form of its kind."""
    cdef const uint8_t* q
    cdef uint32_t width = dnscap_widths[kind]
    if width:
        return p + width if end - p >= width else NULL
    if kind == F_NAME:
        return name_end(p, end)
    elif kind == F_NAMES:
        while p < end:
            p = name_end(p, end)
            if p == NULL:
                return NULL
        return p
    elif kind == F_STRING:
        return string_end(p, end)
    elif kind == F_MORE_STRING:
        return p if p == end else string_end(p, end)
    elif kind == F_STRINGS:
        if p == end:
            return NULL
        while p < end:
            p = string_end(p, end)
            if p == NULL:
                return NULL
        return p
    elif kind == F_DECIMAL_STRING:
        q = string_end(p, end)
        return q if q != NULL and is_decimal(p + 1, q) else NULL
    elif kind == F_TAG:
        q = string_end(p, end)
        return q if q != NULL and is_tag(p + 1, q) else NULL
    elif kind == F_SALT:
        return string_end(p, end)
    elif kind == F_HASH:
        q = string_end(p, end)
        return q if q != NULL and q - p > 1 else NULL
    elif kind == F_MAC or kind == F_OTHER or kind == F_KEY or kind == F_MORE_KEY:
        return counted_end(p, end)
    elif kind == F_SOME_TEXT:
        return end if p < end else NULL
    elif kind == F_TEXT or kind == F_HEX or kind == F_HEX_0X or kind == F_BASE64 or kind == F_BASE64_WHOLE:
        return end
    elif kind == F_BITMAP:
        return bitmap_end(p, end)
    elif kind == F_FLAT_BITMAP:
        return end if end - p <= 16 else NULL
    elif kind == F_PARAMS:
        return params_end(p, end)
    elif kind == F_PREFIXES:
        return prefixes_end(p, end)
    elif kind == F_PORTS:
        return end if end - p <= 8192 else NULL
    elif kind == F_GATEWAY or kind == F_RELAY:
        width = start[1] & 0x7F if kind == F_RELAY else start[1]
        if width == 3:
            return name_end(p, end)
        if width > 3:
            return NULL
        width = 0 if width == 0 else 4 if width == 1 else 16
        return p + width if end - p >= width else NULL
    elif kind == F_LOCATION:
        return location_end(p, end)
    elif kind == F_IDENTITY:
        if end - p < 4 or end - p - 4 < p[0] + be16(p + 2):
            return NULL
        return p + 4 + p[0] + be16(p + 2)
    return NULL


cdef int expand_rdata(uint16_t rtype, uint16_t rclass, const uint8_t* message, uint32_t size, uint32_t at,
                      uint32_t rdlength, uint8_t* out, uint32_t room, uint32_t* fault_at) noexcept nogil:
    cdef const dnscap_form* form
    cdef const uint8_t* start = message + at
    cdef const uint8_t* end
    cdef const uint8_t* p = start
    cdef const uint8_t* q
    cdef const uint8_t* kept = start        # octets from here to `p` are still to be copied
    cdef uint32_t written = 0, after
    cdef int i = 0, kind, length
    fault_at[0] = at
    if at > size or rdlength > size - at or rdlength > 65535:
        return -STATUS_RDATA_OVERRUN
    if room < rdata_room(rdlength):
        return RDATA_NO_ROOM
    end = start + rdlength
    form = form_of(rtype, rclass)
    if form == NULL or (rdlength == 0 and (rclass == CLASS_ANY or rclass == CLASS_NONE)):
        memcpy(out, start, rdlength)
        return <int>rdlength
    while True:
        kind = form.fields[i]
        i += 1
        if kind == F_END:
            break
        if (kind == F_NAME or kind == F_GATEWAY and start[1] == 3
                or kind == F_RELAY and start[1] & 0x7F == 3):
            memcpy(out + written, kept, p - kept)
            written += <uint32_t>(p - kept)
            # For this name the message ends where its RDATA does, and so for what it points to.
            length = expand_name(message, at + rdlength, <uint32_t>(p - message), out + written, &after)
            if length < 0:
                fault_at[0] = after
                return -STATUS_BAD_RDATA if length == -STATUS_LABEL_OVERRUN else length
            written += <uint32_t>length
            p = kept = message + after
            continue
        q = field_end(kind, start, p, end)
        if q == NULL:
            fault_at[0] = <uint32_t>(p - message)
            return -STATUS_BAD_RDATA
        p = q
    if p != end:
        fault_at[0] = <uint32_t>(p - message)
        return -STATUS_BAD_RDATA
    memcpy(out + written, kept, p - kept)
    return <int>(written + <uint32_t>(p - kept))


def expand(int rtype, int rclass, const uint8_t[::1] message not None, uint32_t at, uint32_t rdlength):
    """Check the RDATA message[at:at+rdlength] and expand the names in it.

    Returns the octets, or the number of the status that is wrong, and the offset at which that was found.
    """
    cdef uint32_t size = <uint32_t>message.shape[0], fault_at = 0
    cdef uint32_t room = rdata_room(min(rdlength, <uint32_t>65535))
    cdef uint8_t* octets = <uint8_t*>malloc(<size_t>size + PADDING + room)
    cdef int length
    if octets == NULL:
        raise MemoryError
    try:
        if size:
            memcpy(octets, &message[0], size)
        memset(octets + size, 0, PADDING)
        with nogil:
            length = expand_rdata(<uint16_t>rtype, <uint16_t>rclass, octets, size, at, rdlength,
                                  octets + size + PADDING, room, &fault_at)
        if length < 0:
            return -length, fault_at
        return PyBytes_FromStringAndSize(<char*>(octets + size + PADDING), length), 0
    finally:
        free(octets)
