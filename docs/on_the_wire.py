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
    "server-order": "Questions go to the slower of two servers first, or to one that stays silent before "
    "another answers.",
    "nodelocal-bypassed": "Some clients with the search list of a cluster ask 169.254.20.10, others the "
    "cluster's service address.",
    "cname-target-fails": "Seen at the resolver: a CNAME record from one zone's server, then SERVFAIL, "
    "REFUSED or nothing for its target from another's.",
    "ns-single-network": "Addresses of all servers of a zone, in glue or answers, that begin alike.",
    "circular-glue": "Referrals for two zones whose NS records name hosts in each other, with an empty "
    "additional section.",
    "delegation-change": "Referrals of the parent with other NS records than before.",
    "stale-delegation": "Queries to servers of which the parent's latest referral does not speak any more, "
    "answered with AA.",
    "provider-answers-differ": "Answers with AA for one name, from servers of the old delegation and of the "
    "new, with other data.",
    "srv-target-cname": "An SRV record, and a CNAME record of its target.",
    "caa-servfail": "Responses with RCODE 2 to questions for CAA, while other types of the name are "
    "answered.",
    "app-cache-absent": "The same question of one client, seconds apart, each time with what is left of one "
    "TTL.",
    "neg-cache-violated": "Seen at the resolver: NXDOMAIN with an SOA record, and the same question to that "
    "server again within its TTL.",
    "root-queries-high": "Seen at the resolver: many of its questions go to addresses of the root, most of "
    "them answered NXDOMAIN.",
    "resolver-restart-suspected": "Seen at the resolver: `. NS` asked of the root again, and then walks from "
    "the root down for names that were known.",
    "ra-missing": "Queries with RD; responses without RA and AA, often REFUSED or a referral.",
    "aa-from-recursive": "Responses with RA and AA to queries with RD, beside others with RA alone.",
    "client-over-rate": "More than a thousand queries from one address within a second.",
    "aaaa-waste": "Answers to AAAA with an SOA record and nothing else, nearly all of them.",
    "suffix-fails": "RCODE 2 or 5 for each name below a suffix, good answers for others, from one server.",
    "validating-resolver": "Seen at the resolver: questions for DNSKEY and DS to zones' servers, with the DO "
    "bit.",
    "ecs-leak": "An OPT record with a client subnet whose source prefix length is above 24, or 56.",
    "ecs-scope-longer": "A client subnet in a response whose scope prefix length is above its source prefix "
    "length.",
    "id-entropy-low": "IDs of one client's queries that go up by one, stay the same, or are few.",
    "port-entropy-low": "Source ports of one client's queries that go up by one or two, or are few.",
    "fixed-source-port": "One source port in all of a client's queries.",
    "open-resolver": "Responses with RA and without AA to addresses of many networks other than the "
    "server's.",
    "amplification": "Questions of 40 octets for one name, mostly ANY, tens a second, and answers of "
    "thousands of octets; at the victim the answers alone.",
    "any-tc": "Questions for ANY over UDP, each answered by the TC bit and no record.",
    "rrl-suspected": "One question many times: a whole answer, then by turns an empty one with TC and none.",
    "dga-suspected": "NXDOMAIN for one domain after another, each of letters without sense, from one client.",
    "random-subdomains": "NXDOMAIN for names below one domain whose first labels have no sense and never "
    "come again.",
    "tunnel-suspected": "Names of a hundred octets and more below one domain, never the same, and answers of "
    "type TXT, NULL or CNAME.",
}
