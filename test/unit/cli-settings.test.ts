import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {targetOf} from '../../functions/admin/cli/events/target.ts';
import type {Context} from '../../functions/admin/cli/shell/context.ts';
import {noGlobals} from '../../functions/admin/cli/shell/globals.ts';
import {readSettings} from '../../functions/admin/cli/shell/settings.ts';

const folderWith = async (t: ExecutionContext, text?: string) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-cli-'));
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  if (text !== undefined) {
    await mkdir(join(folder, '.sluice'));
    await writeFile(join(folder, '.sluice', 'dev.json'), text);
  }
  return folder;
};
const written = JSON.stringify({url: 'http://127.0.0.1:8080', adminKey: 'key-of-the-file'});

test('the file of npm start is enough', async t => {
  t.deepEqual(readSettings({}, await folderWith(t, written)), {
    url: 'http://127.0.0.1:8080',
    token: 'key-of-the-file',
    from: '.sluice/dev.json',
    warnings: [],
  });
});

test('the environment goes before the file', async t => {
  const environment = {SLUICE_URL: 'https://sluice.example/', SLUICE_ADMIN_KEY: 'given'};
  const expected = {
    url: 'https://sluice.example',
    token: 'given',
    from: 'the environment',
    warnings: [],
  };
  t.deepEqual(readSettings(environment, await folderWith(t, written)), expected);
  t.deepEqual(readSettings(environment, await folderWith(t)), expected);
});

test("the file's key is sent to the file's URL only", async t => {
  const folder = await folderWith(t, written);
  t.throws(() => readSettings({SLUICE_URL: 'https://other.example'}, folder), {
    message: 'no key for https://other.example: set SLUICE_ADMIN_KEY',
  });
  t.is(readSettings({SLUICE_URL: 'http://127.0.0.1:8080/'}, folder).token, 'key-of-the-file');
});

test('a key of the environment does not go to another machine that a file in the current folder names', async t => {
  const environment = {SLUICE_ADMIN_KEY: 'key-of-the-environment'};
  const url = 'https://thief.example';
  const away = await folderWith(t, JSON.stringify({url}));
  t.throws(() => readSettings(environment, away), {message: /no key for https:\/\/thief/});
  const baited = await folderWith(t, JSON.stringify({url, adminKey: 'bait'}));
  t.is(readSettings(environment, baited).token, 'bait');
  const here = await folderWith(t, written);
  t.is(readSettings(environment, here).token, 'key-of-the-environment');
  const said = {url: 'https://sluice.example'};
  t.is(readSettings(environment, here, said).token, 'key-of-the-environment');
});

test('a context is asked for by a name of its own, not by one that every object has', async t => {
  const environment = {SLUICE_URL: 'https://sluice.example', SLUICE_ADMIN_KEY: 'given'};
  for (const context of ['constructor', 'toString', '__proto__']) {
    t.throws(() => readSettings(environment, '/nowhere', {context}), {
      message: `there is no context "${context}"; there is none yet`,
    });
  }
});

test('nor does the key that events are sent with', async t => {
  const environment = {SLUICE_API_KEY: 'key-of-the-environment'};
  const keyFor = (folder: string) => {
    const context = {globals: () => noGlobals, settings: () => readSettings({}, folder)};
    return targetOf(context as Context, {environment, folder}, undefined).apiKey;
  };
  const bait = {adminKey: 'bait', apiKey: 'other-bait'};
  const away = await folderWith(t, JSON.stringify({...bait, url: 'https://thief.example'}));
  t.is(keyFor(away), 'other-bait');
  t.is(keyFor(await folderWith(t, written)), 'key-of-the-environment');
});

const refused = test.macro(
  async (t, environment: Record<string, string>, text: string | undefined, message: RegExp) => {
    const folder = await folderWith(t, text);
    const error = t.throws(() => readSettings(environment, folder), {message});
    t.like(error, {exitCode: 2});
  },
);

test('without any setting it is said what to set', refused, {}, undefined, /set SLUICE_URL and/);
test('a file that is no JSON is said', refused, {}, '{', /not JSON/);
test('a file without a key is said', refused, {}, '{"url": "http://a"}', /no key for http:\/\/a/);
test('a URL that is none is said', refused, {SLUICE_URL: 'a'}, written, /expected an http/);
test(
  'a URL of another kind is said',
  refused,
  {SLUICE_URL: 'file:///etc'},
  written,
  /expected an http/,
);
test(
  'a key that no header can carry is said, and not shown',
  refused,
  {SLUICE_URL: 'http://a', SLUICE_ADMIN_KEY: 'a\nb'},
  undefined,
  /^SLUICE_ADMIN_KEY: expected visible ASCII characters only$/,
);
