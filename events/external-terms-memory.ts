/**
External terms in memory: the reference that the statement in `external-terms.ts` is held to. What is not said to be there is
unknown. Tables are filled by whoever makes them.
*/
import {type FindTerms, termsOf} from './external-terms.ts';
import type {Price, PriceColumns} from './price.ts';

export type Registry = Readonly<{
  orgs: Set<string>;
  /** Oldest first. */
  projects: {id: string; org: string}[];
  keys: {id: string; org: string; project: string}[];
  models: {id: string; name: string; environment: string}[];
  /** In order of their versions. */
  prices: {model: string; version: number; price: Price; createdAt: string}[];
}>;

export const emptyRegistry = (): Registry => ({
  orgs: new Set(),
  projects: [],
  keys: [],
  models: [],
  prices: [],
});

export const findTermsAmong = (registry: Registry): FindTerms =>
  async function findTerms(usage) {
    return usage.map(one => {
      const key = registry.keys.find(({id, org}) => id === one.key && org === one.org);
      const wanted = one.project ?? key?.project;
      const project = registry.projects.find(
        ({id, org}) => org === one.org && (wanted === undefined || id === wanted),
      );
      const model = registry.models.find(
        ({name, environment}) => name === one.model && environment === one.environment,
      );
      const prices = registry.prices.filter(price => price.model === model?.id);
      const inForce = prices.filter(({createdAt}) => createdAt <= one.at).at(-1) ?? prices[0];
      return termsOf(one, {
        org: registry.orgs.has(one.org) ? one.org : null,
        project: project?.id ?? null,
        key: key?.id ?? null,
        key_project: key?.project ?? null,
        model: model?.id ?? null,
        version: inForce?.version ?? null,
        ...columnsOf(inForce?.price),
      });
    });
  };

const columnsOf = (price: Price | undefined): PriceColumns =>
  price === undefined
    ? unpriced
    : {
        free: price.free,
        input_per_million: BigInt(price.inputPerMillion),
        output_per_million: BigInt(price.outputPerMillion),
        cached_input_per_million:
          price.cachedInputPerMillion === undefined ? null : BigInt(price.cachedInputPerMillion),
        input_gpu_ms_per_million: BigInt(price.inputGpuMsPerMillion),
        output_gpu_ms_per_million: BigInt(price.outputGpuMsPerMillion),
      };

const unpriced: PriceColumns = {
  free: false,
  input_per_million: 0n,
  output_per_million: 0n,
  cached_input_per_million: null,
  input_gpu_ms_per_million: 0n,
  output_gpu_ms_per_million: 0n,
};
