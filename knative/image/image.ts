/**
Image: what the one image is made of, and what its configuration says.

In: the tree, a folder to work in, a name. Out: the archive. The same tree, packages and Node are the same bytes.
*/
import {copyFileSync} from 'node:fs';
import {join} from 'node:path';
import {appLayer, layOut, listName} from './app.ts';
import {type ImageConfiguration, writeArchive} from './archive.ts';
import {baseLayer, user} from './base.ts';

export const configurationOf = ({
  version,
  revision,
}: {
  version: string;
  revision?: string;
}): ImageConfiguration => ({
  user: String(user),
  entrypoint: ['/usr/local/bin/node', '/app/bundle/main.cjs'],
  workingDirectory: '/app',
  environment: {
    PATH: '/usr/local/bin',
    NODE_ENV: 'production',
    SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt',
  },
  labels: {
    'org.opencontainers.image.title': 'sluice',
    'org.opencontainers.image.description': 'An event-driven control plane for LLM inference',
    'org.opencontainers.image.licenses': 'Apache-2.0',
    'org.opencontainers.image.version': version,
    ...(revision === undefined ? {} : {'org.opencontainers.image.revision': revision}),
  },
  created: new Date(Number(process.env.SOURCE_DATE_EPOCH ?? 0) * 1000).toISOString(),
});

export const buildImage = async ({
  tree,
  work,
  out,
  name,
  version,
  revision,
}: {
  tree: string;
  work: string;
  out: string;
  name: string;
  version: string;
  revision?: string;
}) => {
  const app = join(work, 'app');
  await layOut({tree, app, version});
  copyFileSync(join(app, listName), `${out}.cdx.json`);
  const {id, bytes} = writeArchive({
    file: out,
    name,
    layers: {base: baseLayer(process.execPath), app: appLayer(app)},
    configuration: configurationOf({version, ...(revision === undefined ? {} : {revision})}),
  });
  return {name, id, bytes, archive: out};
};
