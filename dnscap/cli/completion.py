"""``dnscap completion``: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    Examples:
      dnscap completion bash > ~/.local/share/bash-completion/completions/dnscap
      dnscap completion zsh > "${fpath[1]}/_dnscap"
      dnscap completion fish > ~/.config/fish/completions/dnscap.fish
    """
    from dnscap.cli import cli

    maker = get_completion_class(shell)
    assert maker is not None
    program = ctx.find_root().info_name or "dnscap"
    complete = maker(cli, {}, program, f"_{program.upper()}_COMPLETE")
    # Not `source()`: it would run bash to ask for its version, on a machine that need not have one.
    click.echo(complete.source_template % complete.source_vars())
