/**
Bootstrap: makes `npm start` and `npm test` work on a fresh clone. Plain JavaScript without dependencies, because it runs
on whatever Node the machine has (20 or later) before anything is installed, Node 24 included.

In: package.json, package-lock.json, the platform. Out: a node_modules that fits them. Does nothing when it already does.
*/
import {spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import {hostname} from 'node:os';
import {delimiter, join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const stamp = join(root, 'node_modules', '.sluice-installed');
const pinnedNode = join(
  root,
  'node_modules',
  'node',
  'bin',
  process.platform === 'win32' ? 'node.exe' : 'node',
);
const lock = join(root, '.sluice', 'install.lock');
const waitMaxMs = 10 * 60_000;
/** A lock whose holder has not yet written its name is left alone this long. */
const namelessMs = 10_000;

class Complaint extends Error {}

/** What an installation depends on. The scripts of package.json are left out: a new script is no reason to install. */
const wanted = () => {
  const {dependencies, devDependencies, optionalDependencies, overrides, allowScripts} = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(
      JSON.stringify({
        dependencies,
        devDependencies,
        optionalDependencies,
        overrides,
        allowScripts,
      }),
    )
    .update(`${process.platform}-${process.arch}`)
    .digest('hex');
};

const read = path => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

const isInstalled = () => read(stamp) === wanted() && existsSync(pinnedNode);

const isAlive = pid => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
};

/** A lock is stale when every process that it names has ended, or when it names none and is old. */
const isStale = holder => {
  if (!holder) {
    try {
      return Date.now() - statSync(lock).mtimeMs > namelessMs;
    } catch {
      return false;
    }
  }
  const {host, pids} = JSON.parse(holder);
  return host === hostname() && !pids.some(isAlive);
};

const nameHolders = pids => {
  // Renamed into place, so that nobody reads half a name.
  const draft = join(lock, `holder.${process.pid}`);
  writeFileSync(draft, JSON.stringify({host: hostname(), pids}));
  renameSync(draft, join(lock, 'holder'));
};

/** Making a folder is atomic: one of two processes gets it. Moving a stale one away is, too. */
const tryLock = () => {
  mkdirSync(join(root, '.sluice'), {recursive: true});
  try {
    mkdirSync(lock);
    nameHolders([process.pid]);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') {
      throw error;
    }
  }
  const holder = read(join(lock, 'holder'));
  if (isStale(holder)) {
    const aside = `${lock}.${process.pid}`;
    try {
      renameSync(lock, aside);
    } catch {
      return false;
    }
    // Somebody else may have moved the stale one away and made a new one in between: that one goes back.
    if (read(join(aside, 'holder')) !== holder) {
      renameSync(aside, lock);
      return false;
    }
    rmSync(aside, {recursive: true, force: true});
  }
  return false;
};

const takeLock = async () => {
  const started = Date.now();
  let told = false;
  while (!tryLock()) {
    if (Date.now() - started > waitMaxMs) {
      throw new Complaint(
        `another installation has held ${lock} for 10 minutes; remove that folder if none is running`,
      );
    }
    if (!told && Date.now() - started > 1_000) {
      told = true;
      console.error('Waiting for another installation to end …');
    }
    await wait(100);
  }
};

/**
npm without our own node_modules/.bin on the path: a Node from there would be deleted under npm's feet. Development
dependencies come along whatever NODE_ENV says, because the pinned Node is one of them.
*/
const install = () =>
  new Promise((resolve, reject) => {
    const path = (process.env.PATH ?? '')
      .split(delimiter)
      .filter(folder => !folder.startsWith(join(root, 'node_modules')));
    const child = spawn(
      'npm',
      ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'],
      {
        cwd: root,
        env: {...process.env, PATH: path.join(delimiter)},
        stdio: ['ignore', 'pipe', 'pipe'],
        shell: process.platform === 'win32',
      },
    );
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', chunk => {
        output = (output + chunk).slice(-20_000);
      });
    }
    child.on('error', error =>
      reject(new Complaint(`npm could not be started (${error.message}); is it installed?`)),
    );
    child.on('spawn', () => nameHolders([process.pid, child.pid]));
    child.on('close', (code, signal) => {
      if (code !== 0) {
        reject(
          new Complaint(
            `${output.trim()}\n\nnpm ci failed (${signal ?? `exit code ${code}`}); its output is above`,
          ),
        );
      } else if (!existsSync(pinnedNode)) {
        reject(
          new Complaint(
            'npm ran no install scripts, so the pinned Node is missing; see `npm config get ignore-scripts`',
          ),
        );
      } else {
        resolve();
      }
    });
  });

const main = async () => {
  if (Number(process.versions.node.split('.')[0]) < 20) {
    throw new Complaint(
      `Node 20 or later is needed to start, this is ${process.version} (${process.execPath})`,
    );
  }
  if (isInstalled()) {
    return;
  }
  if (lstatSync(join(root, 'node_modules'), {throwIfNoEntry: false})?.isSymbolicLink()) {
    // npm empties what it installs into, and what a link leads to belongs to somebody else.
    throw new Complaint(
      'node_modules is a link and does not fit package-lock.json: install where it leads to, or remove the link',
    );
  }
  await takeLock();
  try {
    // Whoever held the lock before may have done the work.
    if (!isInstalled()) {
      console.error('Installing dependencies …');
      await install();
      writeFileSync(stamp, wanted());
    }
  } finally {
    rmSync(lock, {recursive: true, force: true});
  }
};

main().catch(error => {
  console.error(error instanceof Complaint ? error.message : error);
  process.exitCode = 1;
});
