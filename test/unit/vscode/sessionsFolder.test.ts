/** One place for the sessions of a workspace, whatever folder VS Code gives to a window. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sessionsFolder } from "../../../src/vscode/sessionsFolder.ts";

describe("the folder of the sessions", () => {
  const extension = "many-hands.many-hands";
  let storages: string;

  before(() => {
    storages = mkdtempSync(join(tmpdir(), "many-hands-storage-"));
    for (const id of ["5f0e", "5f0e-1", "-1a2b", "lone-1"]) {
      mkdirSync(join(storages, id, extension), { recursive: true });
    }
  });

  after(() => rmSync(storages, { recursive: true, force: true }));

  for (const [given, home, why] of [
    ["5f0e", "5f0e", "is in the storage of the workspace"],
    ["5f0e-1", "5f0e", "is the first window's where a second one is given a folder of its own"],
    ["-1a2b", "-1a2b", "is not mistaken by an id that begins with a dash"],
    ["lone-1", "lone-1", "stays where the workspace has no other folder"],
  ] as const) {
    it(why, () => {
      assert.equal(sessionsFolder(join(storages, given, extension)), join(storages, home, extension, "sessions"));
    });
  }
});
