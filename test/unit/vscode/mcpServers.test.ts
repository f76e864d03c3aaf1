/** The MCP servers of the settings and of the workspace's file: what they become, and what is said of those that are wrong. */
import assert from "node:assert/strict";
import { contributedServers, parseMcpServers } from "../../../src/vscode/mcpServers.ts";
import type { McpServers, McpServersInput } from "../../../src/vscode/mcpServers.ts";

function parse(change: Partial<McpServersInput>): McpServers {
  return parseMcpServers({
    setting: undefined,
    workspaceFile: null,
    defaults: undefined,
    folder: "/srv/space",
    home: "/home/me",
    hands: ["local", "box"],
    defaultHand: "local",
    ...change,
  });
}

const specs = ({ servers }: McpServers): unknown => servers.map(({ spec }) => [spec.name, spec.options]);
const said = ({ problems }: McpServers): readonly string[] =>
  problems.map(
    ({ source, place, message, isFatal }) => `${isFatal ? "!" : "?"} ${source} ${place.join("/")}: ${message}`,
  );

describe("the MCP servers of the settings", () => {
  it("are hands of kind mcp: at an address, or a program in a hand", () => {
    const found = parse({
      setting: {
        docs: { url: "https://docs.example.com/mcp" },
        old: { type: "sse", url: "http://localhost:3001/sse" },
        files: {
          command: "npx",
          args: ["-y", "files", "${workspaceFolder}/src"],
          env: { LEVEL: 3, ROOT: "${userHome}" },
        },
        there: { type: "stdio", command: "uvx", cwd: "sub", hand: "box" },
        off: { url: "https://off.example.com", disabled: true },
      },
    });
    assert.deepEqual(specs(found), [
      ["docs", { url: "https://docs.example.com/mcp" }],
      ["old", { url: "http://localhost:3001/sse", transport: "sse" }],
      [
        "files",
        {
          command: "npx",
          args: ["-y", "files", "/srv/space/src"],
          env: { LEVEL: "3", ROOT: "/home/me" },
          hand: "local",
        },
      ],
      ["there", { command: "uvx", cwd: "sub", hand: "box" }],
    ]);
    assert.ok(found.servers.every(({ spec, source }) => spec.kind === "mcp" && source === "mcpServers"));
    assert.deepEqual(
      found.defaults,
      found.servers.map(({ spec }) => spec),
    );
    assert.deepEqual(found.problems, []);
  });

  it("are all there but those that are wrong, each with what to do", () => {
    const found = parse({
      setting: {
        good: { url: "https://a.example.com/" },
        "no good": { url: "https://a.example.com/" },
        local: { url: "https://a.example.com/" },
        nothing: {},
        text: "x",
        ftp: { url: "ftp://a.example.com" },
        user: { url: "https://me:hunter2@a.example.com/" },
        odd: { type: "carrier pigeon", url: "https://a.example.com/" },
        args: { command: "x", args: "y" },
        number: { command: "x", args: [1] },
        nowhere: { command: "x", hand: "gone" },
      },
    });
    assert.deepEqual(
      found.servers.map(({ spec }) => spec.name),
      ["good", "nowhere"],
    );
    const words = said(found);
    assert.equal(words.length, 10);
    assert.ok(words.every((word) => !word.includes("hunter2")));
    assert.match(words.join("\n"), /! mcpServers user\/url: .*Store it as a credential for https:\/\/a\.example\.com/);
    assert.match(words.join("\n"), /\? mcpServers nowhere\/hand: There is no hand named “gone”/);
    assert.match(words.join("\n"), /! mcpServers local: There is a hand or a server named “local” already/);
    assert.match(said(parse({ setting: [] })).join(), /are an object/);
    assert.match(said(parse({ setting: { x: { command: "y" } }, defaultHand: null })).join(), /in which hand it runs/);
  });

  it("never take a secret over: inputs, the environment, headers, a file of variables", () => {
    const found = parse({
      workspaceFile: `{
        // what the team shares
        "inputs": [{ "id": "key", "type": "promptString", "password": true }],
        "servers": {
          "remote": { "url": "https://api.example.com/mcp", "headers": { "Authorization": "Bearer \${input:key}", "X-Plain": "canary" } },
          "local tool": { "command": "tool", "env": { "TOKEN": "\${input:key}" } },
          "env tool": { "command": "tool", "args": ["--token", "\${env:TOKEN}"] },
          "file tool": { "type": "stdio", "command": "tool", "envFile": ".env", },
        },
      }`,
    });
    assert.deepEqual(specs(found), [
      ["remote", { url: "https://api.example.com/mcp" }],
      ["file_tool", { command: "tool", hand: "local" }],
    ]);
    const words = said(found).join("\n");
    assert.match(
      words,
      /\? mcp\.json servers\/remote\/headers\/Authorization: .*Store it as a credential for https:\/\/api/,
    );
    assert.match(words, /! mcp\.json servers\/local tool\/env\/TOKEN: .*credential/);
    assert.match(words, /! mcp\.json servers\/env tool\/args\/1: .*credential/);
    assert.match(words, /\? mcp\.json servers\/file tool\/envFile: /);
    assert.ok(!words.includes("canary"));
  });

  it("say of a server of the workspace's file in which hand it runs, or that it is not wanted", () => {
    const workspaceFile = JSON.stringify({
      servers: { one: { command: "a" }, two: { command: "b" }, three: { url: "https://c.example.com/" } },
    });
    const found = parse({
      workspaceFile,
      setting: { one: { hand: "box" }, two: { disabled: true }, three: { url: "https://own.example.com/" } },
    });
    assert.deepEqual(specs(found), [
      ["three", { url: "https://own.example.com/" }],
      ["one", { command: "a", hand: "box" }],
    ]);
    assert.deepEqual(found.problems, []);
  });

  it("are those of a new session that a setting names, or all", () => {
    const setting = { a: { url: "https://a.example.com/" }, b: { url: "https://b.example.com/" } };
    const names = (defaults: unknown): readonly string[] =>
      parse({ setting, defaults }).defaults.map(({ name }) => name);
    assert.deepEqual([names(undefined), names([]), names(["b", "b"])], [["a", "b"], ["a", "b"], ["b"]]);
    assert.match(said(parse({ setting, defaults: ["c"] })).join(), /no server named “c”/);
    assert.match(said(parse({ setting, defaults: "a" })).join(), /list of names/);
  });

  it("outlive a file that is damaged or something else", () => {
    for (const workspaceFile of ["", "  ", "[]", "{", '{"servers": 3}', '{"servers": {"a": null}}']) {
      assert.deepEqual(specs(parse({ workspaceFile })), [], workspaceFile);
    }
  });

  it("name those extensions that bring servers of their own", () => {
    const contributes = { mcpServerDefinitionProviders: [{ id: "x.y", label: "Cloud" }, { id: "z" }, 3] };
    assert.deepEqual(
      contributedServers([{ contributes }, {}, null, { contributes: { mcpServerDefinitionProviders: 1 } }]),
      ["Cloud", "z"],
    );
  });
});
