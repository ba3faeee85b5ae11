/**
Place: a folder that has the same name in every build, and belongs to one build at a time.

V8 writes the path of a script into the cache that it makes of it, so a warm-up in a folder of any name would be other bytes each time.

In: work to do there. Out: what the work returns. Who comes meanwhile waits; what a build that was killed left behind is removed.
*/
import {chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';

/** Not the system's temporary folder, which may be another on each machine. */
const place = '/tmp/sluice-image-warm-up';
const patienceMs = 300_000;

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** Undefined when nobody holds it by now. */
const holder = (): number | undefined => {
  try {
    return Number(readFileSync(join(place, 'pid'), 'utf8')) || undefined;
  } catch {
    return undefined;
  }
};

/** The folder appears with its holder's name in it, so that one who is killed here leaves nothing that nobody can be asked for. */
const take = (): boolean => {
  const draft = mkdtempSync(`${place}.draft-`);
  chmodSync(draft, 0o755);
  writeFileSync(join(draft, 'pid'), String(process.pid));
  try {
    renameSync(draft, place);
    return true;
  } catch (error) {
    rmSync(draft, {recursive: true, force: true});
    if (!['EEXIST', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      throw error;
    }
    return false;
  }
};

export const inOnePlace = async <Result>(
  work: (folder: string) => Promise<Result>,
): Promise<Result> => {
  const deadline = performance.now() + patienceMs;
  while (!take()) {
    const pid = holder();
    if (pid !== undefined && !isAlive(pid)) {
      rmSync(place, {recursive: true, force: true});
    } else if (performance.now() > deadline) {
      throw new Error(`expected ${place} to be free, process ${pid ?? 'unknown'} holds it`);
    }
    await wait(100);
  }
  try {
    return await work(place);
  } finally {
    rmSync(place, {recursive: true, force: true});
  }
};
