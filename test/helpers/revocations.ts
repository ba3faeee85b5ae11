/**
Revocations: several gateways as processes of their own on one database, traffic through all of them, and keys and organisations that are
taken from under it.

In: how many gateways, whether the last one reads the changes through something that can swallow them. Out: how long after a commit the
last request of a revoked key was answered, how long after it running streams ended. Both are counted from before the statement was
sent, so they are rather too long than too short.
*/
import assert from 'node:assert/strict';
import {Agent, request as sendRequest} from 'node:http';
import type {ExecutionContext} from 'ava';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import {asTenant} from '../../events/database.ts';
import {uuidv7} from '../../events/uuid.ts';
import {startSimulatedModel} from '../../knative/local/simulated-model/server.ts';
import {startBlackHole} from './black-hole.ts';
import {eventually} from './eventually.ts';
import {type GatewayProcess, modelName, openProcessWorld} from './process-world.ts';
import {openStream, type Stream} from './streams.ts';

export type RevocationWorld = Awaited<ReturnType<typeof openRevocationWorld>>;
export type Key = Readonly<{id: string; text: string}>;

const body = JSON.stringify({
  model: modelName,
  max_tokens: 1,
  messages: [{role: 'user', content: 'Say something.'}],
});

export const openRevocationWorld = async (
  t: Pick<ExecutionContext, 'teardown'>,
  {count = 4, swallows = false}: {count?: number; swallows?: boolean} = {},
) => {
  const model = await startSimulatedModel({
    firstTokenDelayMs: 0,
    tokenDelayMs: 20,
    defaultTokens: 20_000,
    keepRequests: true,
  });
  t.teardown(model.close);
  const world = await openProcessWorld(t, {endpoints: [model.url]});
  const {database, root} = world;
  const direct = new URL(database.url('gateway'));
  const hole = swallows ? await startBlackHole(t, direct.href) : undefined;
  direct.port = hole ? new URL(hole.url).port : direct.port;
  const gateways: GatewayProcess[] = [world.gateway];
  for (let index = 1; index < count; index += 1) {
    const isLast = index === count - 1;
    gateways.push(await world.start(hole && isLast ? {DATABASE_URL_DIRECT: direct.href} : {}));
  }
  const {rows} = await root.query<{org: string; project: string}>(
    'select org_id as org, project_id as project from keys',
  );
  const {org, project} = rows[0] as (typeof rows)[number];
  const asOrg = asTenant(database.pool('tenant'));

  return {
    ...world,
    model,
    gateways,
    hole,
    org,
    async createKey(): Promise<Key> {
      const {text, publicId, secret} = makeApiKey();
      const id = uuidv7();
      await root.query(
        `insert into keys (id, org_id, project_id, public_id, secret_hash, name) values ($1, $2, $3, $4, $5, 'k')`,
        [id, org, project, publicId, hashSecret(secret)],
      );
      return {id, text};
    },
    /** When it was asked for, on the clock of this process. */
    async revoke({id}: Key): Promise<number> {
      const atMs = performance.now();
      await asOrg(org, client =>
        client.query('update keys set revoked_at = now() where id = $1', [id]),
      );
      return atMs;
    },
    async suspendNow(): Promise<number> {
      const atMs = performance.now();
      await asOrg(org, async client => {
        await client.query('update orgs set suspended_at = now() where id = $1', [org]);
        await client.query('select cut_running($1)', [org]);
      });
      return atMs;
    },
    resume: () =>
      asOrg(org, client =>
        client.query('update orgs set suspended_at = null where id = $1', [org]),
      ),
    openStreams: (key: Key, each: number): Promise<Stream[]> =>
      Promise.all(
        gateways.flatMap(({url}) =>
          Array.from({length: each}, () =>
            openStream({url, apiKey: key.text, model: modelName, maxTokens: 8_000}),
          ),
        ),
      ),
  };
};

export const askOnce = (agent: Agent, url: string, key: Key): Promise<number> =>
  new Promise((resolve, reject) => {
    const call = sendRequest(
      `${url}/v1/chat/completions`,
      {
        method: 'POST',
        agent,
        headers: {
          authorization: `Bearer ${key.text}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        },
      },
      answer => {
        answer.resume().once('end', () => resolve(answer.statusCode ?? 0));
        answer.once('error', reject);
      },
    );
    call.once('error', reject);
    call.end(body);
  });

/** Asks one gateway without pause until it has refused often enough. */
const startTraffic = (
  url: string,
  key: Key,
  {atOnce, refusalsMax}: {atOnce: number; refusalsMax: number},
) => {
  const agent = new Agent({keepAlive: true, maxSockets: atOnce});
  const seen = {accepted: 0, lastAcceptedMs: 0, refused: new Map<number, number>()};
  const ask = async () => {
    for (let refusals = 0; refusals < refusalsMax; ) {
      const status = await askOnce(agent, url, key);
      if (status === 200) {
        seen.accepted += 1;
        seen.lastAcceptedMs = performance.now();
        refusals = 0;
      } else {
        seen.refused.set(status, (seen.refused.get(status) ?? 0) + 1);
        refusals += 1;
      }
    }
  };
  const ended = Promise.all(Array.from({length: atOnce}, ask)).finally(() => agent.destroy());
  return {seen, ended};
};

/** Of each gateway: how long after the revocation it answered the last request of the key, 0 where none. */
export const measureRevocation = async (
  world: RevocationWorld,
  gateways: readonly GatewayProcess[],
  {atOnce = 2, refusalsMax = 10} = {},
) => {
  const key = await world.createKey();
  const traffic = gateways.map(({url}) => startTraffic(url, key, {atOnce, refusalsMax}));
  await eventually(() => assert.ok(traffic.every(({seen}) => seen.accepted >= 3)), {
    timeoutMs: 20_000,
    intervalMs: 2,
  });
  const atMs = await world.revoke(key);
  await Promise.all(traffic.map(({ended}) => ended));
  return traffic.map(({seen}) => ({
    lastMs: Math.max(seen.lastAcceptedMs - atMs, 0),
    statuses: [...seen.refused.keys()],
  }));
};

/** Streams through all gateways, cut off by a suspension: how long after it each ended, and what each was charged and sent. */
export const measureSuspension = async (world: RevocationWorld, {each = 2} = {}) => {
  const key = await world.createKey();
  const streams = await world.openStreams(key, each);
  await eventually(() => assert.ok(streams.every(stream => stream.tokens() > 3)), {
    timeoutMs: 20_000,
  });
  const endings = streams.map(async stream => {
    const how = await stream.ended;
    return {stream, how, endedMs: performance.now()};
  });
  const atMs = await world.suspendNow();
  const ended = await Promise.all(endings);
  await world.resume();
  return ended.map(({stream, how, endedMs}) => ({stream, how, tookMs: endedMs - atMs}));
};
