import test from 'ava';
import type {Pod, Sample} from '../bench/rest/samples.ts';
import {isRested, sittersOf, sleepOf} from '../bench/rest/verdict.ts';

const pod = (owner: string, name = owner, service: string | undefined = owner): Pod => ({
  name,
  service,
  owner,
  node: 'one',
  phase: 'Running',
});
/** A sample a minute. */
const samples = (...minutes: readonly (readonly Pod[])[]): Sample[] =>
  minutes.map((pods, n) => ({atMs: n * 60_000, pods}));

test('a function is at zero between two samples without a pod of it, and nowhere else', t => {
  const seen = samples([pod('hello')], [], [], [pod('hello')], [], []);
  t.like(sleepOf('hello', seen), {minutesAtZero: 2, wakes: 1});
  t.like(sleepOf('world', seen), {minutesAtZero: 5, share: 1, wakes: 0});
});

test('a function that never went was at zero for no time', t => {
  t.like(sleepOf('hello', samples([pod('hello')], [pod('hello')])), {minutesAtZero: 0, share: 0});
});

test('who was there in every sample is a sitter, whatever its pods were called', t => {
  const seen = samples(
    [pod('source', 'source-a', undefined), pod('hello')],
    [pod('source', 'source-b', undefined)],
  );
  const mebibytes = (count: number) => count * 1_048_576;
  const readings = [
    [{pod: 'source-a', ours: mebibytes(50), sidecars: 0}],
    [{pod: 'source-b', ours: mebibytes(60), sidecars: 0}],
    [{pod: 'hello', ours: mebibytes(90), sidecars: mebibytes(10)}],
  ];
  t.deepEqual(sittersOf(seen, readings), [
    {owner: 'source', pods: 1, medianMiB: 60, mostMiB: 60, sidecarMiB: 0},
  ]);
});

test('the gateway may stay, nobody else', t => {
  const sleep = (service: string, share: number) => ({service, share, minutesAtZero: 0, wakes: 0});
  t.true(isRested([sleep('gateway', 0), sleep('hello', 0.75)]));
  t.false(isRested([sleep('gateway', 1), sleep('hello', 0.74)]));
  // An installation without functions says nothing.
  t.false(isRested([]));
});
