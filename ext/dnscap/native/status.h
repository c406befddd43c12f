/* The one table of what can be wrong with a message: number, name as users see it, meaning.
 *
 * A message keeps the first fault met in wire order and what was read before it. */
#ifndef DNSCAP_STATUS_H
#define DNSCAP_STATUS_H
#define DNSCAP_STATUSES(X) \
    X(STATUS_OK, "ok", "nothing wrong") \
    X(STATUS_TRUNCATED_CAPTURE, "truncated-capture", "the capture holds only the beginning of the packet (snap length)") \
    X(STATUS_FIRST_FRAGMENT, "first-fragment", "only the first IP fragment is in the capture; whole records before the cut are kept") \
    X(STATUS_SHORT_HEADER, "short-header", "fewer than the 12 octets of a DNS header (RFC 1035 section 4.1.1)") \
    X(STATUS_LABEL_OVERRUN, "label-overrun", "a domain name runs past the end of the message") \
    X(STATUS_BAD_LABEL, "bad-label", "a label of a reserved type, neither length nor pointer (RFC 1035 section 4.1.4)") \
    X(STATUS_BAD_POINTER, "bad-pointer", "a compression pointer that does not point backward to a name in the message") \
    X(STATUS_NAME_TOO_LONG, "name-too-long", "a domain name of more than 255 octets (RFC 1035 section 2.3.4)") \
    X(STATUS_QUESTION_OVERRUN, "question-overrun", "the message ends inside its question section") \
    X(STATUS_RECORD_OVERRUN, "record-overrun", "the message ends before the records that its counts promise") \
    X(STATUS_RDATA_OVERRUN, "rdata-overrun", "RDLENGTH reaches past the end of the message") \
    X(STATUS_BAD_RDATA, "bad-rdata", "RDATA that does not have the form of its type") \
    X(STATUS_BAD_OPT, "bad-opt", "an OPT record that breaks RFC 6891: options that do not add up, a second OPT, an owner other than the root") \
    X(STATUS_TRAILING_OCTETS, "trailing-octets", "octets after the last record")

typedef enum {
#define DNSCAP_ENUM(number, name, meaning) number,
    DNSCAP_STATUSES(DNSCAP_ENUM)
#undef DNSCAP_ENUM
    STATUS_COUNT
} dnscap_status;

static const char *const dnscap_status_names[] = {
#define DNSCAP_NAME(number, name, meaning) name,
    DNSCAP_STATUSES(DNSCAP_NAME)
#undef DNSCAP_NAME
};

static const char *const dnscap_status_meanings[] = {
#define DNSCAP_MEANING(number, name, meaning) meaning,
    DNSCAP_STATUSES(DNSCAP_MEANING)
#undef DNSCAP_MEANING
};
#endif
