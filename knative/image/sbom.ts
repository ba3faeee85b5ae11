/**
SBOM: what is in the image, as CycloneDX 1.6: each package of which a file is in a bundle, and Node.

In: the bundled files, the lock file. Out: JSON, the same for the same image.
*/
import {createHash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';

type Locked = Readonly<{version: string; license?: string; integrity?: string; resolved?: string}>;

/** `node_modules/a/node_modules/@b/c/lib/x.js` → `node_modules/a/node_modules/@b/c`. */
const packageOf = (file: string): string | undefined =>
  /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1];

export const packagesOf = (inputs: readonly string[]): readonly string[] =>
  [...new Set(inputs.flatMap(file => packageOf(file) ?? []))].sort();

const componentOf = (path: string, {version, license, integrity}: Locked) => {
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  return {
    type: 'library',
    'bom-ref': `${path}@${version}`,
    name,
    version,
    purl,
    ...(license === undefined ? {} : {licenses: [{expression: license}]}),
    ...(integrity?.startsWith('sha512-')
      ? {
          hashes: [
            {alg: 'SHA-512', content: Buffer.from(integrity.slice(7), 'base64').toString('hex')},
          ],
        }
      : {}),
  };
};

const uuidOf = (text: string) =>
  createHash('sha256')
    .update(text)
    .digest('hex')
    .replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5');

export const sbomOf = ({
  tree,
  inputs,
  version,
}: {
  tree: string;
  inputs: readonly string[];
  version: string;
}): string => {
  const {packages} = JSON.parse(readFileSync(join(tree, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, Locked>>;
  };
  const components = [
    {
      type: 'application',
      'bom-ref': 'node',
      name: 'node',
      version: process.versions.node,
      purl: `pkg:generic/node@${process.versions.node}`,
      licenses: [{license: {id: 'MIT'}}],
    },
    ...packagesOf(inputs).map(path => {
      const locked = packages[path];
      if (!locked) {
        throw new Error(`expected ${path} in package-lock.json`);
      }
      return componentOf(path, locked);
    }),
  ];
  const about = {
    metadata: {
      component: {
        type: 'container',
        'bom-ref': 'sluice',
        name: 'sluice',
        version,
        licenses: [{license: {id: 'Apache-2.0'}}],
      },
    },
    components,
    dependencies: [{ref: 'sluice', dependsOn: components.map(each => each['bom-ref'])}],
  };
  return `${JSON.stringify(
    {
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
      serialNumber: `urn:uuid:${uuidOf(JSON.stringify(about))}`,
      version: 1,
      ...about,
    },
    null,
    2,
  )}\n`;
};
