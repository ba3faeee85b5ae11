/**
Installation, by hand: `KUBECONFIG=… node test/cluster/installation-main.ts` installs, prints one line of JSON, the value of
`SLUICE_TEST_INSTALLATION`, and stays until it is told to go.
*/
import {startInstallation} from './installation.ts';

const {description, measured, stop} = await startInstallation(process.env.KUBECONFIG ?? '', {
  log: line => process.stderr.write(`${line}\n`),
});
process.stderr.write(
  `first token after ${measured.firstToken} s, all Ready after ${measured.ready} s\n`,
);
process.stdout.write(`${JSON.stringify(description)}\n`);
await new Promise<void>(resolve => {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => resolve());
  }
});
await stop();
