/**
Sources: reads the tree for the lint rules.

Out: every file that git knows or would add, and what each TypeScript or JavaScript file imports: static, dynamic, types.
*/
import {execFileSync} from 'node:child_process';
import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {init, parse} from 'es-module-lexer';
import type {SourceFile} from './arrows.ts';

export const listFiles = (root: string): string[] =>
  execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\0')
    .filter(file => file !== '' && existsSync(join(root, file)));

/** The lexer reads TypeScript, imports of nothing but types included. What is computed at run time it cannot know. */
export const importsOf = (source: string): string[] => [
  ...new Set(
    parse(source)[0].flatMap(found =>
      'specifier' in found && typeof found.specifier === 'string' ? [found.specifier] : [],
    ),
  ),
];

export const readSources = async (root: string): Promise<(SourceFile & {lines: number})[]> => {
  await init;
  return listFiles(root)
    .filter(file => /\.[jt]s$/.test(file))
    .map(file => {
      const source = readFileSync(join(root, file), 'utf8');
      try {
        return {file, imports: importsOf(source), lines: source.split('\n').length - 1};
      } catch (error) {
        throw new Error(`${file} cannot be parsed: ${(error as Error).message}`, {cause: error});
      }
    });
};
