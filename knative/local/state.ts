/**
State: the data folder of the local runner: who is using it, its secrets, and what it remembers between starts.

`lock` names the process that uses the folder; `secrets.json`, `demo.json` and `dev.json` are readable by their owner
only. Every file is replaced as a whole, so that a crash leaves the old one or the new one.
*/
import {randomBytes, randomUUID} from 'node:crypto';
import {chmod, link, mkdir, readFile, rename, rm, stat, writeFile} from 'node:fs/promises';
import {dirname, join, resolve} from 'node:path';
import type {Passwords} from '../../schemas/sql/roles.ts';
import {explainDiskError, StartError} from './problems.ts';
import {isRunning, markOf, type ProcessMark} from './process-mark.ts';

export type Secrets = Readonly<{
  superuserPassword: string;
  rolePasswords: Passwords;
  adminKey: string;
  sourceToken: string;
}>;

export type State = Readonly<{
  folder: string;
  secrets: Secrets;
  read<Value>(name: string): Promise<Value | undefined>;
  write(name: string, value: unknown): Promise<void>;
  /** Lets the next run in. */
  release(): Promise<void>;
}>;

/** Makes the folder if there is none, takes its lock, and reads or makes its secrets. */
export const openState = async ({
  folder,
  random = randomBytes,
}: {
  folder: string;
  random?: (bytes: number) => Buffer;
}): Promise<State> => {
  // PostgreSQL refuses to run as root and gets another account there, which must be able to pass through.
  const mode = process.getuid?.() === 0 ? 0o711 : 0o700;
  await explainDiskError(folder, () => makeFolder(resolve(folder), mode));
  const release = await explainDiskError(folder, () => takeLock(folder));
  const read = <Value>(name: string) => readJsonFile<Value>(join(folder, name));
  const write = (name: string, value: unknown) =>
    explainDiskError(folder, () => replaceFile(join(folder, name), value));
  try {
    const known = await read<Secrets>('secrets.json');
    const secrets = known ?? makeSecrets(random);
    if (known === undefined) {
      await write('secrets.json', secrets);
    }
    return {folder, secrets, read, write, release};
  } catch (error) {
    await release();
    throw error;
  }
};

/** Each folder by itself: node's own recursion never ends where a file system says that a parent is missing, and is not. */
const makeFolder = async (folder: string, mode: number): Promise<void> => {
  const found = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') {
      throw error;
    }
    return undefined;
  });
  if (found?.isDirectory()) {
    return;
  }
  if (!found && dirname(folder) !== folder) {
    await makeFolder(dirname(folder), mode);
  }
  await mkdir(folder, {mode});
};

const makeSecrets = (random: (bytes: number) => Buffer): Secrets => {
  const secret = () => random(24).toString('base64url');
  return {
    superuserPassword: secret(),
    rolePasswords: {
      sluice_owner: secret(),
      sluice_tenant: secret(),
      sluice_gateway: secret(),
      sluice_system: secret(),
    },
    adminKey: `sk-admin-${secret()}`,
    sourceToken: secret(),
  };
};

const readJsonFile = async <Value>(path: string): Promise<Value | undefined> => {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
  try {
    return JSON.parse(text) as Value;
  } catch {
    throw new StartError(`${path} is not JSON: mend it, or start with another --data`);
  }
};

const replaceFile = async (path: string, value: unknown) => {
  const fresh = `${path}.${randomUUID()}`;
  await writeFile(fresh, `${JSON.stringify(value, null, 2)}\n`, {mode: 0o600});
  await chmod(fresh, 0o600);
  await rename(fresh, path);
};

const takeLock = async (folder: string): Promise<() => Promise<void>> => {
  const path = join(folder, 'lock');
  const draft = `${path}.${randomUUID()}`;
  const mine = JSON.stringify(markOf(process.pid));
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      // Linked into place with its content, so that nobody reads a lock that does not say yet whose it is.
      await writeFile(draft, mine, {mode: 0o600});
      await link(draft, path).finally(() => rm(draft, {force: true}));
      return async () => {
        if ((await readFile(path, 'utf8').catch(() => '')) === mine) {
          await rm(path, {force: true});
        }
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw error;
      }
    }
    await clearDeadLock(path);
  }
  throw new StartError(`data folder in use: ${folder} is being taken by another process`);
};

/**
Moves a dead process's lock away before it removes it: two starts that find it at once may both get here, and the later
one must not remove the lock that the earlier one has made meanwhile.
*/
const clearDeadLock = async (path: string) => {
  const found = await readFile(path, 'utf8').catch(() => undefined);
  if (found === undefined) {
    return;
  }
  const mark = parseMark(found);
  if (mark !== undefined && isRunning(mark)) {
    throw new StartError(`data folder in use by process ${mark.pid}`);
  }
  const aside = `${path}.${randomUUID()}`;
  await rename(path, aside).catch(() => {});
  const moved = await readFile(aside, 'utf8').catch(() => found);
  if (moved === found) {
    await rm(aside, {force: true});
  } else {
    await rename(aside, path);
  }
};

const parseMark = (text: string): ProcessMark | undefined => {
  try {
    const mark = JSON.parse(text) as ProcessMark;
    return Number.isSafeInteger(mark.pid) && mark.pid > 0 ? mark : undefined;
  } catch {
    return undefined;
  }
};
