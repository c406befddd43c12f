"""Which names are one walk over a search list, on hosts that are held up, and which only look like one."""

import pytest

from tests.exchanges.traffic import Traffic, query, response
from tests.lookups.captures import lookups_of

BOTH = (("A", 0), ("AAAA", 7000))


class Host(Traffic):
    """A host that asks from new ports, one for each family as Go does or for both; a name with `!` does not exist."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def ask(
        self,
        time: float,
        name: str,
        *,
        server: str = "192.0.2.53",
        rcode: str = "",
        types=BOTH,
        go: bool = False,
    ) -> "Host":
        self.number += 1
        rcode = rcode or ("NXDOMAIN" if name.endswith("!") else "NOERROR")
        for qtype, add in types:
            message = query(name.rstrip("!"), qtype, id=100 * self.number + add, use_edns=0 if go else -1)
            port = 40000 + self.number + (add if go else 0)
            said = response(
                message, answer="192.0.2.1" if rcode == "NOERROR" and qtype == "A" else None, rcode=rcode
            )
            self.send(time, message, port=port, server=server)
            self.send(time + 0.001, said, port=port, server=server)
        self.packets.sort()
        return self


def names_of(host: Host) -> list[tuple[str, int]]:
    return [(row["name"], len(row["candidates"])) for row in lookups_of(host.octets())]


@pytest.mark.parametrize("pause", [0.002, 0.03, 0.12])
def test_a_host_that_is_held_up_goes_on_with_its_list_later(pause: float) -> None:
    host = Host().ask(1, "api.example.com!").ask(1 + pause, "api.example.com.a.test!")
    host.ask(1 + 2 * pause, "api.example.com.b.test")
    assert names_of(host) == [("api.example.com.", 3)]


@pytest.mark.parametrize(("pause", "lookups"), [(0.004, 1), (0.03, 1), (0.3, 2)])
def test_two_suffixes_of_their_own_behind_a_name_of_several_labels(pause: float, lookups: int) -> None:
    host = Host().ask(1, "web.default.corp.zone!").ask(1 + pause, "web.default.other.test")
    assert len(names_of(host)) == lookups


def test_a_suffix_that_the_host_is_known_to_add_first() -> None:
    host = Host().ask(1, "db.corp.zone!").ask(1.003, "db.other.test").ask(1.1, "end")
    host.ask(20, "web.corp.zone!").ask(20.09, "web.other.test")
    assert names_of(host)[-1] == ("web.", 2)


@pytest.mark.parametrize(
    "names",
    [
        ("4.3.2.10.zen.lists.test!", "4.3.2.10.bl.lists.example!"),
        ("_dmarc.mail.example.com!", "_dmarc.example.com"),
        ("_ldap._tcp.site._sites.dc._msdcs.corp.test!", "_ldap._tcp.dc._msdcs.corp.test"),
    ],
)
def test_what_only_looks_like_a_walk(names: tuple[str, str]) -> None:
    host = Host().ask(1, names[0]).ask(1.002, names[1])
    assert len(names_of(host)) == 2


def test_a_list_adds_the_same_to_names_of_one_label_and_of_several() -> None:
    host, one = Host(), (("A", 0),)
    for at, name in (
        (1, "www.shop.lab.corp.zone!"),
        (1.002, "www.shop.lab.other.test!"),
        (1.004, "www.shop.lab"),
    ):
        host.ask(at, name, types=one)
    host.ask(20, "intra.corp.zone!", types=one).ask(20.002, "intra.other.test", types=one).ask(40, "end")
    assert names_of(host)[:2] == [("www.shop.lab.", 3), ("intra.", 2)]


def test_a_crawler_is_soon_known_to_have_no_list() -> None:
    host = Host()
    for number in range(6):
        host.ask(20 * number + 1, f"www.gone{number}.test!").ask(
            20 * number + 1.002, f"www.other{number}.example"
        )
    host.ask(200, "end")
    assert sum(candidates > 1 for _, candidates in names_of(host)) <= 2


def test_hosts_that_leave_absent_names_alone_have_no_list() -> None:
    host = Host().ask(1, "mail.gone.test!").ask(20, "www.lost.test!").ask(40, "end")
    host.ask(60, "mail.lost.test!").ask(60.003, "mail.other.example")
    assert names_of(host)[-2:] == [("mail.lost.test.", 1), ("mail.other.example.", 1)]


@pytest.mark.parametrize(("pause", "lookups"), [(0.001, 1), (0.1, 1), (0.4, 1), (2.4, 2)])
def test_the_next_server_is_asked_late_after_one_turned_the_host_away(pause: float, lookups: int) -> None:
    host = Host().ask(1, "www.example.com", rcode="SERVFAIL", go=True)
    host.ask(1.001 + pause, "www.example.com", server="192.0.2.54", go=True)
    rows = lookups_of(host.octets())
    assert len(rows) == lookups and rows[-1]["outcome"] == "ok"


def test_one_family_after_the_other_with_edns_is_two_calls_and_not_go() -> None:
    host = Host()
    for i in range(4):
        for later, qtype in ((0, "A"), (0.003, "AAAA")):
            host.ask(1 + i + later, "www.example.com", types=((qtype, 0),), go=True)
    assert {row["stub"] for row in lookups_of(host.octets())} == {"dnspython"}
