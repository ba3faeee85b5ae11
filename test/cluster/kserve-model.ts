/**
KServe's model: an InferenceService whose predictor is the simulated model server, run by the `node` of the installation's image, in a
namespace that may say models to the installation.

In: an installation, names. Out: ways to apply it with other annotations, faults and scale, and to delete it; the source of its events,
which an installation without KServe has not.
*/
import {randomBytes} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import {build} from 'esbuild';
import {parse} from 'yaml';
import type {Installation} from '../helpers/installation.ts';

const pathOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export type Wanted = Readonly<{
  annotations?: Readonly<Record<string, string>>;
  faults?: string;
  minReplicas?: number;
}>;

/** It has no package of anybody else's, so that its text alone runs. */
const bundleModel = async (): Promise<string> => {
  const {outputFiles} = await build({
    entryPoints: [pathOf('knative/local/simulated-model/main.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    minify: true,
    write: false,
  });
  return String(outputFiles[0]?.text);
};

/** As `kubectl apply -f knative/kserve/` makes it, in the installation's namespace. */
const applySource = async (t: ExecutionContext, {cluster, namespace}: Installation) => {
  const file = readFileSync(pathOf('knative/kserve/registry-inferenceservices.yaml'), 'utf8');
  const source = parse(file);
  source.metadata.namespace = namespace;
  const {name} = source.metadata;
  await cluster(['apply', '-f', '-'], JSON.stringify(source));
  const kind = 'apiserversources.sources.knative.dev';
  t.teardown(() => cluster(['-n', namespace, 'delete', kind, name, '--wait=false']));
};

export const openInference = async (t: ExecutionContext, installation: Installation) => {
  const {cluster, image} = installation;
  const model = `kserve-${randomBytes(4).toString('hex')}`;
  const namespace = `models-${randomBytes(4).toString('hex')}`;
  const program = await bundleModel();
  const labels = {'sluice.dev/models': installation.namespace};
  await cluster(
    ['apply', '-f', '-'],
    JSON.stringify({apiVersion: 'v1', kind: 'Namespace', metadata: {name: namespace, labels}}),
  );
  t.teardown(() => cluster(['delete', 'namespace', namespace, '--wait=false']));
  await applySource(t, installation);
  const apply = ({annotations = {}, faults = '', minReplicas = 1}: Wanted = {}) =>
    cluster(
      ['apply', '-f', '-'],
      JSON.stringify({
        apiVersion: 'serving.kserve.io/v1beta1',
        kind: 'InferenceService',
        metadata: {
          name: `${model}-dev`,
          namespace,
          labels: {'sluice.dev/model': model},
          annotations: {
            'sluice.dev/price-input': '1.00',
            'sluice.dev/price-output': '2.00',
            ...annotations,
          },
        },
        spec: {
          predictor: {
            minReplicas,
            containers: [
              {
                name: 'kserve-container',
                image,
                imagePullPolicy: 'IfNotPresent',
                command: ['/usr/local/bin/node', '--input-type=module', '--eval'],
                args: [program],
                ports: [{containerPort: 9_000}],
                env: [
                  {name: 'MODELS', value: `${model}:8192`},
                  {name: 'FAULTS', value: faults},
                ],
                readinessProbe: {httpGet: {path: '/health', port: 9_000}},
                resources: {
                  requests: {cpu: '10m', memory: '64Mi'},
                  limits: {memory: '256Mi'},
                },
              },
            ],
          },
        },
      }),
    );
  return {
    model,
    namespace,
    ref: `InferenceService ${namespace}/${model}-dev`,
    apply,
    remove: () =>
      cluster(['-n', namespace, 'delete', 'inferenceservice', `${model}-dev`, '--wait=false']),
    pods: async () =>
      (await cluster(['-n', namespace, 'get', 'pods', '-o', 'jsonpath={.items[*].metadata.name}']))
        .split(' ')
        .filter(name => name !== ''),
  };
};
