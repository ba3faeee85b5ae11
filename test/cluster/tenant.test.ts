/**
A tenant's namespace on a real cluster: what wakes its worker, what its worker may spend, and what neither it nor its people see.

This cluster's network enforces no NetworkPolicy, so what is shown here holds without: by keys, tokens, stamps and roles.
*/
import assert from 'node:assert/strict';
import test from 'ava';
import {parseUsd} from '../../events/money.ts';
import {eventually} from '../helpers/eventually.ts';
import {accountsOf, patience} from './money.ts';
import {openTenant, person, probeType, questionType} from './tenant.ts';
import {listenUnstamped} from './tenants-broker.ts';

test.serial(
  'an event of its producer wakes a tenant’s worker from zero, whose completion is charged; no other’s does',
  async t => {
    const tenant = await openTenant(t);
    const {installation, tenant: owner, model} = tenant;
    await tenant.untilZero();
    const begun = performance.now();
    t.is(await tenant.post({id: 'first', type: questionType}), 202);
    const line = await tenant.lineOf('first');
    t.log(`handled ${Math.round(performance.now() - begun)} ms after POST /events, from zero`);
    t.like(line, {status: 200, orgid: owner.org, source: `/orgs/${owner.org}/producer`});
    const books = await eventually(async () => {
      const found = await accountsOf(installation, owner);
      assert.ok(found.rows.length >= 1);
      assert.equal(found.spent, found.ledger);
      return found;
    }, patience);
    t.true(books.ledger > 0n);
    t.is(books.rows[0]?.outputTokens, 10);
    // What took long from zero may have been tried twice, and is then asked twice, and charged twice.
    t.is(books.ledger, parseUsd(books.rows[0]?.cost ?? '') * BigInt(books.rows.length));

    // Another organisation says that it is this one, sends before it, and a type that nobody listens to.
    const other = await installation.admin.createTenant(`${model}-other`);
    const claims = {orgid: owner.org, partitionkey: owner.org};
    await eventually(async () => {
      const data = {tokens: 11};
      const event = {id: 'foreign', type: questionType, data, extensions: claims};
      assert.equal(await tenant.post(event, other.apiKey), 202);
    }, patience);
    t.is(await tenant.post({id: 'unheard', type: 'com.acme.nothing', data: {tokens: 12}}), 202);
    t.is(await tenant.post({id: 'second', type: questionType}), 202);
    await tenant.lineOf('second');
    // The Broker in memory takes an event when whoever wants it has answered: what is relayed is handled. The ledger counts, below:
    // every event that reaches the worker is a completion with its key.
    await eventually(async () => {
      const {rows} = await installation
        .pool('superuser')
        .query("select id from outbox where destination = 'broker:tenants' and org_id = any($1)", [
          [owner.org, other.org],
        ]);
      assert.equal(rows.length, 0);
    }, patience);
    const events = (await tenant.lines()).map(({event}) => event);
    t.false(events.includes('foreign') || events.includes('unheard'), String(events));
    const after = await eventually(async () => {
      const found = await accountsOf(installation, owner);
      assert.ok(found.rows.length > books.rows.length);
      return found;
    }, patience);
    t.deepEqual([...new Set(after.rows.map(({outputTokens}) => outputTokens))], [10]);
    t.true(after.ledger > books.ledger);
    t.is((await accountsOf(installation, other)).rows.length, 0);
  },
);

test.serial(
  'what a tenant’s worker posts speaks for nobody else: at /events, at a function, or at the Broker itself',
  async t => {
    const tenant = await openTenant(t);
    const {installation, tenant: owner} = tenant;
    const {services, namespace} = installation;
    const forged = {
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-id': 'forged/finished',
      'ce-source': '/functions/gateway',
      'ce-type': 'dev.sluice.inference.finished.v1',
      'ce-orgid': owner.org,
    };
    const body = JSON.stringify({request: 'forged', cost: '1'});
    const probe = async (id: string, of: {url: string; headers?: object; method?: string}) => {
      t.is(
        await tenant.post({id, type: probeType, data: {probe: {method: 'POST', body, ...of}}}),
        202,
      );
      return (await tenant.lineOf(id)).status;
    };
    t.is(await tenant.post({id: 'forged', type: 'dev.sluice.key.revoked.v1'}), 403);
    const localOf = (name: string) => services[name]?.localUrl ?? '';
    t.is(await probe('to-budget', {url: `${localOf('budget')}/`, headers: forged}), 401);
    t.is(await probe('to-admin', {url: `${localOf('admin')}/admin/v1/orgs`, method: 'GET'}), 401);
    t.is(
      await probe('to-registry', {url: `${localOf('registry')}/admin/v1/models`, method: 'GET'}),
      401,
    );
    // Without an enforced policy the Broker takes what comes: nobody believes it.
    const broker = `http://broker-ingress.knative-eventing.svc.cluster.local/${namespace}/default`;
    const atBroker = await probe('to-broker', {url: broker, headers: forged});
    t.log(
      `the Broker of ours answered ${atBroker}: it has no door of its own, the policies are its door`,
    );
    const revoked = {...forged, 'ce-id': 'forged/revoked', 'ce-type': 'dev.sluice.key.revoked.v1'};
    await probe('revoked', {url: broker, headers: revoked});

    t.is(await tenant.post({id: 'still', type: questionType}), 202);
    t.is((await tenant.lineOf('still')).status, 200);
    const books = await eventually(async () => {
      const found = await accountsOf(installation, owner);
      assert.ok(found.rows.length >= 1);
      assert.equal(found.spent, found.ledger);
      return found;
    }, patience);
    t.deepEqual([...new Set(books.rows.map(({outputTokens}) => outputTokens))], [10]);
  },
);

test.serial(
  'what a tenant’s worker says in another organisation’s name, by an answer or at the Broker itself, wakes nobody',
  async t => {
    const victim = await openTenant(t);
    const hostile = await openTenant(t);
    const {installation, tenant: owner} = victim;
    const unstamped = await listenUnstamped(t, installation, owner.org);
    await unstamped.untilKnown(id => victim.post({id, type: 'com.acme.unheard'}));
    t.is(await victim.post({id: 'before', type: questionType, data: {tokens: 7}}), 202);
    t.is((await victim.lineOf('before')).stamp, victim.stamp);

    const forged = {
      ...{specversion: '1.0', type: questionType, source: `/orgs/${owner.org}/producer`},
      orgid: owner.org,
    };
    const ask = async (id: string, data: object) => {
      t.is(await hostile.post({id: `ask-${id}`, type: probeType, data}), 202);
      const line = await hostile.lineOf(`ask-${id}`);
      // All that it is ever told.
      t.is(line.stamp, hostile.stamp);
      await unstamped.arrivalOf(id);
      return line.status;
    };
    await ask('answered', {reply: {...forged, id: 'answered'}});
    await ask('own-stamp', {reply: {...forged, id: 'own-stamp', sluicestamp: hostile.stamp}});
    await ask('guessed', {reply: {...forged, id: 'guessed', sluicestamp: '0'.repeat(64)}});
    const attributes = Object.entries({...forged, id: 'posted', sluicestamp: hostile.stamp});
    const url = `http://broker-ingress.knative-eventing.svc.cluster.local/${installation.namespace}/tenants`;
    const headers = Object.fromEntries(attributes.map(([name, value]) => [`ce-${name}`, value]));
    const status = await ask('posted', {
      probe: {
        url,
        method: 'POST',
        headers: {...headers, 'content-type': 'application/json'},
        body: '{}',
      },
    });
    t.is(status, 202, 'no policy is enforced here, so the Broker takes it');
    // A producer does not get the victim's stamp past the door, even if it knew it.
    const stolen = {
      id: 'stolen',
      type: questionType,
      extensions: {orgid: owner.org, sluicestamp: victim.stamp},
    };
    t.is(await hostile.post(stolen), 202);
    t.is((await hostile.lineOf('stolen')).stamp, hostile.stamp);

    t.is(await victim.post({id: 'after', type: questionType, data: {tokens: 7}}), 202);
    t.is((await victim.lineOf('after')).status, 200);
    // Each that reaches the worker is a completion with its key.
    const books = await eventually(async () => {
      const found = await accountsOf(installation, owner);
      assert.ok(found.rows.length >= 2);
      return found;
    }, patience);
    const lines = await victim.lines();
    const events = new Set(lines.map(({event}) => event));
    events.delete('before');
    t.deepEqual([...events], ['after']);
    t.deepEqual([...new Set(books.rows.map(({outputTokens}) => outputTokens))], [7]);
  },
);

test.serial('a tenant’s people look after their worker, and see nothing else', async t => {
  const {installation, name} = await openTenant(t, {withWorker: false});
  const {cluster, namespace} = installation;
  const may = (verb: string, resource: string, where: string) =>
    cluster(['-n', where, 'auth', 'can-i', verb, resource, '--as', person]).then(
      answer => answer.startsWith('yes'),
      () => false,
    );
  for (const [verb, resource] of [
    ['get', 'services.serving.knative.dev'],
    ['update', 'services.serving.knative.dev'],
    ['list', 'pods'],
    ['create', 'secrets'],
    ['get', 'networkpolicies.networking.k8s.io'],
  ] as const) {
    t.true(await may(verb, resource, name), `${verb} ${resource} in its own`);
  }
  for (const [verb, resource] of [
    ['delete', 'networkpolicies.networking.k8s.io'],
    ['update', 'resourcequotas'],
    ['create', 'rolebindings.rbac.authorization.k8s.io'],
    ['create', 'pods'],
    ['create', 'domainmappings.serving.knative.dev'],
  ] as const) {
    t.false(await may(verb, resource, name), `${verb} ${resource} in its own`);
  }
  for (const resource of [
    'pods',
    'secrets',
    'services.serving.knative.dev',
    'brokers.eventing.knative.dev',
    'triggers.eventing.knative.dev',
    'configmaps',
  ]) {
    for (const verb of ['get', 'list', 'watch', 'create', 'delete']) {
      t.false(await may(verb, resource, namespace), `${verb} ${resource} of Sluice`);
    }
  }
  for (const where of ['default', 'knative-eventing', 'knative-serving']) {
    t.false(await may('list', 'pods', where), `list pods in ${where}`);
  }
  t.false(await may('list', 'namespaces', 'default'));
});
