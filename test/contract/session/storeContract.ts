/** What every session store must do; run against each implementation. */
import type { World } from "./contractSupport.ts";
import { describeEvents } from "./eventsContract.ts";
import { describePayloads } from "./payloadsContract.ts";
import { describeSessions } from "./sessionsContract.ts";

export function describeSessionStore(name: string, createWorld: () => Promise<World>): void {
  describe(`a session store (${name})`, () => {
    describe("as a whole", () => describeSessions(createWorld));
    describe("with its events", () => describeEvents(createWorld));
    describe("with bytes beside the log", () => describePayloads(createWorld));
  });
}
