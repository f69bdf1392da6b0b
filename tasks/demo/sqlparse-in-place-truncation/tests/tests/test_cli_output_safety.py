"""sqlformat leaves its output file alone unless it has something to put there."""

import subprocess
import sys

import pytest

import sqlparse
from sqlparse.engine import grouping

TOO_DEEP = 'select ' + '(' * 150 + '1' + ')' * 150 + ';\n'
FINE = 'select a,b from c where d=1;\n'
UPPER = sqlparse.format(FINE, keyword_case='upper')


@pytest.fixture
def deep(tmp_path):
    path = tmp_path / 'deep.sql'
    path.write_text(TOO_DEEP, encoding='utf-8')
    return path


def sqlformat(*args):
    return sqlparse.cli.main([str(a) for a in args])


def test_in_place_keeps_the_file_when_formatting_fails(deep, capsys):
    assert sqlformat(deep, '--in-place', '--reindent') == 1
    assert deep.read_text(encoding='utf-8') == TOO_DEEP
    _, err = capsys.readouterr()
    assert err.startswith('[ERROR]')


def test_outfile_keeps_its_content_when_formatting_fails(deep, tmp_path, capsys):
    out = tmp_path / 'out.sql'
    out.write_text('-- yesterday\n', encoding='utf-8')
    assert sqlformat(deep, '-o', out, '--reindent') == 1
    assert out.read_text(encoding='utf-8') == '-- yesterday\n'
    assert '[ERROR]' in capsys.readouterr().err


def test_outfile_is_not_created_when_formatting_fails(deep, tmp_path, capsys):
    out = tmp_path / 'out.sql'
    assert sqlformat(deep, '-o', out, '--reindent') == 1
    assert not out.exists()


def test_failure_on_the_way_to_stdout_is_a_plain_error(deep):
    process = subprocess.run(
        [sys.executable, '-m', 'sqlparse', '--reindent', str(deep)],
        capture_output=True, text=True)
    assert process.returncode == 1
    assert process.stdout == ''
    assert process.stderr.startswith('[ERROR]')
    assert 'Traceback' not in process.stderr


def test_token_limit(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(grouping, 'MAX_GROUPING_TOKENS', 20)
    path = tmp_path / 'long.sql'
    text = 'select ' + ', '.join('c%d' % i for i in range(50)) + ';\n'
    path.write_text(text, encoding='utf-8')
    assert sqlformat(path, '--in-place', '--reindent') == 1
    assert path.read_text(encoding='utf-8') == text


def test_other_files_are_still_formatted(deep, tmp_path, capsys):
    first, last = tmp_path / 'a.sql', tmp_path / 'z.sql'
    first.write_text(FINE, encoding='utf-8')
    last.write_text(FINE, encoding='utf-8')
    assert sqlformat(first, deep, last, '--in-place', '--reindent') == 1
    assert deep.read_text(encoding='utf-8') == TOO_DEEP
    expected = sqlparse.format(FINE, reindent=True)
    assert first.read_text(encoding='utf-8') == expected
    assert last.read_text(encoding='utf-8') == expected


def test_invalid_options_keep_the_file(tmp_path, capsys):
    path = tmp_path / 'a.sql'
    path.write_text(FINE, encoding='utf-8')
    assert sqlformat(path, '--in-place', '--indent_width', '0') == 1
    assert path.read_text(encoding='utf-8') == FINE


def test_success_in_place(tmp_path):
    path = tmp_path / 'a.sql'
    path.write_text(FINE, encoding='utf-8')
    assert sqlformat(path, '--in-place', '--keywords', 'upper') == 0
    assert path.read_text(encoding='utf-8') == UPPER


def test_success_outfile_replaces_longer_content(tmp_path):
    path, out = tmp_path / 'a.sql', tmp_path / 'out.sql'
    path.write_text(FINE, encoding='utf-8')
    out.write_text('x' * 1000, encoding='utf-8')
    assert sqlformat(path, '-o', out, '--keywords', 'upper') == 0
    assert out.read_text(encoding='utf-8') == UPPER


def test_unwritable_outfile(tmp_path, capsys):
    path = tmp_path / 'a.sql'
    path.write_text(FINE, encoding='utf-8')
    assert sqlformat(path, '-o', tmp_path / 'missing' / 'out.sql') == 1
    assert '[ERROR]' in capsys.readouterr().err
