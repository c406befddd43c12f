/* The form of the RDATA of every type that has one: a short sequence of fields, each of a kind.
 *
 * Both the check of RDATA off the wire and its presentation text are made from these tables, so a new type is
 * a new line here.  Types without a line are opaque octets (RFC 3597). */
#ifndef DNSCAP_RDATA_FORMS_H
#define DNSCAP_RDATA_FORMS_H
#include <stdint.h>

typedef enum {
    F_END = 0,
    /* Domain names. */
    F_NAME,             /* may be compressed, whether or not its type allows it (RFC 3597 section 4) */
    F_NAMES,            /* uncompressed names to the end: many pointers could grow without bound */
    /* Fixed size. */
    F_U8, F_U16, F_U32, F_U48, F_U64,
    F_IPV4, F_IPV6,
    F_TIME,             /* u32, shown as YYYYMMDDHHmmSS (RFC 4034 section 3.2) */
    F_TYPE,             /* u16, shown as the mnemonic of a record type */
    F_CERTIFICATE,      /* u16, certificate type (RFC 4398) */
    F_ALGORITHM,        /* u8, DNSSEC algorithm by mnemonic */
    F_SCHEME,           /* u8, DSYNC scheme */
    F_RCODE,            /* u16, extended rcode in a TSIG */
    F_OCTAL,            /* u16 in octal: a Chaosnet address */
    F_LOCATOR,          /* eight octets as xxxx:xxxx:xxxx:xxxx (RFC 6742) */
    F_EUI48, F_EUI64,   /* xx-xx-... (RFC 7043) */
    /* Character-strings. */
    F_STRING,           /* one */
    F_MORE_STRING,      /* one or none */
    F_STRINGS,          /* one or more, to the end */
    F_DECIMAL_STRING,   /* one that holds a decimal number, shown without quotes (RFC 1712) */
    F_TAG,              /* one of letters and digits, shown without quotes (RFC 8659 section 4.1) */
    /* Octets with a count before them. */
    F_SALT,             /* u8 count, hex, "-" for none */
    F_HASH,             /* u8 count, one or more octets, base32hex */
    F_MAC,              /* u16 count, shown too, then base64 */
    F_OTHER,            /* the same, without the base64 where empty */
    F_KEY,              /* u16 count, base64 */
    F_MORE_KEY,         /* the same, nothing where empty */
    /* What is left. */
    F_TEXT,             /* quoted */
    F_SOME_TEXT,        /* quoted, one octet at least */
    F_HEX,              /* in chunks of 64 octets, as tools print long digests */
    F_HEX_0X,           /* 0x... */
    F_BASE64,           /* in chunks of 24 octets */
    F_BASE64_WHOLE,     /* in one piece */
    F_BITMAP,           /* windows of types (RFC 4034 section 4.1.2) */
    F_FLAT_BITMAP,      /* types 0 to 127 (RFC 2535 section 5.2) */
    F_PARAMS,           /* SvcParams (RFC 9460 section 2.2) */
    F_PREFIXES,         /* APL items (RFC 3123) */
    F_PORTS,            /* WKS bitmap (RFC 1035 section 3.4.2) */
    /* One of a kind. */
    F_GATEWAY,          /* none, IPv4, IPv6 or a name, by the second octet of the RDATA (RFC 4025) */
    F_RELAY,            /* the same by its low seven bits (RFC 8777) */
    F_DISCOVERY,        /* u8: discovery-optional bit and relay type (RFC 8777) */
    F_LOCATION,         /* LOC version 0 (RFC 1876) */
    F_IDENTITY,         /* HIP: counts, algorithm, tag, key (RFC 8005) */
} dnscap_field;

enum { DNSCAP_MOST_FIELDS = 9, DNSCAP_FORMS = 265 };

typedef struct {
    uint8_t fields[DNSCAP_MOST_FIELDS + 1];     /* up to F_END */
    uint8_t internet;                           /* defined for class IN only */
} dnscap_form;

#define FORM(...) {{__VA_ARGS__}, 0}
#define INTERNET_FORM(...) {{__VA_ARGS__}, 1}
static const dnscap_form dnscap_forms[DNSCAP_FORMS] = {
    [1] = INTERNET_FORM(F_IPV4),                                                        /* A */
    [2] = FORM(F_NAME),                                                                 /* NS */
    [3] = FORM(F_NAME),                                                                 /* MD */
    [4] = FORM(F_NAME),                                                                 /* MF */
    [5] = FORM(F_NAME),                                                                 /* CNAME */
    [6] = FORM(F_NAME, F_NAME, F_U32, F_U32, F_U32, F_U32, F_U32),                      /* SOA */
    [7] = FORM(F_NAME),                                                                 /* MB */
    [8] = FORM(F_NAME),                                                                 /* MG */
    [9] = FORM(F_NAME),                                                                 /* MR */
    [11] = INTERNET_FORM(F_IPV4, F_U8, F_PORTS),                                        /* WKS */
    [12] = FORM(F_NAME),                                                                /* PTR */
    [13] = FORM(F_STRING, F_STRING),                                                    /* HINFO */
    [14] = FORM(F_NAME, F_NAME),                                                        /* MINFO */
    [15] = FORM(F_U16, F_NAME),                                                         /* MX */
    [16] = FORM(F_STRINGS),                                                             /* TXT */
    [17] = FORM(F_NAME, F_NAME),                                                        /* RP */
    [18] = FORM(F_U16, F_NAME),                                                         /* AFSDB */
    [19] = FORM(F_STRING),                                                              /* X25 */
    [20] = FORM(F_STRING, F_MORE_STRING),                                               /* ISDN */
    [21] = FORM(F_U16, F_NAME),                                                         /* RT */
    [22] = INTERNET_FORM(F_HEX_0X),                                                     /* NSAP */
    [23] = INTERNET_FORM(F_NAME),                                                       /* NSAP-PTR */
    [24] = FORM(F_TYPE, F_U8, F_U8, F_U32, F_TIME, F_TIME, F_U16, F_NAME, F_BASE64),    /* SIG */
    [25] = FORM(F_U16, F_U8, F_U8, F_BASE64),                                           /* KEY */
    [26] = INTERNET_FORM(F_U16, F_NAME, F_NAME),                                        /* PX */
    [27] = FORM(F_DECIMAL_STRING, F_DECIMAL_STRING, F_DECIMAL_STRING),                  /* GPOS */
    [28] = INTERNET_FORM(F_IPV6),                                                       /* AAAA */
    [29] = FORM(F_LOCATION),                                                            /* LOC */
    [30] = FORM(F_NAME, F_FLAT_BITMAP),                                                 /* NXT */
    [33] = INTERNET_FORM(F_U16, F_U16, F_U16, F_NAME),                                  /* SRV */
    [35] = INTERNET_FORM(F_U16, F_U16, F_STRING, F_STRING, F_STRING, F_NAME),           /* NAPTR */
    [36] = INTERNET_FORM(F_U16, F_NAME),                                                /* KX */
    [37] = FORM(F_CERTIFICATE, F_U16, F_ALGORITHM, F_BASE64),                           /* CERT */
    [39] = FORM(F_NAME),                                                                /* DNAME */
    [42] = INTERNET_FORM(F_PREFIXES),                                                   /* APL */
    [43] = FORM(F_U16, F_U8, F_U8, F_HEX),                                              /* DS */
    [44] = FORM(F_U8, F_U8, F_HEX),                                                     /* SSHFP */
    [45] = INTERNET_FORM(F_U8, F_U8, F_U8, F_GATEWAY, F_BASE64),                        /* IPSECKEY */
    [46] = FORM(F_TYPE, F_U8, F_U8, F_U32, F_TIME, F_TIME, F_U16, F_NAME, F_BASE64),    /* RRSIG */
    [47] = FORM(F_NAME, F_BITMAP),                                                      /* NSEC */
    [48] = FORM(F_U16, F_U8, F_U8, F_BASE64),                                           /* DNSKEY */
    [49] = INTERNET_FORM(F_BASE64),                                                     /* DHCID */
    [50] = FORM(F_U8, F_U8, F_U16, F_SALT, F_HASH, F_BITMAP),                           /* NSEC3 */
    [51] = FORM(F_U8, F_U8, F_U16, F_SALT),                                             /* NSEC3PARAM */
    [52] = FORM(F_U8, F_U8, F_U8, F_HEX),                                               /* TLSA */
    [53] = FORM(F_U8, F_U8, F_U8, F_HEX),                                               /* SMIMEA */
    [55] = FORM(F_IDENTITY, F_NAMES),                                                   /* HIP */
    [56] = FORM(F_STRINGS),                                                             /* NINFO */
    [57] = FORM(F_U16, F_U8, F_U8, F_BASE64),                                           /* RKEY */
    [58] = FORM(F_NAME, F_NAME),                                                        /* TALINK */
    [59] = FORM(F_U16, F_U8, F_U8, F_HEX),                                              /* CDS */
    [60] = FORM(F_U16, F_U8, F_U8, F_BASE64),                                           /* CDNSKEY */
    [61] = FORM(F_BASE64_WHOLE),                                                        /* OPENPGPKEY */
    [62] = FORM(F_U32, F_U16, F_BITMAP),                                                /* CSYNC */
    [63] = FORM(F_U32, F_U8, F_U8, F_HEX),                                              /* ZONEMD */
    [64] = INTERNET_FORM(F_U16, F_NAME, F_PARAMS),                                      /* SVCB */
    [65] = INTERNET_FORM(F_U16, F_NAME, F_PARAMS),                                      /* HTTPS */
    [66] = FORM(F_TYPE, F_SCHEME, F_U16, F_NAME),                                       /* DSYNC */
    [67] = FORM(F_BASE64_WHOLE),                                                        /* HHIT */
    [68] = FORM(F_BASE64_WHOLE),                                                        /* BRID */
    [99] = FORM(F_STRINGS),                                                             /* SPF */
    [104] = FORM(F_U16, F_LOCATOR),                                                     /* NID */
    [105] = FORM(F_U16, F_IPV4),                                                        /* L32 */
    [106] = FORM(F_U16, F_LOCATOR),                                                     /* L64 */
    [107] = FORM(F_U16, F_NAME),                                                        /* LP */
    [108] = FORM(F_EUI48),                                                              /* EUI48 */
    [109] = FORM(F_EUI64),                                                              /* EUI64 */
    [249] = FORM(F_NAME, F_U32, F_U32, F_U16, F_U16, F_KEY, F_MORE_KEY),                /* TKEY */
    [250] = FORM(F_NAME, F_U48, F_U16, F_MAC, F_U16, F_RCODE, F_OTHER),                 /* TSIG */
    [256] = FORM(F_U16, F_U16, F_SOME_TEXT),                                            /* URI */
    [257] = FORM(F_U8, F_TAG, F_TEXT),                                                  /* CAA */
    [258] = FORM(F_STRINGS),                                                            /* AVC */
    [260] = FORM(F_U8, F_DISCOVERY, F_RELAY),                                           /* AMTRELAY */
    [261] = FORM(F_STRINGS),                                                            /* RESINFO */
    [262] = FORM(F_STRINGS),                                                            /* WALLET */
    [263] = FORM(F_STRINGS),                                                            /* CLA */
    [264] = FORM(F_U64),                                                                /* IPN */
};
static const dnscap_form dnscap_delegation_signer = FORM(F_U16, F_U8, F_U8, F_HEX);     /* TA, DLV */
static const dnscap_form dnscap_chaos_address = FORM(F_NAME, F_OCTAL);          /* A in class CH, RFC 1035 */
#undef FORM
#undef INTERNET_FORM

/* Octets of the kinds of fixed size; 0 for the others. */
static const uint8_t dnscap_widths[F_IDENTITY + 1] = {
    [F_U8] = 1, [F_U16] = 2, [F_U32] = 4, [F_U48] = 6, [F_U64] = 8, [F_IPV4] = 4, [F_IPV6] = 16, [F_TIME] = 4,
    [F_TYPE] = 2, [F_CERTIFICATE] = 2, [F_ALGORITHM] = 1, [F_SCHEME] = 1, [F_RCODE] = 2, [F_OCTAL] = 2,
    [F_LOCATOR] = 8, [F_EUI48] = 6, [F_EUI64] = 8, [F_DISCOVERY] = 1,
};

/* Mnemonics that stand inside RDATA; numbers without one are written as numbers. */
static const char *const dnscap_algorithms[256] = {
    [1] = "RSAMD5", [2] = "DH", [3] = "DSA", [4] = "ECC", [5] = "RSASHA1", [6] = "DSANSEC3SHA1",
    [7] = "RSASHA1NSEC3SHA1", [8] = "RSASHA256", [10] = "RSASHA512", [12] = "ECCGOST",
    [13] = "ECDSAP256SHA256",
    [14] = "ECDSAP384SHA384", [15] = "ED25519", [16] = "ED448", [18] = "MLDSA44", [252] = "INDIRECT",
    [253] = "PRIVATEDNS", [254] = "PRIVATEOID",
};
static const char *const dnscap_certificates[256] = {
    [1] = "PKIX", [2] = "SPKI", [3] = "PGP", [4] = "IPKIX", [5] = "ISPKI", [6] = "IPGP", [7] = "ACPKIX",
    [8] = "IACPKIX", [253] = "URI", [254] = "OID",
};
enum { DNSCAP_PARAM_NAMES = 11 };
static const char *const dnscap_param_names[DNSCAP_PARAM_NAMES] = {     /* the rest as keyN */
    "mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp", 0,
    "docpath",
};
#endif
