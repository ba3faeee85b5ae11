/**
World: a tenant with a key and a budget, and a model server on this machine, in the installation that all tests share.

In: the test, how its model behaves. Out: requests to the public gateway that never throw, and the books of the tenant. Its model is
deregistered at the end; an organisation stays, because what it was charged stays.
*/
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import type {ExecutionContext} from 'ava';
import {
  type SimulatedModelOptions,
  startSimulatedModel,
} from '../../knative/local/simulated-model/server.ts';
import {assertWhole, type Books, readBooksBy} from '../helpers/books.ts';
import {eventually} from '../helpers/eventually.ts';
import {type Installation, openInstallation} from '../helpers/installation.ts';
import {openStream, type Stream} from '../helpers/streams.ts';

export type World = Readonly<{
  installation: Installation;
  tenant: Awaited<ReturnType<Installation['admin']['createTenant']>>;
  model: Readonly<{name: string; id: string; url: string; endpoint: string}>;
  /** Resolves with the first byte, or with the refusal. */
  ask(options: {maxTokens: number; stream?: boolean; timeoutMs?: number}): Promise<Stream>;
  /**
  Waits until exactly these requests are in the ledger, once each, records, rollups and windows say the same, and nothing of the
  tenant is under way.
  */
  books(streams: readonly Stream[], options?: {timeoutMs?: number}): Promise<Books>;
}>;

const contextLength = 8_192;
const price = {inputPerMillion: '0.50', outputPerMillion: '1.50'};

export const openWorld = async (
  t: ExecutionContext,
  {limit = '5.00', ...options}: SimulatedModelOptions & {limit?: string} = {},
): Promise<World> => {
  const installation = openInstallation(t);
  const {admin, host, gateways, services} = installation;
  const name = `cluster-${randomBytes(4).toString('hex')}`;
  const server = await startSimulatedModel({
    ...options,
    host,
    models: [{name, maxModelLength: contextLength}],
  });
  t.teardown(server.close);
  // On a busy machine a start from zero may last longer than its first request is kept; a read may be asked again.
  const patience = {timeoutMs: 300_000, intervalMs: 500};
  await eventually(() => admin.get('/orgs?limit=1'), patience);
  await eventually(() => admin.get('/models?status=ready'), patience);
  const {id} = await admin.post<{id: string}>('/models', {
    name,
    environment: 'development',
    endpoints: [server.url],
    contextLength,
    price,
  });
  t.teardown(() => admin.delete(`/models/${id}`));
  const tenant = await admin.createTenant(name, {limit});
  const ask: World['ask'] = how =>
    openStream({
      url: `http://${gateways.public}`,
      host: new URL(services.gateway?.url ?? '').host,
      apiKey: tenant.apiKey,
      model: name,
      ...how,
    });
  const model = {name, id, url: server.url, endpoint: await untilServed(installation, id)};
  // A gateway that runs hears of a new key and a new model a moment later; one that sleeps reads them when it starts.
  if ((await installation.pods('gateway')).length > 0) {
    await eventually(async () => {
      const {data} = await installation.openai(tenant.apiKey).models.list();
      assert.ok(data.some(listed => listed.id === name));
    }, patience);
  }
  return {
    installation,
    tenant,
    model,
    ask,
    books: (streams, {timeoutMs = 300_000} = {}) =>
      eventually(
        async () => {
          const books = await readWhole(installation, tenant.org);
          assert.deepEqual(
            books.ledger.map(({request}) => request),
            streams.map(({request}) => request).sort(),
          );
          return books;
        },
        {timeoutMs, intervalMs: 500},
      ),
  };
};

/** The registry has probed it; resolves with the id of its endpoint. */
const untilServed = ({admin}: Installation, id: string): Promise<string> =>
  eventually(
    async () => {
      const {status, endpoints} = await admin.get<{status: string; endpoints: {id: string}[]}>(
        `/models/${id}`,
      );
      assert.equal(status, 'ready');
      return String(endpoints[0]?.id);
    },
    {timeoutMs: 300_000, intervalMs: 500},
  );

const readWhole = async ({pool}: Installation, org: string): Promise<Books> => {
  const client = await pool('superuser').connect();
  try {
    const books = await readBooksBy(client, org, 'openOfOne');
    assertWhole(books);
    client.release();
    return books;
  } catch (error) {
    // What it has begun ends with its connection.
    client.release(true);
    throw error;
  }
};
