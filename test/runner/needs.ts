/**
Needs: which services the chosen test files use, so that a run of one file starts no broker that nobody asks.

In: AVA's arguments. Out: the services. A file needs a service when it imports the service's helper, itself or through other
files of `test/`. Whatever is not plainly a list of files and folders needs everything.
*/
import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {init} from 'es-module-lexer';
import {importsOf} from '../lint/sources.ts';

export type Service = 'database' | 'redis' | 'kafka' | 'installation';

/** What a run of everything has on this machine alone; an installation is for files that ask for it. */
export const services: readonly Service[] = ['database', 'redis', 'kafka'];

const helpers = ([...services, 'installation'] as const).map(service => ({
  service,
  file: `test/helpers/${service}.ts`,
}));

export const findNeeds = async (
  root: string,
  args: readonly string[],
): Promise<readonly Service[]> => {
  const files = chosenFiles(root, args);
  if (files === undefined) {
    return services;
  }
  await init;
  const seen = new Set<string>();
  const visit = (file: string) => {
    if (!seen.has(file) && existsSync(file)) {
      seen.add(file);
      for (const imported of importsOf(readFileSync(file, 'utf8'))) {
        const path = resolve(dirname(file), imported);
        if (imported.startsWith('.') && path.startsWith(join(root, 'test/'))) {
          visit(path);
        }
      }
    }
  };
  files.forEach(visit);
  return helpers.filter(({file}) => seen.has(join(root, file))).map(({service}) => service);
};

/** Undefined when it cannot be told, or when none is named. */
const chosenFiles = (root: string, args: readonly string[]): string[] | undefined => {
  const named = args.filter(argument => !argument.startsWith('-'));
  // `FILE:12` chooses the test at line 12.
  const paths = named.map(name => resolve(root, name.replace(/:[\d,-]+$/, '')));
  if (paths.length === 0 || !paths.every(path => existsSync(path))) {
    return undefined;
  }
  return paths.flatMap(path =>
    statSync(path).isDirectory()
      ? readdirSync(path, {recursive: true, encoding: 'utf8'})
          .filter(name => name.endsWith('.test.ts'))
          .map(name => join(path, name))
      : [path],
  );
};
