/* Small constant tables for writing text, and the folding of names in whole vectors.
 *
 * Knows nothing of bounds: callers have reserved the room.  `dnscap_fold` reads and writes whole blocks of 16
 * octets of its own output buffer, never of the input. */
#ifndef DNSCAP_TEXT_H
#define DNSCAP_TEXT_H
#include <stdint.h>
#include <string.h>

/* Decimal text of an octet, left aligned, its length in the fourth place. */
#define DNSCAP_OCTET(n) { \
    (n) > 99 ? '0' + (n) / 100 : (n) > 9 ? '0' + (n) / 10 : '0' + (n), \
    (n) > 99 ? '0' + (n) / 10 % 10 : (n) > 9 ? '0' + (n) % 10 : ' ', \
    (n) > 99 ? '0' + (n) % 10 : ' ', \
    (n) > 99 ? 3 : (n) > 9 ? 2 : 1 }
#define DNSCAP_OCTETS4(n) DNSCAP_OCTET(n), DNSCAP_OCTET((n) + 1), DNSCAP_OCTET((n) + 2), DNSCAP_OCTET((n) + 3)
#define DNSCAP_OCTETS16(n) \
    DNSCAP_OCTETS4(n), DNSCAP_OCTETS4((n) + 4), DNSCAP_OCTETS4((n) + 8), DNSCAP_OCTETS4((n) + 12)
#define DNSCAP_OCTETS64(n) \
    DNSCAP_OCTETS16(n), DNSCAP_OCTETS16((n) + 16), DNSCAP_OCTETS16((n) + 32), DNSCAP_OCTETS16((n) + 48)
static const uint8_t dnscap_decimals[256][4] = {
    DNSCAP_OCTETS64(0), DNSCAP_OCTETS64(64), DNSCAP_OCTETS64(128), DNSCAP_OCTETS64(192)
};

static const char dnscap_hex[] = "0123456789abcdef";
static const char dnscap_base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char dnscap_base32[] = "0123456789abcdefghijklmnopqrstuv"; /* base32hex, RFC 5155 section 3.3 */

/* What an octet of a label needs in text (RFC 1035 section 5.1): nothing, a backslash, or \DDD. */
enum { DNSCAP_PLAIN = 0, DNSCAP_QUOTED = 1, DNSCAP_NUMERIC = 2 };
static inline int dnscap_label_octet(uint8_t c) {
    if (c <= 0x20 || c >= 0x7f) return DNSCAP_NUMERIC;
    switch (c) {
    case '"': case '$': case '(': case ')': case '.': case ';': case '@': case '\\': return DNSCAP_QUOTED;
    default: return DNSCAP_PLAIN;
    }
}

/* Fold at[0:n] to lower case in place, rounded up to whole blocks of 16 octets, and count the octets that
 * `dnscap_label_octet` finds not plain.  n is at most 255, and what fills the last block is plain. */
#if defined(__GNUC__)
typedef uint8_t dnscap_block __attribute__((vector_size(16)));
static inline uint32_t dnscap_fold(uint8_t *at, uint32_t n) {
    dnscap_block found = {0};
    uint64_t halves[2];
    for (uint32_t i = 0; i < n; i += 16) {
        dnscap_block c;
        memcpy(&c, at + i, 16);
        dnscap_block capital = (dnscap_block)((c - 'A') < 26);
        dnscap_block odd = (dnscap_block)((c - 0x21) >= 0x5e);
        odd |= (dnscap_block)(c == '"') | (dnscap_block)(c == '$') | (dnscap_block)(c == '(')
             | (dnscap_block)(c == ')') | (dnscap_block)(c == '.') | (dnscap_block)(c == ';')
             | (dnscap_block)(c == '@') | (dnscap_block)(c == '\\');
        c |= capital & 0x20;
        found -= odd;
        memcpy(at + i, &c, 16);
    }
    memcpy(halves, &found, 16);
    return (uint32_t)(((halves[0] + halves[1]) * 0x0101010101010101u) >> 56);
}
#else
static inline uint32_t dnscap_fold(uint8_t *at, uint32_t n) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < n; i++) {
        found += dnscap_label_octet(at[i]) != DNSCAP_PLAIN;
        if ((uint8_t)(at[i] - 'A') < 26) at[i] |= 0x20;
    }
    return found;
}
#endif
#endif
