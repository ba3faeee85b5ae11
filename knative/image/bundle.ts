/**
Bundle: each program as one file of CommonJS, and one more for each part that it loads only when it is needed.

In: the tree, an empty folder. Out: `NAME.cjs` and their parts in it, and which files of which packages are in them.

esbuild splits off what is imported dynamically only for ES modules, and Node starts a module of CommonJS in half the time. So it is
made in two steps: split as ES modules, each of the parts written as CommonJS then.
*/
import {mkdirSync, writeFileSync} from 'node:fs';
import {basename, join} from 'node:path';
import {type BuildOptions, build, type OutputFile, transform} from 'esbuild';
import {listPrograms} from './programs.ts';
import {bundleUrl, ownSources} from './sources.ts';
import {trimmed} from './trim.ts';

export type Bundles = Readonly<{
  /** Names of programs. */
  programs: readonly string[];
  /** Files of the tree and of `node_modules` that are in a bundle, relative to the tree, in order. */
  inputs: readonly string[];
}>;

const shared = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  // Names are kept: a stack trace says which function failed.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  charset: 'ascii',
  logLevel: 'error',
} as const satisfies BuildOptions;

/** The entry of the image; without a name of a program it says what it wants. */
const entry = 'knative/image/entry.ts';

export const bundle = async ({tree, folder}: {tree: string; folder: string}): Promise<Bundles> => {
  mkdirSync(folder, {recursive: true});
  const programs = listPrograms(tree);
  const inputs = new Set<string>();
  for (const [name, file] of [...programs, ['main', entry] as const]) {
    const {outputFiles, metafile} = await build({
      ...shared,
      absWorkingDir: tree,
      entryPoints: {[name]: file},
      outdir: folder,
      outExtension: {'.js': '.cjs'},
      chunkNames: '[hash]',
      format: 'esm',
      splitting: true,
      write: false,
      metafile: true,
      // Of pg: a driver that we do not use. Asked for in a `try`.
      external: ['pg-native'],
      plugins: [ownSources({tree, programs: new Set(programs.values())}), ...trimmed],
    });
    for (const output of Object.values(metafile.outputs)) {
      for (const [input, {bytesInOutput}] of Object.entries(output.inputs)) {
        if (bytesInOutput > 0) {
          inputs.add(input);
        }
      }
    }
    await write(folder, outputFiles);
  }
  return {programs: [...programs.keys()], inputs: [...inputs].sort()};
};

/** A package of CommonJS that is loaded later comes out of the first step with a default export and none by name. */
const exportWhole = (text: string) =>
  text.replace(/\bexport default (\w+\(\));\s*$/, 'module.exports = $1;');

/** `import()` has the whole of it as `default` too, as in Node. */
const asNodeDoes = (code: string) =>
  code.replace(/__toESM\((require\("\.\/\w+\.cjs"\))\)/g, '__toESM($1,1)');

const write = async (folder: string, files: readonly OutputFile[]) => {
  for (const {path, text} of files) {
    const {code} = await transform(exportWhole(text), {
      platform: 'node',
      target: 'node24',
      format: 'cjs',
      supported: {'dynamic-import': false},
      minifyWhitespace: true,
      charset: 'ascii',
      logLevel: 'error',
    });
    writeFileSync(
      join(folder, basename(path)),
      code.includes(bundleUrl)
        ? `const ${bundleUrl}=require("node:url").pathToFileURL(__filename);${asNodeDoes(code)}`
        : asNodeDoes(code),
    );
  }
};
