/** Patterns of names, as grants have them for repositories and refs: pure functions. */

/**
 * True where `text`, a repository or the full name of a ref, is meant by `pattern`, in which `*` stands for anything but
 * nothing, slashes included: `refs/heads/agent/*` means `refs/heads/agent/a/b`, and not `refs/heads/agent/`.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  const parts = pattern.split("*");
  const [first = ""] = parts;
  const last = parts.length > 1 ? (parts.at(-1) ?? "") : "";
  if (parts.length === 1) return pattern === text;
  if (!text.startsWith(first)) return false;
  // By hand and not as an expression: a pattern of many stars must not take for ever.
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at + 1);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length > at && text.endsWith(last);
}

/** What others build on or what is shipped: main branches, releases, tags. */
const SHARED = /^refs\/(heads\/(main|master|trunk|develop|prod|production|stable|releases?([/._-].+)?)$|tags\/)/i;
/** One of each: a pattern that covers any of them lets it be pushed. */
const EXAMPLES = [
  ...["main", "master", "trunk", "develop", "prod", "production", "stable", "release"].map((name) => `heads/${name}`),
  ...["release/1.0", "releases/1.0", "release-1.0"].map((name) => `heads/${name}`),
  "tags/v1.0",
].map((name) => `refs/${name}`);

/** Those of the patterns that are, or cover, a ref that is not one person's alone: a push there asks for a second look. */
export function sharedRefs(patterns: readonly string[]): readonly string[] {
  return patterns.filter((pattern) =>
    pattern.includes("*")
      ? SHARED.test(pattern) || EXAMPLES.some((example) => matchesPattern(pattern, example))
      : SHARED.test(pattern),
  );
}

/** `main` for `refs/heads/main`, `tag v1` for `refs/tags/v1`; anything else as it is. */
export function shortRef(ref: string): string {
  return ref.replace(/^refs\/heads\//, "").replace(/^refs\/tags\//, "tag ");
}

/** Full names out of what a person types: a name alone is a branch. */
export function refsOf(text: string): readonly string[] {
  const names = text.split(/[\s,]+/).filter((name) => name !== "");
  return [...new Set(names.map((name) => (name.startsWith("refs/") ? name : `refs/heads/${name}`)))];
}
