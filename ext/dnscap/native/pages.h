/* Memory that is born zero.  Of large blocks, pages cost nothing before something else than zeros is written to them:
 * a column of which most values are zero takes next to no memory. */
#ifndef DNSCAP_PAGES_H
#define DNSCAP_PAGES_H
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
#define DNSCAP_HUGE ((size_t)2 << 20)

/* `octets` octets of zeros, a multiple of the page size; NULL without memory. */
static inline void *zero_pages(size_t octets)
{
    size_t spare = DNSCAP_HUGE, before, behind;
    uint8_t *p;
    if (octets < DNSCAP_HUGE) return calloc(octets, 1);
    p = mmap(NULL, octets + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return NULL;
    before = (DNSCAP_HUGE - ((uintptr_t)p & (DNSCAP_HUGE - 1))) & (DNSCAP_HUGE - 1);
    behind = spare - before;
    if (before) munmap(p, before);
    if (behind) munmap(p + before + octets, behind);
    return p + before;
}

/* The first `octets` of a block are going to be filled: whole huge pages of them come as such. */
static inline void will_fill(void *p, size_t octets)
{
#ifdef MADV_HUGEPAGE
    octets &= ~(DNSCAP_HUGE - 1);
    if (octets) madvise(p, octets, MADV_HUGEPAGE);
#endif
}

static inline void free_pages(void *p, size_t octets)
{
    if (octets < DNSCAP_HUGE) free(p);
    else if (p) munmap(p, octets);
}
#else
static inline void *zero_pages(size_t octets) { return calloc(octets, 1); }
static inline void will_fill(void *p, size_t octets) { (void)p; (void)octets; }
static inline void free_pages(void *p, size_t octets) { (void)octets; free(p); }
#endif
#endif
