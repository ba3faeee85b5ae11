/**
Install: brings the programs that tests need beside Node: Debian's packages by apt-get, jars by Maven.

In: what is wanted. Out: it is there, or one sentence that says what a person has to install. What is made under
`node_modules/.cache/sluice` appears whole or not at all.
*/
import {spawn} from 'node:child_process';
import {accessSync, constants, existsSync, statSync} from 'node:fs';
import {mkdir, mkdtemp, readdir, readFile, rename, rm} from 'node:fs/promises';
import {delimiter, dirname, join} from 'node:path';

export type Installing = Readonly<{log?: (line: string) => void; signal?: AbortSignal}>;
export type Output = Readonly<{code: number | null; output: string}>;

export class NotInstalled extends Error {
  override readonly name = 'NotInstalled';
}

const commandMaxMs = 15 * 60_000;
const outputMax = 50_000;
/** What a process that was killed left half made: nobody works on one folder for longer. */
const leftoverMs = 60 * 60_000;

/** Everything that a program said, and how it ended; code null when it could not be started or was killed. */
export const execute = (
  command: string,
  args: readonly string[],
  {
    signal,
    environment = {},
    cwd,
  }: {signal?: AbortSignal; environment?: Record<string, string>; cwd?: string} = {},
): Promise<Output> =>
  new Promise(resolve => {
    const child = spawn(command, args, {
      env: {...process.env, ...environment},
      ...(cwd === undefined ? {} : {cwd}),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: commandMaxMs,
      signal,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', chunk => {
        output = (output + chunk).slice(-outputMax);
      });
    }
    child.on('error', error => {
      output += `${error.message}\n`;
      if (child.pid === undefined) {
        resolve({code: null, output});
      }
    });
    child.on('close', code => resolve({code, output}));
  });

export const findOnPath = (name: string): string | undefined =>
  // Debian keeps servers in folders that are on root's path only.
  [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/sbin']
    .map(folder => join(folder, name))
    .find(file => {
      try {
        accessSync(file, constants.X_OK);
        return statSync(file).isFile();
      } catch {
        return false;
      }
    });

/** By apt-get, as root on Debian or what descends from it; else `advice` is the error. */
export const installPackage = async (
  name: string,
  advice: string,
  {log = () => {}, signal}: Installing,
) => {
  const aptGet = findOnPath('apt-get');
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || aptGet === undefined) {
    throw new NotInstalled(advice);
  }
  log(`installing ${name} (apt-get) …`);
  const apt = (...args: string[]) =>
    // Somebody else may be installing: their lock is waited for.
    execute(aptGet, ['-y', '-q', '-o', 'DPkg::Lock::Timeout=300', ...args], {
      signal,
      environment: {DEBIAN_FRONTEND: 'noninteractive'},
    });
  const install = () => apt('install', '--no-install-recommends', name);
  let result = await install();
  if (result.code !== 0) {
    // No package lists as yet, or lists that name what is no longer there.
    const update = await apt('update');
    result = await install();
    if (result.code !== 0) {
      throw new NotInstalled(
        `${advice}\napt-get could not install ${name}:\n${tailOf(update.output + result.output)}`,
      );
    }
  }
};

export const tailOf = (output: string) => output.trim().split('\n').slice(-20).join('\n');

/**
The folder, made by `make` in a temporary one beside it and renamed when all of it is there. Of two processes that make it
at once, one wins and both have it.
*/
export const makeOnce = async (folder: string, make: (draft: string) => Promise<void>) => {
  if (existsSync(folder)) {
    return;
  }
  await mkdir(dirname(folder), {recursive: true});
  await removeLeftovers(folder);
  const draft = await mkdtemp(`${folder}.draft-`);
  try {
    await make(draft);
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, {recursive: true, force: true});
    if (!existsSync(folder)) {
      throw error;
    }
  }
};

const removeLeftovers = async (folder: string) => {
  for (const name of await readdir(dirname(folder))) {
    const path = join(dirname(folder), name);
    if (
      path.startsWith(`${folder}.draft-`) &&
      Date.now() - (statSync(path, {throwIfNoEntry: false})?.mtimeMs ?? 0) > leftoverMs
    ) {
      await rm(path, {recursive: true, force: true});
    }
  }
};

/** All the jars that a pom asks for, by Maven, into `folder`. */
export const downloadJars = async (
  pom: string,
  folder: string,
  {log = () => {}, signal}: Installing,
) => {
  if (findOnPath('mvn') === undefined) {
    await installPackage(
      'maven',
      'install Maven (`mvn`): it downloads Apache Kafka for the tests',
      {
        log,
        signal,
      },
    );
  }
  log('downloading Apache Kafka (mvn) …');
  const {code, output} = await execute(
    findOnPath('mvn') ?? 'mvn',
    ['-B', '-q', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${folder}`],
    {signal},
  );
  const artifacts = [...(await readFile(pom, 'utf8')).matchAll(/<artifactId>(kafka_.*?)</g)];
  const jars = code === 0 ? await readdir(folder) : [];
  if (!artifacts.every(([, name]) => jars.some(jar => jar.startsWith(`${name}-`)))) {
    throw new NotInstalled(`Maven could not download what ${pom} asks for:\n${tailOf(output)}`);
  }
};
