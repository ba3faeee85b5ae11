/**
Chart: what `charts/control-plane` has of `knative/`: a copy of each manifest, and the names that its values may name.

In: the root that holds both. Out: the copies, byte for byte, and the schema of the values with the functions and sources there are.
*/
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {parseAllDocuments} from 'yaml';

type Copy = Readonly<{file: string; text: string}>;
type Manifest = Readonly<{apiVersion?: string; kind?: string; metadata?: Readonly<{name: string}>}>;

const chart = 'charts/control-plane';
const copies = `${chart}/files/knative`;
const valuesSchema = `${chart}/values.schema.json`;

/** What every cluster has, and what those with Kafka's Broker or with KServe have. */
const folders = ['', 'broker-kafka/', 'kserve/'];

const yamlIn = (folder: string): string[] =>
  folders.flatMap(part =>
    (existsSync(join(folder, part)) ? readdirSync(join(folder, part)) : [])
      .filter(name => name.endsWith('.yaml'))
      .sort()
      .map(name => `${part}${name}`),
  );

export const renderChart = (root: string): Copy[] => {
  if (!existsSync(join(root, valuesSchema))) {
    return [];
  }
  const names = yamlIn(join(root, 'knative'));
  refuseLeftovers(root, names);
  const manifests = names.map(name => ({
    file: `${copies}/${name}`,
    text: readFileSync(join(root, 'knative', name), 'utf8'),
  }));
  return [...manifests, {file: valuesSchema, text: nameThem(root, manifests)}];
};

/** Rendering removes nothing, and what is left over would be installed. */
const refuseLeftovers = (root: string, names: readonly string[]) => {
  const folder = join(root, copies);
  const left = yamlIn(folder).filter(name => !names.includes(name));
  if (left.length > 0) {
    throw new Error(`${copies} has ${left.join(', ')}, and knative has not: delete it there`);
  }
};

const nameThem = (root: string, manifests: readonly Copy[]): string => {
  const objects = manifests.flatMap(({text}) =>
    parseAllDocuments(text).map(document => (document.toJS() ?? {}) as Manifest),
  );
  const namesOf = (matches: (manifest: Manifest) => boolean) =>
    objects
      .filter(matches)
      .map(({metadata}) => metadata?.name)
      .sort();
  const schema = JSON.parse(readFileSync(join(root, valuesSchema), 'utf8'));
  schema.definitions.functionName.enum = namesOf(
    ({apiVersion = '', kind}) =>
      kind === 'Service' && apiVersion.startsWith('serving.knative.dev/'),
  );
  schema.definitions.sourceName.enum = namesOf(({kind = ''}) => kind.endsWith('Source'));
  return JSON.stringify(schema);
};
