/**
Tls front: a server over TLS in front of another, as a load balancer is: HTTP/2 for who offers it, else HTTP/1.1.

In: the test and the URL behind it. Out: its URL; the version and the end of each request, in their order. Its certificate is made
here, for `localhost` and this run alone, and this process trusts it from then on.
*/
import {execFile} from 'node:child_process';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {request as forward, type IncomingMessage} from 'node:http';
import {createSecureServer, type Http2ServerRequest} from 'node:http2';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {getCACertificates, setDefaultCACertificates} from 'node:tls';
import {promisify} from 'node:util';
import type {ExecutionContext} from 'ava';

export type SeenRequest = {version: string; cut: boolean};

const run = promisify(execFile);

/** Bare key and certificate in PEM. */
const makeCertificate = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tls-front-'));
  try {
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
      ...['-noenc', '-days', '1', '-subj', '/CN=localhost'],
      ...['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate],
    ]);
    return {key: await readFile(key, 'utf8'), cert: await readFile(certificate, 'utf8')};
  } finally {
    await rm(folder, {recursive: true});
  }
};

const endToEnd = ([name]: [string, unknown]) =>
  !name.startsWith(':') && !['connection', 'keep-alive', 'transfer-encoding'].includes(name);

export const startTlsFront = async (
  t: Pick<ExecutionContext, 'teardown'>,
  {behind, trusted = true}: {behind: string; trusted?: boolean},
) => {
  const pair = await makeCertificate();
  if (trusted) {
    setDefaultCACertificates([...getCACertificates('default'), pair.cert]);
  }
  const seen: SeenRequest[] = [];
  const server = createSecureServer({...pair, allowHTTP1: true}, (request, response) => {
    const {httpVersion, method, url, headers} = request as Http2ServerRequest;
    const entry: SeenRequest = {version: httpVersion, cut: false};
    seen.push(entry);
    const onward = forward(`${behind}${url}`, {
      method,
      headers: Object.fromEntries(Object.entries(headers).filter(endToEnd)) as Record<
        string,
        string
      >,
    });
    onward.on('error', () => response.destroy());
    onward.once('response', (answer: IncomingMessage) => {
      response.writeHead(
        answer.statusCode as number,
        Object.fromEntries(Object.entries(answer.headers).filter(endToEnd)) as Record<
          string,
          string
        >,
      );
      answer.pipe(response as never);
    });
    response.once('close', () => {
      entry.cut = !response.writableFinished;
      onward.destroy();
    });
    request.pipe(onward);
  });
  server.on('sessionError', () => {}).on('tlsClientError', () => {});
  await new Promise<void>(resolve => server.listen(0, 'localhost', resolve));
  t.teardown(() => new Promise<void>(resolve => server.close(() => resolve())));
  return {url: `https://localhost:${(server.address() as AddressInfo).port}`, seen};
};
