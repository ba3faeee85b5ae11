/**
CPU: user and system time of a process, and of PostgreSQL, which is many processes.

In: process ids. Out: milliseconds since they started, read from `/proc` in the kernel's ticks of 10 ms. A PostgreSQL backend
that ended is in its postmaster's account of ended children, so nothing is lost between two readings.
*/
import {readdirSync, readFileSync} from 'node:fs';

/** USER_HZ: 100 on every Linux that Node runs on. */
const tickMs = 10;

/** The fields behind the name, which may hold spaces and brackets: parent is 1, then user, system, ended children's 11 to 14. */
const fieldsOf = (pid: number | string): string[] | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
};

const sum = (fields: readonly string[], from: number, to: number) =>
  fields.slice(from, to).reduce((total, ticks) => total + Number(ticks), 0) * tickMs;

export const cpuMsOf = (pid: number): number => {
  const fields = fieldsOf(pid);
  if (!fields) {
    throw new Error(
      `process ${pid} has no /proc/${pid}/stat: it ended, or this system is no Linux`,
    );
  }
  return sum(fields, 11, 13);
};

export const childrenOf = (pid: number): number[] =>
  readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(fieldsOf(name)?.[1]) === pid)
    .map(Number);

/** A process, its living children and its ended ones. */
export const familyCpuMsOf = (pid: number): number => {
  let total = sum(fieldsOf(pid) ?? [], 11, 15);
  for (const child of childrenOf(pid)) {
    total += sum(fieldsOf(child) ?? [], 11, 13);
  }
  return total;
};
