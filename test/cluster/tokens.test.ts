/** Who may call a function is a matter of the bearer token: a pod of somebody else's namespace, who can reach every function. */
import assert from 'node:assert/strict';
import anyTest, {type ExecutionContext, type TestFn} from 'ava';
import {toBatch} from '../../events/codec.ts';
import type {Installation} from '../helpers/installation.ts';
import {type Credentials, combine, type Place} from '../helpers/outsider.ts';
import {
  always,
  brokerAnswers,
  type Credential,
  functionAnswers,
} from '../helpers/outsider-answers.ts';
import {type Forged, forge, typeNamed, type Victim} from '../helpers/outsider-events.ts';
import {adminPlaces} from '../helpers/outsider-places.ts';
import {findChanges, type Tables} from '../helpers/outsider-tables.ts';
import {announcementOf, readVictim} from '../helpers/outsider-victim.ts';
import {type Caller, startCaller} from './caller.ts';
import {asSuperuser, readTraces} from './traces.ts';
import {openWorld} from './world.ts';

type Where = Place<Credential>;
type Context = {
  installation: Installation;
  caller: Caller;
  victim: Victim;
  events: readonly Forged[];
  credentials: Credentials<Credential>;
  before: Tables;
};
const test = anyTest as TestFn<Context>;
const minutes = 60_000;
const ends: (() => unknown)[] = [];

const bearer = (token: string) => ({authorization: `Bearer ${token}`});

test.before(async t => {
  t.timeout(20 * minutes);
  const world = await openWorld({
    ...t,
    title: t.title,
    teardown: (end: () => unknown) => void ends.unshift(end),
  } as unknown as ExecutionContext);
  const {installation, tenant} = world;
  const {admin, services, adminKey, sourceToken} = installation;
  await admin.post(`/budgets/${tenant.budget}/top-ups`, {amount: '1.00'});
  const stream = await world.ask({maxTokens: 5, timeoutMs: 5 * minutes});
  await stream.ended;
  await world.books([stream]);
  const outsider = await admin.createTenant(`Outsider of ${tenant.org}`);
  // A gateway that goes gives its leases back.
  await installation.untilZero('gateway');
  const victim = await asSuperuser(installation, client => readVictim(client, tenant));
  const caller = await startCaller(
    {teardown: (end: () => unknown) => void ends.unshift(end)} as unknown as ExecutionContext,
    installation,
  );
  const {headers, body} = announcementOf(victim);
  const [announced] = await caller.send([
    {
      url: `${services.budget?.localUrl}/`,
      method: 'POST',
      headers: {...headers, ...bearer(sourceToken)},
      body,
    },
  ]);
  assert.equal(announced, '204', 'the right token is taken, from wherever it comes');
  t.context = {
    installation,
    caller,
    victim,
    events: forge(victim),
    credentials: {
      none: undefined,
      'a wrong token': `Bearer ${sourceToken.slice(0, -1)}`,
      "another tenant's key": `Bearer ${outsider.apiKey}`,
      'the admin key': `Bearer ${adminKey}`,
    },
    before: await readTraces(installation, victim),
  };
});
test.after.always(async () => {
  for (const end of ends) {
    await end();
  }
});

const about = (variant: string) => (forged: Forged) => forged.variant === variant;

const attack = async (
  t: ExecutionContext<Context>,
  places: readonly Where[],
  campaign: {
    events?: readonly Forged[];
    credentials?: Partial<Context['credentials']>;
    carriers?: readonly string[];
  } = {},
) => {
  const {installation, caller, victim, before} = t.context;
  const {events, credentials, carriers = ['structured', 'batch']} = {...t.context, ...campaign};
  const asked = [...combine<Credential>({events, places, credentials})].filter(one =>
    carriers.includes(one.asked.carrier),
  );
  const statuses = await caller.send(
    asked.map(({place: {url, method = 'POST'}, message: {headers, body}, authorization}) => ({
      url,
      method,
      headers: {...headers, ...(authorization === undefined ? {} : {authorization})},
      ...(method === 'GET' ? {} : {body}),
    })),
  );
  const wrong = asked
    .map(({place, asked: one}, n) => ({place, one, status: String(statuses[n])}))
    .filter(({place, one, status}) => !place.answers(one).includes(Number(status)))
    .map(({place, one: {forged, carrier, credential}, status}) =>
      [place.name, forged.type, forged.variant, carrier, credential, status].join(', '),
    );
  const changes = findChanges(before, await readTraces(installation, victim)).map(
    ({table, added, removed}) => ({
      table,
      examples: [...removed.slice(0, 1), ...added.slice(0, 1)],
    }),
  );
  t.log(`${asked.length} requests to ${places.length} places`);
  t.deepEqual({changes, wrong: wrong.slice(0, 20)}, {changes: [], wrong: []});
};

test.serial('no function takes an event that carries truth from who has not the token', async t => {
  t.timeout(20 * minutes);
  const {installation, events} = t.context;
  const {services} = installation;
  t.deepEqual(
    Object.keys(services).filter(name => !Object.hasOwn(functionAnswers, name)),
    [],
  );
  const at = (name: string, path = '/') => `${services[name]?.localUrl}${path}`;
  await attack(
    t,
    [
      ...['auth', 'budget', 'usage'].map(name => ({name, url: at(name), answers: always(401)})),
      {name: 'reconcile', url: at('budget', '/reconcile'), answers: always(401)},
    ],
    {events: events.filter(about('about an open request')), carriers: ['batch']},
  );
});

test.serial('no route of the admin API is open to who has not its key', async t => {
  t.timeout(20 * minutes);
  const {installation, victim, events, credentials} = t.context;
  const places = adminPlaces(victim, installation.urlOf);
  t.true(places.length > 20);
  const {'the admin key': _right, ...others} = credentials;
  await attack(t, places, {
    events: events.filter(about('about an open request')).slice(0, 1),
    credentials: others,
    carriers: ['structured'],
  });
});

test.serial('forged events of every type, posted to both Brokers, change nothing', async t => {
  t.timeout(20 * minutes);
  const {installation} = t.context;
  const addressOf = async (name: string) =>
    `${await installation.kubectl(
      ...['get', `brokers.eventing.knative.dev/${name}`, '-o', 'jsonpath={.status.address.url}'],
    )}`;
  await attack(
    t,
    await Promise.all(
      ['default', 'tenants'].map(async name => ({
        name: `the Broker ${name}`,
        url: await addressOf(name),
        answers: brokerAnswers,
      })),
    ),
    {credentials: {none: undefined}, carriers: ['structured']},
  );
});

test.serial('the same events with the token of the sources do change the books', async t => {
  t.timeout(20 * minutes);
  const {installation, caller, victim, events} = t.context;
  const wanted = events.find(
    ({type, variant}) =>
      type === typeNamed('inference.finished') && variant === 'about an open request',
  ) as Forged;
  const {headers, body} = toBatch([wanted.event]);
  for (const [name, tables] of [
    ['budget', ['leases', 'ledger', 'requests', 'windows']],
    ['usage', ['usage_daily', 'usage_hourly', 'usage_records']],
  ] as const) {
    const before = await readTraces(installation, victim);
    const [status] = await caller.send([
      {
        url: `${installation.services[name]?.localUrl}/`,
        method: 'POST',
        headers: {...headers, ...bearer(installation.sourceToken)},
        body,
      },
    ]);
    t.is(status, '204', name);
    const changed = findChanges(before, await readTraces(installation, victim)).map(
      ({table}) => table,
    );
    t.deepEqual(changed, [...tables], name);
  }
});
