import {fileURLToPath} from 'node:url';
import test from 'ava';
import {init} from 'es-module-lexer';
import {findViolations} from '../lint/arrows.ts';
import {checkLengths, checkTop} from '../lint/house.ts';
import {importsOf, listFiles, readSources} from '../lint/sources.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const rulesBrokenBy = (file: string, imported: string) =>
  findViolations([{file, imports: [imported]}]).map(({rule}) => rule);

test('no import of the project breaks an arrow', async t => {
  t.deepEqual(findViolations(await readSources(root)), []);
});

test('the top of the project is the house and what tools demand', t => {
  t.deepEqual(
    checkTop([...new Set(listFiles(root).map(file => file.split('/')[0] as string))]),
    [],
  );
});

test('no source file is longer than 300 lines', async t => {
  t.deepEqual(checkLengths(await readSources(root)), []);
});

const forbidden = test.macro({
  exec: (t, file: string, imported: string, rule: RegExp) => {
    const rules = rulesBrokenBy(file, imported);
    t.is(rules.length, 1);
    t.regex(rules[0] as string, rule);
  },
  title: (_, file, imported) => `${file} may not import ${imported}`,
});

test(
  forbidden,
  'functions/usage/query.ts',
  '../budget/window.ts',
  /functions\/usage imports only events, functions\/usage/,
);
test(forbidden, 'functions/gateway/main.ts', '../admin/orgs.ts', /functions\/gateway imports only/);
test(forbidden, 'functions/gateway/main.ts', '../budget/main.ts', /shell/);
test(
  forbidden,
  'functions/events-ingress/admit.ts',
  '../budget/window.ts',
  /functions\/events-ingress imports only events, functions\/events-ingress, functions\/auth /,
);
test(forbidden, 'functions/events-ingress/main.ts', '../auth/main.ts', /shell/);
test(forbidden, 'functions/admin/cli/money/usage.ts', '../main.ts', /shell/);
test(forbidden, 'functions/usage/query.ts', '../../schemas/sql/migrate.ts', /imports only/);
test(forbidden, 'functions/usage/query.ts', '../../knative/local/main.ts', /imports only/);
test(forbidden, 'functions/new-function.ts', './hello/greeting.ts', /functions imports only/);
test(forbidden, 'events/serve.ts', '../functions/hello/greeting.ts', /events imports only/);
test(forbidden, 'events/serve.ts', '../schemas/render.ts', /events imports only/);
test(forbidden, 'schemas/render.ts', '../events/event.ts', /schemas imports only/);
test(
  forbidden,
  'knative/local/main.ts',
  '../../functions/hello/greeting.ts',
  /knative imports only/,
);
test(forbidden, 'knative/local/main.ts', '../../functions/hello/main.ts', /shell/);
test(forbidden, 'events/serve.ts', '../test/helpers/http.ts', /only tests import tests/);
test(forbidden, 'events/serve.ts', '../../elsewhere/x.ts', /outside/);
test(forbidden, 'test/unit/a.test.ts', '../../../elsewhere/x.ts', /outside/);
test(forbidden, 'events/serve.ts', '/tmp/x.ts', /relative/);
test(forbidden, 'events/serve.ts', 'https://example.com/x.ts', /relative/);

const permitted = test.macro({
  exec: (t, file: string, imported: string) => t.deepEqual(rulesBrokenBy(file, imported), []),
  title: (_, file, imported) => `${file} may import ${imported}`,
});

test(permitted, 'functions/usage/query.ts', '../../events/event.ts');
test(permitted, 'functions/usage/main.ts', './query.ts');
test(permitted, 'functions/usage/main.ts', 'pg');
test(permitted, 'functions/usage/main.ts', 'node:fs');
test(permitted, 'functions/admin/cli/main.ts', '../orgs.ts');
test(permitted, 'functions/gateway/main.ts', '../budget/lease.ts');
test(permitted, 'knative/local/main.ts', '../../schemas/sql/migrate.ts');
test(permitted, 'knative/local/main.ts', './simulated-model/settings.ts');
test(permitted, 'test/e2e/a.test.ts', '../../functions/hello/main.ts');

test('imports are found whatever their form', async t => {
  await init;
  const source = `
    import type {A} from './a.ts';
    import {type B, b} from './b.ts';
    import {type C} from './c.ts';
    export type {D} from './d.ts';
    export * from './e.ts';
    import './f.ts';
    import type {
      G,
    } from './g.ts';
    const late = () => import('./h.ts');
    // import './comment.ts';
  `;
  t.deepEqual(
    importsOf(source).sort(),
    ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map(name => `./${name}.ts`),
  );
});

test('a stray folder, a missing room and a long file are complaints', t => {
  const rooms = [
    'package.json',
    'README.md',
    'functions',
    'events',
    'knative',
    'charts',
    'schemas',
    'test',
  ];
  t.deepEqual(checkTop(rooms), []);
  t.deepEqual(checkTop([...rooms, 'utils', '.gitignore']), [
    'utils is neither a room of the house nor demanded at the root by a tool',
  ]);
  t.deepEqual(checkTop(rooms.filter(name => name !== 'charts')), ['charts is missing']);
  t.is(checkLengths([{file: 'events/a.ts', lines: 301}]).length, 1);
  t.deepEqual(
    checkLengths([
      {file: 'events/a.ts', lines: 300},
      {file: 'events/types.ts', lines: 900},
      {file: 'test/unit/a.test.ts', lines: 900},
      {file: 'package-lock.json', lines: 900},
    ]),
    [],
  );
});
