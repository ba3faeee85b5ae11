import assert from 'node:assert/strict';
import test from 'ava';
import {watchPostgres} from '../../knative/local/postgres/watch.ts';
import {eventually} from '../helpers/eventually.ts';

const world = ({failures = 0}: {failures?: number} = {}) => {
  const state = {runs: true, restarts: 0};
  const notes: string[] = [];
  const lost: Error[] = [];
  const watch = watchPostgres({
    isRunning: () => state.runs,
    async restart() {
      state.restarts += 1;
      if (state.restarts <= failures) {
        throw new Error('no');
      }
      state.runs = true;
    },
    onNote: note => notes.push(note),
    onLost: error => lost.push(error),
    pollMs: 1,
    restMs: 1,
    tries: 3,
  });
  return {state, notes, lost, watch};
};

test('a PostgreSQL that dies is started again, every time', async t => {
  const {state, notes, lost, watch} = world();
  for (const time of [1, 2]) {
    state.runs = false;
    await eventually(() => assert.deepEqual([state.runs, state.restarts], [true, time]));
  }
  await watch.close();
  t.is(notes.length, 4);
  t.deepEqual(lost, []);
});

test('it is tried several times, and what cannot be started is lost once', async t => {
  const {state, lost, watch} = world({failures: 2});
  state.runs = false;
  await eventually(() => assert.deepEqual([state.runs, state.restarts], [true, 3]));
  await watch.close();
  t.deepEqual(lost, []);

  const other = world({failures: 9});
  other.state.runs = false;
  await eventually(() =>
    assert.deepEqual(
      other.lost.map(({message}) => message),
      ['no'],
    ),
  );
  await other.watch.close();
  t.is(other.state.restarts, 3);
  t.is(other.lost.length, 1);
});

test('after its end nothing is started again', async t => {
  const {state, watch} = world();
  await watch.close();
  state.runs = false;
  await watch.close();
  t.is(state.restarts, 0);
});
