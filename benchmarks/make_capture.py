#!/usr/bin/env python3
"""Deterministic generator of realistic resolver traffic, as pcap or pcapng.

    python3 make_capture.py -n 2000000 -o big.pcap
    python3 make_capture.py -n 100000 --format pcapng --nanos --linktype sll2 -o x.pcapng

Same arguments + same seed = same bytes.  Needs numpy only.  How it is fast: DNS
bodies are built once per distinct (qname, qtype) in plain Python, then every packet
is a list of slices of one byte pool, gathered and patched by numpy in chunks.

What is in it (defaults): 5k stub clients (80/20 IPv4/IPv6) to two resolvers, cache
misses go upstream to 400 authoritative servers (RD=0), Zipf(1.0) over 200k names,
A/AAAA/HTTPS/PTR/TXT/MX/NS/SOA/DS/DNSKEY/SRV, compression pointers, CNAME chains,
EDNS 1232 with cookies / ECS, NXDOMAIN + SOA, NODATA, SERVFAIL, search-list fan-out,
retransmissions, never-answered queries, TC=1 then TCP (with handshake, segmented and
pipelined messages), log-normal latency, 5 % non-DNS noise.  IP/UDP/TCP checksums valid.
"""
import argparse, json, struct, sys, time
import numpy as np

QT = dict(A=1, NS=2, CNAME=5, SOA=6, PTR=12, MX=15, TXT=16, AAAA=28, SRV=33, DS=43,
          RRSIG=46, DNSKEY=48, HTTPS=65)
HOST, APEX, PTR4, PTR6, SRVN, NX, SRCH = range(7)
QMIX = {HOST: [('A', .55), ('AAAA', .27), ('HTTPS', .18)],
        APEX: [('A', .38), ('AAAA', .15), ('HTTPS', .10), ('MX', .08), ('TXT', .08),
               ('NS', .07), ('SOA', .04), ('DS', .06), ('DNSKEY', .04)],
        PTR4: [('PTR', 1.)], PTR6: [('PTR', 1.)], SRVN: [('SRV', 1.)],
        NX: [('A', .6), ('AAAA', .4)], SRCH: [('A', .6), ('AAAA', .4)]}


class Pool:
    def __init__(self):
        self.b = bytearray()

    def add(self, x):
        o = len(self.b)
        self.b += x
        return o


def make_names(n, rng):
    """list of (labels, kind, extra); labels are bytes."""
    syl = [a + b for a in 'b c d f g h k l m n p r s t v w z br cl st tr'.split() for b in 'a e i o u ai ou'.split()]
    tlds = 'com com com com com net net org io de uk nl fr jp cn ru br info biz dev app cloud co eu xyz'.split()
    subs = ('www www www www api cdn mail static img m app login auth edge push assets media ads track stats '
            'smtp imap ns1 ns2 vpn gw telemetry update config graph events beacon').split()
    R = rng.integers
    nsld = max(20, n * 12 // 100)
    sl = R(0, len(syl), (nsld, 4)); ln = R(1, 5, nsld); tl = R(0, len(tlds), nsld); dig = R(0, 100, nsld)
    slds, seen = [], set()
    for i in range(nsld):
        s = ''.join(syl[k] for k in sl[i, :ln[i]]) + ('' if dig[i] > 12 else str(dig[i]))
        k = (s, tlds[tl[i]])
        if k in seen:
            k = (s + '-' + str(i), k[1])
        seen.add(k)
        slds.append((k[0].encode(), k[1].encode()))
    out = [(l, APEX, None) for l in slds]
    nx, p4, p6, sv, srch = n * 8 // 100, n * 10 // 100, n * 3 // 100, n // 100, n * 4 // 100
    nhost = n - nsld - nx - p4 - p6 - sv - srch
    a = R(0, nsld, nhost); s = R(0, len(subs), nhost); form = R(0, 10, nhost); num = R(0, 1 << 30, nhost)
    seen = set(); hosts0 = len(out)
    for i in range(nhost):
        b = slds[a[i] if form[i] < 8 else a[i] % 50]
        w = subs[s[i]].encode()
        if form[i] < 4: l = (w,) + b
        elif form[i] < 7: l = (w, syl[num[i] % len(syl)].encode()) + b
        elif form[i] < 8: l = (b'%s%d' % (w, num[i] % 1000),) + b
        else: l = (b'%08x' % num[i], b'e%d' % (num[i] % 97), w) + b
        if l in seen:
            l = (b'h%d' % i,) + l
        seen.add(l)
        out.append((l, HOST, None))
    o = R(0, 256, (p4, 4))
    for i in range(p4):
        out.append(((b'%d' % o[i, 3], b'%d' % o[i, 2], b'%d' % o[i, 1], b'%d' % o[i, 0], b'in-addr', b'arpa'), PTR4, None))
    o = R(0, 16, (p6, 32))
    for i in range(p6):
        out.append((tuple(b'%x' % x for x in o[i]) + (b'ip6', b'arpa'), PTR6, None))
    a = R(0, nsld, sv)
    for i in range(sv):
        out.append(((b'_sip' if i & 1 else b'_ldap', b'_tcp', b'site%d' % i) + slds[a[i]], SRVN, None))
    o = R(97, 123, (nx, 16)); a = R(8, 17, nx)
    for i in range(nx):
        out.append(((bytes(o[i, :a[i]].astype(np.uint8)), tlds[a[i] % len(tlds)].encode()), NX, None))
    # search-list variants of some hosts: host + suffix
    sfx = [(b'corp', b'example', b'net'), (b'lan', b'corp', b'example', b'net')]
    fan = {}
    for i in range(srch // 2):
        h = hosts0 + int(num[i % nhost]) % nhost
        if h in fan:
            continue
        ids = []
        for x in sfx:
            ids.append(len(out)); out.append((out[h][0] + x, SRCH, h))
        fan[h] = ids
    return out, fan


class Msg:
    """one DNS message with name compression"""
    __slots__ = ('b', 'd')

    def __init__(self, labels, qt):
        self.b = bytearray(b'\0\0\0\0\0\1\0\0\0\0\0\0'); self.d = {}
        self.name(labels)
        self.b += struct.pack('>HH', qt, 1)

    def name(self, labels):
        b, d = self.b, self.d
        for i in range(len(labels)):
            k = labels[i:]
            p = d.get(k)
            if p is not None:
                b += struct.pack('>H', 0xC000 | p)
                return
            if len(b) < 0x3FFF:
                d[k] = len(b)
            b.append(len(labels[i])); b += labels[i]
        b.append(0)

    def rr(self, owner, t, ttl, rd):
        self.name(owner)
        self.b += struct.pack('>HHIH', t, 1, ttl, len(rd)); self.b += rd

    def rrn(self, owner, t, ttl, pre, *names, post=b''):
        self.name(owner)
        self.b += struct.pack('>HHIH', t, 1, ttl, 0); o = len(self.b)
        self.b += pre
        for x in names:
            self.name(x)
        self.b += post
        struct.pack_into('>H', self.b, o - 2, len(self.b) - o)

    def counts(self, an, ns, ar):
        struct.pack_into('>HHH', self.b, 6, an, ns, ar)


def response(labels, kind, qt, h, rb, big=False):
    """(bytes, rcode).  h: 32-bit hash of the pair -> all choices; rb: random bytes pool"""
    m = Msg(labels, qt); ttl = (30, 60, 300, 300, 3600, 86400)[h % 6]
    zone = labels[-2:] if kind not in (PTR4, PTR6) else labels[-5:] if kind == PTR4 else labels[-12:]
    if kind == SRCH: zone = labels[-3:]
    an = ns = ar = 0; rc = 0
    def soa(owner):
        m.rrn(owner, 6, 900, b'', (b'ns1',) + owner, (b'hostmaster',) + owner,
              post=struct.pack('>IIIII', 2024010100 + h % 99, 7200, 900, 1209600, 900))
    r = (h >> 3) % 65536
    if kind in (NX, SRCH):
        soa(zone if kind == SRCH else labels[-1:]); m.counts(0, 1, 0)
        return bytes(m.b), 3
    if kind in (PTR4, PTR6) and h % 4 == 0:
        soa(zone); m.counts(0, 1, 0)
        return bytes(m.b), 3
    owner = labels
    if qt in (1, 28, 65):
        if kind == HOST and h % 100 < 38:
            for k in range(1 + (h >> 8) % 3):
                if k == 0: t = (labels[0], b'edge', b'cdn%d' % (h % 40), b'example-cdn', b'net')
                elif k == 1: t = (b'e%d' % (h % 9999), b'g', b'akcdn', b'net')
                else: t = (b'x%d' % (h % 999),) + owner[1:]
                m.rrn(owner, 5, ttl, b'', t); an += 1; owner = t
        if qt == 1:
            for k in range((1, 1, 1, 2, 2, 3, 4, 8)[(h >> 5) % 8]):
                m.rr(owner, 1, ttl, rb[r + 4 * k:r + 4 * k + 4]); an += 1
        elif qt == 28 and (h >> 7) % 10 < 6:
            for k in range((1, 1, 2, 4)[(h >> 5) % 4]):
                m.rr(owner, 28, ttl, b'\x20\x01\x0d\xb8' + rb[r + 12 * k:r + 12 * k + 12]); an += 1
        elif qt == 65 and (h >> 7) % 10 < 3:
            m.rr(owner, 65, ttl, b'\0\1\0' + b'\0\1\0\6\2h3\2h2' + b'\0\4\0\x08' + rb[r:r + 8]); an += 1
        else:
            z = owner[-2:]; soa(z); ns += 1
    elif qt == 12:
        m.rrn(owner, 12, ttl, b'', (b'host-' + b'-'.join(labels[:4] if kind == PTR4 else labels[:2]), b'isp%d' % (h % 77), b'net')); an = 1
    elif qt == 16:
        v = [b'v=spf1 include:_spf.google.com include:spf.protection.outlook.com ip4:%d.%d.0.0/16 -all' % (h % 223 + 1, h % 256),
             b'google-site-verification=' + rb[r:r + 32].hex().encode()[:43], b'MS=ms%d' % h]
        for k in range(14 if big else 1 + h % 3):
            x = v[k % 3] + (b'.%d' % k if big else b'')
            m.rr(owner, 16, ttl, bytes([len(x)]) + x); an += 1
    elif qt == 15:
        for k in range(1 + h % 5):
            m.rrn(owner, 15, ttl, struct.pack('>H', 10 * k), (b'mx%d' % k,) + owner if h & 64 else (b'aspmx%d' % k, b'l', b'google', b'com')); an += 1
    elif qt == 2:
        k0 = 2 + h % 3
        for k in range(k0):
            m.rrn(owner, 2, 86400, b'', (b'ns%d' % k,) + owner); an += 1
        for k in range(k0):
            m.rr((b'ns%d' % k,) + owner, 1, 86400, rb[r + k:r + k + 4]); m.rr((b'ns%d' % k,) + owner, 28, 86400, rb[r + k:r + k + 16]); ar += 2
    elif qt == 6:
        soa(owner); an = 1
    elif qt == 43:
        m.rr(owner, 43, 3600, struct.pack('>HBB', h % 65536, 8, 2) + rb[r:r + 32]); an = 1
    elif qt == 48:
        for k in range(2 + big * 2):
            m.rr(owner, 48, 3600, struct.pack('>HBB', 256 + (k & 1), 3, 8) + b'\3\1\0\1' + rb[r + k:r + k + 256]); an += 1
        for k in range(1 + big):
            m.rrn(owner, 46, 3600, struct.pack('>HBBIIIH', 48, 8, len(owner), 3600, 1735689600, 1733000000, h % 65536), post=b''.join(
                bytes([len(x)]) + x for x in owner) + b'\0' + rb[r + 7 + k:r + 263 + k]); an += 1
    elif qt == 33:
        for k in range(1 + h % 2):
            t = (b'sip%d' % k,) + labels[-2:]
            m.rr(owner, 33, ttl, struct.pack('>HHH', 10, 60, 5060) + b''.join(bytes([len(x)]) + x for x in t) + b'\0'); an += 1
    m.counts(an, ns, ar)
    return bytes(m.b), rc


def opt(udp, do, opts=b''):
    return b'\0\0\x29' + struct.pack('>HIH', udp, 0x8000 if do else 0, len(opts)) + opts


def simulate(a):
    rng = np.random.default_rng(a.seed)
    pool = Pool(); rb = rng.integers(0, 256, 1 << 17, dtype=np.uint8).tobytes()
    names, fan = make_names(a.names, rng)
    nn = len(names); kinds = np.array([k for _, k, _ in names])
    # ---- transactions
    M = int(a.packets * .95 / 2.28) + 2000
    w = 1.0 / np.arange(1, nn + 1) ** a.zipf; perm = rng.permutation(nn); p = np.empty(nn); p[perm] = w
    p[kinds == SRCH] = 0
    cw = np.cumsum(p); cw /= cw[-1]
    name = np.searchsorted(cw, rng.random(M)).clip(0, nn - 1)
    dur = M / a.qps * 1e9
    t0 = np.sort(rng.random(M)) * dur
    ncl = 5000; nsrv = 2; nauth = 400
    v6cl = np.arange(ncl) >= ncl * 80 // 100
    cwt = np.cumsum(1.0 / np.arange(1, ncl + 1) ** .6); cwt /= cwt[-1]
    cl = rng.permutation(ncl)[np.searchsorted(cwt, rng.random(M)).clip(0, ncl - 1)]
    # search-list fan-out: extra transactions before the real one
    isfan = np.zeros(nn, bool); isfan[list(fan)] = True
    f = np.flatnonzero(isfan[name] & (rng.random(M) < .6))
    if len(f):
        fa = np.array([fan[i] for i in name[f]])
        name = np.r_[name, fa[:, 0], fa[:, 1]]; cl = np.r_[cl, cl[f], cl[f]]
        base = t0[f].copy(); t0[f] += 60e6
        t0 = np.r_[t0, base, base + 30e6]
        M = len(name)
    # qtype per transaction
    qt = np.zeros(M, np.int64); u = rng.random(M)
    for k, mix in QMIX.items():
        s = np.flatnonzero(kinds[name] == k)
        c = np.cumsum([x for _, x in mix]); c[-1] = 1.1
        qt[s] = np.array([QT[x] for x, _ in mix])[np.searchsorted(c, u[s])]
    # ---- templates for distinct pairs
    pair, inv = np.unique(name * 70000 + qt, return_inverse=True)
    P = len(pair)
    q_off = np.empty(P, np.int64); q_len = np.empty(P, np.int64); r_off = np.empty(P, np.int64); r_len = np.empty(P, np.int64)
    rcode = np.zeros(P, np.int64); ph = rng.integers(0, 1 << 31, P).tolist()
    for i, x in enumerate(pair.tolist()):
        labels, kind, _ = names[x // 70000]; t = x % 70000
        r, rc = response(labels, kind, t, ph[i], rb)
        ql = 12 + sum(map(len, labels)) + len(labels) + 1 + 4
        q_off[i] = pool.add(r[:6] + b'\0\0\0\0\0\0' + r[12:ql]); q_len[i] = ql
        r_off[i] = pool.add(r); r_len[i] = len(r); rcode[i] = rc
    # OPT variants
    ov = []
    def addopt(x): ov.append((pool.add(x), len(x))); return len(ov) - 1
    oq = [addopt(opt(1232, False)), addopt(opt(1232, True)), addopt(opt(4096, True))]
    oc_q, oc_r = [], []
    for k in range(256):
        c = rb[k * 8:k * 8 + 8]
        oc_q.append(addopt(opt(1232, False, struct.pack('>HH', 10, 8) + c)))
        oc_r.append(addopt(opt(1232, False, struct.pack('>HH', 10, 24) + c + rb[5000 + k:5016 + k])))
    oe_q = [addopt(opt(1232, False, b'\0\x08\0\7\0\1\x18\0' + rb[k:k + 3])) for k in range(64)]
    oe_r = [addopt(opt(1232, False, b'\0\x08\0\7\0\1\x18\x18' + rb[k:k + 3])) for k in range(64)]
    none = addopt(b'')
    ovo = np.array([o for o, _ in ov]); ovl = np.array([l for _, l in ov])
    v = rng.random(M); k = rng.integers(0, 256, M)
    optq = np.where(v < .35, none, np.where(v < .6, oq[0], np.where(v < .75, oq[1], np.where(v < .94, np.array(oc_q)[k], np.array(oe_q)[k & 63]))))
    optr = np.where(v < .35, none, np.where(v < .6, oq[0], np.where(v < .75, oq[1], np.where(v < .94, np.array(oc_r)[k], np.array(oe_r)[k & 63]))))
    # ---- addresses: 0..ncl clients, then resolvers v4, v6, then auths v4, v6
    A = np.zeros((ncl + 2 * nsrv + 2 * nauth + 200, 16), np.uint8); fam = np.full(len(A), 4)
    i = np.arange(ncl)
    A[:ncl, 0] = 10; A[:ncl, 1] = 20 + i // 65536; A[:ncl, 2] = i // 256; A[:ncl, 3] = i % 256
    s6 = np.flatnonzero(v6cl); fam[s6] = 6
    A[s6] = 0; A[s6, 0:4] = [0x20, 1, 0xd, 0xb8]; A[s6, 5] = 1; A[s6, 8:16] = rng.integers(0, 256, (len(s6), 8))
    o = ncl
    for j in range(nsrv): A[o + j, :4] = [10, 0, 0, 53 + j]
    for j in range(nsrv): A[o + nsrv + j] = list(bytes.fromhex('20010db8000000000000000000000053')); A[o + nsrv + j, 15] += j; fam[o + nsrv + j] = 6
    o2 = o + 2 * nsrv
    A[o2:o2 + nauth, :4] = rng.integers(1, 224, (nauth, 4)); A[o2:o2 + nauth, 0] = 100 + np.arange(nauth) % 90
    o3 = o2 + nauth
    A[o3:o3 + nauth, :4] = [0x20, 1, 0xd, 0xb8]; A[o3:o3 + nauth, 4:] = rng.integers(0, 256, (nauth, 12)); fam[o3:o3 + nauth] = 6
    o4 = o3 + nauth
    A[o4:, :4] = rng.integers(1, 224, (len(A) - o4, 4))
    srv = np.where(fam[cl] == 6, o + nsrv, o) + rng.integers(0, nsrv, M)
    sport = rng.integers(1024, 65536, M); sport[sport == 5353] = 5354; txid = rng.integers(0, 65536, M)
    # ---- fates
    x = rng.random(M)
    hit = rng.random(M) < .78
    noans = x < .003
    retry = (x >= .003) & (x < .022)
    servf = (x >= .022) & (x < .030)
    isbig = np.isin(qt, (16, 48)) & (rng.random(M) < .10)
    tc = (isbig | ((x >= .030) & (x < .0325))) & ~noans & ~retry & ~servf
    lat_hit = np.exp(rng.normal(np.log(.25e6), .5, M)); lat_miss = np.exp(rng.normal(np.log(18e6), .9, M))
    lat = np.where(hit, lat_hit, lat_hit + lat_miss).clip(20e3, 4e9)
    seed = rng.integers(1, 1 << 62, M) if a.case0x20 else np.zeros(M, np.int64)
    ev = []  # tuples of column dicts

    def add(n, **k):
        d = dict(ts=None, src=None, dst=None, sport=53, dport=53, boff=0, blen=0, ooff=0, olen=0, txid=-1, flags=0, seed=0, qn=0,
                 proto=17, seq=0, ack=0, tf=0)
        d.update(k)
        ev.append({c: np.broadcast_to(np.asarray(z), n).astype(np.int64) for c, z in d.items()})

    qn = q_len[inv] - 16
    def query(s, ts, src, dst, sp, flags, tid, op):
        add(len(s), ts=ts, src=src, dst=dst, sport=sp, boff=q_off[inv[s]], blen=q_len[inv[s]], ooff=ovo[op], olen=ovl[op], txid=tid, flags=flags, seed=seed[s], qn=qn[s])
    def resp(s, ts, src, dst, dp, flags, tid, op, short):
        b = inv[s]
        add(len(s), ts=ts, src=src, dst=dst, dport=dp, boff=np.where(short, q_off[b], r_off[b]), blen=np.where(short, q_len[b], r_len[b]), ooff=ovo[op], olen=ovl[op],
            txid=tid, flags=flags, seed=seed[s], qn=qn[s])
    allm = np.arange(M)
    query(allm, t0, cl, srv, sport, 0x0100, txid, optq)
    # retransmissions: first one lost (query repeated, same id and port), then answered
    r = np.flatnonzero(retry); gap = np.where(rng.random(len(r)) < .5, 1e9, 5e9) * (1 + .01 * rng.random(len(r)))
    newid = rng.random(len(r)) < .4
    rid = np.where(newid, rng.integers(0, 65536, len(r)), txid[r]); rsp = np.where(newid, rng.integers(1024, 65536, len(r)), sport[r])
    query(r, t0[r] + gap, cl[r], srv[r], rsp, 0x0100, rid, optq[r])
    n2 = np.flatnonzero(noans)
    for g in (1e9, 3e9):
        query(n2, t0[n2] + g, cl[n2], srv[n2], sport[n2], 0x0100, txid[n2], optq[n2])
    tans = t0 + lat; tans[r] += gap
    ansid = txid.copy(); ansp = sport.copy(); ansid[r] = rid; ansp[r] = rsp
    rc = rcode[inv].copy(); rc[servf] = 2
    s = np.flatnonzero(~noans)
    resp(s, tans[s], srv[s], cl[s], ansp[s], 0x8180 | rc[s] | np.where(tc[s], 0x200, 0), ansid[s], optr[s], tc[s] | servf[s])
    # upstream side of cache misses (one exchange with an authoritative server)
    up = np.flatnonzero(~hit & ~noans)
    u6 = rng.random(len(up)) < .2
    auth = np.where(u6, o3, o2) + (name[up] * 7919) % nauth
    rs = np.where(u6, o + nsrv, o) + rng.integers(0, nsrv, len(up))
    usp = rng.integers(1024, 65536, len(up)); uid = rng.integers(0, 65536, len(up))
    tq = tans[up] - lat_miss[up].clip(0, 3.9e9) - lat_hit[up] * .3; tq = np.maximum(tq, t0[up] + 2000)
    tr = np.maximum(tans[up] - lat_hit[up] * .3, tq + 1000)
    query(up, tq, rs, auth, usp, 0x0000, uid, np.full(len(up), oq[1]))
    resp(up, tr, auth, rs, usp, 0x8400 | rc[up], uid, np.full(len(up), oq[1]), servf[up])
    # ---- TCP retries after TC=1
    cols = {c: [] for c in ('ts', 'src', 'dst', 'sport', 'dport', 'boff', 'blen', 'seq', 'ack', 'tf')}
    def seg(ts, sd, sp, dp, off, ln, sq, ak, tf):
        for c, z in zip(('ts', 'src', 'dst', 'sport', 'dport', 'boff', 'blen', 'seq', 'ack', 'tf'), (ts, sd[0], sd[1], sp, dp, off, ln, sq & 0xffffffff, ak & 0xffffffff, tf)):
            cols[c].append(z)
    tcs = np.flatnonzero(tc); tports = rng.integers(20000, 60000, len(tcs)); isn = rng.integers(0, 1 << 32, (len(tcs), 2)); tr3 = rng.random((len(tcs), 3))
    trtt = rng.lognormal(np.log(.3e6), .4, len(tcs)); ids2 = rng.integers(0, 65536, (len(tcs), 2))
    ntcpmsg = 0
    for j, s1 in enumerate(tcs.tolist()):
        labels, kind, _ = names[name[s1]]; t = int(qt[s1])
        full, frc = response(labels, kind, t, ph[inv[s1]], rb, big=t in (16, 48))
        ql = int(q_len[inv[s1]])
        def msg(m, tid, fl, o_):
            ob = bytes(pool.b[ovo[o_]:ovo[o_] + ovl[o_]])
            m = bytearray(m); struct.pack_into('>HH', m, 0, tid, fl)
            if ob: m[11] += 1
            m += ob
            return struct.pack('>H', len(m)) + bytes(m)
        qb = msg(full[:6] + b'\0\0\0\0\0\0' + full[12:ql], int(ids2[j, 0]), 0x0100, optq[s1]); rbs = msg(full, int(ids2[j, 0]), 0x8180 | frc, optr[s1])
        ntcpmsg += 2
        if tr3[j, 2] < .15:    # pipelined second question on the same connection
            full2, frc2 = response(labels, kind, 1, ph[inv[s1]], rb)
            qb += msg(full2[:6] + b'\0\0\0\0\0\0' + full2[12:ql], int(ids2[j, 1]), 0x0100, optq[s1]); rbs += msg(full2, int(ids2[j, 1]), 0x8180 | frc2, optr[s1])
            ntcpmsg += 2
        qo = pool.add(qb); ro = pool.add(rbs)
        c, sv = int(cl[s1]), int(srv[s1]); sp = int(tports[j]); cs, sc = (c, sv), (sv, c)
        a0, b0 = int(isn[j, 0]), int(isn[j, 1]); ts = tans[s1] + 100e3; R = trtt[j]
        seg(ts, cs, sp, 53, 0, 0, a0, 0, 2); seg(ts + R, sc, 53, sp, 0, 0, b0, a0 + 1, 0x12); seg(ts + R + 20e3, cs, sp, 53, 0, 0, a0 + 1, b0 + 1, 0x10)
        tq_ = ts + R + 40e3; ca = a0 + 1
        parts = [(0, len(qb))] if tr3[j, 0] > .2 else [(0, 2), (2, len(qb) - 2)]
        for po, pl in parts:
            seg(tq_, cs, sp, 53, qo + po, pl, ca, b0 + 1, 0x18); ca += pl; tq_ += 15e3
        seg(tq_ + R, sc, 53, sp, 0, 0, b0 + 1, ca, 0x10)
        tr_ = tq_ + 2 * R; sb = b0 + 1; mss = 1208 if tr3[j, 1] > .3 else 400; po = 0
        while po < len(rbs):
            pl = min(mss, len(rbs) - po)
            seg(tr_, sc, 53, sp, ro + po, pl, sb, ca, 0x18); sb += pl; po += pl; tr_ += 10e3
        seg(tr_ + R, cs, sp, 53, 0, 0, ca, sb, 0x10)
        seg(tr_ + R + 30e3, cs, sp, 53, 0, 0, ca, sb, 0x11); seg(tr_ + 2 * R + 30e3, sc, 53, sp, 0, 0, sb, ca + 1, 0x11); seg(tr_ + 3 * R, cs, sp, 53, 0, 0, ca + 1, sb + 1, 0x10)
    if cols['ts']:
        add(len(cols['ts']), **{c: np.array(z) for c, z in cols.items()}, proto=6)
    # ---- noise
    total = sum(len(e['ts']) for e in ev); nz = int(total * a.noise / (1 - a.noise))
    noff = pool.add(rng.integers(0, 256, 70000, dtype=np.uint8).tobytes())
    kind = rng.random(nz); cn = rng.integers(0, ncl * 80 // 100, nz); ex = o4 + rng.integers(0, 190, nz); d = rng.random(nz) < .5
    kind = np.where(kind < .6, 0, np.where(kind < .8, 1, np.where(kind < .9, 2, np.where(kind < .96, 3, 4))))  # tcp443 quic ntp icmp arp
    if a.linktype == 'raw': kind[kind == 4] = 3
    ln = np.choose(kind, [np.where(rng.random(nz) < .4, 0, rng.integers(1, 1400, nz)), rng.integers(30, 1250, nz), np.full(nz, 48), np.full(nz, 64), np.full(nz, 28)])
    hp = np.choose(kind, [443, 443, 123, 0, 0]); ep = rng.integers(20000, 60000, nz)
    boff = noff + rng.integers(0, 60000, nz)
    icmp = pool.add(b'\x08\0\0\0\0\1\0\1' + rb[:56]); arp = pool.add(bytes.fromhex('0001080006040001020000000001 0a000001 000000000000 0a000002'.replace(' ', '')))
    boff[kind == 3] = icmp; boff[kind == 4] = arp; ln[kind == 4] = 28
    ntp = pool.add(b'\x23\x02\x06\xe8' + b'\0' * 44); boff[kind == 2] = ntp
    add(nz, ts=rng.random(nz) * dur, src=np.where(d, cn, ex), dst=np.where(d, ex, cn), sport=np.where(d, ep, hp), dport=np.where(d, hp, ep), boff=boff, blen=ln,
        proto=np.choose(kind, [6, 17, 17, 1, 0]), seq=rng.integers(0, 1 << 32, nz), ack=rng.integers(0, 1 << 32, nz), tf=np.where(ln > 0, 0x18, 0x10))
    E = {c: np.concatenate([e[c] for e in ev]) for c in ev[0]}
    order = np.argsort(E['ts'], kind='stable')[:a.packets]
    E = {c: z[order] for c, z in E.items()}
    E['fam'] = np.where(E['proto'] == 0, 0, fam[E['src']])
    E['arp'] = E['proto'] == 0
    info = dict(packets=len(order), transactions=int(M), distinct_pairs=int(P), names=nn, tcp_sessions=len(tcs), tc=int(tc.sum()), retries=int(retry.sum()), noanswer=int(noans.sum()),
                upstream=len(up), noise=nz, fanout=len(f))
    return E, pool, A, info


def write(a, E, pool, A, fh):
    rng = np.random.default_rng(a.seed + 1)
    P = Pool(); P.b = pool.b
    T0 = a.start * 10**9
    ng = a.format == 'pcapng'
    lt = {'ethernet': 1, 'raw': 101, 'sll': 113, 'sll2': 276}[a.linktype]
    mac = bytes.fromhex
    l2 = {'ethernet': lambda et: mac('02000000000102000000000a') + struct.pack('>H', et),
          'sll': lambda et: struct.pack('>HHH8sH', 0, 1, 6, mac('0200000000010000'), et),
          'sll2': lambda et: struct.pack('>HHIHBB8s', et, 0, 2, 1, 0, 6, mac('0200000000010000')),
          'raw': lambda et: b''}[a.linktype]
    l2o = {4: P.add(l2(0x800)), 6: P.add(l2(0x86dd)), 0: P.add(l2(0x806))}; l2n = len(l2(0))
    ip4 = bytes.fromhex('45000000000040004000000000000000000000000'[:40]); ip6 = bytes.fromhex('600000000000004000') [:8] + b'\0' * 32
    udp = b'\0' * 8; tcp = b'\0' * 12 + b'\x50\0\xff\xff\0\0\0\0'
    H = {}
    for f_, ih in ((4, ip4), (6, ip6)):
        for p_, lh in ((17, udp), (6, tcp), (1, b'')):
            H[f_, p_] = (P.add(ih + lh), len(ih + lh))
    H[0, 0] = (0, 0)
    recn = 28 if ng else 16
    rec = P.add(b'\6\0\0\0' + b'\0' * 24 if ng else b'\0' * 16); pad = P.add(b'\0' * 8)
    pb = np.frombuffer(bytes(P.b), np.uint8)
    if ng:
        fh.write(struct.pack('<IIIHHqI', 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28))
        o = struct.pack('<HHB3xHH', 9, 1, 9 if a.nanos else 6, 0, 0)
        fh.write(struct.pack('<IIHHI', 1, 20 + len(o), lt, 0, 262144) + o + struct.pack('<I', 20 + len(o)))
    else:
        fh.write(struct.pack('<IHHiIII', 0xa1b23c4d if a.nanos else 0xa1b2c3d4, 2, 4, 0, 0, 262144, lt))
    asum = A.reshape(len(A), 8, 2).astype(np.int64); asum = (asum[:, :, 0] * 256 + asum[:, :, 1]).sum(1)
    hk = E['fam'] * 100 + E['proto']
    ho = np.zeros(len(hk), np.int64); hl = np.zeros(len(hk), np.int64)
    for (f_, p_), (o, l) in H.items():
        s = hk == f_ * 100 + p_; ho[s] = o; hl[s] = l
    n = len(hk); C = 60000
    for c0 in range(0, n, C):
        e = {k: v[c0:c0 + C] for k, v in E.items()}; m = len(e['ts'])
        fam, proto = e['fam'], e['proto']; hlen, hoff = hl[c0:c0 + C], ho[c0:c0 + C]
        plen = l2n + hlen + e['blen'] + e['olen']
        padn = (-plen) % 4 if ng else np.zeros(m, np.int64)
        S = np.empty((m, 6), np.int64); L = np.empty((m, 6), np.int64)
        S[:, 0] = rec; L[:, 0] = recn
        S[:, 1] = np.where(fam == 4, l2o[4], np.where(fam == 6, l2o[6], l2o[0])); L[:, 1] = l2n
        S[:, 2] = hoff; L[:, 2] = hlen
        S[:, 3] = e['boff']; L[:, 3] = e['blen']; S[:, 4] = e['ooff']; L[:, 4] = e['olen']
        S[:, 5] = pad; L[:, 5] = padn + 4 if ng else 0
        Lf = L.ravel(); st = np.cumsum(Lf) - Lf; tot = int(Lf.sum())
        buf = pb[np.arange(tot) + np.repeat(S.ravel() - st, Lf)]
        st = st.reshape(m, 6)

        def put(pos, val, nb, sel=None, le=False):
            if sel is not None: pos, val = pos[sel], (val[sel] if isinstance(val, np.ndarray) else val)
            for k in range(nb):
                sh = 8 * k if le else 8 * (nb - 1 - k)
                buf[pos + k] = (val >> sh) & 255 if isinstance(val, np.ndarray) else (int(val) >> sh) & 255
        ts = T0 + e['ts']; r0 = st[:, 0]
        if ng:
            tk = ts if a.nanos else ts // 1000
            put(r0 + 4, 32 + plen + padn, 4, le=True); put(r0 + 12, tk >> 32, 4, le=True); put(r0 + 16, tk & 0xffffffff, 4, le=True)
            put(r0 + 20, plen, 4, le=True); put(r0 + 24, plen, 4, le=True); put(st[:, 5] + padn, 32 + plen + padn, 4, le=True)
        else:
            put(r0, ts // 10**9, 4, le=True); fr = ts % 10**9; put(r0 + 4, fr if a.nanos else fr // 1000, 4, le=True)
            put(r0 + 8, plen, 4, le=True); put(r0 + 12, plen, 4, le=True)
        p3 = st[:, 2]; i4 = fam == 4; i6 = fam == 6
        ihl = np.where(i4, 20, 40); l4len = hlen - ihl + e['blen'] + e['olen']
        ipid = rng.integers(0, 65536, m)
        put(p3 + 2, 20 + l4len, 2, i4); put(p3 + 4, ipid, 2, i4); put(p3 + 9, proto, 1, i4)
        s4 = np.flatnonzero(i4); s6 = np.flatnonzero(i6)
        buf[p3[s4][:, None] + np.arange(12, 16)] = A[e['src'][s4], :4]; buf[p3[s4][:, None] + np.arange(16, 20)] = A[e['dst'][s4], :4]
        ck = 0x4500 + 20 + l4len + ipid + 0x4000 + 0x4000 + proto + asum[e['src']] + asum[e['dst']]
        ck = (ck & 0xffff) + (ck >> 16); ck = (ck & 0xffff) + (ck >> 16)
        put(p3 + 10, 0xffff - ck, 2, i4)
        put(p3 + 4, l4len, 2, i6); put(p3 + 6, proto, 1, i6); put(p3 + 7, 64, 1, i6)
        buf[p3[s6][:, None] + np.arange(8, 24)] = A[e['src'][s6]]; buf[p3[s6][:, None] + np.arange(24, 40)] = A[e['dst'][s6]]
        p4 = p3 + ihl; ud = proto == 17; tc = proto == 6
        put(p4, e['sport'], 2, ud | tc); put(p4 + 2, e['dport'], 2, ud | tc); put(p4 + 4, l4len, 2, ud)
        put(p4 + 4, e['seq'], 4, tc); put(p4 + 8, e['ack'], 4, tc); put(p4 + 13, e['tf'], 1, tc)
        d = np.flatnonzero(e['txid'] >= 0); pd = st[d, 3]
        put(pd, e['txid'][d], 2); put(pd + 2, e['flags'][d], 2)
        o_ = e['olen'][d] > 0; buf[(pd + 11)[o_]] += 1
        if a.case0x20:
            q = d[e['seed'][d] != 0]; qn = e['qn'][q]; cs = np.cumsum(qn) - qn
            pos_in = np.arange(int(qn.sum())) - np.repeat(cs, qn); pos = np.repeat(st[q, 3] + 12, qn) + pos_in
            hsh = (np.repeat(e['seed'][q].astype(np.uint64), qn) * np.uint64(0x9E3779B97F4A7C15)) >> (pos_in % 61).astype(np.uint64)
            ch = buf[pos]; al = ((ch | 32) >= 97) & ((ch | 32) <= 122)
            buf[pos] = np.where(al & ((hsh & np.uint64(1)) == 1), ch ^ 32, ch)
        # L4 checksums (even/odd running sums)
        ev = np.zeros(tot + 1, np.int64); od = np.zeros(tot + 1, np.int64)
        b64 = buf.astype(np.int64); msk = np.arange(tot) & 1
        np.cumsum(np.where(msk == 0, b64, 0), out=ev[1:]); np.cumsum(np.where(msk == 1, b64, 0), out=od[1:])
        en = p4 + l4len; es = ev[np.minimum(en, tot)] - ev[np.minimum(p4, tot)]; os_ = od[np.minimum(en, tot)] - od[np.minimum(p4, tot)]
        ck = np.where(p4 & 1, os_ * 256 + es, es * 256 + os_) + asum[e['src']] + asum[e['dst']] + proto + l4len
        for _ in range(3): ck = (ck & 0xffff) + (ck >> 16)
        ck = 0xffff - ck; ck[(ck == 0) & ud] = 0xffff
        put(p4 + 6, ck, 2, ud); put(p4 + 16, ck, 2, tc)
        ic = proto == 1
        if ic.any():   # ICMP has no pseudo header for v4
            ck = np.where(p4 & 1, os_ * 256 + es, es * 256 + os_)
            for _ in range(3): ck = (ck & 0xffff) + (ck >> 16)
            put(p4 + 2, 0xffff - ck, 2, ic)
        fh.write(buf.tobytes())


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('-n', '--packets', type=int, default=2_000_000); p.add_argument('-o', '--output', required=True)
    p.add_argument('--format', choices=['pcap', 'pcapng'], default='pcap'); p.add_argument('--nanos', action='store_true')
    p.add_argument('--linktype', choices=['ethernet', 'sll', 'sll2', 'raw'], default='ethernet')
    p.add_argument('--seed', type=int, default=1); p.add_argument('--names', type=int, default=200_000); p.add_argument('--zipf', type=float, default=1.0)
    p.add_argument('--qps', type=float, default=20000.); p.add_argument('--noise', type=float, default=.05); p.add_argument('--case0x20', action='store_true')
    p.add_argument('--start', type=int, default=1_700_000_000)
    a = p.parse_args()
    t = time.time(); E, pool, A, info = simulate(a); t1 = time.time()
    with open(a.output, 'wb', buffering=1 << 22) as fh:
        write(a, E, pool, A, fh)
    info.update(tcp_packets=int(((E['proto'] == 6) & ((E['sport'] == 53) | (E['dport'] == 53))).sum()), udp_dns=int((E['txid'] >= 0).sum()),
                v6=int((E['fam'] == 6).sum()), simulate_s=round(t1 - t, 1), write_s=round(time.time() - t1, 1))
    print(json.dumps(info), file=sys.stderr)


if __name__ == '__main__':
    main()
