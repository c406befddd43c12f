/* What of libpcap is used, looked up when it is first wanted: dnscap is built without it and runs without it.
 *
 * Declared here and not taken from pcap.h, so that no header of it need be there either. These calls and structures
 * have been the same since libpcap 1.5 (2013), and 1.0 for most.
 */
#ifndef DNSCAP_LIBPCAP_H
#define DNSCAP_LIBPCAP_H

#include <dlfcn.h>
#include <stdint.h>
#include <sys/time.h>

typedef struct pcap pcap_t;

struct dnscap_pcap_header {
    struct timeval ts;         /* tv_usec holds nanoseconds where those were asked for */
    uint32_t caplen;
    uint32_t len;
};

struct dnscap_pcap_stat {
    unsigned int received, dropped, interface_dropped;
    unsigned int spare[8];     /* Windows' is longer */
};

struct dnscap_bpf_program {
    unsigned int len;
    void *instructions;
};

struct dnscap_pcap_if {
    struct dnscap_pcap_if *next;
    char *name;
    char *description;
    void *addresses;
    uint32_t flags;
};

typedef void (*dnscap_pcap_handler)(unsigned char *, const struct dnscap_pcap_header *, const unsigned char *);

struct dnscap_libpcap {
    void *library;
    pcap_t *(*create)(const char *, char *);
    int (*set_snaplen)(pcap_t *, int);
    int (*set_promisc)(pcap_t *, int);
    int (*set_timeout)(pcap_t *, int);
    int (*set_buffer_size)(pcap_t *, int);
    int (*set_tstamp_precision)(pcap_t *, int);    /* may be NULL */
    int (*get_tstamp_precision)(pcap_t *);         /* may be NULL */
    int (*activate)(pcap_t *);
    int (*datalink)(pcap_t *);
    int (*set_datalink)(pcap_t *, int);
    int (*compile)(pcap_t *, struct dnscap_bpf_program *, const char *, int, uint32_t);
    int (*setfilter)(pcap_t *, struct dnscap_bpf_program *);
    void (*freecode)(struct dnscap_bpf_program *);
    int (*setnonblock)(pcap_t *, int, char *);
    int (*get_selectable_fd)(pcap_t *);
    int (*dispatch)(pcap_t *, int, dnscap_pcap_handler, unsigned char *);
    int (*stats)(pcap_t *, struct dnscap_pcap_stat *);
    char *(*geterr)(pcap_t *);
    const char *(*statustostr)(int);
    void (*close)(pcap_t *);
    pcap_t *(*open_dead)(int, int);
    int (*findalldevs)(struct dnscap_pcap_if **, char *);
    void (*freealldevs)(struct dnscap_pcap_if *);
    const char *(*lib_version)(void);
};

#define DNSCAP_WANTED(name)                                                                   \
    do {                                                                                      \
        *(void **)&p->name = dlsym(p->library, "pcap_" #name);                                \
        if (p->name == NULL)                                                                  \
            return -2;                                                                        \
    } while (0)

/* 0; -1 where there is no such library, -2 where it lacks what is needed. */
static inline int dnscap_load_libpcap(struct dnscap_libpcap *p, const char *path) {
    p->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (p->library == NULL)
        return -1;
    DNSCAP_WANTED(create);
    DNSCAP_WANTED(set_snaplen);
    DNSCAP_WANTED(set_promisc);
    DNSCAP_WANTED(set_timeout);
    DNSCAP_WANTED(set_buffer_size);
    DNSCAP_WANTED(activate);
    DNSCAP_WANTED(datalink);
    DNSCAP_WANTED(set_datalink);
    DNSCAP_WANTED(compile);
    DNSCAP_WANTED(setfilter);
    DNSCAP_WANTED(freecode);
    DNSCAP_WANTED(setnonblock);
    DNSCAP_WANTED(get_selectable_fd);
    DNSCAP_WANTED(dispatch);
    DNSCAP_WANTED(stats);
    DNSCAP_WANTED(geterr);
    DNSCAP_WANTED(statustostr);
    DNSCAP_WANTED(close);
    DNSCAP_WANTED(open_dead);
    DNSCAP_WANTED(findalldevs);
    DNSCAP_WANTED(freealldevs);
    DNSCAP_WANTED(lib_version);
    *(void **)&p->set_tstamp_precision = dlsym(p->library, "pcap_set_tstamp_precision");
    *(void **)&p->get_tstamp_precision = dlsym(p->library, "pcap_get_tstamp_precision");
    return 0;
}

#endif
