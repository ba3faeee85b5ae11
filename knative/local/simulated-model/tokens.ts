/**
Tokens: how many tokens a text is, which ones, and what the simulated model says.

In: a text, or a seed and a position. Out: counts, ids, words. Everything is a pure function of its input, so a test can
know the answer beforehand.

A token is 4 bytes of UTF-8, the last one less: never more tokens than bytes, which is the promise of byte-level BPE that
a gateway may rely on. Every word of the vocabulary is 4 ASCII bytes with its space, so N generated tokens are exactly
4 × N bytes and count as N again when they come back as a prompt. No word needs escaping in JSON.
*/
export const bytesPerToken = 4;

const words = (
  'the sun and sky sea air map key bus car day ice oak elm fox hen owl bee ant cat ' +
  'dog cow pig rat bat eel ape yak emu jay log mud bog fen ivy fig nut rye oat tea ' +
  'jam pie egg ham cup mug pan pot lid box bag bed rug fan saw axe hoe oar net rod ' +
  'jet cab van bay'
)
  .split(' ')
  .map(word => `${word} `);

/** A number from 0 to 2³² − 1 that depends on the text: FNV-1a over its length and its first and last 64 units. */
export const seedOf = (text: string) => {
  let hash = 0x811c9dc5 ^ text.length;
  const mix = (from: number, to: number) => {
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  };
  mix(0, Math.min(64, text.length));
  mix(Math.max(64, text.length - 64), text.length);
  return hash >>> 0;
};

/** The text of token `position` of a completion. */
export const word = (seed: number, position: number) =>
  words[(seed + Math.imul(position, 7) + (position >>> 6)) & 63] as string;

/** The text of a completion of `tokens` tokens. */
export const completionText = (seed: number, tokens: number) => {
  let text = '';
  for (let position = 0; position < tokens; position++) text += word(seed, position);
  return text;
};

export const countTokens = (text: string) => Math.ceil(Buffer.byteLength(text) / bytesPerToken);

/** The ids of a text's tokens: its bytes, four at a time, as a number. Equal tokens have equal ids. */
export const tokenIds = (text: string) => {
  const bytes = Buffer.from(text);
  const ids: number[] = [];
  for (let at = 0; at < bytes.length; at += bytesPerToken) {
    ids.push(bytes.readUIntBE(at, Math.min(bytesPerToken, bytes.length - at)));
  }
  return ids;
};
