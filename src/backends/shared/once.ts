/** Work that is done before anything else, and tried again where it has failed. */
export function once(work: () => Promise<void>): { done: () => Promise<void>; again: () => void } {
  let running: Promise<void> | undefined;
  const again = (): void => {
    running = undefined;
  };
  return {
    again,
    done: async () => {
      running ??= work();
      await running.catch((error: unknown) => {
        again();
        throw error;
      });
    },
  };
}
