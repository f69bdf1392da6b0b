"""Reading lines backwards in any encoding, and giving the file back in one piece."""

import io

import pytest

from boltons.jsonutils import JSONLIterator, reverse_iter_lines

LINES = ['första', 'zweite Größe', '', 'troisième', 'naïve façade']


@pytest.fixture
def make(tmp_path):
    def make(encoding, lines=LINES, newline='\n'):
        path = tmp_path / 'lines.txt'
        path.write_bytes(newline.join(lines).encode(encoding))
        return str(path)
    return make


@pytest.mark.parametrize('encoding', ['latin-1', 'cp1252', 'iso8859-15', 'mac-roman'])
@pytest.mark.parametrize('blocksize', [2, 7, 4096])
def test_encoding_of_the_file(make, encoding, blocksize):
    with open(make(encoding), encoding=encoding) as f:
        assert list(reverse_iter_lines(f, blocksize)) == LINES[::-1]


def test_multibyte_encoding_of_the_file(make):
    lines = ['日本', '東京 2024', 'おわり']
    with open(make('euc-jp', lines), encoding='euc-jp') as f:
        assert list(reverse_iter_lines(f, blocksize=3)) == lines[::-1]


def test_given_encoding_for_a_binary_file(make):
    with open(make('latin-1'), 'rb') as f:
        assert list(reverse_iter_lines(f, encoding='latin-1')) == LINES[::-1]
    f = io.BytesIO('\n'.join(LINES).encode('cp1252'))
    assert list(reverse_iter_lines(f, encoding='cp1252')) == LINES[::-1]


def test_given_encoding_wins_over_that_of_the_file(make):
    with open(make('latin-1'), encoding='ascii') as f:
        assert list(reverse_iter_lines(f, encoding='latin-1')) == LINES[::-1]


def test_wrong_encoding_is_an_error(make):
    with open(make('latin-1'), encoding='ascii') as f:
        with pytest.raises(UnicodeDecodeError):
            list(reverse_iter_lines(f))


@pytest.mark.parametrize('blocksize', [2, 3, 4096])
def test_utf8(make, blocksize):
    with open(make('utf-8'), encoding='utf-8') as f:
        assert list(reverse_iter_lines(f, blocksize)) == LINES[::-1]


def test_binary_file_without_an_encoding_gives_bytes(make):
    with open(make('latin-1'), 'rb') as f:
        assert list(reverse_iter_lines(f)) == [s.encode('latin-1') for s in LINES[::-1]]


def test_the_file_can_be_read_again(make):
    with open(make('utf-8'), encoding='utf-8') as f:
        assert list(reverse_iter_lines(f)) == LINES[::-1]
        f.seek(0)
        assert f.read().split('\n') == LINES
    assert f.closed


def test_the_file_can_be_closed_half_way(make):
    with open(make('utf-8'), encoding='utf-8') as f:
        lines = reverse_iter_lines(f, blocksize=4)
        assert next(lines) == LINES[-1]
    assert f.closed


def test_jsonl_backwards_in_latin_1(tmp_path):
    path = tmp_path / 'log.jsonl'
    path.write_bytes('{"n": "é"}\n{"n": "ü"}\n'.encode('latin-1'))
    with open(str(path), encoding='latin-1') as f:
        assert list(JSONLIterator(f, reverse=True)) == [{'n': 'ü'}, {'n': 'é'}]


def test_jsonl_backwards_then_forwards(tmp_path):
    path = tmp_path / 'log.jsonl'
    path.write_text('{"n": 1}\n{"n": 2}\n')
    with open(str(path)) as f:
        assert list(JSONLIterator(f, reverse=True)) == [{'n': 2}, {'n': 1}]
        f.seek(0)
        assert list(JSONLIterator(f)) == [{'n': 1}, {'n': 2}]
