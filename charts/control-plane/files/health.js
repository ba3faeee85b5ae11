/**
Health: what `helm test` runs: every function is asked for its health, at the same time, until it is well.

In: the namespace, the functions. Out: a line a function; exit code 1 when one is not well before the Pod's deadline ends it all.
*/
const [namespace, ...names] = process.argv.slice(1);

const isWell = async name => {
  try {
    const response = await fetch(`http://${name}.${namespace}.svc.cluster.local/healthz`);
    await response.body?.cancel();
    return response.ok ? undefined : `answers ${response.status}`;
  } catch (error) {
    return String(error.cause ?? error);
  }
};

await Promise.all(
  names.map(async name => {
    for (let fault = await isWell(name); fault; fault = await isWell(name)) {
      console.log(`${name} ${fault}`);
      await new Promise(resolve => setTimeout(resolve, 2_000));
    }
    console.log(`${name} is well`);
  }),
);
