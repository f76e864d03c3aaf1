/** The near end of a supervisor, with a real shell behind it. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openProcess } from "../../../../src/hands/shell/processStream.ts";
import { Supervisor } from "../../../../src/hands/shell/supervisor.ts";

describe("a supervisor's stream", function () {
  this.timeout(30_000);
  let folder: string;
  beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), "many-hands-supervisor-"))));
  afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

  it("is said to be lost also to who begins to listen after it was", async () => {
    const stream = await openProcess({ argv: ["sh"], environment: process.env });
    const settings = {
      journal: join(folder, "journal"),
      journalName: "",
      startDirectory: folder,
      instance: "here-1",
      inlineBytes: 0,
    };
    const { supervisor, facts } = await Supervisor.open(stream, settings);
    assert.equal(facts.instance, "here-1");
    stream.stdin.write("exit\n");
    await stream.ended;
    await new Promise((resolve) => setImmediate(resolve));
    const told: string[] = [];
    supervisor.onDidLose((reason) => told.push(reason));
    assert.equal(told.length, 1);
    await assert.rejects(supervisor.request("look", "sevt_any"));
  });
});
