/** How the names of tools read. */
export interface ToolTitle {
  readonly name: string;
  /** Whose it is, where the tool's name says it: `notes (MCP)`; null for the tools of ordinary hands. */
  readonly source: string | null;
}

/** A tool's name as people read it: `mcp__notes__add` of the hand `notes` is `add` of `notes (MCP)`. */
export function toolTitle(tool: string, hand: string | null): ToolTitle {
  const kind = /^(mcp|vscode)__/.exec(tool)?.[1];
  const prefix = `${kind}__${hand}__`;
  if (kind === undefined || hand === null || !tool.startsWith(prefix) || tool === prefix) {
    return { name: tool, source: null };
  }
  return { name: tool.slice(prefix.length), source: kind === "mcp" ? `${hand} (MCP)` : `${hand} (VS Code)` };
}
