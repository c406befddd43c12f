/* Folding, hashing and comparing domain names a machine word at a time.
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

#define DNSCAP_PREFETCH(p) __builtin_prefetch(p)
#define DNSCAP_LIKELY(x) __builtin_expect(!!(x), 1)
#define DNSCAP_UNLIKELY(x) __builtin_expect(!!(x), 0)

static const uint8_t dnscap_keep[64] = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
};

static inline int likely(int x) { return DNSCAP_LIKELY(x); }
static inline int unlikely(int x) { return DNSCAP_UNLIKELY(x); }
static inline void prefetch(const void *p) { __builtin_prefetch(p); }

static inline uint64_t mix128(uint64_t a, uint64_t b)
{
    __uint128_t r = (__uint128_t)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

/* 'A'..'Z' to lower case in eight octets at once; octets over 127 are left alone */
static inline uint64_t fold8(uint64_t x)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7full, top = ~low;
    uint64_t seven = x & low;
    uint64_t from_a = seven + 0x3f3f3f3f3f3f3f3full;     /* top bit set where >= 'A' */
    uint64_t past_z = seven + 0x2525252525252525ull;     /* top bit set where > 'Z' */
    return x | ((from_a ^ past_z) & ~x & top) >> 2;
}

/* Write the folded name to `to`, return its hash; `capitals` becomes non-zero if folding changed anything. */
static inline uint64_t fold_hash(const uint8_t *from, uint8_t *to, uint32_t size, uint64_t seed, uint64_t *capitals)
{
    uint64_t h = seed ^ size, a, b, c, d, x, changed = 0;
    uint32_t at = 0;
    for (;;) {
        uint32_t rest = size - at;
        const uint8_t *keep = dnscap_keep + (rest < 32 ? 32 - rest : 0);
        x = load64(from + at) & load64(keep); a = fold8(x); changed |= a ^ x;
        x = load64(from + at + 8) & load64(keep + 8); b = fold8(x); changed |= b ^ x;
        x = load64(from + at + 16) & load64(keep + 16); c = fold8(x); changed |= c ^ x;
        x = load64(from + at + 24) & load64(keep + 24); d = fold8(x); changed |= d ^ x;
        memcpy(to + at, &a, 8); memcpy(to + at + 8, &b, 8); memcpy(to + at + 16, &c, 8); memcpy(to + at + 24, &d, 8);
        h = mix128(a ^ 0x2d358dccaa6c78a5ull ^ h, b ^ 0x8bb84b93962eacc9ull)
          ^ mix128(c ^ 0x4b33a62ed433d4a3ull, d ^ 0x4d5a2da51de1aa47ull ^ h);
        if (DNSCAP_LIKELY(rest <= 32)) break;
        at += 32;
    }
    *capitals = changed;
    return h ^ h >> 32;
}

static inline int same_octets(const uint8_t *a, const uint8_t *b, uint32_t size)
{
    uint64_t differ = 0;
    const uint8_t *keep = dnscap_keep + (size < 32 ? 32 - size : 0);
    differ |= (load64(a) ^ load64(b)) & load64(keep);
    differ |= (load64(a + 8) ^ load64(b + 8)) & load64(keep + 8);
    differ |= (load64(a + 16) ^ load64(b + 16)) & load64(keep + 16);
    differ |= (load64(a + 24) ^ load64(b + 24)) & load64(keep + 24);
    if (DNSCAP_UNLIKELY(size > 32)) return !differ && memcmp(a + 32, b + 32, size - 32) == 0;
    return !differ;
}

/* Offset of the first zero octet in p[0:most], or `most` where there is none. */
static inline uint32_t zero_at(const uint8_t *p, uint32_t most)
{
    for (uint32_t at = 0; at < most; at += 8) {
        uint64_t x = load64(p + at), zeros = (x - 0x0101010101010101ull) & ~x & 0x8080808080808080ull;
        if (zeros) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
            zeros = __builtin_bswap64((__builtin_bswap64(x) - 0x0101010101010101ull) & ~__builtin_bswap64(x) & 0x8080808080808080ull);
            zeros = __builtin_bswap64(zeros);
#endif
            at += (uint32_t)__builtin_ctzll(zeros) >> 3;
            return at < most ? at : most;
        }
    }
    return most;
}

static inline uint32_t count_trailing_zeros(uint64_t x) { return (uint32_t)__builtin_ctzll(x); }

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
