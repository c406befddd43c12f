"""How each finding looks in packets, for its page; beside the rules, because only readers of a capture need it."""

WIRE: dict[str, str] = {
    "nameserver-timeout": "Questions to one server stay without any answer; after the stub's timeout the same "
    "question goes to the next server and is answered at once.",
    "no-answer": "The question goes out again and again, to each server in turn, until the stub gives up; nothing "
    "comes back.",
    "server-unreachable": "Each question is answered by an ICMP error from the server or a router, or a SYN by a "
    "reset.",
    "packet-loss": "One question without an answer among many that are answered; the same question to the same "
    "server after the timeout succeeds.",
    "pair-race": "A and AAAA leave one port within microseconds; one is answered, the other is not. After the "
    "timeout both are sent again, and both are answered.",
    "aaaa-dropped": "A is answered in milliseconds, AAAA of the same name never is, however often it is asked.",
    "second-answer-dropped": "Two questions from one port; the answer that would come second never does, whichever "
    "type it is of.",
    "reply-swallowed": "Seen at a forwarder: its upstream answers, and no packet goes on to the client.",
    "queue-overflow": "Unanswered questions of all types crowd into the seconds with most queries.",
    "truncation": "An answer with the TC bit, then a TCP handshake and the same question over it.",
    "tcp-blocked": "An answer with the TC bit, then SYN packets at 0, 1, 3 seconds that nobody answers, or a reset.",
    "tcp-retransmission": "A SYN or a segment is sent twice, 1 s or some hundred milliseconds apart.",
    "fragments-lost": "A large UDP answer of which only the first IP fragment comes, and a question sent again.",
    "edns-fallback": "FORMERR, NOTIMP or BADVERS to a query with an OPT record; then the same query without it, "
    "answered.",
    "edns-dropped": "Queries with an OPT record stay unanswered; the same query without it is answered.",
    "servfail": "Responses with RCODE 2, often after a second or more, and the question at the next server.",
    "refused": "Responses with RCODE 5, mostly at once; some have 12 octets and no question.",
    "formerr": "Responses with RCODE 1, often of 12 octets and without the question.",
    "partial-answer": "One of A and AAAA gets records or NODATA, the other an error.",
    "bogus-answer-ignored": "A response of another id, name or source address arrives; the client goes on waiting.",
    "error-retry-storm": "The same question many times within a second, each with SERVFAIL or REFUSED in between.",
    "search-fanout": "Names that end in one suffix after another, A and AAAA of each, answered NXDOMAIN until one "
    "exists.",
    "slow-answer": "One question, one answer, a long time between them and nothing else.",
    "serial-a-aaaa": "The AAAA question leaves only when the A answer is there, each time.",
    "slow-server": "The time between question and answer is long for most names, cached or not.",
    "retry-multiplication": "The same few questions dozens of times: names times families times servers times "
    "attempts.",
    "ptr-timeout": "PTR questions for in-addr.arpa or ip6.arpa names without an answer or with SERVFAIL.",
    "cname-loop": "CNAME records that lead back to a name asked before; SERVFAIL, or an answer of aliases alone.",
    "dangling-cname": "A CNAME record in the answer section and NXDOMAIN as the code.",
    "long-cname-chain": "Four or more CNAME records in one answer, or as many questions one after another.",
    "nxdomain-typo": "NXDOMAIN for a name beside many good answers for one that differs by a letter or two.",
    "internal-name-leak": "Questions for .local, .internal, cluster names or private reverse zones to an address "
    "outside.",
    "cold-recursion": "Seen at the resolver: its own questions to root, TLD and zone servers lie between the "
    "client's question and its answer.",
    "slow-authoritative": "Seen at the resolver: one of its own exchanges fills most of the client's wait.",
    "lame-delegation": "Seen at the resolver: REFUSED, SERVFAIL or an upward referral of a server that should hold "
    "the zone.",
    "dead-authoritative": "Seen at the resolver: its questions to one server of the zone are never answered.",
    "dnssec-bogus": "Seen at the resolver: questions for DNSKEY and DS, answered, then SERVFAIL to the client.",
    "serve-stale": "Seen at the resolver: no answer of the zone, then an answer to the client with a TTL of some "
    "30 seconds.",
    "upstream-refused": "REFUSED on the upstream side before the client's answer.",
    "upstream-servfail": "SERVFAIL on the upstream side before the client's answer.",
    "upstream-truncation": "TC on the upstream side, then TCP, while the client waits.",
    "upstream-tcp-blocked": "TC on the upstream side, then SYN packets without an answer.",
    "upstream-edns-fallback": "FORMERR to an upstream query with an OPT record, then one without it.",
    "upstream-edns-dropped": "Upstream queries with an OPT record without an answer, then one without it, answered.",
    "forwarder-upstream-timeout": "The forwarder's upstream question without an answer, then another upstream or "
    "SERVFAIL.",
    "forwarder-edns-fallback": "The forwarder's questions change: no OPT record after FORMERR or silence.",
}
