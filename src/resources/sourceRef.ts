/** What a `source_ref` means: a git remote, a folder or file here, or an address to fetch. */
import { isAbsolute } from "node:path";
import { fileURLToPath } from "node:url";

export type Source =
  | { readonly kind: "git"; readonly url: string; readonly ref: string | null }
  /** A folder or a file of this computer. */
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "fetch"; readonly url: string };

const SSH_GIT = /^[\w.-]+@[\w.-]+:(?!\/\/)/;

/**
 * `git+<url>`, `ssh://…`, `user@host:path` and what ends in `.git` are git remotes, with an optional `#branch`; an absolute
 * path or a `file:` address is a folder or file here; `https:` and `http:` are fetched. Null: nothing of these.
 */
export function parseSourceRef(text: string): Source | null {
  if (text.includes("\0") || text.trim() !== text || text === "") return null;
  const [, address = "", ref = null] = /^(.*?)(?:#([^#]*))?$/s.exec(text) ?? [];
  const git = (url: string): Source | null =>
    url.startsWith("-") ? null : { kind: "git", url, ref: ref === "" ? null : ref };
  if (address.startsWith("git+")) return git(address.slice(4));
  if (address.startsWith("ssh://") || address.startsWith("git://") || SSH_GIT.test(address)) return git(address);
  if (/^(https?|file):.*\.git\/?$/.test(address)) return git(address);
  if (isAbsolute(text)) return { kind: "path", path: text };
  if (!URL.canParse(text)) return null;
  const { protocol } = new URL(text);
  if (protocol === "file:") return { kind: "path", path: fileURLToPath(text) };
  return protocol === "https:" || protocol === "http:" ? { kind: "fetch", url: text } : null;
}
