/**
Plan of functions: what a Knative Service says about one function.

In: a Service, the ConfigMaps. Out: name, environment, paths at the front door, timeouts, concurrency, whether it may go to zero.
Secrets stay names: who runs the function knows their values.
*/
import {type EnvironmentEntry, environmentOf} from './environment.ts';
import type {Path, Resource} from './manifests.ts';
import {Refusal} from './refusal.ts';
import type {Sink} from './sinks.ts';

export type FunctionPlan = Readonly<{
  name: string;
  namespace: string;
  /** The folder in `functions/`: the image's argument. */
  folder: string;
  env: readonly EnvironmentEntry[];
  /** From the annotation `sluice.dev/paths`, comma separated. */
  paths: readonly string[];
  timeoutSeconds: number;
  /** Until the first byte of an answer; undefined is no limit but `timeoutSeconds`. */
  responseStartTimeoutSeconds?: number | undefined;
  /** Between two bytes of an answer. */
  idleTimeoutSeconds?: number | undefined;
  /** 0 = no limit. */
  containerConcurrency: number;
  /** 0 = it may go to zero. */
  minScale: number;
  /** K_SINK, where a SinkBinding says it. */
  sinkOf?: Sink | undefined;
  /** K_CE_OVERRIDES, of the same SinkBinding. */
  extensions?: Readonly<Record<string, string>> | undefined;
}>;

type Template = {
  metadata?: {annotations?: Record<string, unknown>};
  spec?: {
    containers?: {args?: unknown}[];
    timeoutSeconds?: unknown;
    responseStartTimeoutSeconds?: unknown;
    idleTimeoutSeconds?: unknown;
    containerConcurrency?: unknown;
  };
};

/** Knative's own default and maximum. */
const timeoutDefaultSeconds = 300;
const timeoutMaxSeconds = 600;

const base: Path = ['spec', 'template', 'spec'];
const minScaleKey = 'autoscaling.knative.dev/min-scale';

export const functionOf = (resource: Resource, configMaps: readonly Resource[]): FunctionPlan => {
  const {metadata, spec = {}} = (resource.spec.template ?? {}) as Template;
  const timeoutSeconds = whole(
    spec.timeoutSeconds ?? timeoutDefaultSeconds,
    [...base, 'timeoutSeconds'],
    timeoutMaxSeconds,
  );
  const shorter = (field: 'responseStartTimeoutSeconds' | 'idleTimeoutSeconds') => {
    const value = spec[field];
    return value === undefined ? {} : {[field]: whole(value, [...base, field], timeoutSeconds)};
  };
  return {
    name: resource.name,
    namespace: resource.namespace,
    folder: folderOf(resource, spec.containers),
    env: environmentOf(resource, [...base, 'containers', 0], configMaps),
    paths: pathsOf(resource),
    timeoutSeconds,
    ...shorter('responseStartTimeoutSeconds'),
    ...shorter('idleTimeoutSeconds'),
    containerConcurrency: whole(
      spec.containerConcurrency ?? 0,
      [...base, 'containerConcurrency'],
      1_000,
    ),
    minScale: minScaleOf(metadata?.annotations?.[minScaleKey]),
  };
};

/** One container; its first argument is a folder in `functions/`. */
export const folderOf = (
  resource: Resource,
  containers: readonly {args?: unknown}[] | undefined,
): string => {
  if (containers?.length !== 1) {
    throw new Refusal([...base, 'containers'], 'expected one container');
  }
  const args = containers[0]?.args;
  return Array.isArray(args) && typeof args[0] === 'string' ? args[0] : resource.name;
};

const pathsOf = (resource: Resource) => {
  const paths = (resource.annotations['sluice.dev/paths'] ?? '')
    .split(',')
    .map(path => path.trim())
    .filter(path => path !== '');
  const wrong = paths.find(path => !/^\/[\w./-]*$/.test(path));
  if (wrong !== undefined) {
    throw new Refusal(
      ['metadata', 'annotations', 'sluice.dev/paths'],
      `expected paths that start with /, got ${wrong}`,
    );
  }
  return paths;
};

/** An annotation is a text: a number without quotes is refused by the API server. */
const minScaleOf = (value: unknown): number => {
  if (value !== undefined && !(typeof value === 'string' && /^\d{1,4}$/.test(value))) {
    throw new Refusal(
      ['spec', 'template', 'metadata', 'annotations', minScaleKey],
      `expected ${minScaleKey} to be a whole number in quotes, got ${JSON.stringify(value)}`,
    );
  }
  return Number(value ?? 0);
};

const whole = (value: unknown, path: Path, max: number): number => {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > max) {
    throw new Refusal(
      path,
      `expected ${path.at(-1)} from 0 to ${max}, got ${JSON.stringify(value)}`,
    );
  }
  return value as number;
};
