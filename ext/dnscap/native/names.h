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

static inline uint64_t hash32(const uint8_t *p, uint64_t h)
{
    return mix128(load64(p) ^ 0x2d358dccaa6c78a5ull ^ h, load64(p + 8) ^ 0x8bb84b93962eacc9ull)
         ^ mix128(load64(p + 16) ^ 0x4b33a62ed433d4a3ull, load64(p + 24) ^ 0x4d5a2da51de1aa47ull ^ h);
}

/* Fold 32 octets, of which the first `size` count and the others become zero; says whether that changed anything. */
static inline uint32_t fold32(const uint8_t *from, uint8_t *to, uint32_t size)
{
    const uint8_t *keep = dnscap_keep + (size < 32 ? 32 - size : 0);
#ifdef __SSE2__
    /* 'A'..'Z' moved to the end of what a signed octet holds, where one comparison finds them */
    const __m128i shift = _mm_set1_epi8(127 - 'Z'), above = _mm_set1_epi8(127 - 26), bit = _mm_set1_epi8(0x20);
    __m128i a = _mm_and_si128(_mm_loadu_si128((const __m128i *)from), _mm_loadu_si128((const __m128i *)keep));
    __m128i b = _mm_and_si128(_mm_loadu_si128((const __m128i *)(from + 16)),
                              _mm_loadu_si128((const __m128i *)(keep + 16)));
    __m128i m = _mm_cmpgt_epi8(_mm_add_epi8(a, shift), above), n = _mm_cmpgt_epi8(_mm_add_epi8(b, shift), above);
    _mm_storeu_si128((__m128i *)to, _mm_or_si128(a, _mm_and_si128(m, bit)));
    _mm_storeu_si128((__m128i *)(to + 16), _mm_or_si128(b, _mm_and_si128(n, bit)));
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(m, n));
#else
    octets16 v = load16(from) & load16(keep), w = load16(from + 16) & load16(keep + 16);
    octets16 a = fold16(v), b = fold16(w);
    words2 changed = (words2)((a ^ v) | (b ^ w));
    memcpy(to, &a, 16);
    memcpy(to + 16, &b, 16);
    return (changed[0] | changed[1]) != 0;
#endif
}

/* Write the folded name to `to`, return its hash; `capitals` becomes non-zero if folding changed anything. */
static inline uint64_t fold_hash(const uint8_t *from, uint8_t *to, uint32_t size, uint64_t seed, uint64_t *capitals)
{
    uint32_t at = 0, changed = fold32(from, to, size);
    uint64_t h = hash32(to, seed ^ size);
    while (DNSCAP_UNLIKELY(size - at > 32)) {
        at += 32;
        changed |= fold32(from + at, to + at, size - at);
        h = hash32(to + at, h);
    }
    *capitals = changed;
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

/* Fold the name at `from`, which its first zero octet ends: its length, `hash` and `capitals` as of fold_hash; or 0
 * where there is no such octet in from[0:most]. */
static inline uint32_t fold_name(const uint8_t *from, uint32_t most, uint8_t *to, uint64_t seed, uint64_t *hash,
                                 uint64_t *capitals)
{
    uint32_t size;
#ifdef __SSE2__
    const __m128i zero = _mm_setzero_si128();
    uint32_t zeros = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)from), zero))
                   | (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(from + 16)), zero)) << 16;
    if (DNSCAP_LIKELY(zeros)) {
        size = (uint32_t)__builtin_ctz(zeros) + 1;
        if (DNSCAP_UNLIKELY(size > most)) return 0;
        uint64_t h;
        *capitals = fold32(from, to, size);
        h = hash32(to, seed ^ size);
        *hash = h ^ h >> 32;
        return size;
    }
#endif
    size = zero_at(from, most) + 1;
    if (DNSCAP_UNLIKELY(size > most)) return 0;
    *hash = fold_hash(from, to, size, seed, capitals);
    return size;
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

/* Memory for what lasts and is large: pages of rows, tables.  It has a mapping of its own, whatever `malloc` thinks of
 * the size by then, so that the system has it back when it is given up; the holes that blocks aligned for huge pages
 * leave between others would hardly be used again. */
#if defined(__SANITIZE_ADDRESS__)
#define DNSCAP_MALLOC_ONLY 1    /* the sanitizer watches what comes from there */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define DNSCAP_MALLOC_ONLY 1
#endif
#endif
#if !defined(DNSCAP_MALLOC_ONLY) && !(defined(__linux__) && defined(MAP_ANONYMOUS) && defined(MADV_HUGEPAGE))
#define DNSCAP_MALLOC_ONLY 1
#endif
#define DNSCAP_HUGE ((size_t)2 << 20)

/* Zeroed, at a boundary of 2 MiB; freed with `unmap_block`, which is told the same size.  NULL without memory. */
static inline void *map_block(size_t size)
{
#ifdef DNSCAP_MALLOC_ONLY
    void *p = NULL;
    if (posix_memalign(&p, DNSCAP_HUGE, size)) return NULL;
    return memset(p, 0, size);
#else
    size_t whole = (size + 4095) & ~(size_t)4095;
    uint8_t *base = mmap(NULL, whole + DNSCAP_HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return NULL;
    size_t skip = -(uintptr_t)base & (DNSCAP_HUGE - 1);
    if (skip) munmap(base, skip);
    munmap(base + skip + whole, DNSCAP_HUGE - skip);
    madvise(base + skip, whole, MADV_HUGEPAGE);
    return base + skip;
#endif
}

static inline void unmap_block(void *p, size_t size)
{
#ifdef DNSCAP_MALLOC_ONLY
    (void)size;
    free(p);
#else
    if (p) munmap(p, (size + 4095) & ~(size_t)4095);
#endif
}

/* Zeroed memory of any size; freed with `map_free`, which finds the size in front of it.  NULL without memory. */
#define DNSCAP_HEAD 64          /* octets: what follows starts a cache line */
static inline void *map_alloc(size_t size)
{
    if (size > SIZE_MAX / 2) return NULL;
#ifdef DNSCAP_MALLOC_ONLY
    size_t whole = 0;
#else
    size_t whole = size >= DNSCAP_HUGE / 2 ? size + DNSCAP_HEAD : 0;
#endif
    uint8_t *base = whole ? map_block(whole) : calloc(1, size + DNSCAP_HEAD);
    if (!base) return NULL;
    memcpy(base, &whole, sizeof whole);
    return base + DNSCAP_HEAD;
}

static inline void map_free(void *p)
{
    size_t whole;
    if (!p) return;
    uint8_t *base = (uint8_t *)p - DNSCAP_HEAD;
    memcpy(&whole, base, sizeof whole);
    if (whole) unmap_block(base, whole);
    else free(base);
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
