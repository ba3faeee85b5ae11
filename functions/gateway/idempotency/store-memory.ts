/**
Claims in memory: those of one process. What the other stores are held to, and what is left when they are away.

In: a clock, the most claims. Out: the port. Over the bound the oldest is forgotten, because a key that is forgotten costs a
second run, and one that is refused costs the first.
*/
import {type Claim, type ClaimStore, isHeld, take} from './claim.ts';

export const createMemoryClaims = ({
  nowMs = () => Date.now(),
  claimsMax = 10_000,
}: {
  nowMs?: () => number;
  claimsMax?: number;
} = {}): ClaimStore => {
  const claims = new Map<string, Claim>();
  return {
    async take(asked) {
      const {claim, found} = take(claims.get(asked.id), asked, nowMs());
      if (found.state === 'taken') {
        // Taken last, forgotten last.
        claims.delete(asked.id);
        claims.set(asked.id, claim);
        if (claims.size > claimsMax) {
          claims.delete(claims.keys().next().value as string);
        }
      }
      return found;
    },
    async finish({id, fence, result, keepMs}) {
      const claim = claims.get(id);
      if (!isHeld(claim, fence, nowMs())) {
        return false;
      }
      claims.set(id, {...claim, finished: true, result, expiresAtMs: nowMs() + keepMs});
      return true;
    },
    async release({id, fence}) {
      return isHeld(claims.get(id), fence, nowMs()) && claims.delete(id);
    },
    async close() {
      claims.clear();
    },
  };
};
