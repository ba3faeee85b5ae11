/**
Process mark: tells a process from a later one that was given the same number, so that a lock left by a crash or a reboot
is not taken for one that is held.
*/
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';

/** `born` is when the process began, in whatever form the system tells it; absent where it does not. */
export type ProcessMark = Readonly<{pid: number; born?: string}>;

export const markOf = (pid: number): ProcessMark => {
  const born = birthOf(pid);
  return born === undefined ? {pid} : {pid, born};
};

export const isRunning = (mark: ProcessMark): boolean => {
  try {
    process.kill(mark.pid, 0);
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') {
      return false;
    }
  }
  const born = mark.born === undefined ? undefined : birthOf(mark.pid);
  return born === undefined || born === mark.born;
};

const birthOf = (pid: number): string | undefined => {
  if (process.platform === 'linux') {
    try {
      // Field 22 counts from the boot; the name in field 2 may hold spaces and parentheses.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
      return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${ticks}`;
    } catch {
      return undefined;
    }
  }
  if (process.platform === 'win32') {
    return undefined;
  }
  const {stdout} = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], {encoding: 'utf8'});
  return stdout?.trim() || undefined;
};
