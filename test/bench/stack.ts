/** Stack: what was started, ended in the opposite order. In: parts as they start. Out: one end for all, also of half of them. */
export type Stack = Readonly<{
  add<Part extends {stop(): Promise<unknown>}>(starting: Promise<Part>): Promise<Part>;
  onStop(end: () => Promise<unknown>): void;
  stop(): Promise<void>;
}>;

export const createStack = (): Stack => {
  const ends: (() => Promise<unknown>)[] = [];
  return {
    async add(starting) {
      const part = await starting;
      ends.push(() => part.stop());
      return part;
    },
    onStop: end => void ends.push(end),
    async stop() {
      for (const end of ends.splice(0).reverse()) {
        await end();
      }
    },
  };
};
