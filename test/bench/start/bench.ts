/**
Start: how long each function takes from its spawn until its own main event is handled with its effect committed, beside a bare
`node:http` hello until its first answer.

In: options. Out: a table: the function from its sources, as a bundle, as the image has it (bundle and compile cache), each as a multiple of
bare; whether the last is within the budget. Starts are interleaved: each round has one of each.
*/
import {existsSync, readdirSync, renameSync} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import {availableParallelism, loadavg, tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {layOut} from '../../../knative/image/app.ts';
import {median, rounded} from '../figures.ts';
import {type Row, rowsOf} from './functions.ts';
import {type Start, startOnce} from './once.ts';
import {openWorld} from './world.ts';

export const usage =
  'npm run bench start -- [--rounds 15] [--function NAME]… [--variant sources|bundle|image]… [--app FOLDER] [--json]';

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
    json: values.json,
  };
};

const bareFile = fileURLToPath(new URL('bare.cjs', import.meta.url));

/** The image's is named after the user who runs it there. */
const nameCacheForUs = (app: string) => {
  const cache = join(app, 'cache');
  for (const name of readdirSync(cache)) {
    renameSync(join(cache, name), join(cache, name.replace(/\d+$/, String(process.getuid?.()))));
  }
};

type Command = Readonly<{
  args: readonly string[];
  environment: Readonly<Record<string, string>>;
}>;

const commandOf = (variant: Variant, app: string, name: string): Command => {
  if (variant === 'sources') {
    return {args: ['functions/main.ts', name], environment: {}};
  }
  return {
    args: [join(app, 'bundle/main.cjs'), name],
    environment:
      variant === 'bundle'
        ? {NODE_DISABLE_COMPILE_CACHE: '1'}
        : {NODE_COMPILE_CACHE: join(app, 'cache'), NODE_COMPILE_CACHE_PORTABLE: '1'},
  };
};

let lastPort = 21_000;
const nextPort = () => {
  lastPort = lastPort >= 29_000 ? 21_001 : lastPort + 1;
  return lastPort;
};

const measure = async (row: Row, variant: Variant, app: string): Promise<Start> => {
  const {args, environment} = commandOf(variant, app, row.name);
  const asked = await row.next();
  const before = await row.effects?.();
  const start = await startOnce({
    args,
    environment: {...row.environment, ...environment},
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
      nameCacheForUs(app);
    }
    const rows = rowsOf(world).filter(
      ({name}) => options.functions === undefined || options.functions.includes(name),
    );
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
