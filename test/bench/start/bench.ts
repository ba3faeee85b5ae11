/**
Start: how long each function takes from its spawn until its own main event is handled with its effect committed, beside a bare
`node:http` hello until its first answer.

In: options. Out: a table: the function from its sources, as a bundle, as the image has it (with the code of its warm-up), each as a multiple of
bare; whether the last is within the budget. Starts are interleaved: each round has one of each.
With `--memory` instead: what each holds after a hundred events and half a minute of rest (`memory.ts`).
*/
import {cpSync, existsSync, rmSync} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import {availableParallelism, loadavg, tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {layOut} from '../../../knative/image/app.ts';
import {configurationOf} from '../../../knative/image/image.ts';
import {median, rounded} from '../figures.ts';
import {type Row, rowsOf} from './functions.ts';
import {type Held, measureMemory, memoryBudget} from './memory.ts';
import {type Start, startOnce} from './once.ts';
import {openWorld} from './world.ts';

export const usage =
  'npm run bench start -- [--rounds 15] [--function NAME]… [--variant sources|bundle|image]… [--app FOLDER] [--memory] [--json]';

/** Of the wall time of bare. */
const budget = 2;
const variants = ['sources', 'bundle', 'image'] as const;
type Variant = (typeof variants)[number];
type Say = (line: string) => void;

const readOptions = (args: readonly string[]) => {
  const {values} = parseArgs({
    args: [...args],
    options: {
      rounds: {type: 'string', default: '15'},
      function: {type: 'string', multiple: true},
      variant: {type: 'string', multiple: true},
      app: {type: 'string'},
      memory: {type: 'boolean', default: false},
      json: {type: 'boolean', default: false},
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1_000) {
    throw new TypeError(`--rounds is a whole number from 1 to 1000, got "${values.rounds}"`);
  }
  const asked = values.variant ?? [...variants];
  if (!asked.every(name => (variants as readonly string[]).includes(name))) {
    throw new TypeError(`variants are ${variants.join(', ')}; got "${asked.join(', ')}"`);
  }
  return {
    rounds,
    functions: values.function,
    variants: asked as Variant[],
    app: values.app,
    memory: values.memory,
    json: values.json,
  };
};

const bareFile = fileURLToPath(new URL('bare.cjs', import.meta.url));

/** What the image sets for every program, but where its own Node lies. */
const {PATH: _elsewhere, ...imageEnvironment} = configurationOf({version: '0.0.0'}).environment;

/** Beside the image's folder: the same without what its warm-up left. */
const withoutCode = (app: string) => `${app}-without-code`;

/** Arguments of Node. */
const commandOf = (variant: Variant, app: string, name: string): readonly string[] =>
  variant === 'sources'
    ? ['functions/main.ts', name]
    : [join(variant === 'bundle' ? withoutCode(app) : app, 'bundle/main.cjs'), name];

let lastPort = 21_000;
const nextPort = () => {
  lastPort = lastPort >= 29_000 ? 21_001 : lastPort + 1;
  return lastPort;
};

const measure = async (row: Row, variant: Variant, app: string): Promise<Start> => {
  const asked = await row.next();
  const before = await row.effects?.();
  const start = await startOnce({
    args: commandOf(variant, app, row.name),
    environment: {...(variant === 'sources' ? {} : imageEnvironment), ...row.environment},
    port: nextPort(),
    asked,
  });
  if (row.effects && (await row.effects()) <= (before as number)) {
    throw new Error(`${row.name} answered before its effect was committed`);
  }
  return start;
};

const measureBare = () =>
  startOnce({
    args: [bareFile],
    environment: {},
    port: nextPort(),
    asked: {method: 'GET', path: '/', headers: {}, body: ''},
  });

const figuresOf = (starts: readonly Start[], bare: readonly Start[]) => {
  const of = (pick: (start: Start) => number, of = starts) => median(of.map(pick));
  const wall = ({wallMs}: Start) => wallMs;
  const cpu = ({cpuMs}: Start) => cpuMs;
  return {
    wallMs: rounded(of(wall), 1),
    cpuMs: rounded(of(cpu), 1),
    residentMiB: Math.round(of(({residentMiB}) => residentMiB)),
    wallTimes: rounded(of(wall) / of(wall, bare), 2),
    cpuTimes: rounded(of(cpu) / of(cpu, bare), 2),
  };
};

export type Finding = Readonly<{
  name: string;
  variants: Readonly<Partial<Record<Variant, ReturnType<typeof figuresOf>>>>;
}>;

const lineOf = ({name, variants: found}: Finding) =>
  `${name.padEnd(15)} ${variants
    .flatMap(variant => {
      const figures = found[variant];
      return figures
        ? [
            `${variant} ${figures.wallMs} ms ${figures.wallTimes} ×, CPU ${figures.cpuMs} ms ${figures.cpuTimes} ×, ${figures.residentMiB} MiB`,
          ]
        : [];
    })
    .join(' | ')}`;

const reportMemory = (held: readonly Held[], json: boolean): boolean => {
  const lines = held.map(
    ({name, residentMiB, times}) => `${name.padEnd(15)} ${residentMiB} MiB ${times} ×`,
  );
  process.stdout.write(
    json
      ? `${JSON.stringify(held)}\n`
      : `${[...lines, `budget: ${memoryBudget} × bare; Node ${process.version}`].join('\n')}\n`,
  );
  return held.every(({times}) => times <= memoryBudget);
};

export const run = async (
  args: readonly string[],
  {say, interrupted}: {say: Say; interrupted: Promise<never>},
): Promise<boolean> => {
  const options = readOptions(args);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-start-app-'));
  // One that `--app` names is kept, and used again when it is there: bundling takes longer than a round.
  const app = options.app ?? join(folder, 'app');
  const world = await openWorld();
  try {
    if (options.variants.some(variant => variant !== 'sources') && !existsSync(app)) {
      say('bundling …');
      await layOut({tree: process.cwd(), app, version: '0.0.0'});
      cpSync(app, withoutCode(app), {recursive: true});
      rmSync(join(withoutCode(app), 'cache'), {recursive: true});
    }
    const rows = rowsOf(world).filter(
      ({name}) => options.functions === undefined || options.functions.includes(name),
    );
    if (options.memory) {
      const work = measureMemory({
        rows,
        bareFile,
        argsOf: name => commandOf('image', app, name),
        environment: imageEnvironment,
        firstPort: nextPort(),
      });
      return reportMemory(await Promise.race([work, interrupted]), options.json);
    }
    const bare: Start[] = [];
    const taken = new Map<string, Start[]>();
    const work = async () => {
      // The first round is not counted: files come from the disk then.
      for (let round = 0; round <= options.rounds; round += 1) {
        const first = await measureBare();
        bare.push(...(round === 0 ? [] : [first]));
        for (const row of rows) {
          for (const variant of options.variants) {
            const start = await measure(row, variant, app);
            const key = `${row.name} ${variant}`;
            taken.set(key, [...(taken.get(key) ?? []), ...(round === 0 ? [] : [start])]);
          }
        }
        say(`round ${round} of ${options.rounds}`);
      }
    };
    await Promise.race([work(), interrupted]);
    const findings = rows.map(
      ({name}): Finding => ({
        name,
        variants: Object.fromEntries(
          options.variants.map(variant => [
            variant,
            figuresOf(taken.get(`${name} ${variant}`) ?? [], bare),
          ]),
        ),
      }),
    );
    const barest = figuresOf(bare, bare);
    const machine = {node: process.version, cores: availableParallelism(), load: loadavg()[0]};
    process.stdout.write(
      options.json
        ? `${JSON.stringify({bare: barest, findings, ...machine})}\n`
        : `${[
            `bare            ${barest.wallMs} ms, CPU ${barest.cpuMs} ms, ${barest.residentMiB} MiB`,
            ...findings.map(lineOf),
            `budget of the image: ${budget} × bare; Node ${machine.node}, ${machine.cores} cores, load of the last minute ${machine.load}`,
          ].join('\n')}\n`,
    );
    return findings.every(
      ({variants: {image}}) => image === undefined || image.wallTimes <= budget,
    );
  } finally {
    await world.stop();
    await rm(folder, {recursive: true, force: true});
  }
};
