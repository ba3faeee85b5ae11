/** Which files of the tree are in the image: those that programs read, and nothing that only lies there. */
import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {dataFiles} from '../../knative/image/app.ts';
import {tree} from '../helpers/image.ts';

const read = [
  'functions/gateway/limits/exchange.lua',
  'schemas/events/hello.greeted.v1.json',
  'schemas/http/admin.yaml',
  'schemas/sql/0001-tenancy.sql',
];
const stray = [
  'events/credentials.json',
  'functions/gateway/.env.json',
  'functions/gateway/service-account.json',
  'functions/gateway/values.yaml',
  'schemas/events/notes.json',
  'schemas/sql/dump.sql',
];

const makeTree = (t: ExecutionContext, files: readonly string[]) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-image-data-'));
  t.teardown(() => rmSync(folder, {recursive: true}));
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), {recursive: true});
    writeFileSync(join(folder, file), '');
  }
  return folder;
};

test('without git the files that programs read are in it, and nothing that lies beside them', t => {
  t.deepEqual(dataFiles(makeTree(t, [...read, ...stray])), read);
});

test('in a checkout those that git knows', t => {
  const folder = makeTree(t, [...read, ...stray, 'schemas/sql/0002-draft.sql']);
  const git = (...parameters: string[]) => execFileSync('git', ['-C', folder, ...parameters]);
  git('init', '--quiet');
  git('add', ...read, ...stray);
  t.deepEqual(dataFiles(folder), read);
});

test('of this tree: the schemas, the contract, every migration and the script for Redis', t => {
  const files = dataFiles(tree);
  for (const file of read) {
    t.true(files.includes(file), file);
  }
});
