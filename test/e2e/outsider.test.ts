import anyTest, {type ExecutionContext, type TestFn} from 'ava';
import {toBatch} from '../../events/codec.ts';
import {createAdmin} from '../helpers/admin.ts';
import {asSuperuser} from '../helpers/books.ts';
import {
  type Credentials,
  functionsOf,
  internalPortOf,
  type Place,
  post,
  postAll,
} from '../helpers/outsider.ts';
import {
  always,
  brokerAnswers,
  type Credential,
  eventsAnswers,
  functionAnswers,
  otherPaths,
} from '../helpers/outsider-answers.ts';
import {type Forged, forge, typeNamed, type Victim} from '../helpers/outsider-events.ts';
import {adminPlaces} from '../helpers/outsider-places.ts';
import {
  dumpTables,
  findChanges,
  type Tables,
  untilQuiet,
  valuable,
} from '../helpers/outsider-tables.ts';
import {makeVictim, sourceTokenOf} from '../helpers/outsider-victim.ts';
import {type Sluice, startSluice} from '../helpers/sluice.ts';

type Where = Place<Credential>;
type Context = {
  sluice: Sluice;
  victim: Victim;
  events: readonly Forged[];
  credentials: Credentials<Credential>;
  before: Tables;
};
const test = anyTest as TestFn<Context>;
const ends: (() => unknown)[] = [];

/** For a slow machine: tens of thousands of requests are sent. */
const limitMs = 900_000;

test.before(async t => {
  t.timeout(limitMs);
  const sluice = await startSluice(
    {teardown: end => void ends.unshift(end)},
    {env: {LEASE_TTL_MS: '8000', LOG_LEVEL: 'warn', EVENTS_PER_SECOND: '1000000'}},
  );
  const outsider = await createAdmin(sluice).createTenant('Outsider');
  const victim = await makeVictim(sluice);
  t.context = {
    sluice,
    victim,
    events: forge(victim),
    credentials: {
      none: undefined,
      'a wrong token': `Bearer ${sourceTokenOf(sluice).slice(0, -1)}`,
      "another tenant's key": `Bearer ${outsider.apiKey}`,
      'the admin key': `Bearer ${sluice.adminKey}`,
    },
    before: await dumpTables(sluice.dataFolder),
  };
});
test.after.always(async () => {
  for (const end of ends) {
    await end();
  }
});

const about = (variant: string) => (forged: Forged) => forged.variant === variant;

/** Once nothing waits any more. By table, with one row of each side: a whole difference would fill the screen. */
const changesSince = async ({sluice: {dataFolder}, before}: Context) => {
  await untilQuiet(dataFolder);
  return findChanges(before, await dumpTables(dataFolder)).map(({table, added, removed}) => ({
    table,
    rows: added.length + removed.length,
    examples: [...removed.slice(0, 1), ...added.slice(0, 1)],
  }));
};

const sumOf = (changes: Awaited<ReturnType<typeof changesSince>>) =>
  changes.reduce((sum, {rows}) => sum + rows, 0);

const attack = async (
  t: ExecutionContext<Context>,
  places: readonly Where[],
  campaign: {events?: readonly Forged[]; credentials?: Partial<Context['credentials']>} = {},
) => {
  const {events, credentials} = {...t.context, ...campaign};
  const {tried, byStatus, wrong} = await postAll<Credential>({events, places, credentials});
  const changes = await changesSince(t.context);
  t.log(
    `${events.length} events to ${places.length} places, ${tried} posts, ${JSON.stringify(byStatus)}: ${sumOf(changes)} rows changed`,
  );
  t.deepEqual({changes, wrong}, {changes: [], wrong: []});
};

const readTraces = ({sluice: {dataFolder}, victim}: Context) =>
  asSuperuser(dataFolder, async client => {
    const {rows} = await client.query<{probed: Date; letters: number; unsafe: number}>(
      `select (select health_at from endpoints where id = $1) as probed,
         (select count(*)::integer from dead_letters where not proved) as letters,
         (select count(*)::integer from dead_letters where not proved and origin not like 'broker:%') as unsafe`,
      [victim.ids.endpoint?.[1]],
    );
    return rows[0] as {probed: Date; letters: number; unsafe: number};
  });

test.serial(
  'every type of event, posted to every function and both Brokers without the right to: nothing changes',
  async t => {
    t.timeout(limitMs);
    const {sluice} = t.context;
    // There is something to change.
    const empty = valuable.filter(table => !t.context.before.get(`public.${table}`)?.length);
    t.deepEqual(empty, []);
    const functions = await functionsOf(sluice);
    const internal = internalPortOf(sluice);
    t.deepEqual(Object.keys(functions).sort(), Object.keys(functionAnswers).sort());
    const traces = await readTraces(t.context);
    const each = Object.entries(functions).flatMap(([name, url]): Where[] => {
      const answers = functionAnswers[name] as Where['answers'];
      const inside = `${internal}/functions/${name}`;
      return [
        {name, url: `${url}/`, answers},
        {name: `${name}, through its gate`, url: `${inside}/`, answers},
      ];
    });
    await attack(t, [
      ...each,
      {name: 'reconcile', url: `${functions.budget}/reconcile`, answers: always(401)},
      {
        name: 'the sink, as of a source',
        url: `${functions.deadletter}/?trigger=budget-source&broker=tenants`,
        answers: always(204),
      },
      {name: 'the Broker', url: `${internal}/sluice/default`, answers: brokerAnswers},
      {name: "the tenants' Broker", url: `${internal}/sluice/tenants`, answers: brokerAnswers},
    ]);
    // They did arrive: the hint was followed, the sink kept what it was given, and believed none of it.
    const {probed, letters, unsafe} = await readTraces(t.context);
    t.true(probed > traces.probed);
    t.true(letters > t.context.events.length);
    t.is(unsafe, 0);
  },
);

test.serial(
  'every type of event, posted to every path of the front door: nothing changes',
  async t => {
    t.timeout(limitMs);
    const {sluice, events} = t.context;
    await attack(t, [{name: 'events', url: `${sluice.url}/events`, answers: eventsAnswers}]);
    const places = Object.entries(otherPaths).map(([path, answers]) => ({
      name: path,
      url: `${sluice.url}${path}`,
      answers,
    }));
    await attack(t, places, {events: events.filter(about('about an open request'))});
  },
);

test.serial(
  'every type of event, sent to every route of the admin API by whoever has not its key: nothing changes',
  async t => {
    t.timeout(limitMs);
    const {sluice, victim, events, credentials} = t.context;
    const places = adminPlaces(victim, path => `${sluice.url}${path}`);
    t.true(places.length > 20);
    const {'the admin key': _right, ...others} = credentials;
    await attack(t, places, {
      events: events.filter(about('about an open request')),
      credentials: others,
    });
  },
);

test.serial(
  'an operator who redrives all that the outsider left changes nothing by it but the audit',
  async t => {
    t.timeout(limitMs);
    const admin = createAdmin(t.context.sluice);
    let redriven = 0;
    for (;;) {
      const done = await admin.post<{count: number; more: boolean}>('/dead-letters/redrive', {
        all: true,
      });
      redriven += done.count;
      if (!done.more || done.count === 0) {
        break;
      }
    }
    t.true(redriven > t.context.events.length);
    const changes = await changesSince(t.context);
    t.log(`${redriven} letters redriven: ${sumOf(changes)} rows changed`);
    // Who redrove them is told, and nothing else is another than it was.
    t.deepEqual(
      changes.map(({table, rows}) => [table, rows]),
      [['public.audit', redriven]],
    );
  },
);

const books = ['leases', 'ledger', 'requests', 'windows'];
const records = ['usage_daily', 'usage_hourly', 'usage_records'];

/**
Of the same events: which, to whom, and the tables that it changes when it comes with the token of the sources. A request is
settled once, so the last two change nothing with it either.
*/
const rights: readonly [type: string, variant: string, to: string, tables: readonly string[]][] = [
  ['inference.started', 'about a new request', 'budget', ['leases', 'requests']],
  ['inference.finished', 'about an open request', 'budget', books],
  ['inference.finished', 'about an open request', 'usage', records],
  ['inference.unsettled', 'about a new request', 'usage', records],
  ['settlement.due', 'about an open request', 'budget', books],
  ['lease.fenced', 'about an open request', 'budget', ['leases', 'windows']],
  ['inference.corrected', 'about a new request', 'usage', records],
  ['inference.finished', 'about a settled request', 'budget', []],
  ['inference.finished', 'about a settled request', 'usage', []],
];

test.serial('the same events do change the books when they come with the right to', async t => {
  t.timeout(limitMs);
  const {sluice, events} = t.context;
  const functions = await functionsOf(sluice);
  let before = await dumpTables(sluice.dataFolder);
  for (const [name, wanted, to, tables] of rights) {
    const forged = events.find(
      ({type, variant}) => type === typeNamed(name) && variant === wanted,
    ) as Forged;
    const status = await post({
      place: {url: `${functions[to]}/`},
      message: toBatch([forged.event]),
      authorization: `Bearer ${sourceTokenOf(sluice)}`,
    });
    t.is(status, '204', `${name} to ${to}`);
    await untilQuiet(sluice.dataFolder);
    const after = await dumpTables(sluice.dataFolder);
    const changed = findChanges(before, after).map(({table}) => table.replace('public.', ''));
    t.deepEqual(changed, tables, `${name} to ${to}`);
    before = after;
  }
});
