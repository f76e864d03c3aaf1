/** A shell with a terminal at a host, for a person. */
import assert from "node:assert/strict";
import { hasSshd, noSshd, removeFolder, startSshServer } from "../../fixtures/sshd/sshServer.ts";
import type { SshServer } from "../../fixtures/sshd/sshServer.ts";
import { until } from "../../contract/hand/handSupport.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { makeKit, newFolder } from "./sshKit.ts";

describe("a terminal at a host over SSH", function () {
  this.timeout(60_000);
  let folder: string;
  let server: SshServer;

  before(async function () {
    skipUnless(this, hasSshd(), noSshd);
    folder = await newFolder();
    server = await startSshServer({ folder });
  });
  after(async () => {
    if (folder === undefined) return;
    await server?.stop();
    await removeFolder(folder);
  });

  it("is a login shell in the hand's directory, follows the window's size, and says how it ended", async () => {
    const hand = await makeKit().open({ configFile: server.configFile });
    const terminal = await hand.openTerminal?.({ columns: 91, rows: 31 });
    assert.ok(terminal);
    let text = "";
    let status: number | null | undefined;
    terminal.onDidWrite((chunk) => (text += chunk));
    terminal.onDidEnd((code) => (status = code));
    terminal.write('stty size; echo "in $PWD"\r');
    await until(async () => text.includes("31 91") && text.includes(`in ${server.home}`));
    terminal.resize(77, 22);
    terminal.write("stty size\r");
    await until(async () => text.includes("22 77"));
    terminal.write("exit 3\r");
    await until(async () => status !== undefined);
    assert.equal(status, 3);
    await hand.destroy();
  });

  it("ends when its hand is let go of", async () => {
    const hand = await makeKit().open({ configFile: server.configFile });
    const terminal = await hand.openTerminal?.({ columns: 80, rows: 24 });
    let status: number | null | undefined;
    terminal?.onDidEnd((code) => (status = code));
    await hand.destroy();
    await until(async () => status !== undefined);
    assert.equal(status, null);
  });
});
