import {readFile, writeFile} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {renderCommands} from '../helpers/command-list.ts';
import {renderSteps, sectionOf, settled, shapeOf, withSection} from '../helpers/transcript.ts';

const readme = fileURLToPath(new URL('../../functions/admin/cli/README.md', import.meta.url));

test('the README lists every command there is; SLUICE_TRANSCRIPT=write writes it anew', async t => {
  const commands = renderCommands();
  if (process.env.SLUICE_TRANSCRIPT === 'write') {
    await writeFile(readme, withSection(await readFile(readme, 'utf8'), 'commands', commands));
  }
  t.is(sectionOf(await readFile(readme, 'utf8'), 'commands'), commands);
  for (const noun of ['org', 'project', 'user', 'member', 'key', 'budget', 'model', 'deployment']) {
    t.regex(commands, new RegExp(`^\\| \`${noun} `, 'm'));
  }
});

test('the README names every exit code as the command does', async t => {
  const {exitCodesText} = await import('../../functions/admin/cli/shell/failure.ts');
  const document = await readFile(readme, 'utf8');
  for (const [, code, text] of exitCodesText.matchAll(/^ +(\d) +(.+)$/gm)) {
    t.true(document.includes(`| ${code} | ${text} |`), text);
  }
});

test('a transcript has made-up ids, instants and secrets, the same for the same', t => {
  const id = '01a20067-a00b-79c7-a100-8ca9abae4229';
  const secret = 'sk-abcdefghijklmn23-slPj3-OMlfcHslf3CAGeKlIChWkRJ7yE6IPU8de0Nyk';
  const page = renderSteps([
    {say: 'One.', command: `show ${id}`, output: `id ${id}\nat 2026-01-01T00:00:00.5Z\n`, code: 0},
    {command: 'key', output: `key ${secret}\nends 2026-03-01T00:00:00Z\n`, code: 5},
  ]);
  t.is(
    page,
    [
      'One.',
      '',
      '```console',
      '$ show 0192f0c1-7a00-7000-8000-000000000001',
      'id 0192f0c1-7a00-7000-8000-000000000001',
      'at 2026-11-21T10:00:00.000Z',
      '',
      '$ key',
      `key sk-publicidxxxxxxx1-${'x'.repeat(43)}`,
      'ends 2027-01-19T10:00:00.000Z',
      '(exit code 5)',
      '```',
    ].join('\n'),
  );
});

test('two transcripts are of one shape when only figures and widths differ', t => {
  const one = 'NAME    COST\ntiny   0.0025\n';
  t.is(shapeOf(one), shapeOf('NAME   COST\ntiny  1.25\n'));
  t.not(shapeOf(one), shapeOf('NAME  PRICE\ntiny  1.25\n'));
  t.is(settled('no secret, nothing to replace'), 'no secret, nothing to replace');
});
