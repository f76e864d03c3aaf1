/** The damage found in one log: bounded, each place once, neighbours as one. */
import { limits } from "../core/limits.ts";
import type { Damage } from "../core/sessionLog.ts";

export class DamageList {
  #all: readonly Damage[];

  constructor(all: readonly Damage[] = []) {
    this.#all = all;
  }

  get all(): readonly Damage[] {
    return this.#all;
  }

  /** The end of the last damaged stretch, in bytes. */
  get end(): number {
    return this.#all.reduce((end, { offset, bytes }) => Math.max(end, offset + bytes), 0);
  }

  add(found: Damage): void {
    const last = this.#all.at(-1);
    // Between two damaged lines there is one newline, which belongs to neither.
    const gap = last === undefined || found.bytes === 0 ? -1 : found.offset - (last.offset + last.bytes);
    if (last !== undefined && last.bytes > 0 && last.reason === found.reason && (gap === 0 || gap === 1)) {
      this.#all = [...this.#all.slice(0, -1), { ...last, bytes: last.bytes + gap + found.bytes }];
      return;
    }
    const isKnown = this.#all.some((known) => known.offset === found.offset && known.reason === found.reason);
    if (!isKnown && this.#all.length < limits.damageMax) this.#all = [...this.#all, found];
  }

  /** Forgets what does not lie before `end`. */
  cutAt(end: number): void {
    this.#all = this.#all.filter(({ offset, bytes }) => offset + bytes <= end);
  }
}
