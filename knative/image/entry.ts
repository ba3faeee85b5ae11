/**
Entry: the program of the image: its argument says which of the bundles this process is, as `functions/main.ts` does where there are
none. Exit 2 for a name that is none.
*/
import {existsSync} from 'node:fs';
import {createRequire} from 'node:module';
import {fileURLToPath} from 'node:url';

const name = process.argv[2] ?? '';
const require = createRequire(import.meta.url);
