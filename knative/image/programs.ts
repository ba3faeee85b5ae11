/**
Programs: which files the image can run, by the argument that names them: every folder of `functions/` with a `main.ts`, and what
`functions/main.ts` lists beside them.
*/
import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';

/** Programs that are no functions. A test holds this equal to what `functions/main.ts` takes. */
const others: Readonly<Record<string, string>> = {
  source: 'events/source/main.ts',
  migrate: 'schemas/sql/main.ts',
  'wait-for': 'events/wait-for/main.ts',
};

/** Name → file, relative to the tree; in order of names, so that the same tree is the same image. */
export const listPrograms = (tree: string): ReadonlyMap<string, string> =>
  new Map(
    [
      ...Object.entries(others),
      ...readdirSync(join(tree, 'functions'), {withFileTypes: true})
        .filter(entry => entry.isDirectory())
        .map(({name}): [string, string] => [name, `functions/${name}/main.ts`]),
    ]
      .filter(([, file]) => existsSync(join(tree, file)))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
