/* Folding, hashing and comparing domain names a vector at a time.
 *
 * Every pointer given here may be read 64 octets past the octets that are meant (PADDING), and every
 * destination may be written as far: that is what lets a name of up to 32 octets be handled without a
 * branch.  Names rarely exceed 32 octets; longer ones take the loop.  Nothing here checks a length.
 * Also the allocator of large buffers, because it needs a flag that only some systems have. */
#ifndef DNSCAP_NAMES_H
#define DNSCAP_NAMES_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "loads.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define DNSCAP_PREFETCH(p) __builtin_prefetch(p)
#define DNSCAP_LIKELY(x) __builtin_expect(!!(x), 1)
#define DNSCAP_UNLIKELY(x) __builtin_expect(!!(x), 0)

static const uint8_t dnscap_keep[64] = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
};

static inline int likely(int x) { return DNSCAP_LIKELY(x); }
static inline int unlikely(int x) { return DNSCAP_UNLIKELY(x); }
/* The empty statement keeps GCC from taking functions that do nothing but fetch ahead for ones that do nothing. */
static inline void prefetch(const void *p) { __builtin_prefetch(p); __asm__ volatile("" : : "r"(p)); }

static inline uint64_t mix128(uint64_t a, uint64_t b)
{
    __uint128_t r = (__uint128_t)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

/* Sixteen octets at once, in the vector notation that GCC and Clang have for every machine. */
typedef uint8_t octets16 __attribute__((vector_size(16)));
typedef uint64_t words2 __attribute__((vector_size(16)));

static inline octets16 load16(const uint8_t *p) { octets16 v; memcpy(&v, p, 16); return v; }

/* 'A'..'Z' to lower case; everything else is left alone */
static inline octets16 fold16(octets16 v)
{
    octets16 upper = (octets16)((octets16)(v - (uint8_t)'A') < (uint8_t)26);
    return v | (upper & (uint8_t)0x20);
}

/* Write the folded name to `to`, return its hash; `capitals` becomes non-zero if folding changed anything. */
static inline uint64_t fold_hash(const uint8_t *from, uint8_t *to, uint32_t size, uint64_t seed, uint64_t *capitals)
{
    uint64_t h = seed ^ size;
    words2 changed = {0, 0};
    uint32_t at = 0;
    for (;;) {
        uint32_t rest = size - at;
        const uint8_t *keep = dnscap_keep + (rest < 32 ? 32 - rest : 0);
        octets16 v = load16(from + at) & load16(keep), w = load16(from + at + 16) & load16(keep + 16);
        octets16 a = fold16(v), b = fold16(w);
        changed |= (words2)((a ^ v) | (b ^ w));
        memcpy(to + at, &a, 16);
        memcpy(to + at + 16, &b, 16);
        h = mix128(((words2)a)[0] ^ 0x2d358dccaa6c78a5ull ^ h, ((words2)a)[1] ^ 0x8bb84b93962eacc9ull)
          ^ mix128(((words2)b)[0] ^ 0x4b33a62ed433d4a3ull, ((words2)b)[1] ^ 0x4d5a2da51de1aa47ull ^ h);
        if (DNSCAP_LIKELY(rest <= 32)) break;
        at += 32;
    }
    *capitals = changed[0] | changed[1];
    return h ^ h >> 32;
}

static inline int same_octets(const uint8_t *a, const uint8_t *b, uint32_t size)
{
    const uint8_t *keep = dnscap_keep + (size < 32 ? 32 - size : 0);
    words2 differ = (words2)(((load16(a) ^ load16(b)) & load16(keep))
                           | ((load16(a + 16) ^ load16(b + 16)) & load16(keep + 16)));
    if (DNSCAP_UNLIKELY(size > 32)) return !(differ[0] | differ[1]) && memcmp(a + 32, b + 32, size - 32) == 0;
    return !(differ[0] | differ[1]);
}

/* Offset of the first zero octet in p[0:most], or `most` where there is none. */
static inline uint32_t zero_at(const uint8_t *p, uint32_t most)
{
#ifdef __SSE2__
    const __m128i zero = _mm_setzero_si128();
    for (uint32_t at = 0; at < most; at += 32) {
        __m128i v = _mm_loadu_si128((const __m128i *)(p + at)), w = _mm_loadu_si128((const __m128i *)(p + at + 16));
        uint32_t zeros = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, zero))
                       | (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(w, zero)) << 16;
        if (DNSCAP_LIKELY(zeros)) {
            at += (uint32_t)__builtin_ctz(zeros);
            return at < most ? at : most;
        }
    }
    return most;
#else
    const uint8_t *zero = most ? memchr(p, 0, most) : NULL;
    return zero ? (uint32_t)(zero - p) : most;
#endif
}

/* Memory that is only touched as it fills.  Large blocks ask for huge pages: filling 4 KiB pages one by one
 * costs more than decoding what goes into them.  Returns NULL without memory. */
static inline void *big_alloc(size_t size)
{
    if (size < (size_t)2 << 20) return malloc(size ? size : 1);
    void *p = NULL;
    if (posix_memalign(&p, (size_t)2 << 20, size)) return NULL;
#ifdef MADV_HUGEPAGE
    madvise(p, size, MADV_HUGEPAGE);
#endif
    return p;
}

/* A larger block with the first `used` octets of `p`, which is freed; NULL (and `p` kept) without memory. */
static inline void *big_grow(void *p, size_t used, size_t size)
{
    void *q = big_alloc(size);
    if (!q) return NULL;
    if (used) memcpy(q, p, used);
    free(p);
    return q;
}
#endif
