/**
A model server from charts/model on a real cluster: installed, it is registered, answers and is charged; changed, it cuts nothing;
uninstalled, it is gone.
*/
import assert from 'node:assert/strict';
import test from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {openInstallation} from '../helpers/installation.ts';
import {openRelease, patience, tokens} from './model-release.ts';
import {accountsOf, messages} from './money.ts';

const minutes = 60_000;

test.serial(
  'a model is registered, answers and is charged as long as its release is there',
  async t => {
    t.timeout(20 * minutes);
    const installation = openInstallation(t);
    const release = await openRelease(t, installation);
    const {servedName, namespace, name, until} = release;

    const begun = performance.now();
    t.true((await release.apply()).includes(`--model ${servedName} --environment dev`));
    const registered = await until('it is ready', found => found?.status === 'ready');
    t.log(`from helm install to ready: ${Math.round((performance.now() - begun) / 100) / 10} s`);
    t.like(registered, {
      environment: 'development',
      namespace,
      contextLength: 8_192,
      endpoints: [
        {
          url: `http://${name}-dev.${namespace}.svc.cluster.local`,
          health: 'healthy',
          maxConcurrency: 9,
          object: `Service ${namespace}/${name}-dev`,
        },
      ],
    });

    const tenant = await installation.admin.createTenant(name);
    const client = installation.openai(tenant.apiKey);
    const ask = () => client.chat.completions.create({model: servedName, max_tokens: 3, messages});
    t.is((await eventually(ask, patience)).usage?.completion_tokens, 3);
    const books = await eventually(async () => {
      const found = await accountsOf(installation, tenant);
      assert.equal(found.rows.length, 1);
      assert.equal(found.spent, found.ledger);
      return found;
    }, patience);
    t.true(books.ledger > 0n);
    t.is(books.rows[0]?.outputTokens, 3);

    // What only the registry is told starts no server anew.
    const before = await release.pods();
    await release.apply({registry: {maxConcurrency: 7}});
    const changed = await until(
      'it follows the values',
      found => found?.endpoints[0]?.maxConcurrency === 7,
    );
    t.is(changed.id, registered.id);
    t.deepEqual(await release.pods(), before);

    await release.uninstall();
    await until('it is gone', found => found === undefined);
    await eventually(async () => {
      const refused = await ask().catch(error => error);
      assert.equal(refused.status, 404, String(refused));
    }, patience);
  },
);

test.serial(
  'a change of the server renews its pod, and neither a stream nor a request notices',
  async t => {
    t.timeout(20 * minutes);
    const installation = openInstallation(t);
    const release = await openRelease(t, installation);
    const {servedName: model, until} = release;
    await release.apply();
    await until('it is ready', found => found?.status === 'ready');
    const [old] = await release.pods();
    const {apiKey} = await installation.admin.createTenant(release.name);
    const {completions} = installation.openai(apiKey).chat;
    const ask = () => completions.create({model, max_tokens: 2, messages});
    await eventually(ask, patience);

    const stream = await completions.create({model, max_tokens: tokens, messages, stream: true});
    let received = 0;
    let isOver = false;
    const reading = (async () => {
      for await (const {choices} of stream) {
        received += choices[0]?.delta.content ? 1 : 0;
      }
      isOver = true;
    })();
    const asking = (async () => {
      let asked = 0;
      for (; !isOver; asked++) {
        await ask();
      }
      return asked;
    })();
    await release.apply({model: {contextLength: 4_096}});
    await eventually(async () => {
      assert.ok((await release.pods()).some(({name, isGoing}) => name === old?.name && isGoing));
    }, patience);
    t.false(isOver, 'the stream was over before its pod was told to go: it shows nothing');
    await Promise.all([reading, asking]);
    t.is(received, tokens);
    t.log(`${await asking} requests and a stream of ${tokens} tokens, none cut`);
    await until('it says the new length', found => found?.contextLength === 4_096);
    await eventually(async () => {
      const pods = await release.pods();
      assert.ok(pods.length === 1 && pods[0]?.name !== old?.name, JSON.stringify(pods));
    }, patience);
  },
);
