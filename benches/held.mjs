// What a browser holds in memory.
import { readFileSync, readdirSync } from "node:fs";

/** MB of the browser's processes at or below this one; of shared pages, their share. @param {number} pid @returns {number} */
export function held(pid) {
  try {
    const browser = readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("chrom");
    const own = browser ? Number(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8").match(/^Pss:\s+(\d+)/m)?.[1]) / 1000 : 0;
    const below = readdirSync(`/proc/${pid}/task`).flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" "));
    return below.filter(Boolean).reduce((sum, child) => sum + held(Number(child)), own);
  } catch {
    return 0; // It ended meanwhile.
  }
}
