/** Listening to events of the program, in the shape that VS Code uses, without importing it. */

export interface Disposable {
  dispose(): void;
}

/** Registers a listener and gives what takes it off again. */
export type Listen<T> = (listener: (value: T) => void) => Disposable;

/** A source of values. A listener that throws does not keep the others from hearing; the error goes to `onError`. */
export class Emitter<T> {
  readonly #listeners = new Set<(value: T) => void>();
  readonly #onError: (thrown: unknown) => void;

  constructor(onError: (thrown: unknown) => void = () => {}) {
    this.#onError = onError;
  }

  readonly listen: Listen<T> = (listener) => {
    const own = (value: T): void => listener(value);
    this.#listeners.add(own);
    return { dispose: () => void this.#listeners.delete(own) };
  };

  fire(value: T): void {
    const listeners = Array.from(this.#listeners);
    for (const listener of listeners) {
      try {
        listener(value);
      } catch (thrown) {
        this.#onError(thrown);
      }
    }
  }

  dispose(): void {
    this.#listeners.clear();
  }
}
