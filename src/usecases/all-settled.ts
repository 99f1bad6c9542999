/** Lets every part come to its end before the first failure is thrown: nothing runs on unseen. */
export async function allSettled<T>(parts: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(parts);
  return results.map((result) => {
    if (result.status === 'rejected') {
      throw result.reason;
    }
    return result.value;
  });
}
