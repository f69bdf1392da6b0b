"""parse() accounts for the whole string, a newline at its end included."""
import pytest

import parse


@pytest.mark.parametrize("format, string", [
    ("hello", "hello\n"),
    ("{:d}", "42\n"),
    ("{:w}", "word\n"),
    ("{key}={value:d}", "a=1\n"),
    ("v{major:d}.{minor:d}", "v1.2\n"),
])
def test_a_newline_that_the_format_lacks_is_no_match(format, string):
    assert parse.parse(format, string) is None
    assert parse.compile(format).parse(string) is None
    assert parse.parse(format, string[:-1]) is not None


@pytest.mark.parametrize("string", ["a\n", "a\n\n", "a\nb", "\n"])
def test_a_free_field_takes_the_newline_too(string):
    assert parse.parse("{}", string).fixed == (string,)
    assert parse.parse("<{x}", "<" + string).named == {"x": string}


def test_a_newline_in_the_format_is_matched():
    assert parse.parse("{:d}\n", "42\n").fixed == (42,)
    assert parse.parse("{:d}\n", "42") is None
    assert parse.parse("{:d}\n", "42\n\n") is None


def test_case_sensitive():
    assert parse.parse("Hello {:w}", "Hello you\n", case_sensitive=True) is None


def test_without_evaluation():
    assert parse.parse("{:d}", "42\n", evaluate_result=False) is None


def test_lines_inside():
    assert parse.parse("{:d}\n{:d}", "1\n2").fixed == (1, 2)
    assert parse.parse("{:d}\n{:d}", "1\n2\n") is None


def test_search_and_findall_are_not_anchored():
    assert parse.search("{:d}", "a 42\n").fixed == (42,)
    assert [r.fixed[0] for r in parse.findall("{:d}", "1\n2\n")] == [1, 2]


def test_string_without_a_newline():
    assert parse.parse("{:d} {}", "1 b").fixed == (1, "b")
