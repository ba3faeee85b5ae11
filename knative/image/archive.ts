/**
Archive: layers and a configuration as one file that `ctr images import`, `docker load`, `podman load` and `kind load image-archive` take.

In: the layers' entries, what the image's configuration says, a file. Out: that file, the image's id and size. The format is `docker save`'s:
https://github.com/moby/docker-image-spec
*/
import {createHash} from 'node:crypto';
import {rmSync} from 'node:fs';
import {type Entry, writeTar} from './tar.ts';

export type ImageConfiguration = Readonly<{
  user: string;
  entrypoint: readonly string[];
  workingDirectory: string;
  environment: Readonly<Record<string, string>>;
  labels: Readonly<Record<string, string>>;
  /** RFC 3339. */
  created: string;
}>;

/** As Go and Docker name what Node calls x64. */
const architecture = () => (process.arch === 'x64' ? 'amd64' : process.arch);

const configOf = (
  {user, entrypoint, workingDirectory, environment, labels, created}: ImageConfiguration,
  layers: readonly {name: string; digest: string}[],
) =>
  JSON.stringify({
    architecture: architecture(),
    os: 'linux',
    created,
    config: {
      User: user,
      Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      Entrypoint: entrypoint,
      WorkingDir: workingDirectory,
      ExposedPorts: {'8080/tcp': {}},
      Labels: labels,
    },
    rootfs: {type: 'layers', diff_ids: layers.map(({digest}) => `sha256:${digest}`)},
    history: layers.map(({name}) => ({created, created_by: `knative/image: ${name}`})),
  });

export const writeArchive = ({
  file,
  name,
  layers,
  configuration,
}: {
  file: string;
  /** NAME:TAG */
  name: string;
  layers: Readonly<Record<string, Iterable<Entry>>>;
  configuration: ImageConfiguration;
}): {id: string; bytes: number} => {
  const made = Object.entries(layers).map(([layer, entries]) => {
    const from = `${file}.${layer}`;
    return {name: layer, from, ...writeTar(from, entries)};
  });
  try {
    const config = configOf(configuration, made);
    const id = createHash('sha256').update(config).digest('hex');
    const manifest = [
      {Config: `${id}.json`, RepoTags: [name], Layers: made.map(({digest}) => `${digest}.tar`)},
    ];
    const {bytes} = writeTar(file, [
      ...made.map(
        ({digest, from}): Entry => ({path: `${digest}.tar`, mode: 0o644, kind: 'file', from}),
      ),
      {path: `${id}.json`, mode: 0o644, kind: 'text', content: config},
      {path: 'manifest.json', mode: 0o644, kind: 'text', content: JSON.stringify(manifest)},
    ]);
    return {id: `sha256:${id}`, bytes};
  } finally {
    for (const {from} of made) {
      rmSync(from, {force: true});
    }
  }
};
