/** State: in one word how a thing stands, of the instants that the API tells of it. */
import type {Item} from './client.ts';

const isPast = (instant: unknown, nowMs: number) =>
  typeof instant === 'string' && Date.parse(instant) <= nowMs;

export const stateOf = (item: Item, nowMs = Date.now()): string => {
  if (item.purgedAt !== undefined) {
    return 'purged';
  }
  if (item.deletedAt !== undefined) {
    return 'deleted';
  }
  if (item.suspendedAt !== undefined) {
    return 'suspended';
  }
  if (item.revokedAt !== undefined) {
    return 'revoked';
  }
  if (item.disabledAt !== undefined) {
    return 'disabled';
  }
  if (isPast(item.expiresAt, nowMs)) {
    return 'expired';
  }
  return item.invited === true ? 'invited' : 'active';
};
