/**
`npm run lint:knative [-- FOLDER] [--json]`: what is wrong with the manifests of a folder, ours when none is named.

Out: a line a finding, `file:line: error rule: message`, or with --json one JSON object. Exit status: 0 without errors (warnings
are only told), 1 with, 2 when the command line is wrong or the folder cannot be read.
*/
import {relative} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {readManifestFiles} from '../local/plan/manifests.ts';
import {readCatalogue} from './catalogue.ts';
import type {Finding} from './finding.ts';
import {lint, placeOf} from './lint.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const textOf = (findings: readonly Finding[], counts: string) =>
  [
    ...findings.map(({at, severity, rule, message}) => {
      const {file, line} = placeOf(at);
      return `${relative('', file)}:${line}: ${severity} ${rule}: ${message}`;
    }),
    counts,
  ].join('\n');

const main = async () => {
  const {values, positionals} = parseArgs({
    allowPositionals: true,
    options: {json: {type: 'boolean', default: false}},
  });
  const [folder = here('..'), ...more] = positionals;
  if (more.length > 0) {
    throw new Error(`expected one folder, got ${positionals.length}`);
  }
  const files = await readManifestFiles(folder);
  if (files.length === 0) {
    throw new Error(`there is no YAML file in ${folder}`);
  }
  const findings = lint(files, await readCatalogue(here('../../schemas/events')));
  const errors = findings.filter(({severity}) => severity === 'error').length;
  const warnings = findings.length - errors;
  const listed = findings.map(({at, ...finding}) => ({...finding, ...placeOf(at)}));
  process.stdout.write(
    values.json
      ? `${JSON.stringify({errors, warnings, findings: listed})}\n`
      : `${textOf(findings, `${errors} errors, ${warnings} warnings`)}\n`,
  );
  process.exitCode = errors > 0 ? 1 : 0;
};

try {
  await main();
} catch (error) {
  process.stderr.write(`lint:knative: ${(error as Error).message}\n`);
  process.exitCode = 2;
}
