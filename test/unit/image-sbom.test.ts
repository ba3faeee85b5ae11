/** The list of what is in the image: CycloneDX, complete, and the same for the same image. */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {Ajv} from 'ajv';
import formats from 'ajv-formats';
import test from 'ava';
import {packagesOf, sbomOf} from '../../knative/image/sbom.ts';
import {tree} from '../helpers/image.ts';

const inputs = [
  'events/serve.ts',
  'node_modules/express/lib/express.js',
  'node_modules/express/index.js',
  'node_modules/@opentelemetry/api/build/src/index.js',
];
const sbom = () => sbomOf({tree, inputs, version: '1.2.3'});

type Component = Readonly<{name: string; version: string; purl: string; hashes?: unknown[]}>;
const componentsOf = (text: string) =>
  (JSON.parse(text) as {components: readonly Component[]}).components;

const schemaOf = (name: string) =>
  JSON.parse(
    readFileSync(
      join(
        tree,
        `node_modules/@cyclonedx/cyclonedx-library/res/schema/${name}.SNAPSHOT.schema.json`,
      ),
      'utf8',
    ),
  );

test('it is CycloneDX 1.6 by the schema of CycloneDX', t => {
  const ajv = new Ajv({strict: false});
  for (const name of ['spdx', 'jsf-0.82']) {
    ajv.addSchema(schemaOf(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  }
  formats.default(ajv);
  // Of addresses and mails in other scripts, which we have none of.
  ajv.addFormat('iri-reference', true).addFormat('idn-email', true);
  const validate = ajv.compile(schemaOf('bom-1.6'));
  validate(JSON.parse(sbom()));
  t.deepEqual(validate.errors, null);
  validate({...JSON.parse(sbom()), bomFormat: 'other'});
  t.is(validate.errors?.length, 1);
});

test('every package of which a file is bundled is listed, with its version and hash, and Node', t => {
  const {packages} = JSON.parse(readFileSync(join(tree, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, {version: string}>;
  };
  t.deepEqual(packagesOf(inputs), ['node_modules/@opentelemetry/api', 'node_modules/express']);
  const found = componentsOf(sbom());
  t.deepEqual(
    found.map(({name, version}) => `${name} ${version}`),
    [
      `node ${process.versions.node}`,
      `@opentelemetry/api ${packages['node_modules/@opentelemetry/api']?.version}`,
      `express ${packages['node_modules/express']?.version}`,
    ],
  );
  t.regex(String(found[1]?.purl), /^pkg:npm\/%40opentelemetry\/api@\d/);
  t.is(found[2]?.hashes?.length, 1);
});

test('the same image has the same list, another one another', t => {
  t.is(sbom(), sbom());
  t.not(sbom(), sbomOf({tree, inputs: inputs.slice(0, 2), version: '1.2.3'}));
});

test('a bundled package that the lock file does not know is a fault', t => {
  t.throws(() => sbomOf({tree, inputs: ['node_modules/nobody/x.js'], version: '1.2.3'}), {
    message: /expected node_modules\/nobody in package-lock\.json/,
  });
});
