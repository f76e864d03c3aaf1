/** What a grant covers, in words: the same for the person who is asked, in the log's view, and for the model that was refused. */
import type { GrantLasts, GrantScope } from "./vault.ts";

/** In one line, for a person and for the model. */
export function scopeText(scope: GrantScope): string {
  const host = scope.origin.replace(/^https:\/\//, "");
  if (scope.git !== undefined) {
    const where = `${scope.git.repositories.join(", ")} on ${host}`;
    return scope.git.push_refs.length === 0
      ? `read ${where}`
      : `read ${where} and push ${scope.git.push_refs.join(", ")}`;
  }
  const path = scope.path_prefix === "/" ? "" : scope.path_prefix;
  if (scope.kind === "mcp") return `use the MCP server ${host}${path}`;
  return `${(scope.methods ?? ["any method"]).join(", ")} ${host}${path}`;
}

export function lastsText(lasts: GrantLasts): string {
  return { once: "once", session: "for this session", always: "always, in this workspace" }[lasts];
}
