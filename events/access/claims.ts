/**
Claims: what a verified token of the provider says about who holds it.

In: the payload of a token whose signature, issuer, audience and times hold; which claim has the groups, which groups run the
platform. Out: the claims that count here, or undefined where it names nobody. Providers put groups in different places: `groups`,
Keycloak's `realm_access.roles`, Auth0's `https://example.org/roles`.
*/
import type {Claims} from './authenticate.ts';

export type ClaimRules = Readonly<{
  /** A claim's name, or a path with dots into claims that are objects. */
  groupsClaim: string;
  /** Whoever is in one of them is an operator. */
  operatorGroups: readonly string[];
}>;
type Payload = Readonly<Record<string, unknown>>;

const groupsMax = 500;
const groupLengthMax = 256;
const subjectLengthMax = 255;
const nameLengthMax = 200;

export const claimsOf = (
  payload: Payload,
  {groupsClaim, operatorGroups}: ClaimRules,
): Claims | undefined => {
  const {iss, sub} = payload;
  if (!isText(iss) || !isText(sub) || sub.length > subjectLengthMax) {
    return undefined;
  }
  const groups = groupsIn(payload, groupsClaim);
  return {
    issuer: iss,
    subject: sub,
    name: nameIn(payload) ?? sub,
    ...verifiedEmailIn(payload),
    groups,
    isOperator: groups.some(group => operatorGroups.includes(group)),
  };
};

/** A claim of exactly this name goes before a path: names may have dots in them. */
const groupsIn = (payload: Payload, claim: string): string[] => {
  const found = Object.hasOwn(payload, claim) ? payload[claim] : at(payload, claim.split('.'));
  const list: unknown[] = Array.isArray(found) ? found : [found];
  return list
    .filter(isText)
    .filter(group => group.length <= groupLengthMax)
    .slice(0, groupsMax);
};

const at = (value: unknown, path: readonly string[]): unknown => {
  let found = value;
  for (const part of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, part)) {
      return undefined;
    }
    found = (found as Payload)[part];
  }
  return found;
};

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

const verifiedEmailIn = ({email, email_verified: verified}: Payload) =>
  isText(email) && (verified === true || verified === 'true') ? {email: email.toLowerCase()} : {};

const nameIn = ({email, preferred_username: username, name, client_id, azp}: Payload) =>
  [email, username, name, client_id, azp].find(isText)?.slice(0, nameLengthMax);
