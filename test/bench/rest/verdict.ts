/**
Verdict: who slept how long, and who never did.

In: samples, the names of the functions, readings of memory. Out: of each function the minutes without a pod; of each pod that was
there in every sample its memory; whether everybody who has to slept long enough.
*/
import type {Memory, Sample} from './samples.ts';

export type Sleep = Readonly<{
  service: string;
  /** Minutes in which it had no pod. */
  minutesAtZero: number;
  /** Of all minutes that were watched. */
  share: number;
  /** How often it came from zero. */
  wakes: number;
}>;

export type Sitter = Readonly<{
  owner: string;
  pods: number;
  /** Of a pod, in MiB: the median of its readings, and the most. */
  medianMiB: number;
  mostMiB: number;
  /** Of what Knative puts beside it, the median. */
  sidecarMiB: number;
}>;

/** Of 40 minutes, 30. */
export const shareWanted = 0.75;

const mebibyte = 1_048_576;
const toMiB = (bytes: number) => Math.round((bytes / mebibyte) * 10) / 10;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** The time from one sample to the next counts as what it was at both ends: a pod that was there at either was there. */
export const sleepOf = (service: string, samples: readonly Sample[]): Sleep => {
  const isAway = samples.map(({pods}) => pods.every(pod => pod.service !== service));
  let asleepMs = 0;
  let wakes = 0;
  for (let n = 1; n < samples.length; n += 1) {
    if (isAway[n - 1] && isAway[n]) {
      asleepMs += (samples[n] as Sample).atMs - (samples[n - 1] as Sample).atMs;
    }
    if (isAway[n - 1] && !isAway[n]) {
      wakes += 1;
    }
  }
  const watchedMs = (samples.at(-1)?.atMs ?? 0) - (samples[0]?.atMs ?? 0);
  return {
    service,
    minutesAtZero: Math.round(asleepMs / 6_000) / 10,
    share: watchedMs > 0 ? asleepMs / watchedMs : 0,
    wakes,
  };
};

/** What was there in every sample: by who made it, because a pod may be replaced by another. */
export const sittersOf = (
  samples: readonly Sample[],
  readings: readonly (readonly Memory[])[],
): Sitter[] => {
  const owners = new Set(samples.flatMap(({pods}) => pods.map(({owner}) => owner)));
  const always = [...owners].filter(owner =>
    samples.every(({pods}) => pods.some(pod => pod.owner === owner)),
  );
  return always.sort().map(owner => {
    const names = new Set(
      samples.flatMap(({pods}) => pods.filter(pod => pod.owner === owner).map(({name}) => name)),
    );
    const own = readings.flat().filter(({pod}) => names.has(pod));
    return {
      owner,
      pods: Math.max(...samples.map(({pods}) => pods.filter(pod => pod.owner === owner).length)),
      medianMiB: toMiB(median(own.map(({ours}) => ours))),
      mostMiB: toMiB(Math.max(0, ...own.map(({ours}) => ours))),
      sidecarMiB: toMiB(median(own.map(({sidecars}) => sidecars))),
    };
  });
};

/** The gateway may stay. */
export const isRested = (sleeps: readonly Sleep[]): boolean =>
  sleeps.length > 1 &&
  sleeps.every(({service, share}) => service === 'gateway' || share >= shareWanted);
