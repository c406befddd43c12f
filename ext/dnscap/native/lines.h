/* Finding the next octet that may not stand in a line of text as it is.
 *
 * Knows the two quoting rules, JSON's (RFC 8259 section 7) and CSV's (RFC 4180),
 * and only says where to stop: what stands there instead is decided in lines.pyx.
 * Reads the `size` octets it is given and none beyond. */
#ifndef DNSCAP_LINES_H
#define DNSCAP_LINES_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Octet-wise predicates over eight octets at once; non-zero where any octet qualifies. */
#define DNSCAP_ALL(octet) (UINT64_C(0x0101010101010101) * (octet))
#define DNSCAP_ANY_ZERO(x) (((x) - DNSCAP_ALL(1)) & ~(x) & DNSCAP_ALL(0x80))
#define DNSCAP_ANY_IS(x, octet) DNSCAP_ANY_ZERO((x) ^ DNSCAP_ALL(octet))
#define DNSCAP_ANY_CONTROL(x) (((x) - DNSCAP_ALL(0x20)) & ~(x) & DNSCAP_ALL(0x80))

/* Controls, DEL and everything above ASCII stop both; `a`, `b` and `c` stop one of them. */
static inline int dnscap_stops(uint8_t octet, uint8_t a, uint8_t b, uint8_t c)
{
    return octet < 0x20 || octet >= 0x7f || octet == a || octet == b || octet == c;
}

static inline size_t dnscap_plain(const uint8_t *text, size_t size, uint8_t a, uint8_t b, uint8_t c)
{
    size_t i = 0;
#if defined(__SSE2__)
    for (; size - i >= 16; i += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(text + i));
        /* signed comparison: octets above ASCII are negative, hence below a space */
        __m128i stop = _mm_cmplt_epi8(x, _mm_set1_epi8(0x20));
        stop = _mm_or_si128(stop, _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)));
        stop = _mm_or_si128(stop, _mm_cmpeq_epi8(x, _mm_set1_epi8((char)a)));
        stop = _mm_or_si128(stop, _mm_cmpeq_epi8(x, _mm_set1_epi8((char)b)));
        stop = _mm_or_si128(stop, _mm_cmpeq_epi8(x, _mm_set1_epi8((char)c)));
        if (_mm_movemask_epi8(stop))
            break;
    }
#endif
    for (; size - i >= 8; i += 8) {
        uint64_t x;
        memcpy(&x, text + i, 8);
        if ((x & DNSCAP_ALL(0x80)) | DNSCAP_ANY_CONTROL(x) | DNSCAP_ANY_IS(x, 0x7f) | DNSCAP_ANY_IS(x, a) |
            DNSCAP_ANY_IS(x, b) | DNSCAP_ANY_IS(x, c))
            break;
    }
    while (i < size && !dnscap_stops(text[i], a, b, c))
        i++;
    return i;
}

/* How many of the first octets stand in a JSON string as they are. */
static inline size_t json_plain(const uint8_t *text, size_t size)
{
    return dnscap_plain(text, size, '"', '\\', '"');
}

/* How many of the first octets stand in a CSV cell as they are, wherever the cell begins. */
static inline size_t csv_plain(const uint8_t *text, size_t size)
{
    return dnscap_plain(text, size, '"', ',', ';');
}
#endif
