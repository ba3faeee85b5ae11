/** By what a Trigger tells that an event came in with a key of its organisation, and what the command says of it. */
import test from 'ava';
import {createStamps, stampKey} from '../../events/org-stamp.ts';
import {secretsOf} from '../../knative/local/stages/functions.ts';
import {servicesOf} from '../../knative/local/stages/services.ts';
import {createCli} from '../helpers/cli.ts';

const key = 'k'.repeat(32);
const org = '01890000-0000-7000-8000-000000000001';
const other = '01890000-0000-7000-8000-000000000002';
/** As `printf %s ORG | openssl dgst -sha256 -hmac KEY` says. */
const expected = '950f88efae32a66497cbeb53f3e36a529f85ed6a977a11041267e21bdbb5ef70';

test('a stamp is the organisation’s, the same each time, and another under another key', t => {
  const stampOf = createStamps(key);
  t.is(stampOf(org), expected);
  t.is(stampOf(org), expected);
  t.not(stampOf(other), expected);
  t.not(createStamps('l'.repeat(32))(org), expected);
});

test('a key of stamps that is too short to be one is refused, and not repeated', t => {
  t.is(stampKey(key), key);
  for (const text of [undefined, '', 'a-short-key', 'k'.repeat(31)]) {
    const error = t.throws(() => stampKey(text));
    t.regex(error.message, /at least 32 characters/);
    t.false(text ? error.message.includes(text) : false);
  }
});

test('`org stamp` asks no server for an id, and prints the stamp alone with --quiet', async t => {
  const {run} = createCli({environment: {STAMP_KEY: key}});
  const {code, out, err} = await run('org', 'stamp', org, '--quiet');
  t.deepEqual({code, out, err}, {code: 0, out: `${expected}\n`, err: ''});
  t.deepEqual(JSON.parse((await run('org', 'stamp', org.toUpperCase(), '--json')).out), {
    stamp: expected,
    organisation: org,
  });
});

test('`org stamp` without its key says what to set, and no part of what was set', async t => {
  for (const STAMP_KEY of [undefined, 'a-short-key']) {
    const {code, out, err} = await createCli({environment: {STAMP_KEY}}).run('org', 'stamp', org);
    t.is(code, 2);
    t.is(out, '');
    t.regex(err, /STAMP_KEY: expected a secret.*stamp-key of the Secret sluice/);
    t.false(err.includes('a-short-key'));
  }
});

test('a start on one machine has a key of stamps of its own, the same each time', t => {
  const {texts} = servicesOf({}, undefined);
  const rolePasswords = {
    sluice_gateway: '',
    sluice_owner: '',
    sluice_system: '',
    sluice_tenant: '',
  };
  const keyOf = (sourceToken: string) => {
    const secrets = {sourceToken, adminKey: 'admin', superuserPassword: '', rolePasswords};
    return secretsOf({secrets}, role => role, texts)['stamp-key'] ?? '';
  };
  t.is(stampKey(keyOf('one')), keyOf('one'));
  t.not(keyOf('one'), keyOf('two'));
});
