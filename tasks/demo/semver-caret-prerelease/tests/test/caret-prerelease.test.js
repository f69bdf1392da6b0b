const assert = require('node:assert')
const { describe, test } = require('node:test')
const semver = require('..')

const pre = { includePrerelease: true }
const yes = (version, range, options) =>
  assert.strictEqual(semver.satisfies(version, range, options), true, `${version} in ${range}`)
const no = (version, range, options) =>
  assert.strictEqual(semver.satisfies(version, range, options), false, `${version} not in ${range}`)

describe('caret with includePrerelease', () => {
  test('full version', () => {
    no('2.0.0-pre', '^1.2.3', pre)
    no('2.0.0-0', '^1.2.3', pre)
    no('2.0.0-rc.1', '^1.0.0', pre)
  })
  test('major only', () => {
    no('2.0.0-pre', '^1', pre)
    no('2.0.0-pre', '^1.x', pre)
    no('1.0.0-pre', '^0', pre)
  })
  test('major and minor', () => {
    no('2.0.0-alpha', '^1.2', pre)
    no('2.0.0-alpha', '^1.2.x', pre)
    no('0.3.0-alpha', '^0.2', pre)
    no('0.1.0-alpha', '^0.0', pre)
  })
  test('zero major', () => {
    no('0.3.0-beta', '^0.2.3', pre)
    no('0.3.0-0', '^0.2.3', pre)
  })
  test('zero major and minor', () => {
    no('0.0.4-beta', '^0.0.3', pre)
  })
  test('range that names a prerelease', () => {
    no('2.0.0-alpha', '^1.2.3-beta.2', pre)
    no('0.3.0-alpha', '^0.2.3-beta.2', pre)
    no('0.0.4-alpha', '^0.0.3-beta.2', pre)
  })
  test('alternatives', () => {
    no('2.0.0-pre', '^1.0.0 || ^3.0.0', pre)
    yes('3.1.0-pre', '^1.0.0 || ^3.0.0', pre)
  })
  test('maxSatisfying', () => {
    const versions = ['1.2.3', '1.9.0', '2.0.0-rc.1']
    assert.strictEqual(semver.maxSatisfying(versions, '^1.2.3', pre), '1.9.0')
  })
})

describe('what caret goes on accepting', () => {
  test('releases', () => {
    for (const options of [undefined, pre]) {
      yes('1.2.3', '^1.2.3', options)
      yes('1.99.0', '^1.2.3', options)
      yes('0.2.9', '^0.2.3', options)
      yes('0.0.3', '^0.0.3', options)
      yes('1.0.0', '^1', options)
      yes('1.5.0', '^1.x', options)
    }
  })
  test('prereleases inside the range', () => {
    yes('1.3.0-pre', '^1.2.3', pre)
    yes('1.99.0-alpha', '^1', pre)
    yes('0.2.4-alpha', '^0.2.3', pre)
    yes('1.2.3-beta.4', '^1.2.3-beta.2', pre)
    yes('1.2.3-beta.4', '^1.2.3-beta.2')
  })
  test('nothing above or below', () => {
    for (const options of [undefined, pre]) {
      no('2.0.0', '^1.2.3', options)
      no('1.2.2', '^1.2.3', options)
      no('0.3.0', '^0.2.3', options)
      no('0.0.4', '^0.0.3', options)
      no('1.2.3-beta.1', '^1.2.3-beta.2', options)
    }
    no('1.2.3-beta', '^1.2.3', pre)
  })
  test('no prereleases unless asked for', () => {
    no('2.0.0-pre', '^1.2.3')
    no('1.3.0-pre', '^1.2.3')
    no('0.3.0-pre', '^0.2.3')
  })
  test('the any version', () => {
    yes('2.0.0', '^*')
    yes('2.0.0-pre', '^*', pre)
    yes('2.0.0-pre', '^x', pre)
  })
})

describe('other ranges', () => {
  test('x-ranges', () => {
    yes('1.0.0-pre', '1.x', pre)
    no('2.0.0-pre', '1.x', pre)
    no('1.0.0-pre', '1.x')
  })
  test('comparators', () => {
    yes('2.0.0-pre', '<2.0.0', pre)
    no('2.0.0-pre', '<2.0.0-0', pre)
    no('2.0.0-pre', '<2.0.0')
    yes('3.0.0-pre', '>=1.0.0', pre)
  })
  test('tilde', () => {
    yes('1.2.9', '~1.2.3')
    no('1.3.0', '~1.2.3', pre)
    yes('1.2.4-pre', '~1.2.3', pre)
  })
  test('hyphen', () => {
    yes('1.5.0', '1.2.3 - 2.3.4')
    no('2.3.5', '1.2.3 - 2.3.4', pre)
  })
  test('intersects', () => {
    assert.strictEqual(semver.intersects('^1.2.0', '^1.3.0'), true)
    assert.strictEqual(semver.intersects('^1.2.0', '^2.0.0'), false)
    assert.strictEqual(semver.intersects('^1.2.0', '^2.0.0', pre), false)
  })
})
