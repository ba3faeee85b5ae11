import test from 'ava';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import type {Change} from '../../events/changes.ts';
import {SluiceError} from '../../events/errors.ts';
import {uuidv7} from '../../events/uuid.ts';
import type {Principal} from '../../functions/auth/principal.ts';
import {createPrincipals, type Verdict} from '../../functions/auth/principals.ts';

const make = () => {
  const key = makeApiKey();
  const principal: Principal = {
    org: uuidv7(),
    project: uuidv7(),
    key: uuidv7(),
    publicId: key.publicId,
    secretHash: hashSecret(key.secret),
    models: null,
    environments: null,
    expiresAtMs: null,
    revoked: false,
    suspended: false,
    unsettledPolicy: 'prompt',
    budgets: [],
  };
  return {text: key.text, principal};
};

/** A cache in front of a table in memory, whose reads end when they are let. */
const start = ({
  now = Date.now,
  ...options
}: {
  now?: () => number;
  max?: number;
  loadsMax?: number;
} = {}) => {
  const table = new Map<string, Principal>();
  const asked: string[] = [];
  let gate: Promise<void> | undefined;
  const principals = createPrincipals({
    environment: 'production',
    now,
    ...options,
    load: async publicId => {
      asked.push(publicId);
      const found = table.get(publicId);
      await gate;
      return found;
    },
  });
  const add = (made = make()) => {
    table.set(made.principal.publicId, made.principal);
    return made;
  };
  const hold = () => {
    const {promise, resolve} = Promise.withResolvers<void>();
    gate = promise;
    return () => {
      gate = undefined;
      resolve();
    };
  };
  const set = ({principal}: {principal: Principal}, fields: Partial<Principal>) =>
    table.set(principal.publicId, {...principal, ...fields});
  return {principals, table, asked, add, hold, set};
};

const change = (kind: Change['kind'], {org, key}: Principal): Change => ({
  revision: 1,
  kind,
  subject: kind === 'key' ? key : org,
  orgId: org,
});

const denied = (verdict: Verdict) => ('denied' in verdict ? verdict.denied : undefined);

test('a key is looked up once, and from then on answered at once', async t => {
  const {principals, asked, add} = start();
  const {text, principal} = add();
  t.deepEqual(await principals.verify(text), {principal});
  t.deepEqual(principals.verify(text), {principal});
  t.is(asked.length, 1);
});

test('requests that come together share one look-up', async t => {
  const {principals, asked, add} = start();
  const {text} = add();
  const verdicts = await Promise.all(Array.from({length: 20}, () => principals.verify(text)));
  t.true(verdicts.every(verdict => denied(verdict) === undefined));
  t.is(asked.length, 1);
});

test('an unknown key is looked up once, whatever secret comes with it, and found when it is created', async t => {
  const {principals, asked, add} = start();
  const made = make();
  const guess = made.text.slice(0, -1) + (made.text.endsWith('A') ? 'B' : 'A');
  t.is(denied(await principals.verify(made.text)), 'unknown');
  t.deepEqual(principals.verify(made.text), {denied: 'unknown'});
  t.deepEqual(principals.verify(guess), {denied: 'unknown'});
  t.is(asked.length, 1);
  add(made);
  principals.onChanges([change('key', made.principal)]);
  t.is(denied(await principals.verify(made.text)), undefined);
});

test('a malformed key costs no look-up and no promise', t => {
  const {principals, asked} = start();
  for (const text of [undefined, '', 'sk-', 'sk-abc', `sk-${'a'.repeat(1_000_000)}`, 'Bearer x']) {
    t.deepEqual(principals.verify(text), {denied: 'unknown'});
  }
  t.is(asked.length, 0);
  t.is(principals.size(), 0);
});

test('the wrong secret of a known key is refused without a look-up', async t => {
  const {principals, asked, add} = start();
  const {text} = add();
  await principals.verify(text);
  const other = makeApiKey().text.slice(-43);
  t.deepEqual(principals.verify(text.slice(0, -43) + other), {denied: 'unknown'});
  t.is(asked.length, 1);
});

for (const kind of ['key', 'project', 'org', 'budget'] as const) {
  test(`after a change of its ${kind} a key is read again`, async t => {
    const {principals, asked, add, set} = start();
    const made = add();
    await principals.verify(made.text);
    set(made, {revoked: true});
    principals.onChanges([change(kind, made.principal)]);
    t.is(denied(await principals.verify(made.text)), 'revoked');
    t.is(asked.length, 2);
  });
}

test('a change of a model, of another key or of another organisation reads nothing again', async t => {
  const {principals, asked, add} = start();
  const made = add();
  const other = make().principal;
  await principals.verify(made.text);
  principals.onChanges([
    {revision: 1, kind: 'model', subject: uuidv7(), orgId: null},
    change('key', other),
    change('org', other),
  ]);
  await principals.verify(made.text);
  t.is(asked.length, 1);
});

test('when changes were missed, everything is read again', async t => {
  const {principals, asked, add} = start();
  const [known, absent] = [add(), make()];
  await principals.verify(known.text);
  await principals.verify(absent.text);
  principals.onChanges('all');
  t.is(principals.size(), 0);
  await principals.verify(known.text);
  await principals.verify(absent.text);
  t.is(asked.length, 4);
});

test('what was being read when a change came is not kept', async t => {
  const {principals, asked, add, hold, set} = start();
  const made = add();
  const letGo = hold();
  const early = principals.verify(made.text);
  set(made, {revoked: true});
  principals.onChanges([change('key', made.principal)]);
  letGo();
  // Who asked before the change may have the answer of before it.
  t.is(denied(await early), undefined);
  t.is(denied(await principals.verify(made.text)), 'revoked');
  t.is(asked.length, 2);
});

test('who asks after a change does not join a read that began before it', async t => {
  const {principals, add, hold, set} = start();
  const made = add();
  const letGo = hold();
  const early = principals.verify(made.text);
  set(made, {revoked: true});
  principals.onChanges([change('key', made.principal)]);
  const late = principals.verify(made.text);
  letGo();
  t.is(denied(await late), 'revoked');
  await early;
  t.is(denied(await principals.verify(made.text)), 'revoked');
});

test('an absence that was being read when its key was created is not kept', async t => {
  const {principals, add, hold} = start();
  const made = make();
  const letGo = hold();
  const early = principals.verify(made.text);
  add(made);
  principals.onChanges([change('key', made.principal)]);
  letGo();
  t.is(denied(await early), 'unknown');
  t.is(denied(await principals.verify(made.text)), undefined);
});

test('look-ups are bounded, those included that a change made useless', async t => {
  const {principals, asked, add, hold} = start({loadsMax: 2});
  const [one, two, three] = [add(), add(), add()];
  const letGo = hold();
  const early = [principals.verify(one.text), principals.verify(two.text)];
  principals.onChanges('all');
  const error = await t.throwsAsync(async () => principals.verify(three.text), {
    instanceOf: SluiceError,
  });
  t.is(error?.code, 'unavailable');
  t.is(error?.retryAfterSeconds, 1);
  t.is(asked.length, 2);
  letGo();
  await Promise.all(early);
  t.is(denied(await principals.verify(three.text)), undefined);
});

test('the cache is bounded, and what fell out of it is read again', async t => {
  const {principals, asked, add} = start({max: 2});
  const made = [add(), add(), add()];
  for (const {text} of made) {
    await principals.verify(text);
  }
  t.is(principals.size(), 2);
  await principals.verify(made[0]?.text);
  t.is(asked.length, 4);
});

test('a key that expires in the cache is refused from that instant on', async t => {
  let nowMs = 1_000;
  const {principals, add, set} = start({now: () => nowMs});
  const made = add();
  set(made, {expiresAtMs: 2_000});
  t.is(denied(await principals.verify(made.text)), undefined);
  nowMs = 2_000;
  t.is(denied(await principals.verify(made.text)), 'expired');
});

test('where the key cannot be read the answer is 503, and the next request tries again', async t => {
  const {text, principal} = make();
  let isAway = true;
  const principals = createPrincipals({
    environment: 'production',
    load: async () => {
      if (isAway) {
        throw new Error('connection refused');
      }
      return principal;
    },
  });
  const error = await t.throwsAsync(async () => principals.verify(text), {instanceOf: SluiceError});
  t.is(error?.status, 503);
  t.false(error?.message.includes('refused'));
  isAway = false;
  t.deepEqual(await principals.verify(text), {principal});
});

test('a key with two public ids is forgotten under both, and each secret has its own end', async t => {
  let nowMs = 1_000;
  const {principals, add, set, asked} = start({now: () => nowMs});
  const current = add();
  const previous = add();
  set(previous, {...current.principal, ...idOf(previous), expiresAtMs: 2_000});
  for (const {text} of [current, previous, current, previous]) {
    t.is(denied(await principals.verify(text)), undefined);
  }
  t.is(asked.length, 2);
  nowMs = 2_000;
  t.is(denied(await principals.verify(previous.text)), 'expired');
  t.is(denied(await principals.verify(current.text)), undefined);
  principals.onChanges([change('key', current.principal)]);
  for (const {text} of [current, previous]) {
    await principals.verify(text);
  }
  t.is(asked.length, 4);
  t.is(principals.size(), 2);
});

test('who passed a while ago is judged again only where something changed, and by what is true then', async t => {
  const {principals, add, set, asked, hold} = start();
  const made = add();
  await principals.verify(made.text);
  t.true(principals.isCurrent(made.principal));
  t.is(await principals.recheck(made.principal), undefined);
  t.is(asked.length, 1);
  principals.onChanges([change('key', made.principal)]);
  t.false(principals.isCurrent(made.principal));
  const release = hold();
  const rechecked = principals.recheck(made.principal);
  // Read before the change, told after it: it is read again.
  set(made, {revoked: true});
  principals.onChanges([change('key', made.principal)]);
  release();
  t.is(await rechecked, 'revoked');
});

test('who passed a while ago is judged by what they want, too', async t => {
  const {principals, add, set} = start();
  const made = add();
  const wanted = {scope: 'inference', model: 'small'} as const;
  const after = async (narrowed: Partial<Principal>) => {
    set(made, narrowed);
    principals.onChanges([change('key', made.principal)]);
    return principals.recheck(made.principal, wanted);
  };
  t.is(await after({scopes: ['inference'], models: ['small']}), undefined);
  t.is(await after({scopes: ['models'], models: ['small']}), 'scope');
  t.is(await after({scopes: ['inference'], models: ['large']}), 'model');
});

test('a cut is no change of a key', async t => {
  const {principals, add} = start();
  const made = add();
  await principals.verify(made.text);
  principals.onChanges([{...change('key', made.principal), kind: 'cut'}]);
  t.true(principals.isCurrent(made.principal));
});

const idOf = ({principal: {publicId, secretHash}}: ReturnType<typeof make>) => ({
  publicId,
  secretHash,
});
