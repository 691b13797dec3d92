// What is made when it is first needed.

/** What was made once; made again where it failed. @template T @param {() => Promise<T>} make @returns {() => Promise<T>} */
export function once(make) {
  /** @type {Promise<T> | undefined} */
  let made;
  return () =>
    (made ??= make().catch((error) => {
      made = undefined;
      throw error;
    }));
}
