"""Registries: dnspython as witness of the names, and every number has a text that leads back to it."""

import subprocess
import sys

import dns.edns
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import pytest

from dnscap import registry
from dnscap.errors import UsageError

# IANA writes no name for type 0; dnspython's NONE is its own. BADSIG shares its number with BADVERS.
# Class 0 is reserved, not named. IANA spells the report channel with a dash.
OTHERWISE = {"type": {0}, "class": {0}, "rcode": set(), "option": {18}}


@pytest.mark.parametrize(
    ("known", "name", "text", "kind"),
    [
        (dns.rdatatype.RdataType, registry.rrtype_name, dns.rdatatype.to_text, "type"),
        (dns.rdataclass.RdataClass, registry.class_name, dns.rdataclass.to_text, "class"),
        (dns.rcode.Rcode, registry.rcode_name, dns.rcode.to_text, "rcode"),
        (dns.edns.OptionType, registry.edns_option_name, lambda n: n.name.replace("_", "-"), "option"),
    ],
)
def test_names_agree_with_dnspython(known, name, text, kind):
    for number in known:
        if number not in OTHERWISE[kind]:
            assert name(int(number)) == text(number)


def test_opcodes_agree_with_dnspython():
    for number in dns.opcode.Opcode:
        assert registry.opcode_name(int(number)) == dns.opcode.to_text(number)
    assert registry.opcode_number("DSO") == 6


def test_extended_errors_agree_with_dnspython():
    for code in dns.edns.EDECode:
        assert registry.extended_error(int(code)).upper().replace(" ", "_").removesuffix("_ERROR") == (
            code.name.removesuffix("_ERROR")
        )
    assert registry.extended_error(4711) == "EDE 4711"


@pytest.mark.parametrize(
    ("name", "number", "most"),
    [
        (registry.rrtype_name, registry.rrtype_number, 0xFFFF),
        (registry.class_name, registry.class_number, 0xFFFF),
        (registry.opcode_name, registry.opcode_number, 15),
        (registry.rcode_name, registry.rcode_number, 4095),
        (registry.edns_option_name, registry.edns_option_number, 0xFFFF),
    ],
)
def test_every_number_has_a_text_that_leads_back(name, number, most):
    for n in range(most + 1):
        assert number(name(n)) == n
        assert number(str(n)) == n
    assert len({name(n) for n in range(most + 1)}) == most + 1
    for text in ("", "NOSUCHTHING", "-1", "99999", "TYPE", "²"):
        with pytest.raises(UsageError):
            number(text)


def test_dnspython_reads_every_text_back():
    for number in range(65536):
        assert dns.rdatatype.from_text(registry.rrtype_name(number)) == number
    assert registry.rrtype_name(100) == "TYPE100"
    assert registry.rrtype_number("UINFO") == 100
    assert registry.opcode_name(6) == "OPCODE6"


def test_unknown_numbers_are_written_as_rfc_3597_has_it():
    assert registry.rrtype_name(65280) == "TYPE65280"
    assert registry.class_name(99) == "CLASS99"
    assert registry.rcode_name(24) == "RCODE24"
    assert registry.opcode_name(7) == "OPCODE7"
    assert registry.rcode_name(16) == "BADVERS"
    assert registry.rcode_number("badsig") == 16
    assert registry.rrtype_number("aaaa") == 28
    assert registry.rrtype_number("*") == 255
    with pytest.raises(UsageError):
        registry.rrtype_name(70000)


def test_registry_does_not_import_dnspython():
    code = "import sys, dnscap.registry; sys.exit('dns' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
