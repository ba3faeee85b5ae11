/**
Read requests: how many requests a model server has, by its own metrics: what runs there and what waits.

In: a page in Prometheus' text format. Out: their number, over all engines of the server; undefined where it does not say. Pure.
*/
type Server = Readonly<{
  names: readonly string[];
  /** Only lines with such labels. */
  labels?: RegExp;
}>;

/** In this order: Triton tells more of TensorRT-LLM than of other backends, and then both. */
export const servers: Readonly<Record<string, Server>> = {
  vLLM: {names: ['vllm:num_requests_running', 'vllm:num_requests_waiting']},
  SGLang: {names: ['sglang:num_running_reqs', 'sglang:num_queue_reqs']},
  'TensorRT-LLM in Triton': {
    names: ['nv_trt_llm_request_metrics'],
    // The others are among these, or a bound.
    labels: /request_type="(?:scheduled|waiting)"/,
  },
  'TensorRT-LLM': {names: ['trtllm_num_requests_running', 'trtllm_num_requests_waiting']},
  Triton: {names: ['nv_inference_pending_request_count']},
  TGI: {names: ['tgi_batch_current_size', 'tgi_queue_size']},
  TEI: {names: ['te_queue_size']},
  'llama.cpp': {names: ['llamacpp:requests_processing', 'llamacpp:requests_deferred']},
};

const all = Object.values(servers);
const names = all.flatMap(server => server.names);
const line = new RegExp(`^(${names.join('|')})(\\{[^}\\n]*\\})? +([0-9.eE+]+)`, 'gm');

export const readRequests = (text: string): number | undefined => {
  const sums = new Map<Server, number>();
  for (const [, name = '', labels = '', value] of text.matchAll(line)) {
    const server = all.find(each => each.names.includes(name)) as Server;
    const number = Number(value);
    if (Number.isFinite(number) && number >= 0 && (server.labels?.test(labels) ?? true)) {
      sums.set(server, (sums.get(server) ?? 0) + number);
    }
  }
  const told = all.find(server => sums.has(server));
  return told && sums.get(told);
};
