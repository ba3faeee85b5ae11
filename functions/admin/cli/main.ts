/** Sluice: the admin API as a command. Wiring only. */
import {createInterface} from 'node:readline/promises';
import {text} from 'node:stream/consumers';
import {runCli} from './program.ts';

process.stdout.on('error', error => {
  // Who reads has enough (`| head`).
  process.exit((error as NodeJS.ErrnoException).code === 'EPIPE' ? 0 : 1);
});

const ask = async (question: string) => {
  const lines = createInterface({input: process.stdin, output: process.stderr});
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
};

process.exitCode = await runCli(process.argv.slice(2), {
  environment: process.env,
  folder: process.cwd(),
  out: line => process.stdout.write(line),
  err: line => process.stderr.write(line),
  terminal: Boolean(process.stdout.isTTY),
  errTerminal: Boolean(process.stderr.isTTY),
  ...(process.stdin.isTTY && process.stderr.isTTY ? {ask} : {}),
  read: () => text(process.stdin),
  interrupted() {
    const interrupt = new AbortController();
    process.once('SIGINT', () => interrupt.abort());
    return interrupt.signal;
  },
});
