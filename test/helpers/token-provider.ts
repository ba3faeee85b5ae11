/**
Token provider: what of an OpenID provider a verifier of tokens needs, discovery and keys, and hands that sign.

In: the test. Out: the issuer, ways to sign and to misbehave, how often it was asked.
*/
import type {IncomingMessage, ServerResponse} from 'node:http';
import type {ExecutionContext} from 'ava';
import * as jose from 'jose';
import {createHttpTestServer} from './http.ts';

type Fault = 'away' | 'hang' | 'html' | 'huge' | 'redirect' | 'other-issuer' | 'foreign-keys';

export const startTokenProvider = async (t: Pick<ExecutionContext, 'teardown'>) => {
  const pairs = new Map<string, {alg: string; pair: jose.GenerateKeyPairResult}>();
  const asked: string[] = [];
  let fault: Fault | undefined;
  let issuer = '';
  let base = '';

  const addKey = async (kid: string, alg = 'ES256') => {
    pairs.set(kid, {alg, pair: await jose.generateKeyPair(alg, {extractable: true})});
  };
  const keySet = async () => ({
    keys: await Promise.all(
      [...pairs].map(async ([kid, {alg, pair}]) => ({
        ...(await jose.exportJWK(pair.publicKey)),
        kid,
        alg,
        use: 'sig',
      })),
    ),
  });
  const answerOf = async (url: string) =>
    url === '/keys'
      ? await keySet()
      : {
          issuer: fault === 'other-issuer' ? 'http://elsewhere.example' : issuer,
          jwks_uri: fault === 'foreign-keys' ? 'http://elsewhere.example/keys' : `${base}/keys`,
        };
  const handler = async (request: IncomingMessage, response: ServerResponse) => {
    asked.push(request.url as string);
    switch (fault) {
      case 'hang':
        return;
      case 'away':
        response.writeHead(503).end();
        return;
      case 'html':
        response.end('<html>');
        return;
      case 'huge':
        response.end(`{"issuer": "${'x'.repeat(300_000)}"}`);
        return;
      case 'redirect':
        response.writeHead(302, {location: `${base}/.well-known/elsewhere`}).end();
        return;
      default:
        response.end(JSON.stringify(await answerOf(request.url as string)));
    }
  };
  ({url: base} = await createHttpTestServer(t, (request, response) => {
    void handler(request, response);
  }));
  issuer = base;
  await addKey('first');

  return {
    get issuer() {
      return issuer;
    },
    setIssuer(text: string) {
      issuer = text;
    },
    asked: asked as readonly string[],
    misbehave(how: Fault | undefined) {
      fault = how;
    },
    addKey,
    publicKey: (kid = 'first') =>
      (pairs.get(kid) as {pair: jose.GenerateKeyPairResult}).pair.publicKey,
    /** With all that a good token has, but for what is given; undefined takes a claim away. */
    async sign(claims: Record<string, unknown> = {}, {kid = 'first', header = {}} = {}) {
      const {alg, pair} = pairs.get(kid) as {alg: string; pair: jose.GenerateKeyPairResult};
      const now = Math.floor(Date.now() / 1_000);
      const all = {iss: issuer, aud: 'sluice', sub: 'ada', iat: now, exp: now + 3_600, ...claims};
      const payload = Object.fromEntries(
        Object.entries(all).filter(([, value]) => value !== undefined),
      );
      return new jose.SignJWT(payload as jose.JWTPayload)
        .setProtectedHeader({alg, kid, ...header})
        .sign(pair.privateKey, {crit: {x: true}});
    },
  };
};

export type TokenProvider = Awaited<ReturnType<typeof startTokenProvider>>;
