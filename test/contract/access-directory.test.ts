import test from 'ava';
import {claimsOf} from '../../events/access/claims.ts';
import {createDirectory} from '../../events/access/directory.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createTestDatabase} from '../helpers/database.ts';

const rules = {groupsClaim: 'groups', operatorGroups: ['platform']};
const token = (claims: object) => {
  const found = claimsOf({iss: 'https://issuer.example', sub: 'one', ...claims}, rules);
  if (!found) {
    throw new Error('expected claims');
  }
  return found;
};

test('a user who has not logged in through the provider is known by a verified email, disabled or not', async t => {
  const database = await createTestDatabase(t);
  const superuser = database.pool('superuser');
  const directory = createDirectory(database.pool('tenant'));
  const id = uuidv7();
  await superuser.query(
    "insert into users (id, email, name) values ($1, 'ada@example.org', 'Ada')",
    [id],
  );
  const verified = token({email: 'Ada@Example.org', email_verified: true});
  t.like(await directory.bySubject(verified), {id, name: 'ada@example.org'});
  // An email that anybody may have typed is nobody's.
  const typed = await directory.bySubject(token({email: 'ada@example.org', email_verified: false}));
  t.is(typed?.id, undefined);

  await superuser.query('update users set disabled_at = now() where id = $1', [id]);
  t.is(await directory.bySubject(verified), undefined);

  // Linked to another subject, the email says no more who it is.
  await superuser.query(
    "update users set issuer = 'https://issuer.example', subject = 'another' where id = $1",
    [id],
  );
  t.is((await directory.bySubject(verified))?.id, undefined);
  t.is(await directory.bySubject({...verified, subject: 'another'}), undefined);
});
