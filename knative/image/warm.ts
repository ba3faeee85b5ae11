/** Warm: placeholder until the next step. */
export const warm = async (_options: {app: string; programs: readonly string[]}) => {};
