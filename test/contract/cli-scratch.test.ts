import {mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import test from 'ava';
import {replay, startAdminWithCli} from '../helpers/cli.ts';

for (const name of readdirSync('/tmp/sessions').filter(one => one.endsWith('.in'))) {
  test(name, async t => {
    const {run} = await startAdminWithCli(t);
    const {actual} = await replay(run, readFileSync(`/tmp/sessions/${name}`, 'utf8'));
    writeFileSync(`/tmp/sessions/${name}.out`, actual);
    t.pass();
  });
}
