/**
Default rate: how many requests a minute a key may make that has no such limit of its own.

In: how principals are loaded. Out: the same, and keys without the limit have the default. A limit of its project or organisation
counts beside it, as with any key's.
*/
import type {LoadPrincipal} from '../../auth/principals.ts';

export const withDefaultRate = (
  load: LoadPrincipal,
  requestsPerMinute: number | undefined,
): LoadPrincipal =>
  requestsPerMinute === undefined
    ? load
    : async function loadWithDefault(publicId) {
        const principal = await load(publicId);
        return (
          principal && {
            ...principal,
            rates: {
              ...principal.rates,
              key: {requests: requestsPerMinute, ...principal.rates?.key},
            },
          }
        );
      };
