/**
Go tools: programs that tests run and that are had as Go modules, built once each under `node_modules/.cache/sluice`.

In: the program's name. Out: its path, or one sentence that says what a person has to install. Of several processes that want one at
once, one builds and the others wait. The modules come from Go's proxy and are held against its checksum database.
*/
import {existsSync, statSync} from 'node:fs';
import {mkdir, rmdir} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {execute, type Installing, makeOnce, NotInstalled, tailOf} from './install.ts';
import {findGo} from './languages.ts';

type Tool = Readonly<{program: string; version: string; flags?: readonly string[]}>;

/** Helm believes what its build says of Kubernetes where it asks no cluster: the version that the cluster tests run on. */
const kubernetes = ['helm.sh/helm/v3/pkg/chartutil', 'helm.sh/helm/v3/pkg/lint/rules']
  .flatMap(path => [`-X ${path}.k8sVersionMajor=1`, `-X ${path}.k8sVersionMinor=34`])
  .join(' ');

const tools = {
  helm: {
    program: 'helm.sh/helm/v3/cmd/helm',
    version: 'v3.22.0',
    flags: ['-ldflags', `-s -w ${kubernetes}`],
  },
  cyclonus: {program: 'github.com/mattfenwick/cyclonus/cmd/cyclonus', version: 'v0.5.6'},
} as const satisfies Record<string, Tool>;

export type GoTool = keyof typeof tools;

const cache = fileURLToPath(new URL('../../node_modules/.cache/sluice', import.meta.url));
/** What these modules ask for. */
const goMinor = 26;
/** Two of the largest are built in three minutes on two busy cores. */
const buildMaxMs = 15 * 60_000;

export const requireGoTool = async (name: GoTool, installing: Installing = {}): Promise<string> => {
  const tool: Tool = tools[name];
  const folder = join(cache, `go-${name}-${tool.version}`);
  await alone(folder, () => makeOnce(folder, draft => build(name, tool, draft, installing)));
  return join(folder, name);
};

const build = async (name: string, tool: Tool, folder: string, installing: Installing) => {
  const {program, version, flags = []} = tool;
  const go = await findGo(installing, goMinor);
  installing.log?.(`building ${name} ${version} (go install) …`);
  const {code, output} = await execute(go, ['install', ...flags, `${program}@${version}`], {
    signal: installing.signal,
    // The Go that was found is the one that builds, and no compiler for C is asked for.
    environment: {GOBIN: folder, GOTOOLCHAIN: 'local', CGO_ENABLED: '0', GOFLAGS: ''},
  });
  if (code !== 0) {
    throw new NotInstalled(
      `Go could not build ${program}@${version}; the module proxy has to be reachable:\n${tailOf(output)}`,
    );
  }
};

/** A folder is made by one process only, so it is the lock; one that was killed has left it. */
const alone = async (folder: string, make: () => Promise<void>) => {
  const lock = `${folder}.lock`;
  await mkdir(dirname(folder), {recursive: true});
  while (!existsSync(folder)) {
    if (await isTaken(lock)) {
      await delay(500);
      continue;
    }
    try {
      return await make();
    } finally {
      await rmdir(lock);
    }
  }
};

const isTaken = async (lock: string): Promise<boolean> => {
  try {
    await mkdir(lock);
    return false;
  } catch {
    const made = statSync(lock, {throwIfNoEntry: false})?.mtimeMs ?? Date.now();
    if (Date.now() - made > buildMaxMs) {
      await rmdir(lock).catch(() => {});
    }
    return true;
  }
};
