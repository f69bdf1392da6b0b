const assert = require('node:assert');
const { describe, test } = require('node:test');
const { Command } = require('..');

const parse = (flags, args, ...rest) => {
  const program = new Command();
  program.option(flags, 'description', ...rest);
  program.parse(args, { from: 'user' });
  return program;
};

describe('no inside an option name', () => {
  test('a flag that is not given has no value', () => {
    assert.strictEqual(parse('--dry-no-run', []).dryNoRun, undefined);
  });

  test('a flag that is given is true', () => {
    assert.strictEqual(parse('--dry-no-run', ['--dry-no-run']).dryNoRun, true);
  });

  test('a short flag beside it changes nothing', () => {
    assert.strictEqual(parse('-d, --dry-no-run', []).dryNoRun, undefined);
    assert.strictEqual(parse('-d, --dry-no-run', ['-d']).dryNoRun, true);
  });

  test('a required value is taken', () => {
    assert.strictEqual(parse('--if-no-match <what>', ['--if-no-match', 'skip']).ifNoMatch, 'skip');
    assert.strictEqual(parse('--if-no-match <what>', []).ifNoMatch, undefined);
  });

  test('an optional value may be left out', () => {
    assert.strictEqual(parse('--if-no-match [what]', ['--if-no-match']).ifNoMatch, true);
    assert.strictEqual(parse('--if-no-match [what]', ['--if-no-match', 'skip']).ifNoMatch, 'skip');
  });

  test('a default is kept and shown in the help', () => {
    const program = parse('--if-no-match <what>', [], 'stop');
    assert.strictEqual(program.ifNoMatch, 'stop');
    assert.match(program.helpInformation(), /default: "stop"/);
  });

  test('a flag may default to false', () => {
    assert.strictEqual(parse('--say-no-more', [], false).sayNoMore, false);
    assert.strictEqual(parse('--say-no-more', ['--say-no-more'], false).sayNoMore, true);
  });
});

describe('no in front of an option name', () => {
  test('the option is on by default', () => {
    assert.strictEqual(parse('--no-sauce', []).sauce, true);
  });

  test('the flag turns it off', () => {
    assert.strictEqual(parse('--no-sauce', ['--no-sauce']).sauce, false);
    assert.strictEqual(parse('-S, --no-sauce', ['-S']).sauce, false);
  });

  test('together with its positive form there is no default', () => {
    const make = (args) => {
      const program = new Command();
      program.option('--pepper', 'add').option('--no-pepper', 'leave out');
      program.parse(args, { from: 'user' });
      return program.pepper;
    };
    assert.strictEqual(make([]), undefined);
    assert.strictEqual(make(['--pepper']), true);
    assert.strictEqual(make(['--no-pepper']), false);
  });

  test('a second no is part of the name', () => {
    assert.strictEqual(parse('--no-dry-no-run', []).dryNoRun, true);
    assert.strictEqual(parse('--no-dry-no-run', ['--no-dry-no-run']).dryNoRun, false);
  });
});

describe('other options', () => {
  test('names that only look alike', () => {
    assert.strictEqual(parse('--nothing', []).nothing, undefined);
    assert.strictEqual(parse('--piano', ['--piano']).piano, true);
    assert.strictEqual(parse('--not-now', ['--not-now']).notNow, true);
  });

  test('a value', () => {
    assert.strictEqual(parse('-p, --port <number>', ['-p', '80']).port, '80');
  });

  test('a value that looks like a negation', () => {
    assert.strictEqual(parse('-p, --port <number>', ['--port=x-no-y']).port, 'x-no-y');
  });

  test('an unknown option is refused', () => {
    const program = new Command();
    program.exitOverride().option('--no-sauce', 'd');
    const log = console.error;
    console.error = () => {};
    try {
      assert.throws(() => program.parse(['--no-salt'], { from: 'user' }), { code: 'commander.unknownOption' });
    } finally {
      console.error = log;
    }
  });
});
