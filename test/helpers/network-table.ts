/**
Network table: charts/control-plane/network.yaml as single questions, each with the answer that is wanted.

In: the file, and who stands for whom. Out: one line a pair and port. A pair that two rows answer differently is refused, and so is a
name that nobody stands for.
*/
import {readFileSync} from 'node:fs';
import {parse} from 'yaml';
import type {Connection} from './cyclonus.ts';
import type {Who} from './network-pods.ts';

type Row = Readonly<{
  why: string;
  from: readonly string[];
  to: readonly string[];
  except?: readonly string[];
  port: readonly (number | string)[];
  allowed: boolean;
}>;

export type Line = Readonly<{
  text: string;
  why: string;
  allowed: boolean;
  connection: Connection;
}>;

const table = new URL('../../charts/control-plane/network.yaml', import.meta.url);

export const readRows = (): readonly Row[] => parse(readFileSync(table, 'utf8')).rows;

export const expandRows = (rows: readonly Row[], {ends, groups}: Who): readonly Line[] => {
  const lines = new Map<string, Line>();
  const namesIn = (names: readonly string[]) =>
    names.flatMap(name =>
      name === 'functions' || name === 'sources' || name === 'watches' ? groups[name] : [name],
    );
  const endOf = (name: string) => {
    const end = ends.get(name);
    if (end === undefined) {
      throw new Error(`network.yaml names ${name}, for whom nobody stands`);
    }
    return end;
  };
  for (const {why, from, to, except = [], port, allowed} of rows) {
    for (const source of namesIn(from).filter(name => !except.includes(name))) {
      for (const target of namesIn(to)) {
        for (const at of port) {
          const text = `${source} → ${target}:${at}`;
          const earlier = lines.get(text);
          if (earlier !== undefined && earlier.allowed !== allowed) {
            throw new Error(
              `network.yaml contradicts itself on ${text}: "${earlier.why}", "${why}"`,
            );
          }
          const connection = {from: endOf(source), to: endOf(target), ...portOf(at)};
          lines.set(text, {text, why, allowed, connection});
        }
      }
    }
  }
  return [...lines.values()];
};

const portOf = (at: number | string): Pick<Connection, 'port' | 'protocol'> =>
  typeof at === 'number'
    ? {port: at, protocol: 'TCP'}
    : {port: Number.parseInt(at, 10), protocol: 'UDP'};
