"""When the name that the application gave is certain, and when a search list may hide behind it."""

import pytest

from tests.exchanges.traffic import Traffic, query, response
from tests.lookups.captures import lookups_of


class Client(Traffic):
    """Lookups of a glibc client one second apart; a name that ends in `!` does not exist."""

    def __init__(self):
        super().__init__()
        self.number = 0

    def look(self, *names: str, ids: int = 7000) -> "Client":
        time = 10.0 + self.number
        for name in names:
            self.number += 1
            absent = name.endswith("!")
            for qtype, add in (("A", 0), ("AAAA", ids)):
                message = query(name.rstrip("!"), qtype, id=100 * self.number + add)
                said = response(message, answer=None, rcode="NXDOMAIN") if absent else response(message)
                self.send(time, message, port=40000 + self.number)
                self.send(time + 0.001, said, port=40000 + self.number)
            time += 0.002
        self.packets.sort()
        return self


def names_of(client: Client) -> list[tuple[str, bool]]:
    return [(row["name"], row["name_certain"]) for row in lookups_of(client.look("end").octets())][:-1]


def test_a_name_found_at_once_may_have_been_expanded() -> None:
    assert names_of(Client().look("db.corp.test")) == [("db.corp.test.", False)]


def test_a_name_of_one_label_was_not_expanded() -> None:
    assert names_of(Client().look("db")) == [("db.", True)]


def test_an_absent_name_that_nothing_followed_is_certain_and_shows_that_there_is_no_list() -> None:
    client = Client().look("www.example.com").look("nope.example.com!").look("mail.example.com")
    assert names_of(client) == [
        ("www.example.com.", True),
        ("nope.example.com.", True),
        ("mail.example.com.", True),
    ]


def test_musl_does_not_expand_a_name_with_dots_and_so_shows_no_more() -> None:
    client = Client().look("nope.example.com!", ids=300).look("mail.example.com", ids=300)
    assert [certain for _, certain in names_of(client)] == [True, False]


def test_the_first_suffix_of_the_list_tells_which_names_may_be_longer_than_given() -> None:
    client = Client().look("db.a.test!", "db.b.test").look("web.a.test").look("www.example.com")
    assert names_of(client) == [("db.", True), ("web.a.test.", False), ("www.example.com.", True)]


@pytest.mark.parametrize("bare", [True, False])
def test_a_walk_over_the_list_with_the_name_itself_in_it(bare: bool) -> None:
    walk = ["img.example.com.a.test!", "img.example.com.b.test!"] + ["img.example.com"] * bare
    assert names_of(Client().look(*walk)) == [("img.example.com.", bare)]


def test_suffixes_that_begin_alike_are_not_taken_for_the_name() -> None:
    """`db` with the list `eu.a.test eu.b.test` looks like `db.eu` with `a.test b.test`."""
    first = ("db.eu.a.test!", "db.eu.b.test")
    assert names_of(Client().look(*first)) == [("db.eu.", False)]
    # Another name that ends in another label leaves one reading.
    names = names_of(Client().look("db.us.a.test!", "db.us.b.test").look("img.lab.a.test!", "img.lab.b.test"))
    assert names == [("db.us.", True), ("img.lab.", True)]


def test_two_lists_behind_one_address_make_nothing_certain() -> None:
    client = Client().look("db.a.test!", "db.b.test").look("db.c.test!", "db.d.test").look("www.example.com")
    assert names_of(client)[-1] == ("www.example.com.", False)


def test_a_name_at_the_very_end_of_a_capture_may_go_on() -> None:
    (row,) = lookups_of(Client().look("nope.example.com!").octets())
    assert not row["name_certain"]


def test_addresses_looked_up_in_reverse_are_never_expanded() -> None:
    message = query("1.2.0.192.in-addr.arpa", "PTR")
    (row,) = lookups_of(Traffic().send(1.0, message).send(1.1, response(message, answer=None)).octets())
    assert row["name_certain"]


@pytest.mark.parametrize(
    ("pause", "following", "certain"),
    [
        (0.025, "db.example.test", False),  # two suffixes that have nothing in common, or two lookups
        (0.025, "www.example.test", True),
        (0.2, "db.example.test", True),
    ],
)
def test_an_absent_name_is_uncertain_where_another_that_begins_alike_follows(
    pause: float, following: str, certain: bool
) -> None:
    client = Client().look("db.corp.zone!")
    for qtype, id in (("A", 500), ("AAAA", 7500)):
        message = query(following, qtype, id=id)
        client.send(10.001 + pause, message, port=41000)
        client.send(10.002 + pause, response(message), port=41000)
    client.packets.sort()
    client.number = 3
    assert ("db.corp.zone.", certain) in names_of(client)
