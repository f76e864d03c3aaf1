/** What redaction costs an output of 100 MB: from a local hand's command to its result, blob and live parts, with and without. */
import { randomBytes } from "node:crypto";
import path from "node:path";
import { noRedaction } from "../../src/core/redaction.ts";
import type { Redaction } from "../../src/core/redaction.ts";
import { OutputSpool } from "../../src/orchestrator/outputSpool.ts";
import { redactedStore } from "../../src/orchestrator/redactedStore.ts";
import { systemClock } from "../../src/orchestrator/systemClock.ts";
import { createLocalProvider } from "../../src/hands/local/localProvider.ts";
import { createRedactor } from "../../src/vault/redactor.ts";
import { benchFolder, created, ids, openStore } from "./benchLog.ts";
import type { Figure } from "./benchLog.ts";

const BYTES = 100 * 1000 * 1000;
const VALUES = 100;
const ROUNDS = 3;
const SHARE_MIN = 1 / 3;
/** Lines of a usual look, with addresses in them. */
const LINE = "2026-01-01T00:00:00Z info  GET https://example.com/api/v2/items?page=12 200 in 31 ms (request 7f3a9c)";

async function seconds(folder: string, name: string, redaction: Redaction): Promise<number> {
  const log = await redactedStore(openStore(path.join(folder, name)), redaction).create(ids.sessionId(), created);
  const hand = await createLocalProvider({ clock: systemClock }).provision(
    { name: "local", kind: "local", options: { cwd: folder } },
    {
      sessionId: log.id,
      storagePath: path.join(folder, name, "hand"),
      previousInstance: null,
      signal: AbortSignal.any([]),
      onProgress: () => {},
    },
  );
  try {
    const spool = new OutputSpool(log, () => {}, console.error, redaction.output());
    const command = `yes '${LINE}' | head -c ${BYTES}`;
    const call = { id: ids.eventId(), name: "bash", input: { command } };
    const begun = performance.now();
    const context = { onOutput: spool.reader(), willChange: () => Promise.resolve(), redaction };
    const result = await hand.execute(call, context);
    const blob = await spool.finish(result.truncated);
    const took = (performance.now() - begun) / 1_000;
    if (result.output_bytes !== BYTES || blob === undefined) throw new Error("the output is not whole");
    return took;
  } finally {
    await hand.destroy();
    await log.close();
  }
}

export async function bench(): Promise<readonly Figure[]> {
  const { folder, remove } = benchFolder();
  const redactor = createRedactor({ detectTokens: () => true });
  for (let count = 0; count < VALUES; count += 1) redactor.add(randomBytes(20).toString("hex"));
  await redactor.ready();
  const times = { without: [] as number[], with: [] as number[] };
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      times.without.push(await seconds(folder, `without-${round}`, noRedaction));
      times.with.push(await seconds(folder, `with-${round}`, redactor));
    }
  } finally {
    remove();
  }
  // Of each the quickest round: what else runs on the computer only adds.
  const [without, redacted] = [Math.min(...times.without), Math.min(...times.with)];
  return [
    {
      name: `100 MB of output with ${VALUES} credentials and the shapes of tokens`,
      value: without / redacted,
      unit: "of the rate",
      target: `≥ ${SHARE_MIN.toFixed(2)}`,
      ok: without / redacted >= SHARE_MIN,
      detail: `${redacted.toFixed(2)} s against ${without.toFixed(2)} s without, from the command to the blob`,
    },
  ];
}
