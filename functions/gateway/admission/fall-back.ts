/**
Fall back: the models that may answer for one that cannot, in the order that it names them.

In: a request whose model has no endpoint left, with nothing held and nothing told. Out: it runs under the first of them that exists,
that its key may use, and that lets it in under a price and limits of its own; or nobody takes it. Only the model that was asked
for names others: whoever reads its entry knows all that may answer, and there are no circles.
*/
import {asSluiceError} from '../../../events/errors.ts';
import type {Logger} from '../../../events/telemetry.ts';
import {mayUseModel, type Principal} from '../../auth/principal.ts';
import type {Catalogue, ModelEntry} from '../../registry/catalogue.ts';
import {type BeginParts, begin, type Running} from './begin.ts';

export type FallBackParts = BeginParts &
  Readonly<{
    catalogue: Pick<Catalogue, 'find'>;
    logger: Pick<Logger, 'error'>;
    onFallback: (model: ModelEntry, to: ModelEntry) => void;
  }>;

const find = (catalogue: Pick<Catalogue, 'find'>, name: string) => {
  const model = catalogue.find(name);
  return model?.status === 'ready' ? model : undefined;
};

export const fallbacksOf = (
  catalogue: Pick<Catalogue, 'find'>,
  principal: Principal,
  {name: asked, fallbacks}: ModelEntry,
): string[] =>
  fallbacks === undefined
    ? []
    : [...new Set(fallbacks)].filter(
        name => name !== asked && mayUseModel(principal, name) && find(catalogue, name),
      );

/** False: nobody took it. */
export const fallBack = async (parts: FallBackParts, running: Running): Promise<boolean> => {
  const {left, response, model: asked, arrival} = running;
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    const isLate = running.untilMs !== undefined && performance.now() >= running.untilMs;
    if (response.destroyed || isLate) {
      return false;
    }
    const model = find(parts.catalogue, name);
    try {
      if (model && !(await begin(parts, running, model))) {
        parts.onFallback(asked, model);
        return true;
      }
    } catch (thrown) {
      const error = asSluiceError(thrown);
      if (error.code === 'internal') {
        parts.logger.error({err: error.cause, request: arrival.id}, error.message);
      }
    }
  }
  return false;
};
