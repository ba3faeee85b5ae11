import test from 'ava';
import {createTapReader, summarise} from '../runner/tap.ts';

const read = (text: string, exitCode: number | null) => {
  const reader = createTapReader();
  for (const line of text.split('\n')) {
    reader.push(line);
  }
  return reader.end(exitCode);
};

const finish = (tests: number, failed = 0) =>
  `1..${tests}\n# tests ${tests}\n# pass ${tests - failed}\n# fail ${failed}`;

test('passing tests are counted', t => {
  const result = read(`TAP version 13\nok 1 - a › one\nok 2 - a › two\n${finish(2)}`, 0);
  t.deepEqual(result, {passed: 2, failed: 0, skipped: 0, failures: []});
});

test('a failing test keeps everything that was said about it, and nothing of the next', t => {
  const {failures, failed, passed} = read(
    `not ok 1 - a › one\n#   a log\n  ---\n    message: no\n  ...\nok 2 - a › two\n  extra\n${finish(2, 1)}`,
    1,
  );
  t.deepEqual(failures, ['not ok 1 - a › one\n#   a log\n  ---\n    message: no\n  ...']);
  t.is(failed, 1);
  t.is(passed, 1);
});

test('skipped tests and plans for tests are neither passed nor failed', t => {
  const result = read(`ok 1 - a # SKIP\nnot ok 2 - b # TODO\nok 3 - c\n${finish(3)}`, 0);
  t.like(result, {passed: 1, failed: 0, skipped: 2});
});

test('a run without a test has failed', t => {
  t.like(read(finish(0), 0), {passed: 0, failed: 1});
});

test('a run in which everything was skipped has failed', t => {
  t.like(read(`ok 1 - a # SKIP\n${finish(1)}`, 0), {failed: 1});
});

test('a run that breaks off has failed, though every test so far passed', t => {
  t.like(read('ok 1 - a', null), {passed: 1, failed: 1});
});

test('a run that passed but ended with an error has failed', t => {
  t.like(read(`ok 1 - a\n${finish(1)}`, 1), {passed: 1, failed: 1});
});

test('tests that AVA counts as failed but never named are failures', t => {
  t.like(read(`not ok 1 - crash\nok 2 - a\n${finish(5, 4)}`, 1), {passed: 1, failed: 4});
});

test('the last line names skipped tests only when there are some', t => {
  t.is(summarise({passed: 3, failed: 0, skipped: 0}), '3 passed, 0 failed');
  t.is(summarise({passed: 3, failed: 1, skipped: 2}), '3 passed, 1 failed, 2 skipped');
});
