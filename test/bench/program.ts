/**
Program: the gateway that is measured: the image's bundle, with V8's code, or the sources, whose profile can be read.

In: which; a folder to bundle in. Out: what `child.ts` starts. The bundle holds half of the memory and calls fewer small functions: what
operators run is this one.
*/
import {join} from 'node:path';
import {layOut} from '../../knative/image/app.ts';

export const variants = ['image', 'sources'] as const;
export type Variant = (typeof variants)[number];
export type Program = Readonly<{program: string; programArguments: readonly string[]}>;

export const programOf = async (variant: Variant, folder: string): Promise<Program> => {
  if (variant === 'sources') {
    return {program: 'functions/gateway/main.ts', programArguments: []};
  }
  const app = join(folder, 'app');
  await layOut({tree: process.cwd(), app, version: '0.0.0', only: ['gateway']});
  return {program: join(app, 'bundle/main.cjs'), programArguments: ['gateway']};
};
