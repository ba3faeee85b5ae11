/**
Output: what a ready start says: one JSON line for programs, a page for people.
*/
import type {Found} from './upstream.ts';

export type Ready = Readonly<{
  url: string;
  apiKey: string;
  adminKey: string;
  model: string;
  environment: string;
}>;

/** The fields in the order that is promised, and nothing else. */
export const jsonLine = ({url, apiKey, adminKey, model, environment}: Ready) =>
  `${JSON.stringify({url, apiKey, adminKey, model, environment})}\n`;

const modelLine = ({model, upstream}: {model: string; upstream: string | undefined}) =>
  upstream === undefined
    ? `${model}, from the simulated model server: it makes its words up`
    : `${model}, from ${upstream}`;

export const readyText = ({
  ready,
  upstream,
  found,
  dataFolder,
}: {
  ready: Ready;
  upstream: string | undefined;
  found: readonly Found[];
  dataFolder: string;
}) => {
  const {url, apiKey, model} = ready;
  const body = JSON.stringify({model, stream: true, messages: [{role: 'user', content: 'Hello'}]});
  // The command looks into `.sluice` only.
  const elsewhere =
    dataFolder === '.sluice'
      ? ''
      : ` (with SLUICE_URL and SLUICE_ADMIN_KEY set to what ${dataFolder}/dev.json has)`;
  const offers = upstream === undefined ? found : [];
  return `
Sluice is ready.

  URL    ${url}/v1
  key    ${apiKey}
  model  ${modelLine({model, upstream})}
  data   ${dataFolder} (keys: ${dataFolder}/dev.json)

Ask it something:

  curl -N ${url}/v1/chat/completions \\
    -H 'authorization: Bearer ${apiKey}' \\
    -H 'content-type: application/json' \\
    -d '${body}'

Then see what it cost${elsewhere}:

  npm run sluice -- usage
  npm run sluice -- budget
${offers.map(({name, url: at}) => `\n${name} is running here. To use it:\n\n  npm start -- --upstream ${at}\n`).join('')}
Ctrl-C stops it.
`;
};
