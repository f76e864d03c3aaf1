/** Files of hands through VS Code's own file system, inside the real extension host. */
import { strict as assert } from "node:assert";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as vscode from "vscode";
import type { ManyHandsApi } from "../../../src/api.ts";
import { handAuthority } from "../../../src/vscode/handUri.ts";

describe("files of a hand in VS Code", () => {
  let api: ManyHandsApi;
  let folder: string;
  let sessionId: string;

  before(async () => {
    const extension = vscode.extensions.getExtension<ManyHandsApi>("many-hands.many-hands");
    assert.ok(extension !== undefined, "the extension is installed");
    api = await extension.activate();
    folder = await mkdtemp(join(tmpdir(), "many-hands-files-"));
    const options = { argv: ["sh"], cwd: folder };
    ({ id: sessionId } = await api.createSession({ hands: [{ name: "Box é", kind: "command", options }] }));
  });
  after(async () => {
    await api.deleteSession(sessionId);
    await rm(folder, { recursive: true, force: true });
  });

  const at = (name: string): vscode.Uri =>
    vscode.Uri.from({
      scheme: "hand",
      authority: handAuthority({ sessionId, hand: "Box é" }),
      path: join(folder, name),
    });
  const codeOf = async (act: Thenable<unknown>): Promise<string> =>
    act.then(
      () => "none",
      (thrown: unknown) => (thrown as vscode.FileSystemError).code,
    );

  it("are written, read, listed, renamed and removed", async () => {
    const { fs } = vscode.workspace;
    const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256);
    await fs.createDirectory(at("a folder"));
    await fs.writeFile(at('a folder/it\'s "é".bin'), bytes);
    assert.deepEqual(new Uint8Array(await readFile(join(folder, 'a folder/it\'s "é".bin'))), bytes);
    assert.deepEqual(new Uint8Array(await fs.readFile(at('a folder/it\'s "é".bin'))), bytes);
    await fs.rename(at('a folder/it\'s "é".bin'), at("a folder/other"));
    await symlink("other", join(folder, "a folder", "link"));
    const entries = await fs.readDirectory(at("a folder"));
    const { File, SymbolicLink } = vscode.FileType;
    assert.deepEqual(
      entries.toSorted(([a], [b]) => a.localeCompare(b)),
      [
        ["link", File + SymbolicLink],
        ["other", File],
      ],
    );
    const { size, mtime } = await fs.stat(at("a folder/other"));
    assert.equal(size, bytes.length);
    assert.ok(Math.abs(mtime - Date.now()) < 600_000);
    await fs.delete(at("a folder"), { recursive: true });
    assert.deepEqual(await fs.readDirectory(at("")), []);
  });

  it("fail with VS Code's own errors", async () => {
    const { fs } = vscode.workspace;
    assert.equal(await codeOf(fs.readFile(at("nothing"))), "FileNotFound");
    assert.equal(await codeOf(fs.stat(at("nothing"))), "FileNotFound");
    await writeFile(join(folder, "one"), "1");
    await writeFile(join(folder, "two"), "2");
    assert.equal(await codeOf(fs.rename(at("one"), at("two"))), "FileExists");
    await fs.rename(at("one"), at("two"), { overwrite: true });
    assert.equal(await readFile(join(folder, "two"), "utf8"), "1");
    await fs.createDirectory(at("full/inner"));
    assert.equal(await codeOf(fs.delete(at("full"), { recursive: false })), "NoPermissions");
    const elsewhere = vscode.Uri.from({
      scheme: "hand",
      authority: handAuthority({ sessionId, hand: "no" }),
      path: "/",
    });
    assert.equal(await codeOf(fs.stat(elsewhere)), "Unavailable");
    assert.equal(await codeOf(fs.stat(vscode.Uri.parse("hand://what/a"))), "FileNotFound");
  });

  it("belong to the hand that the service lists as ready, used by its session", async () => {
    const info = (await api.listHands()).find(({ spec }) => spec.name === "Box é");
    assert.deepEqual(
      info?.uses.map((use) => [use.session_id, use.state]),
      [[sessionId, "ready"]],
    );
    assert.ok((await api.handKinds()).includes("command"));
  });
});
