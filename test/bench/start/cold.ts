/**
Cold start: how long each function takes from zero through a real Knative, until its own main event is handled with its effect committed,
beside a bare `node:http` hello of the same image.

In: KUBECONFIG, options; the image is one that the cluster has. Out: a table, medians; whether each is within its budget. A round asks
every Service once, when none of them has a pod left: rounds are interleaved.
*/
import {randomBytes} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {request} from 'node:http';
import {homedir, loadavg} from 'node:os';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {parseAllDocuments} from 'yaml';
import {findAddress} from '../../cluster/address.ts';
import {createKubectl, type Kubectl} from '../../cluster/kubectl.ts';
import {eventually} from '../../helpers/eventually.ts';
import {median, rounded} from '../figures.ts';
import {type Asked, type Row, rowsOf} from './functions.ts';
import {openWorld} from './world.ts';

export const usage =
  'npm run bench cold-start -- [--rounds 20] [--image dev.local/sluice:VERSION] [--function NAME]… [--json]';

/** Of the median of bare. */
const budget = 1.3;
type Say = (line: string) => void;

const readOptions = (args: readonly string[]) => {
  const {values} = parseArgs({
    args: [...args],
    options: {
      rounds: {type: 'string', default: '20'},
      image: {type: 'string'},
      function: {type: 'string', multiple: true},
      json: {type: 'boolean', default: false},
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1_000) {
    throw new TypeError(`--rounds is a whole number from 1 to 1000, got "${values.rounds}"`);
  }
  return {rounds, image: values.image, functions: values.function, json: values.json};
};

type Container = Record<string, unknown> & {image: string; env?: {name: string; value?: string}[]};
type Service = {
  metadata: {name: string; namespace: string};
  spec: {template: {spec: {containers: Container[]; serviceAccountName?: string}}};
};

/** Its Service as `knative/` has it, with values in place of the Secret's. */
const serviceOf = (
  file: string,
  {name, namespace, image}: {name: string; namespace: string; image: string | undefined},
  environment: Readonly<Record<string, string>>,
): Service => {
  const service = parseAllDocuments(readFileSync(`knative/${file}.yaml`, 'utf8'))
    .map(document => document.toJS())
    .find(({kind}) => kind === 'Service') as Service;
  service.metadata = {...service.metadata, name, namespace};
  // Its account is made elsewhere; nothing here asks Kubernetes.
  delete service.spec.template.spec.serviceAccountName;
  const [container] = service.spec.template.spec.containers as [Container];
  const plain = (container.env ?? []).filter(({value}) => value !== undefined);
  container.env = [
    ...plain.filter(each => !(each.name in environment)),
    ...Object.entries(environment).map(([key, value]) => ({name: key, value})),
  ];
  container.image = image ?? container.image;
  return service;
};

const bareSource = readFileSync(new URL('bare.cjs', import.meta.url), 'utf8');

/** The same pod as hello's, with another program. */
const bareService = (namespace: string, image: string | undefined): Service => {
  const service = serviceOf('hello', {name: 'bare', namespace, image}, {});
  const [container] = service.spec.template.spec.containers as [Container];
  container.command = ['/usr/local/bin/node'];
  container.args = ['--eval', bareSource];
  return service;
};

const ask = (gateway: string, host: string, {method, path, headers, body}: Asked) =>
  new Promise<number>((resolve, reject) => {
    const began = performance.now();
    const sending = request({host: gateway, method, path, headers: {...headers, host}});
    sending.on('error', reject);
    sending.on('response', response => {
      let text = '';
      response.setEncoding('utf8').on('data', part => {
        text += part;
      });
      response.on('end', () => {
        const {statusCode = 0} = response;
        if (statusCode < 200 || statusCode > 299) {
          reject(new Error(`${host} answered ${statusCode}: ${text}`));
          return;
        }
        resolve(performance.now() - began);
      });
    });
    sending.end(body);
  });

const noPodsLeft = (kubectl: Kubectl, namespace: string) =>
  eventually(
    async () => {
      const left = await kubectl(['-n', namespace, 'get', 'pods', '-o', 'name']);
      if (left !== '') {
        throw new Error(`there are still pods:\n${left}`);
      }
    },
    {timeoutMs: 300_000, intervalMs: 500},
  );

const bareAsked: Asked = {method: 'GET', path: '/', headers: {}, body: ''};

const measure = async ({
  kubectl,
  namespace,
  rows,
  rounds,
  say,
}: {
  kubectl: Kubectl;
  namespace: string;
  rows: readonly Row[];
  rounds: number;
  say: Say;
}) => {
  const gateway = await kubectl([
    ...['-n', 'kourier-system', 'get', 'service', 'kourier-internal'],
    ...['-o', 'jsonpath={.spec.clusterIP}'],
  ]);
  const hostOf = (name: string) => `${name}.${namespace}.svc.cluster.local`;
  const taken = new Map<string, number[]>();
  for (let round = 1; round <= rounds; round += 1) {
    await noPodsLeft(kubectl, namespace);
    const note = (name: string, ms: number) => taken.set(name, [...(taken.get(name) ?? []), ms]);
    note('bare', await ask(gateway, hostOf('bare'), bareAsked));
    for (const row of rows) {
      const asked = await row.next();
      const before = await row.effects?.();
      note(row.name, await ask(gateway, hostOf(row.name), asked));
      if (row.effects && (await row.effects()) <= (before as number)) {
        throw new Error(`${row.name} answered before its effect was committed`);
      }
    }
    const last = [...taken].map(([name, ms]) => `${name} ${Math.round(ms.at(-1) as number)}`);
    say(`round ${round} of ${rounds}: ${last.join(', ')} ms`);
  }
  return taken;
};

const report = (taken: ReadonlyMap<string, readonly number[]>) => {
  const bare = median(taken.get('bare') ?? []);
  return [...taken].map(([name, ms]) => ({
    name,
    medianMs: Math.round(median(ms)),
    leastMs: Math.round(Math.min(...ms)),
    times: rounded(median(ms) / bare, 2),
  }));
};

export const run = async (
  args: readonly string[],
  {say, interrupted}: {say: Say; interrupted: Promise<never>},
): Promise<boolean> => {
  const {rounds, image, functions, json} = readOptions(args);
  const kubectl = createKubectl(process.env.KUBECONFIG ?? join(homedir(), '.kube/config'));
  const world = await openWorld(await findAddress(kubectl));
  const namespace = `bench-cold-${randomBytes(4).toString('hex')}`;
  try {
    const rows = rowsOf(world).filter(
      ({name}) => functions === undefined || functions.includes(name),
    );
    await kubectl(['create', 'namespace', namespace]);
    const services = [
      bareService(namespace, image),
      ...rows.map(({name, environment}) => serviceOf(name, {name, namespace, image}, environment)),
    ];
    // A list of JSON is YAML of one document.
    await kubectl(
      ['apply', '-f', '-'],
      JSON.stringify({apiVersion: 'v1', kind: 'List', items: services}),
    );
    const work = async () => {
      await kubectl([
        '-n',
        namespace,
        'wait',
        '--for=condition=Ready',
        '--timeout=600s',
        'ksvc',
        '--all',
      ]);
      return measure({kubectl, namespace, rows, rounds, say});
    };
    const found = report(await Promise.race([work(), interrupted]));
    process.stdout.write(
      json
        ? `${JSON.stringify({found, load: loadavg()[0]})}\n`
        : `${found
            .map(
              ({name, medianMs, leastMs, times}) =>
                `${name.padEnd(15)} ${medianMs} ms (at least ${leastMs}), ${times} ×`,
            )
            .join('\n')}\nbudget: ${budget} × bare; load of the last minute ${loadavg()[0]}\n`,
    );
    return found.every(({times}) => times <= budget);
  } finally {
    await kubectl(['delete', 'namespace', namespace, '--wait=false']).catch(() => {});
    await world.stop();
  }
};
