/** Sluice: the admin API as a command. Wiring only. */
import {runCli} from './program.ts';

process.stdout.on('error', error => {
  // Who reads has enough (`| head`).
  process.exit((error as NodeJS.ErrnoException).code === 'EPIPE' ? 0 : 1);
});

process.exitCode = await runCli(process.argv.slice(2), {
  environment: process.env,
  folder: process.cwd(),
  out: text => process.stdout.write(text),
  err: text => process.stderr.write(text),
  terminal: Boolean(process.stdout.isTTY),
});
