/**
Key rotation: a key gets a new secret and keeps its id, so its budgets, limits and history too.

In: how long the secret before it stays good. Out: the key with the new one, shown once. Only two secrets are good at a time: rotating
again within the overlap ends the oldest at once.
*/
import type {Router} from 'express';
import {hashSecret, makeApiKey} from '../../../events/api-key.ts';
import {SluiceError} from '../../../events/errors.ts';
import {requireMatch} from '../../../events/etag.ts';
import {readJson} from '../../../events/json-body.ts';
import {answerOnce, sendOnce} from '../api/answer-once.ts';
import type {Dependencies} from '../api/dependencies.ts';
import {idIn} from '../api/tenancy.ts';
import {findKey, keyView, refuseRevoked} from './key-view.ts';

const dayS = 86_400;

const rotateText = `
  update keys set (previous_public_id, previous_secret_hash, previous_expires_at) =
      (select old.public_id, old.secret_hash, $5::timestamptz from keys old where old.id = $1 and $5::timestamptz is not null),
    public_id = $2, secret_hash = $3, rotated_at = $4
  where id = $1`;

export const keyRotationRoutes = ({contract, tenancy, now}: Dependencies) =>
  function addKeyRotationRoutes(router: Router) {
    router.post('/admin/v1/keys/:id/rotate', async (request, response) => {
      const {overlapSeconds = dayS} = contract.body<{overlapSeconds?: number}>(
        'rotateKey',
        readJson(request),
      );
      const id = idIn(request, 'id');
      const rotate = answerOnce(
        request,
        async client => {
          const time = now();
          const before = await findKey(client, id, {locked: true});
          await requireMatch(request, async () => keyView(before, time));
          refuseRevoked(before);
          if (before.expires_at && before.expires_at <= time) {
            throw new SluiceError(
              'conflict',
              'the key is expired; give it a later expiresAt first',
            );
          }
          const {text, publicId, secret} = makeApiKey();
          const goodUntil =
            overlapSeconds === 0 ? null : new Date(time.getTime() + overlapSeconds * 1_000);
          await client.query(rotateText, [id, publicId, hashSecret(secret), time, goodUntil]);
          return {...keyView(await findKey(client, id), time), key: text};
        },
        {secret: 'key'},
      );
      const answer = await tenancy(request).owning('key', id, rotate);
      sendOnce(request, response, answer);
    });
  };
