import {readFile} from 'node:fs/promises';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {createAsk} from '../../functions/gateway/routing/ask.ts';
import {createLoadWatch, type Watched} from '../../functions/gateway/routing/load-watch.ts';
import {readRequests, servers} from '../../functions/gateway/routing/read-requests.ts';
import {createVirtualTime} from '../helpers/routing.ts';

const page = (waiting: number, running: number, engine = '0') =>
  [
    '# HELP vllm:num_requests_running Number of requests in model execution batches.',
    '# TYPE vllm:num_requests_running gauge',
    `vllm:num_requests_running{engine="${engine}",model_name="a model/of:ours"} ${running}.0`,
    `vllm:num_requests_waiting{engine="${engine}",model_name="a model/of:ours"} ${waiting}.0`,
    'vllm:num_requests_waiting_by_reason{reason="capacity"} 100.0',
    'vllm:num_requests_swapped{engine="0"} 100.0',
    '',
  ].join('\n');

test('what waits and what runs is read from the metrics of vLLM, over all its engines', t => {
  t.is(readRequests(page(3, 4)), 7);
  t.is(readRequests(page(3, 4, '0') + page(1, 2, '1')), 10);
  t.is(readRequests('vllm:num_requests_running 1e1\n'), 10);
  t.is(readRequests('# vllm:num_requests_running 5\nother 1\n'), undefined);
  t.is(readRequests('vllm:num_requests_running NaN\n'), undefined);
});

const pagesOf: Readonly<Record<keyof typeof servers, string>> = {
  vLLM: page(3, 4),
  SGLang:
    'sglang:num_running_reqs{model_name="a/b",tp_rank="0"} 4.0\nsglang:num_queue_reqs{model_name="a/b",tp_rank="0"} 3.0\nsglang:num_used_tokens 900\n',
  'TensorRT-LLM in Triton': [
    'waiting"} 3',
    'context"} 1',
    'scheduled"} 4',
    'max"} 512',
    'active"} 7',
  ]
    .map(end => `nv_trt_llm_request_metrics{model="tensorrt_llm",version="1",request_type="${end}`)
    .concat('nv_inference_pending_request_count{model="tensorrt_llm",version="1"} 90', '')
    .join('\n'),
  'TensorRT-LLM': 'trtllm_num_requests_running 4\ntrtllm_num_requests_waiting 3\n',
  Triton:
    'nv_inference_pending_request_count{model="bert",version="1"} 7\nnv_inference_request_success{model="bert",version="1"} 80\n',
  TGI: 'tgi_batch_current_size 4\ntgi_queue_size 3\ntgi_batch_current_max_tokens 2048\n',
  TEI: 'te_queue_size 7\nte_request_count{method="batch"} 90\n',
  'llama.cpp': 'llamacpp:requests_processing 4\nllamacpp:requests_deferred 3\n',
};

for (const server of Object.keys(servers)) {
  test(`${server} says what runs and what waits there, each once, and nothing else is counted`, t => {
    t.is(readRequests(pagesOf[server] as string), 7);
  });
}

test('the routing README names every metric that is read', async t => {
  const readme = await readFile(
    new URL('../../functions/gateway/routing/README.md', import.meta.url),
    'utf8',
  );
  for (const name of Object.values(servers).flatMap(({names}) => names)) {
    t.true(readme.includes(`\`${name}`), name);
  }
});

const world = (pages: Record<string, string | undefined>) => {
  const time = createVirtualTime();
  const asked: string[] = [];
  const endpoints: (Watched & {usedMs: number})[] = Object.keys(pages).map(url => ({
    url,
    inFlight: 0,
    reported: undefined,
    usedMs: time.nowMs(),
  }));
  const watch = createLoadWatch({
    watched: sinceMs => endpoints.filter(({usedMs}) => usedMs >= sinceMs),
    async ask(url) {
      asked.push(url);
      const text = pages[url.replace('/metrics', '')];
      return text === undefined ? undefined : {status: 200, contentType: 'text/plain', text};
    },
    nowMs: time.nowMs,
    after: time.after,
  });
  return {time, asked, endpoints, watch};
};

test('endpoints are asked once a second while they are used, and for ten seconds after, then nobody is', async t => {
  const {time, asked, endpoints, watch} = world({a: page(1, 2), b: page(0, 0)});
  t.is(time.timers(), 0);
  watch.used();
  watch.used();
  await time.pass(4_500);
  t.is(asked.length, 10);
  t.deepEqual(
    endpoints.map(({reported}) => reported?.others),
    [3, 0],
  );
  await time.pass(60_000);
  t.is(asked.length, 22);
  t.is(time.timers(), 0, 'it goes to sleep');
});

test('what this process has there itself is not counted twice', async t => {
  const {time, endpoints, watch} = world({a: page(1, 4), b: page(0, 1)});
  for (const endpoint of endpoints) {
    (endpoint as {inFlight: number}).inFlight = 2;
  }
  watch.used();
  await time.pass(10);
  t.deepEqual(
    endpoints.map(({reported}) => reported?.others),
    [3, 0],
  );
});

test('one that does not answer, or says nothing of its load, is left in peace for half a minute', async t => {
  const {time, asked, endpoints, watch} = world({a: undefined, b: 'python_info 1\n'});
  watch.used();
  for (let second = 0; second < 29; second += 1) {
    for (const endpoint of endpoints) {
      endpoint.usedMs = time.nowMs();
    }
    await time.pass(1_000);
  }
  t.deepEqual(asked, ['a/metrics', 'b/metrics']);
  t.true(endpoints.every(({reported}) => reported === undefined));
  for (const endpoint of endpoints) {
    endpoint.usedMs = time.nowMs();
  }
  await time.pass(2_000);
  t.is(asked.length, 4);
});

test('who is closed asks no more', async t => {
  const {time, asked, watch} = world({a: page(1, 2)});
  watch.used();
  watch.close();
  watch.used();
  await time.pass(5_000);
  t.deepEqual(asked, []);
});

const serverThat = async (t: ExecutionContext, answer: Parameters<typeof createServer>[1]) => {
  const server = createServer({}, answer);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};
const askFor = (t: ExecutionContext, options: Parameters<typeof createAsk>[0] = {}) => {
  const asker = createAsk(options);
  t.teardown(asker.close);
  return asker.ask;
};

test('a question has an answer, or none: never an error', async t => {
  const url = await serverThat(t, (request, response) => {
    response.writeHead(request.url === '/v1/models' ? 200 : 404, {'content-type': 'text/plain'});
    response.end('yes');
  });
  const ask = askFor(t);
  t.deepEqual(await ask(`${url}/v1/models`), {
    status: 200,
    contentType: 'text/plain',
    text: 'yes',
  });
  t.is((await ask(`${url}/other`))?.status, 404);
  t.is(await ask('http://127.0.0.1:1/metrics'), undefined);
  t.is(await ask('no url'), undefined);
});

test('an answer without end is cut off by its size, and one without progress by its time', async t => {
  let sent = 0;
  const endless = await serverThat(t, (_request, response) => {
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(1_000))) {
        sent += 1_000;
      }
    };
    response.on('drain', more);
    more();
  });
  t.is(await askFor(t, {bodyBytesMax: 10_000, timeoutMs: 20_000})(`${endless}/metrics`), undefined);
  t.true(sent < 50_000_000);
  const silent = await serverThat(t, (_request, response) => {
    response.writeHead(200);
    response.write('vllm:');
  });
  t.is(await askFor(t, {timeoutMs: 200})(`${silent}/metrics`), undefined);
});
