/**
HTTP: a test's own server on a free port, closed with all its connections when the test ends.

In: the test, what answers. Out: the server's URL and port.
*/
import {createServer, type RequestListener} from 'node:http';
import type {AddressInfo} from 'node:net';
import type {ExecutionContext} from 'ava';

/**
Nobody listens there. A port that was free a moment ago may be another test's by now; of the lowest ones this is one that `fetch`
does not refuse by itself.
*/
export const nowhere = 'http://127.0.0.1:2';

export const createHttpTestServer = async (
  t: Pick<ExecutionContext, 'teardown'>,
  handler: RequestListener,
) => {
  const server = createServer(handler);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve());
  });
  t.teardown(
    () =>
      new Promise<void>(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  const {port} = server.address() as AddressInfo;
  return {url: `http://127.0.0.1:${port}`, port, server};
};
