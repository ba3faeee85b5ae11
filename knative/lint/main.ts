/**
`npm run lint:knative [-- FOLDER] [--with FOLDER] [--json]`: what is wrong with the manifests of a folder, ours when none is named;
with a variant, whose files are taken instead of those of the same names (`--with broker-kafka`, a folder in the first).

Out: a line a finding, `file:line: error rule: message`, or with --json one JSON object. Exit status: 0 without errors (warnings
are only told), 1 with, 2 when the command line is wrong or the folder cannot be read.
*/
import {basename, join, relative} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {type ManifestFile, readManifestFiles} from '../local/plan/manifests.ts';
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

const filesOf = async (folder: string, variant?: string): Promise<ManifestFile[]> => {
  const plain = await readSome(folder);
  const others = variant === undefined ? [] : await readSome(join(folder, variant));
  const names = others.map(({file}) => basename(file));
  return [...plain.filter(({file}) => !names.includes(basename(file))), ...others];
};

const readSome = async (folder: string): Promise<ManifestFile[]> => {
  const files = await readManifestFiles(folder);
  if (files.length === 0) {
    throw new Error(`there is no YAML file in ${folder}`);
  }
  return files;
};

const main = async () => {
  const {values, positionals} = parseArgs({
    allowPositionals: true,
    options: {json: {type: 'boolean', default: false}, with: {type: 'string'}},
  });
  const [folder = here('..'), ...more] = positionals;
  if (more.length > 0) {
    throw new Error(`expected one folder, got ${positionals.length}`);
  }
  const files = await filesOf(folder, values.with);
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
