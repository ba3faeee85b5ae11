/**
Helm: what a chart becomes with some values, as objects.

In: the chart's folder, values as Helm takes them. Out: the objects it renders, in the order of its output, or Helm's complaint. The
first use on a machine builds Helm, which takes minutes.
*/
import {spawn} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {parseAllDocuments} from 'yaml';
import {type GoTool, requireGoTool} from '../runner/go-tools.ts';

// biome-ignore lint/suspicious/noExplicitAny: a Kubernetes object of any kind.
export type KubernetesObject = any;
export type Output = Readonly<{code: number | null; stdout: string; stderr: string}>;
export type Rendering = Readonly<{
  release?: string;
  namespace?: string;
  /** Files of values, by their names in the chart. */
  files?: readonly string[];
  values?: object;
  arguments?: readonly string[];
}>;

export const chartFolder = (name: string) =>
  fileURLToPath(new URL(`../../charts/${name}`, import.meta.url));

/** Runs a program of Go's; `input` is what it reads. */
export const runTool = async (
  program: GoTool,
  parameters: readonly string[],
  {input = '', environment = {}}: {input?: string; environment?: Record<string, string>} = {},
): Promise<Output> => {
  const child = spawn(await requireGoTool(program), parameters, {
    env: {...process.env, ...environment},
  });
  const read = async (stream: AsyncIterable<Buffer>) => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) {
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  };
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  // One that reads nothing may be gone before it is written to.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [stdout, stderr, code] = await Promise.all([read(child.stdout), read(child.stderr), ended]);
  return {code, stdout, stderr};
};

const valuesOf = ({files = [], values = {}}: Rendering, chart: string) => ({
  parameters: [...files.flatMap(file => ['--values', `${chart}/${file}`]), '--values', '-'],
  input: JSON.stringify(values),
});

/** The text of `helm template`, whatever came of it. */
export const tryTemplate = (chart: string, rendering: Rendering = {}): Promise<Output> => {
  const {release = 'sluice', namespace = 'sluice'} = rendering;
  const {parameters, input} = valuesOf(rendering, chart);
  return runTool(
    'helm',
    [
      ...['template', release, chart, '--namespace', namespace],
      ...parameters,
      ...(rendering.arguments ?? []),
    ],
    {input},
  );
};

export const template = async (
  chart: string,
  rendering: Rendering = {},
): Promise<KubernetesObject[]> => {
  const {code, stdout, stderr} = await tryTemplate(chart, rendering);
  if (code !== 0) {
    throw new Error(`helm template ended with ${code}: ${stderr}`);
  }
  return parseAllDocuments(stdout)
    .map(document => document.toJS())
    .filter(object => object !== null);
};

export const lint = (chart: string, rendering: Rendering = {}): Promise<Output> => {
  const {parameters, input} = valuesOf(rendering, chart);
  return runTool('helm', ['lint', '--strict', chart, ...parameters], {input});
};
