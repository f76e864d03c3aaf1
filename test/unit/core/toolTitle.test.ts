/** How the names of tools read. */
import assert from "node:assert/strict";
import { toolTitle } from "../../../src/core/toolTitle.ts";

describe("a tool's name as people read it", () => {
  it("is apart from whose it is, for tools that name their hand", () => {
    assert.deepEqual(toolTitle("mcp__notes__add_note", "notes"), { name: "add_note", source: "notes (MCP)" });
    assert.deepEqual(toolTitle("vscode__editor__run__all", "editor"), { name: "run__all", source: "editor (VS Code)" });
    assert.deepEqual(toolTitle("mcp__a__b__c", "a__b"), { name: "c", source: "a__b (MCP)" });
  });

  it("is the name itself for the others, and where another hand is named than the one that has it", () => {
    assert.deepEqual(toolTitle("bash", "local"), { name: "bash", source: null });
    for (const hand of ["box", null]) {
      assert.deepEqual(toolTitle("mcp__notes__add", hand), { name: "mcp__notes__add", source: null });
    }
    assert.deepEqual(toolTitle("mcp__notes__", "notes"), { name: "mcp__notes__", source: null });
  });
});
