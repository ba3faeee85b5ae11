/**
House: what may lie at the top of the project, and how long a file may be.

In: paths and line counts. Out: complaints.
*/
const rooms = [
  'package.json',
  'README.md',
  'functions',
  'events',
  'knative',
  'charts',
  'schemas',
  'test',
];

/** Demanded at the root by git, npm, CI, Biome, TypeScript, AVA or the law. */
const demanded = [
  '.ci',
  '.git',
  '.gitattributes',
  '.gitignore',
  'LICENSE',
  'ava.config.js',
  'biome.json',
  'package-lock.json',
  'tsconfig.json',
];

const linesMax = 300;

/** Rendered from `schemas/`: as long as it gets. */
const rendered = [
  'events/types.ts',
  'events/access/operations.ts',
  'functions/admin/client/operations.ts',
  'functions/admin/client/types.ts',
];

export const checkTop = (names: readonly string[]): string[] => [
  ...names
    .filter(name => !rooms.includes(name) && !demanded.includes(name))
    .map(name => `${name} is neither a room of the house nor demanded at the root by a tool`),
  ...rooms.filter(name => !names.includes(name)).map(name => `${name} is missing`),
];

export const checkLengths = (
  files: ReadonlyArray<Readonly<{file: string; lines: number}>>,
): string[] =>
  files
    .filter(
      ({file, lines}) =>
        /\.[jt]s$/.test(file) &&
        !file.startsWith('test/') &&
        !rendered.includes(file) &&
        lines > linesMax,
    )
    .map(
      ({file, lines}) =>
        `${file} has ${lines} lines, at most ${linesMax} are allowed: split it by responsibility`,
    );
