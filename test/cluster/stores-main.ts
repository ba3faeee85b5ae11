/**
Stores, by hand: `KUBECONFIG=… node test/cluster/stores-main.ts` starts the two, prints one line of JSON with a migrated and an
empty database, and stays until it is told to go.
*/
import {findAddress} from './address.ts';
import {createKubectl} from './kubectl.ts';
import {startStores} from './stores.ts';

const address = await findAddress(createKubectl(process.env.KUBECONFIG ?? ''));
const stores = await startStores(address, {log: line => process.stderr.write(`${line}\n`)});
const [migrated, empty] = [
  await stores.createDatabase(),
  await stores.createDatabase({migrated: false}),
];
process.stdout.write(`${JSON.stringify({redisUrl: stores.redisUrl, migrated, empty})}\n`);
await new Promise<void>(resolve => {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => resolve());
  }
});
await stores.stop();
