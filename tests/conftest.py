"""What every test may rely on: features of the machine, the repository, and shared captures.

A test that needs more than Python says so::

    @pytest.mark.requires("tcpdump")          # or requires("netns", "libpcap"), or the `requires` fixture

It is skipped with a reason where the feature is missing.  ``DNSCAP_REQUIRE=netns,libpcap`` turns the skips
for those features into failures, ``DNSCAP_REQUIRE=all`` every skip.  Skips are counted and listed at the end
of the run, and appended to the file named by ``DNSCAP_SKIPS`` where that is set.
"""

from __future__ import annotations

import ctypes.util
import gc
import importlib.util
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes depends on the machine and on what else it does.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

ROOT = Path(__file__).resolve().parent.parent
"""The source tree, or the directory that holds a copy of the tests when an installed wheel is tested."""


def shared_directory() -> Path:
    """Where shared captures are: ``DNSCAP_SHARED``, or ``../shared`` beside the repository."""
    told = os.environ.get("DNSCAP_SHARED")
    return Path(told) if told else ROOT.parent / "shared"


def _program(name: str) -> Callable[[], str | None]:
    return lambda: None if shutil.which(name) else f"no {name} on this machine"


def _module(name: str) -> Callable[[], str | None]:
    return lambda: None if importlib.util.find_spec(name) else f"{name} is not installed"


def _library(name: str) -> Callable[[], str | None]:
    return lambda: None if ctypes.util.find_library(name) else f"no lib{name} on this machine"


def _path(path: Path, what: str) -> Callable[[], str | None]:
    return lambda: None if path.exists() else f"no {what} at {os.path.relpath(path, ROOT)}"


def _netns() -> str | None:
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("unshare") or not shutil.which("ip"):
        return "no unshare or ip on this machine"
    tried = subprocess.run(
        ["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True, text=True
    )
    return None if tried.returncode == 0 else f"no network namespaces here: {tried.stderr.strip()}"


FEATURES: dict[str, Callable[[], str | None]] = {
    "source": _path(ROOT / "ext" / "dnscap" / "native", "source tree"),
    "shared": _path(shared_directory() / "captures" / "MANIFEST.tsv", "shared captures"),
    "lab": _path(shared_directory() / "lab" / "index.json", "shared lab captures"),
    "fuzz": _path(ROOT / "build" / "fuzz" / "plain", "fuzz targets (make build-fuzz)"),
    "compiler": _program(os.environ.get("CC", "cc").split()[0]),
    "clang": _program("clang"),
    "valgrind": _program("valgrind"),
    "tshark": _program("tshark"),
    "tcpdump": _program("tcpdump"),
    "tcpreplay": _program("tcpreplay"),
    "nft": _program("nft"),
    "netns": _netns,
    "libpcap": _library("pcap"),
    "chromium": _program("chromium"),
    "scapy": _module("scapy"),
    "polars": _module("polars"),
    "lz4": _module("lz4"),
    "prometheus": _module("prometheus_client"),
    "unbound": _program("unbound"),
    "musl": _program("musl-gcc"),
    "altair": _module("altair"),
}
"""Each feature a test may require, with a probe that tells why it is missing, or None."""

REQUIRED = frozenset(word for word in re.split(r"[,\s]+", os.environ.get("DNSCAP_REQUIRE", "")) if word)


@cache
def missing(feature: str) -> str | None:
    """Why `feature` cannot be had here, or None where it can."""
    if feature not in FEATURES:
        raise pytest.UsageError(f"unknown feature {feature!r}; tests/conftest.py lists them")
    return FEATURES[feature]()


def _demand(*features: str) -> None:
    for feature in features:
        reason = missing(feature)
        if reason is None:
            continue
        if feature in REQUIRED:
            pytest.fail(f"DNSCAP_REQUIRE names {feature}: {reason}", pytrace=False)
        pytest.skip(f"{feature}: {reason}")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and refuse a DNSCAP_REQUIRE that would require nothing."""
    config.addinivalue_line("markers", "requires(*features): skip where the machine lacks a feature")
    unknown = REQUIRED - FEATURES.keys() - {"all"}
    if unknown:
        raise pytest.UsageError(f"DNSCAP_REQUIRE names unknown features: {', '.join(sorted(unknown))}")


def pytest_collection_finish() -> None:
    """Leave modules and tests, which stay to the end, out of what each collection of garbage goes through."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail, a test marked with features that are missing."""
    for mark in item.iter_markers("requires"):
        _demand(*mark.args)


def _required_anyway(reason: str) -> bool:
    """Whether DNSCAP_REQUIRE covers a skip that a test decided by itself: its reason names the feature."""
    return "all" in REQUIRED or not REQUIRED.isdisjoint(re.findall(r"\w+", reason.lower()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn skips for required features into failures."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        if _required_anyway(reason):
            report.outcome = "failed"
            report.longrepr = f"skipped although DNSCAP_REQUIRE forbids it: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Do the same for whole modules that skip themselves while they are imported."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        if _required_anyway(reason):
            report.outcome = "failed"
            report.longrepr = f"skipped although DNSCAP_REQUIRE forbids it: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count and list what was skipped, each reason once."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        longrepr = report.longrepr
        text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
        reasons[str(text).removeprefix("Skipped: ")] += 1
    if not reasons:
        return
    terminalreporter.section(f"{sum(reasons.values())} skipped")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count:5d}  {reason}")
    notes = os.environ.get("DNSCAP_SKIPS")
    if notes:
        with Path(notes).open("a", encoding="utf-8") as out:
            out.writelines(f"{count} test(s): {reason}\n" for reason, count in reasons.most_common())


@pytest.fixture
def requires() -> Callable[..., None]:
    """Demand features in the midst of a test: ``requires("tshark")``."""
    return _demand


@pytest.fixture(scope="session")
def root() -> Path:
    """Give the root of the source tree, or of the copy that the tests run from."""
    return ROOT


@pytest.fixture
def shared(requires: Callable[..., None]) -> Path:
    """Give the directory of shared captures; skip where there is none."""
    requires("shared")
    return shared_directory()
