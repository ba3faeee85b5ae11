/**
Model release: charts/model with the simulated model server, in a namespace of its own that may say models to the installation.

In: the test. Out: ways to install it with other values and to uninstall it, its pods, and the model as the registry has it.
*/
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import {build} from 'esbuild';
import {eventually} from '../helpers/eventually.ts';
import {chartFolder, runTool} from '../helpers/helm.ts';
import type {Installation} from '../helpers/installation.ts';

export const patience = {timeoutMs: 5 * 60_000, intervalMs: 500};
/** Of an answer that nothing cuts short: two minutes, longer than a busy node needs for a new pod. */
export const tokens = 480;

type View = Readonly<{
  id: string;
  name: string;
  environment: string;
  namespace: string;
  status: string;
  contextLength: number;
  endpoints: readonly {
    url: string;
    health: string;
    maxConcurrency: number | null;
    object: string | null;
  }[];
}>;

type Pod = Readonly<{name: string; isGoing: boolean}>;

/** The simulated model server, which is told by the chart's ConfigMap alone what it serves. Told to go, it ends what it has begun. */
const bundleServer = async (): Promise<string> => {
  const {outputFiles} = await build({
    stdin: {
      contents: `
        import {Server} from 'node:http';
        import {startSimulatedModel} from './server.ts';
        Server.prototype.closeAllConnections = () => {};
        const {SERVED_MODEL_NAME: name, MAX_MODEL_LEN: length} = process.env;
        const models = [{name, maxModelLength: Number(length)}];
        const options = {host: '0.0.0.0', port: 8000, tokenDelayMs: 250, defaultTokens: ${tokens}};
        const {close} = await startSimulatedModel({...options, models});
        process.once('SIGTERM', () => close().then(() => process.exit(0)));
      `,
      resolveDir: fileURLToPath(new URL('../../knative/local/simulated-model', import.meta.url)),
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    minify: true,
    write: false,
  });
  return String(outputFiles[0]?.text);
};

/** A namespace that may say models to the installation and lets in restricted pods only, as the chart's README wants it. */
const openNamespace = async (t: ExecutionContext, {cluster, namespace: sluice}: Installation) => {
  const name = `models-${randomBytes(4).toString('hex')}`;
  const labels = {
    'sluice.dev/models': sluice,
    'pod-security.kubernetes.io/enforce': 'restricted',
  };
  await cluster(
    ['create', '-f', '-'],
    JSON.stringify({apiVersion: 'v1', kind: 'Namespace', metadata: {name, labels}}),
  );
  t.teardown(() => cluster(['delete', 'namespace', name, '--wait=false']));
  return name;
};

const valuesOf = async (image: string, {name, servedName}: {name: string; servedName: string}) => {
  const [, repository, tag] = /^(.+):([^:/]+)$/.exec(image) ?? [];
  return {
    environment: 'dev',
    model: {name, servedName, source: '/cache/nothing', contextLength: 8_192},
    registry: {price: {input: '1.37', output: '2.11'}, maxConcurrency: 9},
    image: {repository, tag},
    server: {
      command: ['/usr/local/bin/node', '--input-type=module', '--eval'],
      args: [await bundleServer()],
      leaveSeconds: 5,
      drainSeconds: 240,
    },
    gpu: {count: 0},
    resources: {requests: {cpu: '10m', memory: '64Mi'}, limits: {memory: '256Mi'}},
    cache: {sizeLimit: '64Mi'},
    sharedMemory: '16Mi',
  };
};

export const openRelease = async (t: ExecutionContext, installation: Installation) => {
  const {cluster, kubeconfig, image, admin} = installation;
  const namespace = await openNamespace(t, installation);
  const name = `chart-${randomBytes(4).toString('hex')}`;
  const servedName = `acme/${name}`;
  const values = await valuesOf(image, {name, servedName});
  const helm = async (command: readonly string[], input = '') => {
    const {code, stdout, stderr} = await runTool(
      'helm',
      ['--kubeconfig', kubeconfig, '--namespace', namespace, ...command],
      {input},
    );
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const find = async () =>
    (await admin.get<{data: View[]}>('/models?environment=development')).data.find(
      model => model.name === servedName,
    );
  return {
    name,
    servedName,
    namespace,
    /** What it says to who installs. */
    apply: ({registry = {}, model = {}}: {registry?: object; model?: object} = {}) =>
      helm(
        ['upgrade', '--install', name, chartFolder('model'), '--values', '-'],
        JSON.stringify({
          ...values,
          registry: {...values.registry, ...registry},
          model: {...values.model, ...model},
        }),
      ),
    uninstall: () => helm(['uninstall', name]),
    pods: async (): Promise<readonly Pod[]> =>
      JSON.parse(await cluster(['-n', namespace, 'get', 'pods', '-o', 'json'])).items.map(
        ({metadata}: {metadata: {name: string; deletionTimestamp?: string}}) => ({
          name: metadata.name,
          isGoing: metadata.deletionTimestamp !== undefined,
        }),
      ),
    until: (what: string, holds: (model: View | undefined) => boolean) =>
      eventually(async () => {
        const model = await find();
        assert.ok(holds(model), `${what}: ${JSON.stringify(model)}`);
        return model as View;
      }, patience),
  };
};
