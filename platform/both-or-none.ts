/** What opens at the same time as something else that it is of no use without: where one fails, the other is closed. */
export async function bothOrNone<
  A extends AsyncDisposable | undefined,
  B extends AsyncDisposable | undefined,
>(first: Promise<A> | A, second: Promise<B> | B): Promise<[A, B]> {
  const settled = await Promise.allSettled([first, second])
  const failed = settled.find(({ status }) => status === "rejected")
  if (!failed) return [await first, await second]
  for (const result of settled) {
    if (result.status === "fulfilled") await result.value?.[Symbol.asyncDispose]()
  }
  throw (failed as PromiseRejectedResult).reason
}
