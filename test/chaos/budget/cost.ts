/** Cost: what tokens cost, reckoned once more and otherwise than the product does: bigint, a millionth, half to even. */

/** In: tokens times nano-USD a million, summed. */
export const costOf = (millionths: bigint): bigint => {
  const million = 1_000_000n;
  const whole = millionths / million;
  const twice = (millionths % million) * 2n;
  const isUp = twice > million || (twice === million && whole % 2n === 1n);
  return isUp ? whole + 1n : whole;
};
