/** One connection for a host, shared by all hands that need it, and let go of by the last. */
import type { SshConnection } from "./sshConnection.ts";

export interface Lease {
  readonly key: string;
  readonly connection: Promise<SshConnection>;
  release(): void;
}

interface Held {
  readonly connection: Promise<SshConnection>;
  readonly ending: AbortController;
  users: number;
}

export class ConnectionPool {
  readonly #held = new Map<string, Held>();

  /** `make` is called where there is none yet; its signal ends the try when nobody waits for it any more. */
  lease(key: string, make: (signal: AbortSignal) => Promise<SshConnection>): Lease {
    const held = this.#held.get(key) ?? this.#make(key, make);
    held.users += 1;
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      held.users -= 1;
      if (held.users === 0) this.#end(key, held);
    };
    return { key, connection: held.connection, release };
  }

  #make(key: string, make: (signal: AbortSignal) => Promise<SshConnection>): Held {
    const ending = new AbortController();
    const held: Held = { connection: make(ending.signal), ending, users: 0 };
    this.#held.set(key, held);
    const forget = (): void => {
      if (this.#held.get(key) === held) this.#held.delete(key);
    };
    held.connection.then((connection) => void connection.lost.then(forget), forget);
    return held;
  }

  #end(key: string, held: Held): void {
    if (this.#held.get(key) === held) this.#held.delete(key);
    held.ending.abort(new Error("nobody needs the connection any more"));
    held.connection.then(
      (connection) => connection.close(),
      () => {},
    );
  }
}
