"""``deeppersona completion``: the shell completion script."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    r"""Print the completion script of a shell.

    \b
    bash: deeppersona completion bash >> ~/.bashrc
    zsh:  deeppersona completion zsh >> ~/.zshrc
    fish: deeppersona completion fish > ~/.config/fish/completions/deeppersona.fish
    """
    from deeppersona.cli.main import cli

    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(cli, {}, "deeppersona", "_DEEPPERSONA_COMPLETE").source())
