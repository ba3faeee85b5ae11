/**
CPU: user and system time of a process and of all that it started; and the memory that a process has.

In: process ids. Out: milliseconds since they started, read from `/proc` in the kernel's ticks of 10 ms; bytes. A process that
ended is in its parent's account of ended children, so nothing is lost between two readings.
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

const gone = (pid: number) =>
  new Error(`process ${pid} has no /proc/${pid}: it ended, or this system is no Linux`);

export const cpuMsOf = (pid: number): number => {
  const fields = fieldsOf(pid);
  if (!fields) {
    throw gone(pid);
  }
  return sum(fields, 11, 13);
};

/** A process, all that descends from it and lives, and what has ended and was waited for. */
export const familyCpuMsOf = (pid: number): number => {
  const all = new Map(
    readdirSync('/proc').flatMap(name => {
      const fields = /^\d+$/.test(name) ? fieldsOf(name) : undefined;
      return fields ? [[Number(name), fields] as const] : [];
    }),
  );
  if (!all.has(pid)) {
    throw gone(pid);
  }
  const cpuOf = (one: number): number => {
    const children = [...all].filter(([, fields]) => Number(fields[1]) === one);
    return children.reduce(
      (total, [child]) => total + cpuOf(child),
      sum(all.get(one) as string[], 11, 15),
    );
  };
  return cpuOf(pid);
};

export const residentBytesOf = (pid: number): number => {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1] ?? Number.NaN) * 1_024;
};
