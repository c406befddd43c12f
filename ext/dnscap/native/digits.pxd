"""Numbers as text: integers, seconds with their fraction, floats that read back the same.

Every function writes at `at` and returns where the text ends; the caller has made NUMBER_ROOM there.
"""
from libc.math cimport fabs, rint
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport strtod
from libc.string cimport memcpy

cdef enum:
    NUMBER_ROOM = 64          # more octets than any number, time or escape takes

cdef inline void put_two(uint8_t* at, uint32_t x) noexcept nogil:
    cdef uint32_t tens = (x * 205) >> 11
    at[0] = <uint8_t>(48 + tens)
    at[1] = <uint8_t>(48 + x - 10 * tens)


cdef inline uint8_t* put_unsigned(uint8_t* at, uint64_t x) noexcept nogil:
    cdef uint64_t rest = x
    cdef int digits = 1
    cdef uint8_t* p
    while True:
        if rest < 10:
            break
        if rest < 100:
            digits += 1
            break
        if rest < 1000:
            digits += 2
            break
        if rest < 10000:
            digits += 3
            break
        rest //= 10000
        digits += 4
    p = at + digits
    while x >= 100:
        rest = x // 100
        p -= 2
        put_two(p, <uint32_t>(x - rest * 100))
        x = rest
    if x >= 10:
        put_two(at, <uint32_t>x)
    else:
        at[0] = <uint8_t>(48 + x)
    return at + digits


cdef inline uint8_t* put_signed(uint8_t* at, int64_t x) noexcept nogil:
    if x < 0:
        at[0] = c'-'
        return put_unsigned(at + 1, 0 - <uint64_t>x)
    return put_unsigned(at, <uint64_t>x)


cdef inline void put_nine(uint8_t* at, uint32_t x) noexcept nogil:
    cdef uint32_t high = x // 100000
    cdef uint32_t low = x - high * 100000
    put_two(at, high // 100)
    put_two(at + 2, high % 100)
    at[4] = <uint8_t>(48 + low // 10000)
    put_two(at + 5, (low // 100) % 100)
    put_two(at + 7, low % 100)


cdef inline uint8_t* put_duration(uint8_t* at, int64_t ticks, int64_t per_second) noexcept nogil:
    """Write seconds, exactly; one decimal at least, so that no reader takes the column for integers."""
    cdef uint64_t size = <uint64_t>ticks
    cdef uint64_t second
    if ticks < 0:
        at[0] = c'-'
        at += 1
        size = 0 - size
    second = size // <uint64_t>per_second
    size = (size - second * <uint64_t>per_second) * <uint64_t>(1000000000 // per_second)
    at = put_unsigned(at, second)
    at[0] = c'.'
    put_nine(at + 1, <uint32_t>size)
    at += 10
    while (at - 1)[0] == c'0' and (at - 2)[0] != c'.':
        at -= 1
    return at


cdef inline uint8_t* put_float(uint8_t* at, double x) noexcept nogil:
    """Write a finite number so that it reads back the same, with one decimal or an exponent at least."""
    cdef double scale = 1
    cdef double whole
    cdef uint64_t high
    cdef uint64_t power = 1
    cdef int places
    cdef int size
    cdef int i
    cdef bint fraction = 0
    if x == 0:
        memcpy(at, b"0.0", 3)
        return at + 3
    # A fraction of two numbers that are exact in binary is rounded correctly, so whole / scale
    # being x proves that the decimal form reads back as x.
    if 1e-5 <= fabs(x) < 9e15:
        for places in range(17):
            whole = rint(fabs(x) * scale)
            if whole >= 9007199254740992.0:     # 2^53
                break
            if whole / scale == fabs(x):
                if x < 0:
                    at[0] = c'-'
                    at += 1
                high = <uint64_t>whole // power
                at = put_unsigned(at, high)
                at[0] = c'.'
                at += 1
                if places == 0:
                    at[0] = c'0'
                    return at + 1
                high = <uint64_t>whole - high * power
                for i in range(places - 1, -1, -1):
                    at[i] = <uint8_t>(48 + high % 10)
                    high //= 10
                return at + places
            scale *= 10
            power *= 10
    for places in range(15, 18):
        size = snprintf(<char*>at, NUMBER_ROOM, "%.*g", places, x)
        if places == 17 or strtod(<const char*>at, NULL) == x:
            break
    for i in range(size):
        if at[i] == c',':         # the decimal point of the process's locale
            at[i] = c'.'
        fraction = fraction or at[i] == c'.' or at[i] == c'e'
    at += size
    if not fraction:
        memcpy(at, b".0", 2)
        at += 2
    return at
