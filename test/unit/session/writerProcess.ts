/**
 * A window of its own, as a process: does to a session what its parent says, one JSON array a line, and answers with one
 * JSON value a line. Usage: writerProcess.ts <root> <owner>
 */
import { createInterface } from "node:readline";
import type { SessionId } from "../../../src/core/ids.ts";
import type { SessionLog } from "../../../src/core/sessionLog.ts";
import { hasCode } from "../../../src/core/errors.ts";
import { ids, openStore } from "./support.ts";

const [root = "", owner = ""] = process.argv.slice(2);
const { store } = openStore(root, { owner });
let log: SessionLog;
const heard: number[] = [];
let leasesLost = 0;

function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Appends without end, several at once, and says each seq once it is acknowledged. */
function storm(width: number): void {
  const one = async (): Promise<void> => {
    for (;;) {
      const events = Array.from({ length: 1 + Math.floor(Math.random() * 3) }, () => ({
        type: "user.interrupt" as const,
        id: ids.eventId(),
      }));
      const stored = await log.append(events);
      say({ acknowledged: stored.map(({ seq, id }) => [seq, id]) });
    }
  };
  for (let at = 0; at < width; at += 1) void one().catch((thrown: unknown) => say({ failed: String(thrown) }));
}

const commands: Record<string, (...args: never[]) => Promise<unknown>> = {
  open: async (id: SessionId) => {
    log = await store.open(id);
    log.onDidAppend((events) => heard.push(...events.map(({ seq }) => seq)));
    log.onDidLoseLease(() => (leasesLost += 1));
    return log.state().seq;
  },
  acquire: async () => log.acquire(),
  takeOver: async () => log.takeOver(),
  release: async () => log.release(),
  append: async (text: string) => {
    try {
      return (await log.append([{ type: "user.message", content: [{ type: "text", text }] }])).map(({ seq }) => seq);
    } catch (thrown) {
      return hasCode(thrown, "lease_lost") ? "lease_lost" : String(thrown);
    }
  },
  seen: async () => ({ heard, seq: log.state().seq, leasesLost, holds: log.holdsLease() }),
  storm: async (width: number) => storm(width),
  close: async () => log.close(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...args] = JSON.parse(line) as [string, ...never[]];
  say({ reply: (await commands[name]?.(...args)) ?? null });
}
