/**
The lint of manifests: each rule on the smallest manifests that break it, beside the same without the fault; our own manifests;
the program.
*/
import {spawnSync} from 'node:child_process';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {type CatalogueType, readCatalogue} from '../../knative/lint/catalogue.ts';
import {lint} from '../../knative/lint/lint.ts';
import {choosesType, takes} from '../../knative/lint/takes.ts';
import {readFilter} from '../../knative/local/eventing/filter.ts';
import {readManifestFiles} from '../../knative/local/plan/manifests.ts';
import {wholeService} from '../helpers/manifests.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const catalogue: readonly CatalogueType[] = [
  {
    type: 'dev.sluice.money.spent.v1',
    producer: 'gateway',
    source: '/functions/gateway',
    carries: 'truth',
    keyed: true,
  },
  {
    type: 'dev.sluice.key.made.v1',
    producer: 'admin',
    source: '/functions/admin',
    carries: 'hint',
    keyed: true,
  },
  {
    type: 'dev.sluice.two.made.v1',
    producer: 'two',
    source: '/functions/two',
    carries: 'hint',
    keyed: false,
  },
  {
    type: 'dev.sluice.one.made.v1',
    producer: 'one',
    source: '/functions/one',
    carries: 'hint',
    keyed: false,
  },
];

const ref = (name: string, kind = 'Service') => ({
  ref: {
    apiVersion: kind === 'Service' ? 'serving.knative.dev/v1' : 'eventing.knative.dev/v1',
    kind,
    name,
  },
});
const whole = {retry: 5, backoffPolicy: 'exponential', backoffDelay: 'PT1S', timeout: 'PT60S'};
const kafka = {'eventing.knative.dev/broker.class': 'Kafka'};
const ordered = {'kafka.eventing.knative.dev/delivery.order': 'ordered'};
const keys = {filter: {attributes: {type: 'dev.sluice.key.made.v1'}}};

type Case = {
  /** Spec and annotations of the Broker and of its Trigger; the seconds that the Service `one` may take. */
  broker?: object;
  brokerNotes?: object;
  trigger?: object;
  triggerNotes?: object;
  seconds?: number;
  more?: readonly object[];
};

const service = (name: string, seconds?: number) => wholeService(name, {seconds});
const triggerOf = (name: string, spec: object, annotations = {}) => ({
  apiVersion: 'eventing.knative.dev/v1',
  kind: 'Trigger',
  metadata: {name, annotations},
  spec: {broker: 'default', subscriber: ref('one'), ...spec},
});

/** One field a line, so that a place is worth something. */
const textOf = ({
  broker,
  brokerNotes = kafka,
  trigger = keys,
  triggerNotes,
  seconds,
  more = [],
}: Case) =>
  [
    service('one', seconds),
    service('dead'),
    {
      apiVersion: 'eventing.knative.dev/v1',
      kind: 'Broker',
      metadata: {name: 'default', annotations: brokerNotes},
      spec: {
        config: {apiVersion: 'v1', kind: 'ConfigMap', name: 'kafka'},
        delivery: {...whole, deadLetterSink: ref('dead')},
        ...broker,
      },
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {name: 'kafka'},
      data: {
        'bootstrap.servers': 'kafka:9092',
        'default.topic.partitions': '1',
        'default.topic.replication.factor': '1',
      },
    },
    triggerOf('takes', trigger, triggerNotes),
    ...more,
  ]
    .map(document => JSON.stringify(document, null, 1))
    .join('\n---\n');

const found = (given: Case) => lint([{file: 'a.yaml', text: textOf(given)}], catalogue);
const said = (given: Case) => found(given).map(({severity, rule}) => `${severity} ${rule}`);

test('manifests that say everything have no finding', t => {
  t.deepEqual(found({}), []);
  t.deepEqual(found({trigger: {...keys, delivery: whole}}), []);
});

const breaks = test.macro((t, given: Case, expected: string[], message?: RegExp) => {
  t.deepEqual(said(given), expected);
  const [first] = found(given);
  t.regex(first?.at ?? '', /^a\.yaml:\d+$/);
  if (message) {
    t.regex(first?.message ?? '', message);
  }
});

test(
  'two dialects in one item',
  breaks,
  {trigger: {filters: [{exact: {type: 'a'}, prefix: {type: 'a'}}]}},
  ['error run'],
  /one dialect, got exact and prefix/,
);
test(
  'a kind that is not run',
  breaks,
  {more: [{apiVersion: 'flows.knative.dev/v1', kind: 'Sequence', metadata: {name: 's'}}]},
  ['error run'],
  /use one Trigger a step/,
);
test(
  'a timeout beyond the maximum',
  breaks,
  {seconds: 601},
  ['error run', 'error timeouts'],
  /from 0 to 600/,
);
test(
  'a Kafka Broker without a ConfigMap',
  breaks,
  {broker: {config: undefined}},
  ['error broker-config'],
  /names no ConfigMap/,
);
test(
  'a Kafka Broker whose ConfigMap is not there',
  breaks,
  {broker: {config: {apiVersion: 'v1', kind: 'ConfigMap', name: 'other'}}},
  ['error broker-config'],
  /there is no ConfigMap default\/other/,
);
test(
  'a Kafka Broker whose ConfigMap says too little',
  breaks,
  {
    broker: {config: {apiVersion: 'v1', kind: 'ConfigMap', name: 'thin'}},
    more: [
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {name: 'thin'},
        data: {'bootstrap.servers': 'kafka:9092'},
      },
    ],
  },
  ['error broker-config'],
  /says nothing of default\.topic\.partitions, default\.topic\.replication\.factor/,
);
test(
  'no dead letter sink',
  breaks,
  {broker: {delivery: whole}},
  ['error dead-letter'],
  /what cannot be delivered is lost/,
);
test(
  'a dead letter sink that is the subscriber',
  breaks,
  {broker: {delivery: {...whole, deadLetterSink: ref('one')}}},
  ['error dead-letter'],
  /just refused them/,
);
test(
  'a dead letter sink that is a Broker',
  breaks,
  {broker: {delivery: {...whole, deadLetterSink: ref('default', 'Broker')}}},
  ['error dead-letter'],
  /go to a Broker/,
);
test(
  'a policy without a delay',
  breaks,
  {trigger: {...keys, delivery: {...whole, backoffDelay: undefined}}},
  ['error backoff'],
  /has no backoffDelay/,
);
test(
  'a delay without a policy',
  breaks,
  {broker: {delivery: {...whole, backoffPolicy: undefined, deadLetterSink: ref('dead')}}},
  ['error backoff'],
  /has no backoffPolicy/,
);
test(
  'a Trigger that leaves out what its Broker says',
  breaks,
  {trigger: {...keys, delivery: {timeout: 'PT60S'}}},
  ['error whole-delivery'],
  /leaves out retry, backoffPolicy, backoffDelay: one class takes it from the Broker/,
);
test(
  'a Trigger that says a dead letter sink only',
  breaks,
  {trigger: {...keys, delivery: {deadLetterSink: ref('dead')}}},
  ['error whole-delivery'],
);
test(
  'a Broker without a timeout',
  breaks,
  {broker: {delivery: {...whole, timeout: undefined, deadLetterSink: ref('dead')}}},
  ['error whole-delivery'],
  /leaves out timeout: each class has another default/,
);
test(
  'a Broker without delivery',
  breaks,
  {
    broker: {delivery: undefined},
    trigger: {...keys, delivery: {...whole, deadLetterSink: ref('dead')}},
  },
  ['warning whole-delivery'],
  /the configuration of the cluster decides/,
);
test(
  'no retry under a Broker that retries',
  breaks,
  {trigger: {...keys, delivery: {...whole, retry: 0}}},
  ['error retry-zero'],
  /does not end the 5 retries/,
);
test(
  'a Trigger that gives up before its subscriber',
  breaks,
  {trigger: {...keys, delivery: {...whole, timeout: 'PT59S'}}},
  ['error timeouts'],
  /ends after PT59S, the Service one may work for 60 s/,
);
test(
  'a Broker that gives up before the subscriber of a Trigger',
  breaks,
  {seconds: 61},
  ['error timeouts'],
  /ends after PT60S \(of its Broker\)/,
);
test(
  'a Service that is killed before it has drained',
  breaks,
  {seconds: 29},
  ['error timeouts'],
  /timeoutSeconds is less than 30/,
);
test(
  'an empty value',
  breaks,
  {trigger: {filter: {attributes: {type: 'a', orgid: ''}}}},
  ['error empty-value'],
  /"orgid is there"/,
);
test(
  'a filter by time',
  breaks,
  {trigger: {filters: [{exact: {type: 'a'}}, {any: [{not: {prefix: {time: '2026'}}}]}]}},
  ['error attribute'],
  /filters by time/,
);
test(
  'a filter by the count of hops',
  breaks,
  {trigger: {filter: {attributes: {type: 'a', knativebrokerttl: '1'}}}},
  ['error attribute'],
  /filters by knativebrokerttl/,
);
test(
  'a source that is written as no URI',
  breaks,
  {trigger: {filters: [{prefix: {source: '/ä'}}]}},
  ['error uri-value'],
  /source is a URI/,
);
test(
  'a Broker in memory',
  breaks,
  {brokerNotes: {}},
  ['warning in-memory'],
  /Broker default: is in memory/,
);
test(
  'truth from a Broker in memory',
  breaks,
  {brokerNotes: {}, trigger: {filters: [{prefix: {type: 'dev.sluice.money.'}}]}},
  ['warning in-memory', 'error in-memory'],
);
test(
  'everything from a Broker in memory',
  breaks,
  {brokerNotes: {}, trigger: {filter: {attributes: {orgid: 'a'}}}},
  ['warning in-memory', 'warning in-memory', 'warning loop'],
);
test('order from a Broker in memory', breaks, {brokerNotes: {}, triggerNotes: ordered}, [
  'warning in-memory',
  'error order',
]);
test(
  'order of what has no key',
  breaks,
  {trigger: {filter: {attributes: {type: 'dev.sluice.two.made.v1'}}}, triggerNotes: ordered},
  ['warning order'],
  /dev\.sluice\.two\.made\.v1 may have no partition key/,
);
test(
  'order of whatever comes',
  breaks,
  {trigger: {filter: {attributes: {orgid: 'a'}}}, triggerNotes: ordered},
  ['warning order', 'warning loop'],
);
test(
  'a function that takes what it makes',
  breaks,
  {trigger: {filters: [{suffix: {type: '.made.v1'}}]}},
  ['error loop'],
  /which one makes itself/,
);
test(
  'functions that answer each other',
  breaks,
  {
    trigger: {filter: {attributes: {type: 'dev.sluice.two.made.v1'}}},
    more: [
      service('two'),
      triggerOf('back', {
        filter: {attributes: {type: 'dev.sluice.one.made.v1'}},
        subscriber: ref('two'),
      }),
    ],
  },
  ['warning loop', 'warning loop'],
  /is part of a loop/,
);
test(
  'a tick of every five minutes',
  breaks,
  {
    more: [
      {
        apiVersion: 'sources.knative.dev/v1',
        kind: 'PingSource',
        metadata: {name: 'p'},
        spec: {schedule: '*/5 * * * *', sink: ref('one')},
      },
    ],
  },
  ['warning tick'],
);

test('what is close to a fault and none has no finding', t => {
  const cases: Record<string, Case> = {
    'order of what has a key': {triggerNotes: ordered},
    'truth from a Broker that keeps it': {
      trigger: {filters: [{prefix: {type: 'dev.sluice.money.'}}]},
    },
    'a tick of every quarter': {
      more: [
        {
          apiVersion: 'sources.knative.dev/v1',
          kind: 'PingSource',
          metadata: {name: 'p'},
          spec: {schedule: '0,15,30,45 * * * *', sink: ref('one')},
        },
      ],
    },
    'a chain': {
      trigger: {filter: {attributes: {type: 'dev.sluice.two.made.v1'}}},
      more: [service('two')],
    },
    'retry 0 where nobody retries': {
      broker: {delivery: {...whole, retry: 0, deadLetterSink: ref('dead')}},
      trigger: {...keys, delivery: {...whole, retry: 0}},
    },
  };
  for (const [name, given] of Object.entries(cases)) {
    t.deepEqual(found(given), [], name);
  }
});

test('a finding stands where its field stands', t => {
  const text = textOf({trigger: {...keys, delivery: {...whole, timeout: 'PT59S'}}});
  const line = text.split('\n').findIndex(one => one.includes('PT59S')) + 1;
  t.is(lint([{file: 'a.yaml', text}], catalogue)[0]?.at, `a.yaml:${line}`);
});

test('a type is taken when some event of it passes', t => {
  const taken = (filters: object[]) => takes(readFilter({filters}), {type: 'a.b', source: '/a'});
  t.true(taken([{exact: {type: 'a.b', orgid: 'x'}}]));
  t.true(taken([{not: {exact: {type: 'a.b', orgid: 'x'}}}]));
  t.true(taken([{any: [{exact: {type: 'c'}}, {exact: {orgid: 'x'}}]}]));
  t.false(taken([{not: {prefix: {type: 'a.'}}}]));
  t.false(taken([{exact: {orgid: 'x'}}, {suffix: {type: '.c'}}]));
  t.true(taken([{not: {all: [{exact: {type: 'a.b'}}, {exact: {type: 'c'}}]}}]));
  t.false(taken([{exact: {source: '/b'}}]));
  t.true(taken([{exact: {source: '/a', orgid: 'x'}}]));
  t.false(choosesType(readFilter({filters: [{not: {any: [{exact: {orgid: 'x'}}]}}]})));
  t.true(choosesType(readFilter({filters: [{not: {any: [{exact: {type: 'x'}}]}}]})));
});

test('our own manifests have no error, and no warning but that the default Broker is in memory', async t => {
  const findings = lint(
    await readManifestFiles(here('../../knative')),
    await readCatalogue(here('../../schemas/events')),
  );
  t.deepEqual(
    findings.filter(({severity, rule}) => severity === 'error' || rule !== 'in-memory'),
    [],
  );
});

test('the catalogue knows what is truth', async t => {
  const types = await readCatalogue(here('../../schemas/events'));
  const of = (type: string) => types.find(one => one.type === type);
  t.like(of('dev.sluice.inference.finished.v1'), {
    producer: 'gateway',
    carries: 'truth',
    keyed: true,
  });
  t.like(of('dev.sluice.hello.greeted.v1'), {producer: 'hello', carries: 'hint', keyed: false});
});

test('the program tells findings as lines or JSON, and its status', async t => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [here('../../knative/lint/main.ts'), ...args], {encoding: 'utf8'});
  const folder = await mkdtemp(join(tmpdir(), 'sluice-lint-'));
  t.teardown(() => rm(folder, {recursive: true}));
  t.is(run(folder).status, 2, 'no file');
  await writeFile(join(folder, 'a.yaml'), textOf({brokerNotes: {}}));
  const warned = run(folder);
  t.is(warned.status, 0);
  t.regex(
    warned.stdout,
    /a\.yaml:\d+: warning in-memory: Broker default: .*\n0 errors, 1 warnings\n$/,
  );
  await writeFile(join(folder, 'b.yaml'), '{"kind": "Pod"}');
  const failed = run(folder, '--json');
  t.is(failed.status, 1);
  t.like(JSON.parse(failed.stdout), {
    errors: 1,
    findings: {0: {rule: 'run', severity: 'error', file: join(folder, 'b.yaml'), line: 1}},
  });
  t.is(run(folder, folder).status, 2, 'two folders');
  t.is(run('--with', 'nowhere').status, 2, 'a variant that is none');
  t.regex(run('--with', 'broker-kafka').stdout, /^0 errors, 0 warnings\n$/);
  t.is(run('--fast').status, 2, 'an unknown option');
});
