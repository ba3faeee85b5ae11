/** The archive of the image: readable by others, non-root, the same bytes for the same files; the Dockerfile says the same. */
import {execFileSync} from 'node:child_process';
import {mkdtempSync, readdirSync, readFileSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, relative} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {DockerfileParser} from 'dockerfile-ast';
import {writeArchive} from '../../knative/image/archive.ts';
import {baseLayer, librariesOf} from '../../knative/image/base.ts';
import {configurationOf} from '../../knative/image/image.ts';
import type {Entry} from '../../knative/image/tar.ts';
import {layOutImage, tree} from '../helpers/image.ts';

const folderFor = (t: ExecutionContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-'));
  t.teardown(() => rmSync(folder, {recursive: true, force: true}));
  return folder;
};

const long = `app/${'a'.repeat(90)}/${'b'.repeat(90)}.txt`;
const layer: readonly Entry[] = [
  {path: 'app', mode: 0o755, kind: 'folder'},
  {path: long, mode: 0o644, kind: 'text', content: 'long'},
  {path: 'app/x', mode: 0o755, kind: 'text', content: 'x'.repeat(513)},
  {path: 'tmp', mode: 0o1777, kind: 'folder'},
];
const configuration = configurationOf({version: '1.2.3', revision: 'abc'});

const write = (file: string) =>
  writeArchive({file, name: 'dev.local/sluice:1.2.3', layers: {base: layer}, configuration});

test('others can read the archive: names, modes and contents', t => {
  const folder = folderFor(t);
  const file = join(folder, 'i.tar');
  write(file);
  execFileSync('tar', ['xf', file], {cwd: folder});
  const [manifest] = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  t.deepEqual(manifest.RepoTags, ['dev.local/sluice:1.2.3']);
  const listed = execFileSync('tar', ['tvf', manifest.Layers[0]], {cwd: folder, encoding: 'utf8'});
  t.regex(listed, /^drwxr-xr-x 0\/0 .* app\/$/m);
  t.regex(listed, /^drwxrwxrwt 0\/0 .* tmp\/$/m);
  execFileSync('tar', ['xf', manifest.Layers[0]], {cwd: folder});
  t.is(readFileSync(join(folder, long), 'utf8'), 'long');
  t.is(statSync(join(folder, 'app/x')).size, 513);
  t.is(statSync(join(folder, 'app/x')).mode & 0o777, 0o755);
});

test('the configuration is of a user who is not root, and says which release it is', t => {
  const folder = folderFor(t);
  const file = join(folder, 'i.tar');
  const {id} = write(file);
  execFileSync('tar', ['xf', file], {cwd: folder});
  const {config, rootfs} = JSON.parse(
    readFileSync(join(folder, `${id.replace('sha256:', '')}.json`), 'utf8'),
  );
  t.is(config.User, '65532');
  t.deepEqual(config.Entrypoint, ['/usr/local/bin/node', '/app/bundle/main.cjs']);
  t.is(config.Labels['org.opencontainers.image.version'], '1.2.3');
  t.is(config.Labels['org.opencontainers.image.revision'], 'abc');
  t.is(rootfs.diff_ids.length, 1);
});

test('the same files are the same bytes', t => {
  const folder = folderFor(t);
  const [one, other] = ['a', 'b'].map(name => join(folder, `${name}.tar`)) as [string, string];
  write(one);
  write(other);
  t.true(readFileSync(one).equals(readFileSync(other)));
});

test('a path that no header holds is refused', t => {
  const file = join(folderFor(t), 'i.tar');
  const entry: Entry = {path: 'a'.repeat(300), mode: 0o644, kind: 'text', content: ''};
  t.throws(() => writeArchive({file, name: 'a:b', layers: {base: [entry]}, configuration}), {
    message: /expected a path that fits into a tar header/,
  });
});

const filesOf = (folder: string) =>
  readdirSync(folder, {withFileTypes: true, recursive: true})
    .filter(entry => entry.isFile())
    .map(entry => relative(folder, join(entry.parentPath, entry.name)))
    .sort();

test('bundles and their code are the same bytes when they are made again', async t => {
  t.timeout(180_000);
  const first = await layOutImage(['hello']);
  t.teardown(first.remove);
  const second = await layOutImage(['hello']);
  t.teardown(second.remove);
  t.deepEqual(filesOf(first.app), filesOf(second.app));
  for (const file of filesOf(first.app)) {
    t.true(readFileSync(join(first.app, file)).equals(readFileSync(join(second.app, file))), file);
  }
  t.true(filesOf(first.app).includes('cache/hello.cjs'));
});

test('the base has Node with its libraries, two users and certificates, and no other program', t => {
  const entries = baseLayer(process.execPath);
  const executable = entries.filter(({kind, mode}) => kind === 'file' && (mode & 0o111) !== 0);
  t.deepEqual(
    executable.map(({path}) => `/${path}`).sort(),
    ['/usr/local/bin/node', ...librariesOf(process.execPath)].sort(),
  );
  const textOf = (path: string) => {
    const entry = entries.find(each => each.path === path);
    return entry?.kind === 'text' ? String(entry.content) : '';
  };
  t.regex(textOf('etc/passwd'), /^sluice:x:65532:65532:/m);
  t.true(textOf('etc/ssl/certs/ca-certificates.crt').split('BEGIN CERTIFICATE').length > 50);
});

test('the Dockerfile parses, and says of the image what the packer says', t => {
  const dockerfile = DockerfileParser.parse(
    readFileSync(join(tree, 'knative/image/Dockerfile'), 'utf8'),
  );
  const instructions = dockerfile.getInstructions();
  const all = (keyword: string) =>
    instructions
      .filter(each => each.getKeyword() === keyword)
      .map(each => each.getArgumentsContent());
  t.true(instructions.length > 10);
  t.deepEqual(JSON.parse(String(all('ENTRYPOINT')[0])), configuration.entrypoint);
  t.deepEqual(all('USER'), [configuration.user]);
  t.is(all('WORKDIR').at(-1), configuration.workingDirectory);
  const [environment = ''] = all('ENV');
  for (const [name, value] of Object.entries(configuration.environment)) {
    t.true(environment?.includes(`${name}="${value}"`), name);
  }
  const {version} = JSON.parse(
    readFileSync(join(tree, 'node_modules/node/package.json'), 'utf8'),
  ) as {version: string};
  t.true(String(all('FROM')[0]).startsWith(`node:${version}-`));
});
