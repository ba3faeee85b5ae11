/**
Counting: how many tests files declare, found by `count-tests.ts` in a process of its own.
*/
import {fileURLToPath} from 'node:url';
import {execute, tailOf} from './install.ts';
import {ServiceFailed} from './service-failed.ts';

const program = fileURLToPath(new URL('count-tests.ts', import.meta.url));

/** Some files declare other tests on a cluster than elsewhere. */
export const countTests = async (files: readonly string[]): Promise<number> => {
  const {code, output} = await execute(process.execPath, [program, ...files], {
    environment: {SLUICE_TEST_KNATIVE: 'a kubeconfig'},
  });
  const count = Number(output.trim().split('\n').at(-1));
  if (code !== 0 || !Number.isSafeInteger(count)) {
    throw new ServiceFailed(
      `the tests of ${files.join(', ')} cannot be counted:\n${tailOf(output)}`,
    );
  }
  return count;
};
