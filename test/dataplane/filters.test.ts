/** Filters: which Trigger gets which event. */
import test from 'ava';
import {openPlane, type TriggerSpec} from './plane.ts';
import {binary, post} from './post.ts';

/** Each Trigger with the ids of the events that it wants. */
const triggers: Record<string, Omit<TriggerSpec, 'name'> & {wants: readonly string[]}> = {
  nothing: {wants: ['a', 'b', 'c', 'd']},
  'old-filter': {filter: {attributes: {type: 'test.a'}}, wants: ['a']},
  'two-attributes': {filter: {attributes: {type: 'test.b', extension: 'one'}}, wants: ['b']},
  exact: {filters: [{exact: {type: 'test.c'}}], wants: ['c']},
  prefix: {filters: [{prefix: {type: 'test.'}}], wants: ['a', 'b', 'c']},
  suffix: {filters: [{suffix: {source: '/two'}}], wants: ['c', 'd']},
  'all-of': {
    filters: [{all: [{prefix: {type: 'test.'}}, {suffix: {source: '/one'}}]}],
    wants: ['a', 'b'],
  },
  'any-of': {
    filters: [{any: [{exact: {type: 'test.a'}}, {exact: {type: 'other'}}]}],
    wants: ['a', 'd'],
  },
  'not-this': {filters: [{not: {exact: {type: 'test.a'}}}], wants: ['b', 'c', 'd']},
  'two-items': {
    filters: [{prefix: {type: 'test.'}}, {not: {exact: {type: 'test.b'}}}],
    wants: ['a', 'c'],
  },
  'absent-attribute': {filters: [{exact: {missing: 'one'}}], wants: []},
  'not-absent': {filters: [{not: {exact: {missing: 'one'}}}], wants: ['a', 'b', 'c', 'd']},
  extension: {filters: [{prefix: {extension: 'o'}}], wants: ['b']},
  'filters-win': {
    filter: {attributes: {type: 'test.a'}},
    filters: [{exact: {type: 'test.b'}}],
    wants: ['b'],
  },
  'empty-filters': {filter: {attributes: {type: 'test.a'}}, filters: [], wants: ['a']},
  case: {filters: [{exact: {type: 'TEST.A'}}], wants: []},
};

test('each Trigger gets the events that its filters want and no other', async t => {
  const {url, receiver} = await openPlane(t, {
    triggers: Object.entries(triggers).map(([name, {wants: _, ...spec}]) => ({name, ...spec})),
  });
  await post(url, {...binary('a', {type: 'test.a'}), 'ce-source': '/one'});
  await post(url, {...binary('b', {type: 'test.b', extension: 'one'}), 'ce-source': '/one'});
  await post(url, {...binary('c', {type: 'test.c'}), 'ce-source': '/two'});
  await post(url, {...binary('d', {type: 'other'}), 'ce-source': '/two'});
  for (const [name, {wants}] of Object.entries(triggers)) {
    await receiver.count(`/${name}`, wants.length);
  }
  for (const [name, {wants}] of Object.entries(triggers)) {
    t.deepEqual(
      receiver
        .at(`/${name}`)
        .map(({id}) => id)
        .sort(),
      [...wants],
      name,
    );
  }
});
