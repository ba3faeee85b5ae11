/**
Licences: the texts that the packages in the image want to travel with them; comments are taken out of the bundles.

In: the packages' folders. Out: one text.
*/
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';

const isLicence = (name: string) => /^(licen[cs]e|copying|notice)([.-].*)?$/i.test(name);

export const licencesOf = (tree: string, packages: readonly string[]): string =>
  packages
    .flatMap(path =>
      readdirSync(join(tree, path))
        .filter(isLicence)
        .sort()
        .map(name => `${path}/${name}\n\n${readFileSync(join(tree, path, name), 'utf8').trim()}\n`),
    )
    .join(`\n${'-'.repeat(80)}\n\n`);
