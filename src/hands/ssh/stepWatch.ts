/** A deadline for each step of reaching a host; it rests while a person is asked. */

export class StepWatch {
  readonly #late: (step: string, ms: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #step = "";
  #ms = 0;
  #left = 0;
  #since = 0;
  #asked = 0;

  /** `late` is told once for each step that takes longer than it may. */
  constructor(late: (step: string, ms: number) => void) {
    this.#late = late;
  }

  get step(): string {
    return this.#step;
  }

  begin(step: string, ms: number): void {
    this.#step = step;
    this.#ms = ms;
    this.#left = ms;
    if (this.#asked === 0) this.#start();
  }

  /** While `wait` goes on, the time does not count. */
  async rest<T>(wait: Promise<T>): Promise<T> {
    this.#asked += 1;
    if (this.#asked === 1) {
      clearTimeout(this.#timer);
      this.#left -= performance.now() - this.#since;
    }
    try {
      return await wait;
    } finally {
      this.#asked -= 1;
      if (this.#asked === 0 && this.#step !== "") this.#start();
    }
  }

  end(): void {
    this.#step = "";
    clearTimeout(this.#timer);
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#since = performance.now();
    this.#timer = setTimeout(() => this.#late(this.#step, this.#ms), Math.max(0, this.#left));
  }
}
