/**
Rest: how long each function is at zero while nobody asks for anything, and what the pods hold that never go.

In: options; the kubeconfig that `KUBECONFIG` names. Out: a table, and whether every function but the gateway was at zero for three
quarters of the time. Without `--namespace` an installation is made for it and taken away.
*/
import {setTimeout as wait} from 'node:timers/promises';
import {parseArgs} from 'node:util';
import {findPlace, makePlace, type Place} from './place.ts';
import {type Memory, readMemory, type Sample, takeSample} from './samples.ts';
import {isRested, type Sitter, type Sleep, shareWanted, sittersOf, sleepOf} from './verdict.ts';

export const usage =
  'npm run bench rest -- [--minutes 40] [--every 10] [--gateways 2] [--namespace NAME] [--json]';

type Say = (line: string) => void;

const readOptions = (args: readonly string[]) => {
  const {values} = parseArgs({
    args: [...args],
    options: {
      minutes: {type: 'string', default: '40'},
      every: {type: 'string', default: '10'},
      gateways: {type: 'string', default: '2'},
      namespace: {type: 'string'},
      json: {type: 'boolean', default: false},
    },
  });
  const number = (name: 'minutes' | 'every' | 'gateways', min: number, max: number) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new TypeError(
        `--${name} is a whole number from ${min} to ${max}, got "${values[name]}"`,
      );
    }
    return value;
  };
  return {
    minutes: number('minutes', 1, 1_440),
    everyMs: number('every', 1, 60) * 1_000,
    gateways: number('gateways', 0, 10),
    namespace: values.namespace,
    json: values.json,
  };
};

type Options = ReturnType<typeof readOptions>;
type Watched = {samples: Sample[]; readings: (readonly Memory[])[]};

/** Memory is asked for once a minute: a kubelet measures it no more often than every 10 s. */
const readingEveryMs = 60_000;
/** Of the listings. */
const missedMax = 20;

const watch = async (
  {kubectl, namespace}: Place,
  {minutes, everyMs}: Options,
  say: Say,
): Promise<Watched> => {
  const watched: Watched = {samples: [], readings: []};
  const begun = performance.now();
  let readMs = Number.NEGATIVE_INFINITY;
  let missed = 0;
  while (performance.now() - begun < minutes * 60_000) {
    const askedMs = performance.now();
    try {
      const sample = await takeSample(kubectl, namespace);
      watched.samples.push(sample);
      if (sample.atMs - readMs >= readingEveryMs) {
        readMs = sample.atMs;
        const there = [...new Set(sample.pods.map(({owner}) => owner))].sort().join(', ');
        say(`${Math.round((sample.atMs - begun) / 60_000)} min: ${there}`);
        watched.readings.push(await readMemory(kubectl, namespace, sample));
      }
    } catch (error) {
      // A cluster that does not answer once is no reason to lose the hour before.
      missed += 1;
      say(`not listed: ${(error as Error).message.split('\n').at(-1)}`);
      if (missed > missedMax) {
        throw error;
      }
    }
    await wait(Math.max(0, askedMs + everyMs - performance.now()));
  }
  return watched;
};

const table = (rows: readonly (readonly (string | number)[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map(row => String(row[column]).length)),
  );
  return rows
    .map(row => row.map((cell, column) => String(cell).padEnd(widths[column] ?? 0)).join('  '))
    .map(line => line.trimEnd())
    .join('\n');
};

const report = (
  place: Place,
  {
    sleeps,
    sitters,
    minutes,
  }: {sleeps: readonly Sleep[]; sitters: readonly Sitter[]; minutes: number},
): string =>
  [
    `${minutes} minutes without a request; the cluster's autoscaler: ${JSON.stringify(place.autoscaler)}`,
    '',
    table([
      ['function', 'minutes at zero', 'share', 'wakes'],
      ...sleeps.map(({service, minutesAtZero, share, wakes}) => [
        service,
        minutesAtZero,
        `${Math.round(share * 100)} %`,
        wakes,
      ]),
    ]),
    '',
    table([
      ['never at zero', 'pods', 'MiB a pod', 'most', "Knative's sidecar, MiB"],
      ...sitters.map(({owner, pods, medianMiB, mostMiB, sidecarMiB}) => [
        owner,
        pods,
        medianMiB,
        mostMiB,
        sidecarMiB,
      ]),
    ]),
    '',
    `${isRested(sleeps) ? 'met' : 'NOT met'}: every function but the gateway at zero for ${shareWanted * 100} % of the time`,
  ].join('\n');

/** Resolves with whether everybody rested. */
export const run = async (
  args: readonly string[],
  {say, interrupted}: {say: Say; interrupted: Promise<never>},
): Promise<boolean> => {
  const options = readOptions(args);
  const kubeconfig = process.env.KUBECONFIG;
  if (!kubeconfig) {
    throw new TypeError('KUBECONFIG is not set: expected the kubeconfig of a cluster with Knative');
  }
  const place = options.namespace
    ? await findPlace(kubeconfig, options.namespace)
    : await makePlace(kubeconfig, {...options, say});
  try {
    if (place.functions.length === 0) {
      throw new TypeError(`no Knative Service is in the namespace ${place.namespace}`);
    }
    say(`watching ${place.functions.length} functions in ${place.namespace}`);
    const {samples, readings} = await Promise.race([watch(place, options, say), interrupted]);
    const sleeps = place.functions.map(name => sleepOf(name, samples));
    const sitters = sittersOf(samples, readings);
    const found = {minutes: options.minutes, sleeps, sitters};
    process.stdout.write(
      `${options.json ? JSON.stringify({...found, autoscaler: place.autoscaler}) : report(place, found)}\n`,
    );
    return isRested(sleeps);
  } finally {
    await place.stop();
  }
};
