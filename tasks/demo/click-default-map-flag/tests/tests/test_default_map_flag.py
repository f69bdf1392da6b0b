"""The help page of an on/off flag names the default that is in force."""

import pytest

import click
from click.testing import CliRunner


def help_page(decls, default_map, **attrs):
    @click.command()
    @click.option(*decls, show_default=True, **attrs)
    def cli(**kwargs):
        pass

    result = CliRunner().invoke(cli, ["--help"], default_map=default_map)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize(
    ("declared", "mapped", "shown"),
    [
        (False, True, "cache"),
        (True, False, "no-cache"),
        (True, True, "cache"),
        (False, False, "no-cache"),
    ],
)
def test_default_map_wins_over_the_declaration(declared, mapped, shown):
    page = help_page(["--cache/--no-cache"], {"cache": mapped}, default=declared)
    assert f"[default: {shown}]" in page


@pytest.mark.parametrize(("declared", "shown"), [(True, "cache"), (False, "no-cache")])
@pytest.mark.parametrize("default_map", [None, {}, {"other": 1}])
def test_declared_default_without_an_entry(declared, shown, default_map):
    page = help_page(["--cache/--no-cache"], default_map, default=declared)
    assert f"[default: {shown}]" in page


def test_short_names():
    page = help_page(["-c/-n", "cache"], {"cache": True}, default=False)
    assert "[default: c]" in page


def test_subcommand_takes_its_own_part_of_the_map():
    @click.group()
    def cli():
        pass

    @cli.command()
    @click.option("--color/--plain", default=False, show_default=True)
    def show(color):
        click.echo(color)

    default_map = {"show": {"color": True}}
    page = CliRunner().invoke(cli, ["show", "--help"], default_map=default_map)
    assert "[default: color]" in page.output
    run = CliRunner().invoke(cli, ["show"], default_map=default_map)
    assert run.output == "True\n"
