/* Loads of fixed-width integers from octets of unknown alignment.
 *
 * Knows nothing of bounds: every caller has checked that the octets are there.
 * Goes through memcpy, so no alignment or aliasing rule is broken; compilers
 * turn each function into one or two instructions. */
#ifndef DNSCAP_LOADS_H
#define DNSCAP_LOADS_H
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define DNSCAP_BE(width, x) (x)
#define DNSCAP_LE(width, x) __builtin_bswap##width(x)
#else
#define DNSCAP_BE(width, x) __builtin_bswap##width(x)
#define DNSCAP_LE(width, x) (x)
#endif

static inline uint64_t load64(const void *p) { uint64_t x; memcpy(&x, p, 8); return x; }
static inline uint32_t load32(const void *p) { uint32_t x; memcpy(&x, p, 4); return x; }
static inline uint16_t be16(const void *p) { uint16_t x; memcpy(&x, p, 2); return DNSCAP_BE(16, x); }
static inline uint32_t be32(const void *p) { uint32_t x; memcpy(&x, p, 4); return DNSCAP_BE(32, x); }
static inline uint64_t be64(const void *p) { uint64_t x; memcpy(&x, p, 8); return DNSCAP_BE(64, x); }
static inline uint16_t le16(const void *p) { uint16_t x; memcpy(&x, p, 2); return DNSCAP_LE(16, x); }
static inline uint32_t le32(const void *p) { uint32_t x; memcpy(&x, p, 4); return DNSCAP_LE(32, x); }
static inline uint64_t le64(const void *p) { uint64_t x; memcpy(&x, p, 8); return DNSCAP_LE(64, x); }

/* The last eight octets of ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2) as they stand in memory; p points to a.b.c.d. */
static inline uint64_t mapped_ip4(const void *p) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return 0x0000ffff00000000u | load32(p);
#else
    return (uint64_t)load32(p) << 32 | 0xffff0000u;
#endif
}
#endif
