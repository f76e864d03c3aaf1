/** The MCP servers that settings and `.vscode/mcp.json` name, as they are in force: read when there are any, and again when they change. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import * as vscode from "vscode";
import type { HandSpec } from "../core/config.ts";
import { readHandSettings, SECTION, workspaceFolder } from "./handConfiguration.ts";

export interface McpConfiguration extends vscode.Disposable {
  /** All that are enabled, as hands. */
  readonly servers: () => readonly HandSpec[];
  /** What a new session gets besides its other hands. */
  readonly defaults: () => readonly HandSpec[];
}

export interface McpConfigurationPorts {
  readonly onChange: () => void;
  readonly report: (what: string, thrown?: unknown) => void;
}

const FILE = ".vscode/mcp.json";

export function createMcpConfiguration({ onChange, report }: McpConfigurationPorts): McpConfiguration {
  let servers: readonly HandSpec[] = [];
  let defaults: readonly HandSpec[] = [];
  const told = new Set<string>();

  const look = async (): Promise<void> => {
    const settings = vscode.workspace.getConfiguration(SECTION);
    const setting: unknown = settings.get("mcpServers");
    const folder = workspaceFolder();
    const workspaceFile = folder === null || !vscode.workspace.isTrusted ? null : await textOf(`${folder}/${FILE}`);
    const isNamed = typeof setting === "object" && setting !== null && Object.keys(setting).length > 0;
    if (workspaceFile === null && !isNamed && servers.length === 0) return;
    const { parseMcpServers } = await import("./mcpServers.ts");
    const { hands, defaults: usual } = readHandSettings(null);
    const found = parseMcpServers({
      setting,
      workspaceFile,
      defaults: settings.get("defaultMcpServers"),
      folder,
      home: homedir(),
      hands: hands.map(({ name }) => name),
      defaultHand: usual.find(({ kind }) => kind !== "mcp")?.name ?? null,
    });
    for (const { source, message } of found.problems.filter((problem) => !told.has(problem.message))) {
      told.add(message);
      report(`${source === "mcp.json" ? FILE : `${SECTION}.${source}`}: ${message}`);
      void vscode.window.showWarningMessage(`MCP servers: ${message}`);
    }
    servers = found.servers.map(({ spec }) => spec);
    ({ defaults } = found);
    onChange();
  };
  const soon = (): void => {
    look().catch((thrown: unknown) => report("the MCP servers of the settings could not be read", thrown));
  };
  const watcher = vscode.workspace.createFileSystemWatcher(`**/${FILE}`);
  soon();
  const listening = vscode.Disposable.from(
    watcher,
    watcher.onDidChange(soon),
    watcher.onDidCreate(soon),
    watcher.onDidDelete(soon),
    vscode.workspace.onDidGrantWorkspaceTrust(soon),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration(SECTION)) soon();
    }),
  );
  return {
    servers: () => servers,
    defaults: () => defaults,
    dispose: () => listening.dispose(),
  };
}

async function textOf(path: string): Promise<string | null> {
  return readFile(path, "utf8").catch(() => null);
}
