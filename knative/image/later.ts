/**
Later: the packages that programs load only when they need them, bundled once for all programs.

In: esbuild builds of programs. Out: what they import dynamically by a package's name is left to a file of that name beside them; which
these are.
*/
import type {Plugin} from 'esbuild';

const fileOf = (specifier: string) => specifier.replaceAll(/\W+/g, '-').replace(/^-/, '');

export const createLater = () => {
  const found = new Map<string, string>();
  const plugin: Plugin = {
    name: 'later',
    setup(build) {
      build.onResolve({filter: /^[^./]/}, ({kind, path}) => {
        if (kind !== 'dynamic-import' || path.startsWith('node:')) {
          return undefined;
        }
        found.set(fileOf(path), path);
        return {path: `./${fileOf(path)}.cjs`, external: true};
      });
    },
  };
  return {
    plugin,
    /** File name without its end → what is imported, in order of names. */
    entries: () => Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
};
