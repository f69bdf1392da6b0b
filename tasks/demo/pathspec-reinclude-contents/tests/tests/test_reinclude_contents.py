"""
What "!dir/**" brings back, file by file, as "git check-ignore" has it.
"""

import pytest

from pathspec import GitIgnoreSpec


def ignored(lines, files):
	spec = GitIgnoreSpec.from_lines(lines)
	return {file for file in files if spec.match_file(file)}


LIBRARY = ['main.c', 'libfoo/foo.c', 'libfoo/src/deep.c', 'other/bar.c']


@pytest.mark.parametrize('directory', ['!libfoo/', '!libfoo', '!/libfoo/'])
@pytest.mark.parametrize('contents', ['!libfoo/**', '!/libfoo/**'])
def test_everything_but_one_directory(directory, contents):
	assert ignored(['*', directory, contents], LIBRARY) == {'main.c', 'other/bar.c'}


def test_suffix_is_kept_below_one_directory():
	files = ['a.log', 'keep/a.log', 'keep/2024/b.log', 'drop/a.log']
	assert ignored(['*.log', '!keep/**'], files) == {'a.log', 'drop/a.log'}


def test_nested_directory():
	files = ['a.txt', 'docs/a.txt', 'docs/api/a.txt', 'docs/api/v1/a.txt']
	assert ignored(['*.txt', '!docs/api/**'], files) == {'a.txt', 'docs/a.txt'}


def test_any_depth():
	files = ['a.txt', 'docs/a.txt', 'x/docs/a.txt', 'x/y/docs/z/a.txt', 'x/a.txt']
	assert ignored(['*.txt', '!**/docs/**'], files) == {'a.txt', 'x/a.txt'}


def test_later_patterns_still_win():
	files = ['keep/a.log', 'keep/b.log', 'keep/tmp/a.log']
	assert ignored(['*.log', '!keep/**', 'keep/b.log'], files) == {'keep/b.log'}
	assert ignored(['*.log', '!keep/**', 'keep/tmp/'], files) == {'keep/tmp/a.log'}
	assert ignored(['*.log', '!keep/**', '*.log'], files) == set(files)


def test_match_files():
	spec = GitIgnoreSpec.from_lines(['*', '!libfoo/', '!libfoo/**'])
	assert set(spec.match_files(LIBRARY)) == {'main.c', 'other/bar.c'}


def test_bringing_back_the_directory_does_not_bring_back_its_files():
	assert ignored(['*.c', '!libfoo/'], LIBRARY) == set(LIBRARY)
	assert ignored(['*.c', '!libfoo'], LIBRARY) == set(LIBRARY)


def test_ignoring_the_contents():
	assert ignored(['libfoo/**'], LIBRARY) == {'libfoo/foo.c', 'libfoo/src/deep.c'}
	assert ignored(['!*.c', 'libfoo/**'], LIBRARY) == {'libfoo/foo.c', 'libfoo/src/deep.c'}
	assert ignored(['!*.c', 'libfoo/'], LIBRARY) == {'libfoo/foo.c', 'libfoo/src/deep.c'}


def test_the_directory_itself_is_not_among_its_contents():
	assert ignored(['libfoo/**'], ['libfoo', 'x/libfoo/a']) == set()
