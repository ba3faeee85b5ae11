/**
Bundle: each program as one file of CommonJS, and one more for each part that it loads only when it is needed.

In: the tree, an empty folder. Out: `NAME.cjs` and their parts in it, and which files of which packages are in them.

esbuild splits off what is imported dynamically only for ES modules, and Node starts a module of CommonJS in half the time. So it is
made in two steps: split as ES modules, each of the parts written as CommonJS then.
*/
import {mkdirSync, writeFileSync} from 'node:fs';
import {basename, join} from 'node:path';
import {type BuildOptions, build, type OutputFile, type Plugin, transform} from 'esbuild';
import {createLater} from './later.ts';
import {listPrograms} from './programs.ts';
import {bundleUrl, ownSources} from './sources.ts';
import {sendersOnly, trimmed} from './trim.ts';

export type Bundles = Readonly<{
  /** Names of programs. */
  programs: readonly string[];
  /** Files of the tree and of `node_modules` that are in a bundle, relative to the tree, in order. */
  inputs: readonly string[];
}>;

const options = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  splitting: true,
  outExtension: {'.js': '.cjs'},
  chunkNames: '[hash]',
  // Names are kept: a stack trace says which function failed.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  charset: 'ascii',
  logLevel: 'error',
  write: false,
  metafile: true,
  // Of pg: a driver that we do not use. Asked for in a `try`.
  external: ['pg-native'],
  // Of undici: without its second parser of HTTP/1, which nobody switched on.
  define: {esbuildDetection: 'true'},
} as const satisfies BuildOptions;

/** The first file of the image. */
const entry = 'knative/image/entry.ts';

/** `only`: names of programs; all of them unless said. */
export const bundle = async ({
  tree,
  folder,
  only,
}: {
  tree: string;
  folder: string;
  only?: readonly string[];
}): Promise<Bundles> => {
  mkdirSync(folder, {recursive: true});
  const programs = new Map(
    [...listPrograms(tree)].filter(([name]) => only === undefined || only.includes(name)),
  );
  const inputs = new Set<string>();
  const later = createLater();
  const own = ownSources({tree, programs: new Set(programs.values())});
  const make = async (entryPoints: Record<string, string>, plugins: readonly Plugin[]) => {
    const {outputFiles, metafile} = await build({
      ...options,
      absWorkingDir: tree,
      outdir: folder,
      entryPoints,
      plugins: [...plugins, own, ...trimmed],
    });
    for (const output of Object.values(metafile.outputs)) {
      for (const [input, {bytesInOutput}] of Object.entries(output.inputs)) {
        if (bytesInOutput > 0) {
          inputs.add(input);
        }
      }
    }
    await Promise.all(outputFiles.map(file => write(folder, file)));
  };
  // One by one, so that a function has one file and not a share of fourteen: each file costs a start.
  await Promise.all(
    [...programs, ['main', entry] as const].map(([name, file]) =>
      make({[name]: file}, [later.plugin, sendersOnly]),
    ),
  );
  await make(later.entries(), []);
  return {programs: [...programs.keys()], inputs: [...inputs].sort()};
};

/** A package of CommonJS that is loaded later comes out of the first step with a default export and none by name. */
const exportWhole = (text: string) =>
  text.replace(/\bexport default (\w+\(\));\s*$/, 'module.exports = $1;');

/** `import()` has the whole of it as `default` too, as in Node. */
const asNodeDoes = (code: string) =>
  code.replace(/__toESM\((require\("\.\/[\w-]+\.cjs"\))\)/g, '__toESM($1,1)');

const write = async (folder: string, {path, text}: OutputFile) => {
  const {code} = await transform(exportWhole(text), {
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    supported: {'dynamic-import': false},
    minifyWhitespace: true,
    charset: 'ascii',
    logLevel: 'error',
  });
  const whole = asNodeDoes(code);
  writeFileSync(
    join(folder, basename(path)),
    whole.includes(bundleUrl)
      ? `const ${bundleUrl}=require("node:url").pathToFileURL(__filename);${whole}`
      : whole,
  );
};
