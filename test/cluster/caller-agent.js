/**
Caller agent: runs in a pod of its own and sends what the test tells it to, so that a request comes from where a stranger's would.

In: `CONTROL`, the test's URL: `GET` is answered with requests as JSON, or with 204 when there is nothing to do. Out: `POST` of their
statuses in the same order; a connection that failed is its message.
*/
const control = process.env.CONTROL;
const atOnce = 8;

const send = async ({url, method, headers, body}) => {
  try {
    const answer = await fetch(url, {
      method,
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(120_000),
      ...(body === undefined ? {} : {body: Buffer.from(body, 'base64')}),
    });
    await answer.arrayBuffer();
    return String(answer.status);
  } catch (error) {
    return `no answer (${error.cause?.message ?? error.message})`;
  }
};

const sendAll = async requests => {
  const statuses = [];
  let next = 0;
  const work = async () => {
    while (next < requests.length) {
      const index = next;
      next += 1;
      statuses[index] = await send(requests[index]);
    }
  };
  await Promise.all(Array.from({length: atOnce}, work));
  return statuses;
};

for (;;) {
  try {
    const told = await fetch(control);
    if (told.status === 200) {
      const statuses = await sendAll(await told.json());
      await fetch(control, {method: 'POST', body: JSON.stringify(statuses)});
    }
  } catch {
    // The test is gone, or not there yet: its namespace goes, and this with it.
    await new Promise(resolve => setTimeout(resolve, 500));
  }
}
