/**
Tenant worker: what an organisation may run in its namespace. It asks the front door's /v1 for each event, with its own key.

In: the environment of charts/tenant, and FRONT_DOOR, `host:port` of the front door as pods reach it (a name server would say it), MODEL.
Out: one line a request: which event came, what the front door answered. With `data.probe` it sends that instead, to see what a pod in the
tenant's namespace may do: `{url, method, headers, body}`. With `data.reply`, attributes, it answers with that event. With `data.tokens` it
asks for so many. What was not answered it refuses to have taken: the Broker tries it again.
*/
import {createServer, request} from 'node:http';

const {PORT, SLUICE_URL, SLUICE_API_KEY, FRONT_DOOR, MODEL} = process.env;

const send = (url, {method = 'GET', headers = {}, body, at = new URL(url).host}) =>
  new Promise((resolve, reject) => {
    const {hostname, port} = new URL(`http://${at}`);
    const {host, pathname, search} = new URL(url);
    const sending = request({
      ...{hostname, port: port || 80, path: pathname + search, method},
      headers: {...headers, host},
      timeout: 50_000,
    });
    sending.on('timeout', () => sending.destroy(new Error('no answer')));
    sending.on('error', reject);
    sending.on('response', async response => {
      let text = '';
      for await (const chunk of response.setEncoding('utf8')) {
        text += chunk;
      }
      resolve({status: response.statusCode, text: text.slice(0, 500)});
    });
    sending.end(body);
  });

const complete = tokens =>
  send(`${SLUICE_URL}/v1/chat/completions`, {
    at: FRONT_DOOR,
    method: 'POST',
    headers: {authorization: `Bearer ${SLUICE_API_KEY}`, 'content-type': 'application/json'},
    body: JSON.stringify({
      model: MODEL,
      messages: [{role: 'user', content: 'Say something.'}],
      max_tokens: tokens,
    }),
  });

createServer(async (incoming, response) => {
  let body = '';
  for await (const chunk of incoming) {
    body += chunk;
  }
  const {
    'ce-id': event,
    'ce-type': type,
    'ce-orgid': orgid,
    'ce-source': source,
    'ce-sluicestamp': stamp,
  } = incoming.headers;
  if (event === undefined) {
    response.end('ok');
    return;
  }
  const {probe, reply, tokens = 10} = JSON.parse(body || '{}');
  const tell = answer =>
    process.stdout.write(`${JSON.stringify({event, type, orgid, source, stamp, ...answer})}\n`);
  if (reply) {
    tell({status: 200, text: ''});
    const headers = Object.entries(reply).map(([name, value]) => [`ce-${name}`, value]);
    response.writeHead(200, {'content-type': 'application/json', ...Object.fromEntries(headers)});
    response.end('{}');
    return;
  }
  const answer = await (probe ? send(probe.url, probe) : complete(tokens)).catch(error => ({
    status: 0,
    text: String(error),
  }));
  tell(answer);
  response.writeHead(answer.status === 200 || (probe && answer.status !== 0) ? 204 : 503).end();
}).listen(Number(PORT));
process.on('SIGTERM', () => process.exit(0));
