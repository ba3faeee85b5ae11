/**
Schemathesis: asks a running admin API what its OpenAPI document allows and what it does not, and holds the answers to it.

In: a URL, who asks, how long. Out: how many requests were made, and what it found, in its own words. It is brought by pip, once, into
`node_modules/.cache/sluice/`.
*/
import {hash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {execute} from '../../runner/install.ts';
import {makePythonEnvironment} from '../../runner/languages.ts';

const requirements = join(import.meta.dirname, 'requirements.txt');
const folder = resolve(
  import.meta.dirname,
  '../../../node_modules/.cache/sluice',
  `schemathesis-${hash('sha256', readFileSync(requirements)).slice(0, 16)}`,
);

const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
  'allow_header_conformance',
  'ignored_auth',
];

const configOf = (known: Readonly<Record<string, Readonly<Record<string, string>>>>) =>
  Object.entries(known)
    .map(([path, parameters]) => {
      const values = Object.entries(parameters).map(([name, id]) => `"path.${name}" = "${id}"`);
      return `[[operations]]\ninclude-path = "${path}"\nparameters = { ${values.join(', ')} }\n`;
    })
    .join('\n');

export const installSchemathesis = () => makePythonEnvironment(folder, ['-r', requirements]);

export const runSchemathesis = async (
  url: string,
  {
    authorization,
    phases,
    seconds,
    examples = 10,
    seed = 1,
    rejects = true,
    known = {},
  }: {
    authorization: string;
    phases: readonly ('examples' | 'coverage' | 'fuzzing' | 'stateful')[];
    /** After so long no new request is begun. */
    seconds: number;
    examples?: number;
    seed?: number;
    /** Whether what the document forbids must be told as such; what is random may be refused for its state before that. */
    rejects?: boolean;
    /** Ids that there are, by the path and the parameter of it that they are for. */
    known?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  },
) => {
  // It remembers what failed in the folder it runs in: in one of its own each run is the first.
  const cwd = await mkdtemp(join(tmpdir(), 'schemathesis-'));
  await writeFile(join(cwd, 'schemathesis.toml'), configOf(known));
  const command = [
    ...['-m', 'schemathesis.cli', 'run', `${url}/admin/v1/openapi.json`, '--url', url],
    ...['--header', `Authorization: ${authorization}`, '--seed', String(seed)],
    ...['--phases', phases.join(','), '--max-examples', String(examples)],
    ...['--max-time', String(seconds), '--checks'],
    [...checks, ...(rejects ? ['negative_data_rejection'] : [])].join(','),
    ...['--no-shrink', '--continue-on-failure', '--request-timeout', '60'],
  ];
  const {code, output} = await execute(join(folder, 'bin/python'), command, {cwd});
  await rm(cwd, {recursive: true, force: true});
  const generated = Number(/(\d+) generated/.exec(output)?.[1] ?? 0);
  return {found: code !== 0, generated, output};
};
