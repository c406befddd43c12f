"""Write the pages that are made from the sources: columns, statuses, a page a command and a page a finding.

    python docs/generate.py [--check]

With ``--check`` nothing is written; the exit code is 1 where a page is out of date.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from dnscap.cli import COMMANDS, cli
from dnscap.findings import RULES, Rule
from dnscap.native.decoder import statuses
from dnscap.quality import COUNTS, STATE_COUNTS
from dnscap.schema import TABLES, Kind

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from on_the_wire import WIRE  # noqa: E402

KINDS: dict[Kind, tuple[str, str]] = {
    "bool": ("true or false", "`bool`, `boolean` where it may be missing"),
    "u8": ("number", "`uint8`, `UInt8` where it may be missing"),
    "u16": ("number", "`uint16`, `UInt16` where it may be missing"),
    "u32": ("number", "`uint32`, `UInt32` where it may be missing"),
    "u64": ("number", "`uint64`, `UInt64` where it may be missing"),
    "i64": ("number", "`int64`, `Int64` where it may be missing"),
    "float": ("number", "`float64`"),
    "category": ("word", "`category`"),
    "string": ("text", "`str`"),
    "time": ("time", "`datetime64[ns, UTC]`"),
    "duration": ("duration", "`timedelta64[ns]`"),
    "texts": ("list of texts", "`object`"),
    "numbers": ("list of numbers", "`object`"),
}
"""Each kind of column in a word, and its dtype in a pandas frame."""

TITLES = {
    "sources": "One row per file section or interface.",
    "messages": "One row per DNS message seen, malformed ones and repeated sightings included.",
    "records": "One row per resource record, OPT excepted.",
    "exchanges": "One row per query sent, and per response that nobody asked for.",
    "lookups": "One row per name that an application looked up.",
    "resolutions": "One row per query to a resolver or forwarder: out of its cache, or what it asked upstream.",
    "findings": "One row per thing found wrong, the worst first; nothing above `info` where traffic is healthy.",
    "servers": "One row per server address: what it was asked, how it answered, how fast.",
    "clients": "One row per client address and stub, with the configuration that explains what was seen of it.",
    "names": "One row per name, type and server (and section of the response): TTLs, value, changes, absence.",
    "rrsets": "One row per value that a name had at a server: the history of its answers.",
    "connections": "One row per TCP connection on DNS ports.",
    "events": "ICMP errors with the query they quote, gaps in streams, fragments that never came together.",
}
"""The tables that can be read, in order, each with its sentence."""

MADE = "<!-- Made by docs/generate.py; change the sources instead. -->"


def columns() -> str:
    """The page of tables and columns."""
    lines = [
        "# Tables and columns",
        "",
        MADE,
        "",
        "Every table is an attribute of what `dnscap.read` returns and, under the same name, a command.",
        "Domain names are in presentation format, lower case, with the trailing dot. Words are the",
        "mnemonics of the DNS registries. In JSON and CSV times are RFC 3339 in UTC with nine decimals,",
        "durations are seconds, and what is not known is null (JSON) or empty (CSV); lists are joined by",
        "a space in CSV.",
        "",
    ]
    for table, title in TITLES.items():
        lines += [
            f"## {table}",
            "",
            title,
            "",
            "| column | kind | may be missing | meaning |",
            "| --- | --- | --- | --- |",
        ]
        for column in TABLES[table]:
            missing = "yes" if column.nullable else ""
            meaning = column.meaning.replace("|", "\\|")
            lines.append(f"| `{column.name}` | {KINDS[column.kind][0]} | {missing} | {meaning} |")
        lines.append("")
    lines += ["## Kinds in a pandas frame", "", "| kind | declared as | dtype |", "| --- | --- | --- |"]
    lines += [f"| {word} | `{kind}` | {dtype} |" for kind, (word, dtype) in KINDS.items()]
    return "\n".join(lines) + "\n"


def status_page() -> str:
    """The page of what can be wrong with a message."""
    lines = [
        "# Statuses of messages",
        "",
        MADE,
        "",
        "Every message that was seen is a row, whatever is wrong with it. `status` names the first fault",
        "in the order of the octets, `status_at` the offset at which it was found; what was read before",
        "it is in the row and in the records table.",
        "",
        "| status | meaning |",
        "| --- | --- |",
        *(f"| `{name}` | {meaning} |" for name, meaning in statuses()),
    ]
    return "\n".join(lines) + "\n"


def quality_page() -> str:
    """The page of capture quality: written by hand, but for the table of counts."""
    page = (HERE / "capture-quality.md").read_text(encoding="utf-8")
    before, start, rest = page.partition("| count | what it counts |\n")
    _, end, after = rest.partition("\n\n")
    rows = "\n".join(f"| `{count.name}` | {count.meaning} |" for count in (*COUNTS, *STATE_COUNTS))
    return f"{before}{start}| --- | --- |\n{rows}{end}{after}"


def command_page(name: str) -> str:
    """The page of a command: its help, as the command prints it."""
    module, line = COMMANDS[name]
    command: click.Command = getattr(importlib.import_module(module), name)
    parent = click.Context(cli, info_name="dnscap")
    context = click.Context(command, info_name=name, parent=parent, terminal_width=90, max_content_width=90)
    context.help_option_names = ["-h", "--help"]
    text = "\n".join(row.rstrip() for row in command.get_help(context).splitlines())
    more = f"\nIts columns: [{name}](../columns.md#{name}).\n" if name in TITLES else ""
    return f"# dnscap {name}\n\n{MADE}\n\n{line}\n{more}\n```text\n{text}\n```\n"


def command_index() -> str:
    """The list of commands."""
    rows = "\n".join(f"| [{name}]({name}.md) | {line} |" for name, (_, line) in COMMANDS.items())
    tree = "\n".join(COMMANDS)
    return (
        f"# Commands\n\n{MADE}\n\n| command | what it does |\n| --- | --- |\n{rows}\n\n"
        f"```{{toctree}}\n:hidden:\n\n{tree}\n```\n"
    )


_NAMES = {"go": "Go", "kubernetes": "Kubernetes"}
"""Names of stubs and places as people write them, where that is not as tables do."""


def finding_page(rule: Rule) -> str:
    """The page of a finding, from its definition."""
    lines = [f"# {rule.id}", "", MADE, "", (rule.__doc__ or "").strip().split("\n")[0], ""]
    if rule.causes:
        stands = "cause" if len(rule.causes) == 1 else "causes"
        lines += [f"Stands for the {stands}: " + ", ".join(f"`{cause}`" for cause in rule.causes) + ".", ""]
    lines += ["## What happens and why it costs time", "", rule.explanation, ""]
    if rule.id in WIRE:
        lines += ["## How it looks on the wire", "", WIRE[rule.id], ""]
    lines += ["## What to do", "", rule.remedy, ""]
    lines += [f"* {_NAMES.get(stub, stub)}: {remedy}" for stub, remedy in rule.remedies.items()]
    if rule.remedies:
        lines.append("")
    lines += ["## What would disprove it", "", rule.disproved_by, ""]
    lines += ["## See it", "", "```sh"]
    if rule.causes:
        lines.append(f"dnscap lookups CAPTURE --where \"list_contains(causes, '{rule.causes[0]}')\"")
    lines += [f"dnscap findings CAPTURE --where \"id = '{rule.id}'\" --format json", "```", ""]
    return "\n".join(lines)


def finding_index() -> str:
    """The list of findings."""
    rows = "\n".join(
        f"| [{rule.id}]({rule.id}.md) | {(rule.__doc__ or '').strip().splitlines()[0]} |" for rule in RULES
    )
    tree = "\n".join(rule.id for rule in RULES)
    return (
        f"# Findings\n\n{MADE}\n\nWhat `dnscap diagnose` can find, by family. Each finding says what it cost, how "
        f"sure it is and what shows it.\n\n| finding | what it is |\n| --- | --- |\n{rows}\n\n"
        f"```{{toctree}}\n:hidden:\n\n{tree}\n```\n"
    )


PAGES: dict[str, Callable[[], str]] = {
    "columns.md": columns,
    "statuses.md": status_page,
    "capture-quality.md": quality_page,
    "commands/index.md": command_index,
    **{f"commands/{name}.md": partial(command_page, name) for name in COMMANDS},
    "findings/index.md": finding_index,
    **{f"findings/{rule.id}.md": partial(finding_page, rule) for rule in RULES},
}


def left_over() -> list[Path]:
    """Pages of commands and findings that there are no more."""
    made = {HERE / name for name in PAGES}
    return [
        path
        for folder in ("commands", "findings")
        for path in (HERE / folder).glob("*.md")
        if path not in made
    ]


def stale() -> list[str]:
    """Pages that are not what the sources make of them."""
    return [
        name
        for name, make in PAGES.items()
        if not (HERE / name).exists() or (HERE / name).read_text(encoding="utf-8") != make()
    ] + [str(path.relative_to(HERE)) for path in left_over()]


def main(arguments: list[str]) -> int:
    """Write the pages, or check them."""
    if "--check" in arguments:
        for name in stale():
            sys.stderr.write(f"docs/{name} is out of date: run python docs/generate.py\n")
        return 1 if stale() else 0
    for path in left_over():
        path.unlink()
    for name, make in PAGES.items():
        (HERE / name).parent.mkdir(exist_ok=True)
        (HERE / name).write_text(make(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
