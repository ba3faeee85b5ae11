/**
Top-ups: adds to the limit of a budget's current window, and lists what was added.

A top-up counts in the transaction that makes it, and once: its id is the client's, unique in the organisation, and the same
call again has the same answer. Another amount or another budget under an id that is used is a conflict.
*/
import type {Router} from 'express';
import type pg from 'pg';
import {SluiceError} from '../../../events/errors.ts';
import {readJson} from '../../../events/json-body.ts';
import {answerOnce, sendOnce} from '../api/answer-once.ts';
import type {Dependencies} from '../api/dependencies.ts';
import {type PageQuery, toPage} from '../api/page.ts';
import {idIn} from '../api/tenancy.ts';
import {parseAmount, refuseOverflow, type Unit} from './amount.ts';
import {announceTopUp} from './announce.ts';
import {type TopUpRow, toTopUpView} from './top-up.ts';

type NewTopUp = Readonly<{amount: string | number; id?: string; by?: string}>;

const path = '/admin/v1/budgets/:id/top-ups';
const topUpText = 'select * from top_up($1, $2, $3, $4)';
const listText = `
  select id, budget_id, window_id, amount, made_by, created_at from top_ups
  where budget_id = $1
    and ($2::text is null
         or (created_at, id) > (select created_at, id from top_ups where budget_id = $1 and id = $2))
  order by created_at, id limit $3`;

export const topUpRoutes = ({contract, tenancy, now, newId}: Dependencies) =>
  function addTopUpRoutes(router: Router) {
    router.post(path, async (request, response) => {
      const wanted = contract.body<NewTopUp>('createTopUp', readJson(request));
      const budget = idIn(request, 'id');
      const add = answerOnce(request, async client => {
        const unit = await unitOf(client, budget);
        const amount = amountOf(unit, wanted);
        const {rows} = await client.query<TopUpRow & {made: boolean}>(topUpText, [
          budget,
          wanted.id ?? newId(),
          amount,
          wanted.by,
        ]);
        const topUp = rows[0] as (typeof rows)[number];
        if (topUp.budget_id !== budget || topUp.amount !== amount) {
          throw taken(topUp.id);
        }
        if (topUp.made) {
          await announceTopUp(client, topUp, now());
        }
        return toTopUpView(topUp, unit);
      });
      const answer = await tenancy(request)
        .owning('budget', budget, add)
        .catch(refuseOverflow('amount'));
      sendOnce(request, response, answer, {status: 201});
    });

    router.get(path, async (request, response) => {
      const {after, limit} = contract.query<PageQuery>('listTopUps', request.query);
      const budget = idIn(request, 'id');
      const page = await tenancy(request).owning('budget', budget, async client => {
        const unit = await unitOf(client, budget);
        const {rows} = await client.query<TopUpRow>(listText, [budget, after, limit + 1]);
        return toPage(
          rows.map(row => toTopUpView(row, unit)),
          limit,
        );
      });
      response.json(page);
    });
  };

const unitOf = async (client: pg.PoolClient, budget: string): Promise<Unit> => {
  const {rows} = await client.query<{unit: Unit}>('select unit from budgets where id = $1', [
    budget,
  ]);
  return (rows[0] as {unit: Unit}).unit;
};

const amountOf = (unit: Unit, {amount}: NewTopUp): bigint => {
  const parsed = parseAmount(unit, amount, 'amount');
  if (parsed === 0n) {
    throw new SluiceError('bad_request', 'amount: expected more than nought', {
      parameter: 'amount',
    });
  }
  return parsed;
};

const taken = (id: string) =>
  new SluiceError(
    'conflict',
    `id: there is a top-up ${id} already, of another amount or of another budget`,
    {parameter: 'id'},
  );
