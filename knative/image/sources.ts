/**
Sources: what becomes of our own files on their way into a bundle that is CommonJS and lies elsewhere.

In: an esbuild build. Out: `import.meta.url` names the place that the file would have beside the bundles' folder, so that what a file
reads next to itself is found where the image has it; a program's top-level `await`, which CommonJS has not, is in a function; an
`import()` of a constant names what it imports, or it would not be bundled.
*/
import {readFileSync} from 'node:fs';
import {relative} from 'node:path';
import {init, parse} from 'es-module-lexer';
import type {Plugin} from 'esbuild';

/** Declared on top of each bundle that uses it: the URL of the bundle itself. */
export const bundleUrl = 'bundleUrl';

const urlOf = (file: string) => `new URL(${JSON.stringify(`../${file}`)}, ${bundleUrl}).href`;

/** Everything below the imports, which are all at the top. */
const wrapBody = (source: string, file: string): string => {
  const ends = parse(source, file)[0].flatMap(found =>
    found.type === 'static' ? [found.importEnd] : [],
  );
  const end = Math.max(0, ...ends);
  const body = source.slice(end).replace(/^;/, '');
  return `${source.slice(0, end)};\nconst main = async () => {${body}};\nvoid main();\n`;
};

/** Of files without types, whose names are kept from the compiler by a constant. */
const nameImports = (source: string): string =>
  [...source.matchAll(/^const (\w+): string = ('[^']+');$/gm)].reduce(
    (text, [, constant, name]) => text.replaceAll(`import(${constant})`, `import(${name})`),
    source,
  );

export const ownSources = ({
  tree,
  programs,
}: {
  tree: string;
  programs: ReadonlySet<string>;
}): Plugin => ({
  name: 'own-sources',
  async setup(build) {
    await init;
    build.onLoad({filter: /\.ts$/}, ({path}) => {
      const file = relative(tree, path);
      if (file.startsWith('..') || file.startsWith('node_modules')) {
        return undefined;
      }
      const source = nameImports(readFileSync(path, 'utf8')).replaceAll(
        'import.meta.url',
        urlOf(file),
      );
      return {contents: programs.has(file) ? wrapBody(source, file) : source, loader: 'ts'};
    });
  },
});
