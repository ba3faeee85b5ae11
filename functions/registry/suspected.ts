/**
Suspected: what the registry does with `endpoint.suspected`. Anything in a cluster can post it, so it is a hint: of its data
only the endpoint's id is used, to look up what to probe.
*/
import {SluiceError} from '../../events/errors.ts';
import type {EventHandler} from '../../events/serve.ts';
import {isUuid} from '../../events/uuid.ts';
import type {Registry} from './registry.ts';

export const onSuspected = (registry: Pick<Registry, 'suspect'>): EventHandler =>
  async function handleSuspected({type, data}) {
    if (type !== 'dev.sluice.endpoint.suspected.v1') {
      throw new SluiceError(
        'unprocessable_event',
        'expected an event of type dev.sluice.endpoint.suspected.v1',
      );
    }
    const endpoint = (data as {endpoint?: unknown} | null | undefined)?.endpoint;
    if (!isUuid(endpoint)) {
      throw new SluiceError(
        'unprocessable_event',
        'data.endpoint: expected the id of an endpoint, a UUID',
      );
    }
    await registry.suspect(endpoint);
    return undefined;
  };
