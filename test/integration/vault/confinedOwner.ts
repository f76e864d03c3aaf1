/** A program that provisions a confined hand, starts a command that takes a while, says so, and stays until it is killed. */
import type { EventId } from "../../../src/core/ids.ts";
import { createLocalProvider } from "../../../src/hands/local/localProvider.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";

const [folder = "", storagePath = "", work = ""] = process.argv.slice(2);
const provider = createLocalProvider({
  clock: systemClock,
  confinement: () => ({ mode: "required", unreadable: [], writable: [], environment: [], allowedHosts: [] }),
  environment: { PATH: process.env["PATH"], HOME: folder },
});
const spec = { name: "local", kind: "local", options: { cwd: work } };
const signal = new AbortController().signal;
const hand = await provider.provision(spec, {
  sessionId: "s",
  storagePath,
  previousInstance: null,
  signal,
  onProgress: () => {},
});
const command = "for each in 1 2 3 4 5 6 7 8 9 10; do echo $each; sleep 0.2; done; exit 7";
const onOutput = async (chunk: Uint8Array): Promise<void> => void process.stdout.write(chunk);
const call = { id: "sevt_survivor" as EventId, name: "bash", input: { command } };
await hand.execute(call, { onOutput, willChange: async () => {} });
