/**
Cluster image: our image, where the cluster's nodes find it.

In: `SLUICE_TEST_IMAGE`, the name of one that is there or can be pulled. Without it: one is built of the working tree and handed to
`SLUICE_TEST_LOAD`, a command of the shell that reads the archive's path as `$1`; without that, to the containerd whose socket lies
beside the kubeconfig. Out: its name.
*/
import {existsSync} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {execute, type Installing, tailOf} from '../runner/install.ts';

const builder = 'knative/image/main.ts';
/** Knative looks for no digest of such a name in a registry. */
const name = 'dev.local/sluice:cluster-tests';

const loadCommand = (kubeconfig: string): string => {
  const {SLUICE_TEST_LOAD} = process.env;
  if (SLUICE_TEST_LOAD) {
    return SLUICE_TEST_LOAD;
  }
  const socket = join(dirname(kubeconfig), 'run', 'containerd.sock');
  if (existsSync(socket)) {
    return `ctr -a '${socket}' -n k8s.io images import "$1"`;
  }
  throw new Error(
    'say by SLUICE_TEST_LOAD how the cluster takes an image, as `kind load image-archive "$1"` does, or name one that it has by SLUICE_TEST_IMAGE',
  );
};

const run = async (command: string, args: readonly string[], signal?: AbortSignal) => {
  const {code, output} = await execute(command, args, {signal});
  if (code !== 0) {
    throw new Error(`${[command, ...args].join(' ')} ended with ${code}:\n${tailOf(output)}`);
  }
};

/** Hands the archive that `build` writes to the cluster; nothing of it is left here. */
export const loadImage = async (
  kubeconfig: string,
  build: (archive: string) => Promise<unknown>,
  {signal}: Installing = {},
) => {
  const command = loadCommand(kubeconfig);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-image-'));
  try {
    const archive = join(folder, 'image.tar');
    await build(archive);
    await run('sh', ['-c', command, 'load', archive], signal);
  } finally {
    await rm(folder, {recursive: true, force: true});
  }
};

export const provideImage = async (
  kubeconfig: string,
  installing: Installing = {},
): Promise<string> => {
  const {SLUICE_TEST_IMAGE} = process.env;
  if (SLUICE_TEST_IMAGE) {
    return SLUICE_TEST_IMAGE;
  }
  installing.log?.(`building the image ${name} …`);
  await loadImage(
    kubeconfig,
    archive =>
      run(process.execPath, [builder, '--out', archive, '--name', name], installing.signal),
    installing,
  );
  return name;
};
