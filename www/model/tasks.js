// What each worker is doing now, and how far it is. No DOM, no workers.
import { cancelled } from "../engine/client.js";

/** Something that a worker does. One that was stopped is no longer wanted, though what it waits for may still come. */
export class Task {
  /** The share done, in 0..1. */
  done = 0;
  #isWanted;
  #progressed;

  /** @param {string} what it computes @param {string} phase in a word @param {(task: Task) => boolean} isWanted @param {() => void} progressed */
  constructor(what, phase, isWanted, progressed) {
    this.what = what;
    /** What it is at. */
    this.phase = phase;
    /** Whether it goes on when something else is wanted of its worker that is there. */
    this.background = phase !== "running";
    this.#isWanted = isWanted;
    this.#progressed = progressed;
  }

  /** To be called after waiting for anything but the task's own worker. Throws where it is no longer wanted. */
  check() {
    if (!this.#isWanted(this)) throw cancelled();
  }

  /** @param {number} done */
  progress(done) {
    if (!this.#isWanted(this)) return;
    this.done = done;
    this.#progressed();
  }
}

export class Tasks {
  /** By worker. @type {Map<string, Task>} */
  #tasks = new Map();
  #changed;
  #progressed;

  /** @param {() => void} changed called when a task begins or ends @param {() => void} progressed */
  constructor(changed, progressed) {
    this.#changed = changed;
    this.#progressed = progressed;
  }

  get size() {
    return this.#tasks.size;
  }

  /** The workers that have one. */
  get names() {
    return [...this.#tasks.keys()];
  }

  /** @param {string} name @returns {Task | undefined} */
  get(name) {
    return this.#tasks.get(name);
  }

  /** Whether a worker is at something of this kind. @param {string} phase */
  isAt(phase) {
    return [...this.#tasks.values()].some((task) => task.phase === phase);
  }

  /** No longer wants what a worker does; the caller stops the worker. @param {string} name */
  drop(name) {
    this.#tasks.delete(name);
  }

  /** Does something in a worker that has nothing to do. @template T @param {string} name @param {string} what @param {string} phase @param {(task: Task) => Promise<T>} work @returns {Promise<T>} */
  async run(name, what, phase, work) {
    const task = new Task(what, phase, (one) => this.#tasks.get(name) === one, this.#progressed);
    this.#tasks.set(name, task);
    this.#changed();
    try {
      return await work(task);
    } finally {
      if (this.#tasks.get(name) === task) this.#tasks.delete(name);
      this.#changed();
    }
  }
}
