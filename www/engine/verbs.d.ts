// What a worker can be asked for, with what it takes and gives: as Rust has it, and what worker.js adds.
import type * as dfsq from "../pkg/dfsq.js";
import type { MadeFile, NetworkFile } from "./client.js";

type Function = (...args: any[]) => any;
type FunctionsOf<T> = { [K in keyof T as T[K] extends Function ? K : never]: T[K] };
type Progress = (done: number) => void;

/** Without the progress that the worker reports to. */
type Arguments<A extends unknown[]> = A extends [...infer First, Progress] ? First : A extends [...infer First, (Progress | null | undefined)?] ? First : A;

interface Own {
  compile(url: string): Promise<WebAssembly.Module>;
  start(module: WebAssembly.Module | undefined): Promise<void>;
  download(url: string, sha256: string, progress: Progress): Promise<Uint8Array>;
  load(network: NetworkFile): void;
}

export type Verbs = FunctionsOf<typeof dfsq> & FunctionsOf<dfsq.Session> & Own;
export type Taken<M extends keyof Verbs> = Verbs[M] extends (...args: infer A) => any ? Arguments<A> : never;
/** What was sent here is in memory of its own. */
type Sent<T> = T extends Uint8Array ? Uint8Array<ArrayBuffer> : T;
export type Given<M extends keyof Verbs> = Verbs[M] extends (...args: any) => infer R ? Sent<Awaited<R>> : never;
