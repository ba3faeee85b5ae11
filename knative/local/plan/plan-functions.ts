/**
Plan of functions: what a Knative Service says about one function.

In: a Service, the ConfigMaps. Out: name, environment, paths at the front door, timeout and concurrency. Secrets stay names:
who runs the function knows their values.
*/
import type {Path, Resource} from './manifests.ts';

/** A value, or the key of a secret whose value the runner has. */
export type EnvironmentEntry = Readonly<{
  name: string;
  value?: string | undefined;
  secret?: Readonly<{name: string; key: string}> | undefined;
}>;

export type FunctionPlan = Readonly<{
  name: string;
  namespace: string;
  /** The folder in `functions/`: the image's argument. */
  folder: string;
  env: readonly EnvironmentEntry[];
  /** From the annotation `sluice.dev/paths`, comma separated. */
  paths: readonly string[];
  timeoutSeconds: number;
  /** 0 = no limit. */
  containerConcurrency: number;
}>;

const refusal = (path: Path, message: string) => Object.assign(new Error(message), {path});

export const functionOf = (resource: Resource, configMaps: readonly Resource[]): FunctionPlan => {
  const template = ((resource.spec.template as {spec?: unknown} | undefined)?.spec ?? {}) as {
    containers?: {args?: unknown}[];
    timeoutSeconds?: unknown;
    containerConcurrency?: unknown;
  };
  const base = ['spec', 'template', 'spec'];
  if (template.containers?.length !== 1) {
    throw refusal([...base, 'containers'], 'expected one container');
  }
  const args = template.containers[0]?.args;
  const folder = Array.isArray(args) && typeof args[0] === 'string' ? args[0] : resource.name;
  const paths = (resource.annotations['sluice.dev/paths'] ?? '')
    .split(',')
    .map(path => path.trim())
    .filter(path => path !== '');
  const wrong = paths.find(path => !/^\/[\w./-]*$/.test(path));
  if (wrong !== undefined) {
    throw refusal(
      ['metadata', 'annotations', 'sluice.dev/paths'],
      `expected paths that start with /, got ${wrong}`,
    );
  }
  return {
    name: resource.name,
    namespace: resource.namespace,
    folder,
    env: environmentOf(resource, [...base, 'containers', 0], configMaps),
    paths,
    // Knative's own default and maximum.
    timeoutSeconds: whole(template.timeoutSeconds ?? 300, [...base, 'timeoutSeconds'], 600),
    containerConcurrency: whole(
      template.containerConcurrency ?? 0,
      [...base, 'containerConcurrency'],
      1_000,
    ),
  };
};

const whole = (value: unknown, path: Path, max: number): number => {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > max) {
    throw refusal(path, `expected ${path.at(-1)} from 0 to ${max}, got ${JSON.stringify(value)}`);
  }
  return value as number;
};

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
  return list.map((entry, index) =>
    entryOf(entry, [...container, 'env', index], resource.namespace, configMaps),
  );
};

type KeyReference = {name: string; key: string};

const entryOf = (
  entry: Record<string, unknown>,
  path: Path,
  namespace: string,
  configMaps: readonly Resource[],
): EnvironmentEntry => {
  const {name, value, valueFrom} = entry as {
    name: string;
    value?: unknown;
    valueFrom?: {secretKeyRef?: KeyReference; configMapKeyRef?: KeyReference};
  };
  if (typeof name !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw refusal(path, 'expected the name of a variable');
  }
  if (valueFrom?.secretKeyRef) {
    return {name, secret: valueFrom.secretKeyRef};
  }
  if (valueFrom?.configMapKeyRef) {
    const {name: map, key} = valueFrom.configMapKeyRef;
    const data = configMaps.find(
      other => other.name === map && other.namespace === namespace,
    )?.data;
    if (data?.[key] === undefined) {
      throw refusal([...path, 'valueFrom'], `there is no key ${key} in a ConfigMap ${map}`);
    }
    return {name, value: String(data[key])};
  }
  // Kubernetes takes texts only: a number that is not quoted is refused by the API server.
  if (typeof value !== 'string') {
    throw refusal([...path, 'value'], `expected the value of ${name} to be a text; quote it`);
  }
  return {name, value};
};
