/* The twelve octets of DNS headers into columns, eight messages at a time.
 *
 * Trusts its caller that sixteen octets of each message can be read, which PADDING gives, and eight rows of each
 * column be written. */
#ifndef DNSCAP_HEADERS_H
#define DNSCAP_HEADERS_H
#include <stddef.h>
#include <stdint.h>
#include "loads.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { DNSCAP_HEADERS_AT_ONCE = 8 };

#ifdef __SSE2__
static inline __m128i dnscap_swapped(__m128i v) { return _mm_or_si128(_mm_slli_epi16(v, 8), _mm_srli_epi16(v, 8)); }
#endif

/* `row` points to the first of eight structs `stride` octets apart, each of which begins with a pointer to a message.
 * `columns` are those of id, flags, QDCOUNT, ANCOUNT, NSCOUNT and ARCOUNT, one after another. */
static inline void header_columns(const void *row, size_t stride, uint16_t *const *columns, size_t at)
{
#ifdef __SSE2__
#define M(k) _mm_loadu_si128(*(const __m128i *const *)((const uint8_t *)row + (k) * stride))
    /* eight rows of six words, turned: pairs of rows, fours, eights */
    __m128i a = M(0), b = M(1), c = M(2), d = M(3), e = M(4), f = M(5), g = M(6), h = M(7);
    __m128i ab = _mm_unpacklo_epi16(a, b), cd = _mm_unpacklo_epi16(c, d);
    __m128i ef = _mm_unpacklo_epi16(e, f), gh = _mm_unpacklo_epi16(g, h);
    __m128i low = _mm_unpacklo_epi32(ab, cd), high = _mm_unpacklo_epi32(ef, gh);
#define OUT(k, v) _mm_storeu_si128((__m128i *)(columns[k] + at), dnscap_swapped(v))
    OUT(0, _mm_unpacklo_epi64(low, high));
    OUT(1, _mm_unpackhi_epi64(low, high));
    low = _mm_unpackhi_epi32(ab, cd);
    high = _mm_unpackhi_epi32(ef, gh);
    OUT(2, _mm_unpacklo_epi64(low, high));
    OUT(3, _mm_unpackhi_epi64(low, high));
    low = _mm_unpacklo_epi32(_mm_unpackhi_epi16(a, b), _mm_unpackhi_epi16(c, d));
    high = _mm_unpacklo_epi32(_mm_unpackhi_epi16(e, f), _mm_unpackhi_epi16(g, h));
    OUT(4, _mm_unpacklo_epi64(low, high));
    OUT(5, _mm_unpackhi_epi64(low, high));
#undef M
#undef OUT
#else
    for (size_t k = 0; k < DNSCAP_HEADERS_AT_ONCE; k++) {
        const uint8_t *m = *(const uint8_t *const *)((const uint8_t *)row + k * stride);
        for (size_t w = 0; w < 6; w++) columns[w][at + k] = be16(m + 2 * w);
    }
#endif
}
#endif
