/**
Models as tests of the registry want them. In: what is different. Out: a registration's body, a model, a finding, a probe
whose findings the test sets.
*/
import {uuidv7} from '../../events/uuid.ts';
import type {Endpoint, Finding, Model} from '../../functions/registry/model.ts';
import type {Probe, Target} from '../../functions/registry/probe.ts';

export const makeBody = (more: Record<string, unknown> = {}) => ({
  name: 'llama',
  environment: 'development',
  endpoints: ['http://a:8000'],
  price: {inputPerMillion: '0.20', outputPerMillion: '0.60'},
  ...more,
});

export const well: Finding = {
  health: 'healthy',
  reason: null,
  contextLength: 8192,
  usage: 'every-chunk',
  tokenize: true,
};
export const ill: Finding = {
  health: 'unhealthy',
  reason: 'connection refused',
  contextLength: null,
  usage: null,
  tokenize: null,
};

export const makeEndpoint = (more: Partial<Endpoint> = {}): Endpoint => ({
  id: uuidv7(),
  url: 'http://a:8000',
  upstreamModel: 'llama',
  usage: 'last-chunk',
  tokenize: false,
  health: 'healthy',
  healthAt: '2026-11-21T10:00:00.000Z',
  healthReason: null,
  maxConcurrency: null,
  object: null,
  ...more,
});

export const makeModel = (more: Partial<Model> = {}): Model => ({
  id: uuidv7(),
  name: 'llama',
  environment: 'development',
  status: 'ready',
  contextLength: 8192,
  defaultMaxTokens: 4096,
  namespace: null,
  metadata: {},
  startSeconds: null,
  fallbacks: [],
  maxOutputTokens: null,
  price: {
    free: false,
    inputPerMillion: 200_000_000n,
    outputPerMillion: 600_000_000n,
    cachedInputPerMillion: null,
    inputGpuMsPerMillion: 0n,
    outputGpuMsPerMillion: 0n,
  },
  priceVersion: 1,
  endpoints: [makeEndpoint()],
  ...more,
});

/** Findings by URL, `ill` where none is set; keeps what it was asked. */
export const createFakeProbe = (findings: Record<string, Finding> = {}) => {
  const targets: Target[] = [];
  const probe: Probe = async target => {
    targets.push(target);
    return findings[target.url] ?? ill;
  };
  return {probe, findings, targets};
};
