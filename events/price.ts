/**
Price: what the tokens of a model cost, as a process reckons with it.

In: a row of the table `prices`. Out: nano-USD, and for GPU-ms milliseconds, a million tokens: at most 10^15 each by a
constraint of the table, so a number holds them exactly.
*/
export type Price = Readonly<{
  free: boolean;
  inputPerMillion: number;
  outputPerMillion: number;
  /** Absent: cached tokens cost what others cost. */
  cachedInputPerMillion?: number;
  inputGpuMsPerMillion: number;
  outputGpuMsPerMillion: number;
}>;

export type PriceColumns = {
  free: boolean;
  input_per_million: bigint | string;
  output_per_million: bigint | string;
  cached_input_per_million: bigint | string | null;
  input_gpu_ms_per_million: bigint | string;
  output_gpu_ms_per_million: bigint | string;
};

export const toPrice = (row: PriceColumns): Price => ({
  free: row.free,
  inputPerMillion: Number(row.input_per_million),
  outputPerMillion: Number(row.output_per_million),
  ...(row.cached_input_per_million === null
    ? {}
    : {cachedInputPerMillion: Number(row.cached_input_per_million)}),
  inputGpuMsPerMillion: Number(row.input_gpu_ms_per_million),
  outputGpuMsPerMillion: Number(row.output_gpu_ms_per_million),
});
