/**
Pings: what a PingSource sends, when and where.

In: a PingSource. Out: its schedule, its data as the runner's event has it, its sink. The event's type is
`dev.knative.sources.ping`, its source `/apis/v1/namespaces/<namespace>/pingsources/<name>`, its id new each time.
*/
import type {Path, Resource} from './manifests.ts';
import {Refusal} from './refusal.ts';
import {faultOfSchedule, faultOfTimezone} from './schedule.ts';
import {type Addressable, extensionsOf, type Sink, sinkOf} from './sinks.ts';

export type PingPlan = Readonly<{
  name: string;
  namespace: string;
  /** Five fields, or six with seconds first, or @daily and the like. */
  schedule: string;
  /** Undefined: the zone of the machine, which is UTC on most clusters. */
  timezone: string | undefined;
  contentType: string | undefined;
  /** A JSON value, text or bytes, by the content type; undefined is no data. */
  data: unknown;
  sink: Sink;
  extensions: Readonly<Record<string, string>>;
}>;

export const pingOf = (resource: Resource, find: Addressable): PingPlan => {
  const {namespace, name, spec} = resource;
  // Knative's own default.
  const schedule = textOf(spec, 'schedule') ?? '* * * * *';
  const timezone = textOf(spec, 'timezone');
  const contentType = textOf(spec, 'contentType');
  complain('schedule', faultOfSchedule(schedule));
  complain('timezone', timezone === undefined ? undefined : faultOfTimezone(timezone));
  return {
    name,
    namespace,
    schedule,
    timezone,
    contentType,
    data: dataOf(spec, contentType),
    sink: sinkOf(spec.sink, ['spec', 'sink'], namespace, find),
    extensions: extensionsOf(spec),
  };
};

const complain = (field: string, fault: string | undefined) => {
  if (fault !== undefined) {
    throw new Refusal(['spec', field], fault);
  }
};

/** An empty text is an absent one to Knative. */
const textOf = (spec: Resource['spec'], field: string): string | undefined => {
  const value = spec[field];
  if (value !== undefined && typeof value !== 'string') {
    throw new Refusal(['spec', field], `expected ${field} to be a text; quote it`);
  }
  return value === '' ? undefined : value;
};

const dataOf = (spec: Resource['spec'], contentType: string | undefined): unknown => {
  const text = textOf(spec, 'data');
  const base64 = textOf(spec, 'dataBase64');
  if (text === undefined && base64 === undefined) {
    return undefined;
  }
  const path: Path = ['spec', base64 === undefined ? 'data' : 'dataBase64'];
  if (text !== undefined && base64 !== undefined) {
    throw new Refusal(path, 'data and dataBase64: say one');
  }
  if (contentType === undefined) {
    throw new Refusal(path, 'data without contentType: receivers take it for different things');
  }
  if (base64 !== undefined && Buffer.from(base64, 'base64').toString('base64') !== base64) {
    throw new Refusal(path, 'dataBase64 is not base64');
  }
  const bytes = base64 === undefined ? undefined : Buffer.from(base64, 'base64');
  if (!/^[^/;]+\/(?:[^;]+\+)?json *(?:;|$)/i.test(contentType)) {
    return bytes ?? text;
  }
  return jsonOf(text ?? String(bytes), path);
};

/** Knative admits nothing but an object as application/json. */
const jsonOf = (text: string, path: Path): unknown => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(path, `${path.at(-1)} is not JSON, and contentType says so`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Refusal(path, `expected ${path.at(-1)} to be a JSON object`);
  }
  return value;
};
