/** The registry on a real Kubernetes: a real InferenceService of KServe comes, changes, sleeps, falls ill and goes. */
import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import test, {type ExecutionContext} from 'ava';
import {binary, post} from '../dataplane/post.ts';
import {createCli} from '../helpers/cli.ts';
import {eventually} from '../helpers/eventually.ts';
import {createHttpTestServer} from '../helpers/http.ts';
import {type Installation, openInstallation} from '../helpers/installation.ts';
import {brokerUrl} from './eventing.ts';
import {openInference} from './kserve-model.ts';

const minutes = 60_000;
const patience = {timeoutMs: 8 * minutes, intervalMs: 500};

type View = Readonly<{
  id: string;
  name: string;
  status: string;
  reason?: string;
  startSeconds: number | null;
  price: {inputPerMillion: string};
  endpoints: readonly {
    url: string;
    health: string;
    healthReason: string | null;
    maxConcurrency: number | null;
    object: string | null;
  }[];
}>;

const openModels = ({admin}: Installation, name: string) => {
  const find = async () =>
    (await admin.get<{data: View[]}>('/models?environment=development')).data.find(
      model => model.name === name,
    );
  const until = (what: string, holds: (model: View | undefined) => boolean) =>
    eventually(async () => {
      const model = await find();
      assert.ok(holds(model), `${what}: ${JSON.stringify(model)}`);
      return model as View;
    }, patience);
  return {find, until};
};

/** `sluice` with the cluster's kubeconfig; the registry is reached as the installation's clients reach it. */
const openCli = async (
  t: ExecutionContext,
  {fetch, services, adminKey, kubeconfig}: Installation,
) => {
  const {url} = await createHttpTestServer(t, async (request, response) => {
    const answer = await fetch(`${services.registry?.url}${request.url}`, {
      headers: {authorization: request.headers.authorization ?? ''},
    });
    response
      .writeHead(answer.status, {'content-type': 'application/json'})
      .end(await answer.text());
  });
  return createCli({
    environment: {
      SLUICE_URL: url,
      SLUICE_ADMIN_KEY: adminKey,
      KUBECONFIG: kubeconfig,
      HOME: '/nowhere',
    },
  });
};

const forge = async (installation: Installation, [type, subject]: readonly [string, string]) => {
  const headers = {...binary(randomUUID(), {type}), 'ce-subject': subject};
  const {status} = await post(await brokerUrl(installation), headers, JSON.stringify({}));
  assert.ok(status >= 200 && status < 300, `the Broker answered ${status}`);
};

test.serial('an InferenceService is a model as long as it is there', async t => {
  t.timeout(20 * minutes);
  const installation = openInstallation(t);
  const inference = await openInference(t, installation);
  const {model, namespace, ref} = inference;
  const {find, until} = openModels(installation, model);
  const {json, run} = await openCli(t, installation);

  const begun = performance.now();
  const seconds = () => Math.round((performance.now() - begun) / 100) / 10;
  await inference.apply();
  const registered = await until('it is ready', found => found?.status === 'ready');
  t.log(`from kubectl apply to a model that is ready: ${seconds()} s`);
  t.like(registered, {
    price: {inputPerMillion: '1.00'},
    endpoints: [{health: 'healthy', object: ref}],
  });

  const tenant = await installation.admin.createTenant(model);
  const client = installation.openai(tenant.apiKey);
  const ask = () =>
    client.chat.completions.create({
      model,
      max_tokens: 3,
      messages: [{role: 'user', content: 'Say something.'}],
    });
  const {usage} = await eventually(ask, patience);
  t.is(usage?.completion_tokens, 3);

  const [row] = (await json('deployment', 'status', '--model', model, '--env', 'dev'))
    .data as unknown as [{object: string; kubernetes: {workloads: object[]; pods: object[]}}];
  t.is(row.object, ref);
  t.like(row.kubernetes.workloads[0], {kind: 'InferenceService', isReady: true});
  t.like(row.kubernetes.workloads[1], {kind: 'Knative Service', isReady: true});
  t.like(row.kubernetes.pods[0], {isReady: true, restarts: 0});

  // What anybody in the cluster may post takes nothing out.
  const at = `/apis/serving.kserve.io/v1beta1/namespaces/${namespace}/inferenceservices/${model}-dev`;
  await forge(installation, ['dev.knative.apiserver.resource.delete', at]);
  await forge(installation, ['dev.knative.apiserver.ref.delete', at]);

  await inference.apply({minReplicas: 0, annotations: {'sluice.dev/max-concurrency': '7'}});
  const scaling = await until(
    'it follows its annotations and its scale',
    found => found?.endpoints[0]?.maxConcurrency === 7 && found.startSeconds === 300,
  );
  t.is(scaling.id, registered.id);
  await eventually(async () => assert.deepEqual(await inference.pods(), []), patience);
  const asleep = await find();
  t.is(asleep?.status, 'ready');
  t.not(asleep?.endpoints[0]?.health, 'unhealthy', 'nothing is wrong with what sleeps');
  t.regex((await run('deployment', 'status', '--model', model)).out, / asleep /);
  t.is((await ask()).usage?.completion_tokens, 3, 'a request wakes it');

  // It answers /health, and Kubernetes calls it ready: only who asks it for a token knows.
  await inference.apply({faults: 'hang'});
  const ill = await until('it is found ill', found => found?.endpoints[0]?.health === 'unhealthy');
  t.regex(ill.endpoints[0]?.healthReason ?? '', /generates nothing|no answer within 5 s/);

  await inference.apply();
  await until('it is well again', found => found?.endpoints[0]?.health === 'healthy');

  await inference.remove();
  await until('it is gone', found => found === undefined);
  await eventually(async () => {
    const refused = await ask().catch(error => error);
    assert.equal(refused.status, 404, String(refused));
  }, patience);
});

test.serial('a Service with a bad annotation is told why, where kubectl shows it', async t => {
  t.timeout(20 * minutes);
  const installation = openInstallation(t);
  const {cluster} = installation;
  const {model, namespace} = await openInference(t, installation);
  const {find, until} = openModels(installation, model);
  const {run} = await openCli(t, installation);
  const apply = (annotations: Record<string, string>) =>
    cluster(
      ['apply', '-f', '-'],
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: {
          name: `${model}-dev`,
          namespace,
          labels: {'sluice.dev/model': model},
          annotations: {'sluice.dev/context-length': '8192', ...annotations},
        },
        spec: {ports: [{port: 80}], selector: {app: model}},
      }),
    );
  await apply({'sluice.dev/price': 'cheap'});
  await eventually(async () => {
    const told = await cluster([
      ...['-n', namespace, 'get', 'events', '--field-selector', 'reason=NotAsModel'],
      ...['-o', 'jsonpath={.items[*].message}'],
    ]);
    assert.match(told, /^Sluice: sluice\.dev\/price: expected "free"/);
  }, patience);
  t.is(await find(), undefined);
  t.regex(
    (await run('deployment', 'status')).err,
    /^Service models-.*: Sluice: sluice\.dev\/price/m,
  );

  await apply({'sluice.dev/price': 'free'});
  const found = await until('it is registered', one => one !== undefined);
  t.like(found, {
    status: 'registered',
    price: 'free',
    endpoints: [
      {
        url: `http://${model}-dev.${namespace}.svc.cluster.local`,
        health: 'unhealthy',
        healthReason: `no pod behind Service ${model}-dev is ready`,
      },
    ],
  });
  await cluster(['-n', namespace, 'delete', 'service', `${model}-dev`]);
  await until('it is gone', one => one === undefined);
});
