/**
Place: the installation that is watched, with Knative's own defaults of how it scales.

In: a kubeconfig; the namespace of an installation, or none: then one is made for the bench and taken away after it. Out: its
functions. A cluster whose configuration says otherwise is not changed: the Services of our own installation get its default values
as annotations. The grace period before the last pod goes (30 s by default) cannot be said there, and is printed as it is.
*/
import {createKubectl, type Kubectl} from '../../cluster/kubectl.ts';

export type Place = Readonly<{
  kubectl: Kubectl;
  namespace: string;
  functions: readonly string[];
  /** Of the cluster, as it is; what is not said is Knative's default. */
  autoscaler: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}>;

/** By the names of `config-autoscaler` and of the annotations; Knative's documentation and its code. */
export const defaults = {
  'stable-window': {annotation: 'autoscaling.knative.dev/window', value: '60s'},
  'scale-to-zero-pod-retention-period': {
    annotation: 'autoscaling.knative.dev/scale-to-zero-pod-retention-period',
    value: '0s',
  },
} as const;

const readyMaxSeconds = 300;

export const functionsIn = async (kubectl: Kubectl, namespace: string): Promise<string[]> =>
  (
    await kubectl([
      ...['-n', namespace, 'get', 'ksvc'],
      ...['-o', 'jsonpath={.items[*].metadata.name}'],
    ])
  )
    .split(' ')
    .filter(name => name !== '')
    .sort();

const readAutoscaler = async (kubectl: Kubectl): Promise<Record<string, string>> => {
  const text = await kubectl([
    ...['-n', 'knative-serving', 'get', 'configmap', 'config-autoscaler'],
    ...['-o', 'jsonpath={.data}'],
  ]);
  const {_example: _ignored, ...data} = JSON.parse(text || '{}') as Record<string, string>;
  return data;
};

/** As annotations of its revisions; of a gateway that is kept, how many. */
const scaleAs = async (
  kubectl: Kubectl,
  {
    namespace,
    functions,
    gateways,
  }: {namespace: string; functions: readonly string[]; gateways: number},
) => {
  const annotations = Object.fromEntries(
    Object.values(defaults).map(({annotation, value}) => [annotation, value]),
  );
  for (const name of functions) {
    const own = name === 'gateway' ? {'autoscaling.knative.dev/min-scale': String(gateways)} : {};
    await kubectl([
      ...['-n', namespace, 'patch', 'ksvc', name, '--type=merge', '-p'],
      JSON.stringify({spec: {template: {metadata: {annotations: {...annotations, ...own}}}}}),
    ]);
  }
  await kubectl([
    ...['-n', namespace, 'wait', '--for=condition=Ready', `--timeout=${readyMaxSeconds}s`],
    ...['ksvc', '--all'],
  ]);
};

export const findPlace = async (kubeconfig: string, namespace: string): Promise<Place> => {
  const kubectl = createKubectl(kubeconfig);
  return {
    kubectl,
    namespace,
    functions: await functionsIn(kubectl, namespace),
    autoscaler: await readAutoscaler(kubectl),
    async stop() {},
  };
};

export const makePlace = async (
  kubeconfig: string,
  {gateways, say}: {gateways: number; say(line: string): void},
): Promise<Place> => {
  const {startInstallation} = await import('../../cluster/installation.ts');
  const installed = await startInstallation(kubeconfig, {log: say});
  try {
    const place = await findPlace(kubeconfig, installed.description.namespace);
    await scaleAs(place.kubectl, {...place, gateways});
    return {...place, stop: installed.stop};
  } catch (error) {
    await installed.stop();
    throw error;
  }
};
