// What the workers are to do next. A pure function: no DOM, no workers, no promises.

/**
 * @typedef {"known" | "failed" | "missing"} Standing
 * @typedef {object} Post a worker, and what is wanted of it
 * @property {string} name
 * @property {string} wish what it is to compute
 * @property {Standing} standing of the wish
 * @property {boolean} turn whether it may begin now
 * @property {{what: string, background: boolean} | undefined} task what it does now
 * @property {string | undefined} next what it may do in the background when its wish is no longer missing
 * @typedef {{act: "end", name: string} | {act: "start" | "start in background", name: string, what: string}} Action
 */

/**
 * Each worker is left with its wish or with nothing, or goes on in the background; so whatever comes of the actions, a second
 * look without a change decides nothing. @param {Post[]} posts @returns {Action[]}
 */
export function decide(posts) {
  return posts.flatMap(({ name, wish, standing, turn, task, next }) => {
    if (task?.what === wish) return [];
    const begins = standing === "missing" && turn;
    /** @type {Action[]} */
    const actions = [];
    if (task) {
      if (task.background && !begins) return [];
      actions.push({ act: "end", name });
    }
    if (begins) actions.push({ act: "start", name, what: wish });
    else if (standing !== "missing" && next) actions.push({ act: "start in background", name, what: next });
    return actions;
  });
}
