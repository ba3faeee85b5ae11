/**
Login links: a login without a provider, for whoever is given the link, once and within 15 minutes. The operator's alone.

In: a user. Out: the link's token, of which only a SHA-256 is kept. It stands behind `#` in the address, so that it is in no log, and
what looks at addresses before a person does (a mail scanner, a chat's preview) uses no link up.
*/
import {randomBytes} from 'node:crypto';
import type {Router} from 'express';
import {hashToken, makeSessionToken} from '../../../events/access/session.ts';
import {SluiceError} from '../../../events/errors.ts';
import {answerOnce, sendOnce} from '../api/answer-once.ts';
import type {Dependencies} from '../api/dependencies.ts';
import {idIn} from '../api/tenancy.ts';
import {noUser} from './users.ts';

type Row = {made: boolean; until: Date};

const insertText = 'select * from create_login_link($1, $2)';

export const loginLinkRoutes = ({
  contract,
  tenancy,
  random = randomBytes,
}: Pick<Dependencies, 'contract' | 'tenancy'> & {random?: (bytes: number) => Buffer}) =>
  function addLoginLinkRoutes(router: Router) {
    router.post('/admin/v1/users/:id/login-links', async (request, response) => {
      contract.query('createLoginLink', request.query);
      const user = idIn(request, 'id');
      const token = makeSessionToken(random);
      const create = answerOnce(
        request,
        async client => {
          const {rows} = await client.query<Row>(insertText, [user, hashToken(token)]);
          const [link] = rows;
          if (!link) {
            throw noUser(user);
          }
          if (!link.made) {
            throw new SluiceError('conflict', `user ${user} is disabled, so no link logs them in`, {
              parameter: 'id',
            });
          }
          return {user, token, path: `/auth/link#${token}`, expiresAt: link.until};
        },
        {secret: ['token', 'path']},
      );
      const answer = await tenancy(request).operator(create);
      sendOnce(request, response, answer, {status: 201});
    });
  };
