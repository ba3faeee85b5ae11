/**
Environment: what a container finds in its environment, as far as its manifest says it.

In: a resource, where its container stands in it, the ConfigMaps. Out: names with values, or with the key of a secret: who starts
the program knows their values. What is optional and missing is left out.
*/
import type {Path, Resource} from './manifests.ts';
import {Refusal} from './refusal.ts';

/** A value, or the key of a secret whose value the runner has. */
export type EnvironmentEntry = Readonly<{
  name: string;
  value?: string | undefined;
  secret?: Readonly<{name: string; key: string; optional?: boolean}> | undefined;
}>;

type KeyReference = Readonly<{name: string; key: string; optional?: unknown}>;

export const environmentOf = (
  resource: Resource,
  container: Path,
  configMaps: readonly Resource[],
): EnvironmentEntry[] => {
  const found = container.reduce<unknown>(
    (value, key) => (value as Record<string | number, unknown> | undefined)?.[key],
    resource,
  );
  const list = ((found as {env?: unknown} | undefined)?.env ?? []) as Record<string, unknown>[];
  return list.flatMap((entry, index) =>
    entryOf(entry, [...container, 'env', index], resource.namespace, configMaps),
  );
};

const entryOf = (
  entry: Record<string, unknown>,
  path: Path,
  namespace: string,
  configMaps: readonly Resource[],
): EnvironmentEntry[] => {
  const {name, value, valueFrom} = entry as {
    name: string;
    value?: unknown;
    valueFrom?: {secretKeyRef?: KeyReference; configMapKeyRef?: KeyReference};
  };
  if (typeof name !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new Refusal(path, 'expected the name of a variable');
  }
  const reference = valueFrom?.secretKeyRef ?? valueFrom?.configMapKeyRef;
  if (reference === undefined) {
    // Kubernetes takes texts only: a number that is not quoted is refused by the API server.
    if (typeof value !== 'string') {
      throw new Refusal([...path, 'value'], `expected the value of ${name} to be a text; quote it`);
    }
    return [{name, value}];
  }
  if (value !== undefined) {
    throw new Refusal([...path, 'value'], `${name} has a value and valueFrom; say one`);
  }
  const optional = booleanOf(reference.optional, [...path, 'valueFrom']);
  if (valueFrom?.secretKeyRef) {
    const {name: secret, key} = reference;
    return [{name, secret: {name: secret, key, ...(optional ? {optional} : {})}}];
  }
  const map = configMaps.find(
    other => other.name === reference.name && other.namespace === namespace,
  );
  const text = map?.data[reference.key];
  if (text === undefined && !optional) {
    throw new Refusal(
      [...path, 'valueFrom'],
      `there is no key ${reference.key} in a ConfigMap ${reference.name}`,
    );
  }
  return text === undefined ? [] : [{name, value: String(text)}];
};

const booleanOf = (value: unknown, path: Path): boolean => {
  if (value !== undefined && typeof value !== 'boolean') {
    throw new Refusal(path, `optional is true or false, got ${JSON.stringify(value)}`);
  }
  return value ?? false;
};
