import assert from 'node:assert';
import {setImmediate as turn} from 'node:timers/promises';
import {describe, test} from 'node:test';
import pMap, {pMapIterable, pMapSkip} from '../index.js';

// No clocks: a step is a few turns of the event loop.
const steps = async count => {
	for (let i = 0; i < count; i++) {
		await turn(); // eslint-disable-line no-await-in-loop
	}
};

async function * slowly(values, pause) {
	for (const value of values) {
		await steps(pause); // eslint-disable-line no-await-in-loop
		yield value;
	}
}

const range = count => Array.from({length: count}, (_, index) => index);

async function measure(source, {work = () => 3, consume = 0, ...options}) {
	let running = 0;
	let most = 0;
	const results = [];
	const mapped = pMapIterable(source, async (value, index) => {
		running++;
		most = Math.max(most, running);
		await steps(work(value));
		running--;
		return [value, index];
	}, options);
	for await (const [value] of mapped) {
		results.push(value);
		await steps(consume);
	}

	return {most, results};
}

describe('a source that takes its time', () => {
	for (const concurrency of [1, 2, 3]) {
		test(`runs at most ${concurrency} mappers`, async () => {
			const {most, results} = await measure(slowly(range(12), 2), {concurrency, backpressure: 10, work: value => 2 + ((value * 7) % 5)});
			assert.strictEqual(most, concurrency);
			assert.deepStrictEqual(results, range(12));
		});
	}

	test('is not asked for more than there are free mappers', async () => {
		let asked = 0;
		let settled = 0;
		let ahead = 0;
		const source = {
			[Symbol.asyncIterator]: () => ({
				async next() {
					asked++;
					ahead = Math.max(ahead, asked - settled);
					const value = asked;
					await steps(4);
					return value > 8 ? {done: true, value: undefined} : {done: false, value};
				},
			}),
		};
		const results = [];
		for await (const value of pMapIterable(source, async value => {
			await steps(1);
			settled++;
			return value;
		}, {concurrency: 2, backpressure: 6})) {
			results.push(value);
		}

		assert.ok(ahead <= 2, `${ahead} values asked for at a time`);
		assert.deepStrictEqual(results, [1, 2, 3, 4, 5, 6, 7, 8]);
	});

	test('one mapper at a time with a slow consumer', async () => {
		const {most, results} = await measure(slowly(range(8), 3), {concurrency: 1, backpressure: 4, work: () => 2, consume: 5});
		assert.strictEqual(most, 1);
		assert.deepStrictEqual(results, range(8));
	});
});

describe('an array', () => {
	for (const concurrency of [1, 2, 4]) {
		test(`with concurrency ${concurrency}`, async () => {
			const {most, results} = await measure(range(10), {concurrency, work: value => 1 + (value % 3)});
			assert.ok(most <= concurrency, `${most} at a time`);
			assert.deepStrictEqual(results, range(10));
		});
	}

	test('uses all of the concurrency', async () => {
		const {most} = await measure(range(10), {concurrency: 3, work: () => 10});
		assert.strictEqual(most, 3);
	});

	test('without a limit', async () => {
		const {most, results} = await measure(range(6), {work: () => 10});
		assert.strictEqual(most, 6);
		assert.deepStrictEqual(results, range(6));
	});

	test('of nothing', async () => {
		const {results} = await measure([], {concurrency: 2});
		assert.deepStrictEqual(results, []);
	});
});

describe('the rest of the contract', () => {
	test('a slow source still gets its mappers going side by side', async () => {
		const {most} = await measure(slowly(range(8), 1), {concurrency: 2, backpressure: 8, work: () => 20});
		assert.strictEqual(most, 2);
	});

	test('backpressure', async () => {
		let started = 0;
		const iterator = pMapIterable(range(10), async value => {
			started++;
			return value;
		}, {concurrency: 1, backpressure: 3})[Symbol.asyncIterator]();
		await iterator.next();
		await steps(20);
		assert.ok(started <= 4, `${started} started`);
		await iterator.return();
	});

	test('skipped values are left out', async () => {
		const results = [];
		for await (const value of pMapIterable(slowly(range(6), 1), async value => value % 2 ? pMapSkip : value, {concurrency: 2})) {
			results.push(value);
		}

		assert.deepStrictEqual(results, [0, 2, 4]);
	});

	test('an error of the mapper comes out in its place', async () => {
		const results = [];
		await assert.rejects(async () => {
			for await (const value of pMapIterable(range(6), async value => {
				if (value === 3) {
					throw new Error('three');
				}

				return value;
			}, {concurrency: 1})) {
				results.push(value);
			}
		}, /three/);
		assert.deepStrictEqual(results, [0, 1, 2]);
	});

	test('an error of the source comes out', async () => {
		async function * broken() {
			yield 1;
			throw new Error('source');
		}

		await assert.rejects(async () => {
			for await (const value of pMapIterable(broken(), value => value, {concurrency: 2})) {
				assert.strictEqual(value, 1);
			}
		}, /source/);
	});

	test('pMap keeps order and limit', async () => {
		let running = 0;
		let most = 0;
		const results = await pMap(slowly(range(6), 1), async value => {
			running++;
			most = Math.max(most, running);
			await steps(3);
			running--;
			return value * 2;
		}, {concurrency: 2});
		assert.deepStrictEqual(results, [0, 2, 4, 6, 8, 10]);
		assert.strictEqual(most, 2);
	});

	test('invalid options', () => {
		assert.throws(() => pMapIterable([], () => {}, {concurrency: 0}), TypeError);
		assert.throws(() => pMapIterable([], () => {}, {concurrency: 3, backpressure: 2}), TypeError);
	});
});
