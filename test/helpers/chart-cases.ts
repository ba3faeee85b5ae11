/**
Chart cases: what one value of the control plane's chart changes, told in one line a case.

In: values, how to find what they are about in what is rendered. Out: macros for AVA: `becomes`, which also wants that it is not so
without the values, and `refused`, which wants Helm to name what it refuses.
*/
import {isDeepStrictEqual} from 'node:util';
import test from 'ava';
import {chartFolder, type KubernetesObject, template, tryTemplate} from './helm.ts';

export const chart = chartFolder('control-plane');

export type Find = (objects: readonly KubernetesObject[]) => unknown;

export const one = (
  objects: readonly KubernetesObject[],
  kind: string,
  name: string,
): KubernetesObject =>
  objects.find(object => object.kind === kind && object.metadata.name === name);
export const service =
  (name: string, read: (object: KubernetesObject) => unknown): Find =>
  objects =>
    read(one(objects, 'Service', name));
export const container = (object: KubernetesObject) => object.spec.template.spec.containers[0];
export const podAnnotation = (name: string) => (object: KubernetesObject) =>
  object.spec.template.metadata.annotations[name];
export const variable = (name: string) => (object: KubernetesObject) =>
  container(object).env.filter((each: {name: string}) => each.name === name);
export const namesOf =
  (kind: string): Find =>
  objects =>
    objects.filter(object => object.kind === kind).map(object => object.metadata.name);
export const has =
  (kind: string, name: string): Find =>
  objects =>
    one(objects, kind, name) !== undefined;

let defaults: Promise<KubernetesObject[]> | undefined;
/** Without any value: rendered once a file. */
const renderDefaults = () => {
  defaults ??= template(chart);
  return defaults;
};

export const becomes = test.macro({
  async exec(t, values: object, find: Find, expected: unknown) {
    const before = find(await renderDefaults());
    const after = find(await template(chart, {values}));
    t.deepEqual(after, expected);
    t.false(isDeepStrictEqual(before, after), 'it is so without the value too');
  },
  title: (title = '') => title,
});

export const autoscaling = (name: string) => podAnnotation(`autoscaling.knative.dev/${name}`);
export const gateway = (values: object) => ({functions: {gateway: values}});

export const refused = test.macro({
  async exec(t, values: object, message: RegExp) {
    const {code, stderr} = await tryTemplate(chart, {values});
    t.not(code, 0);
    t.regex(stderr, message);
  },
  title: (title = '') => `refused: ${title}`,
});
