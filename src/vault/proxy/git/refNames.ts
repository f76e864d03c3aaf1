/** Names of refs: which there can be, and which a pattern of a grant means. */

/** Control characters, space, and what git's own expressions are made of. */
// oxlint-disable-next-line no-control-regex
const NOT_IN_REFS = /[\0-\x20\x7f~^:?*[\\]|@\{|\.\.|\/\/|\/\.|\.\/|\.$|\/$|\.lock(?:\/|$)/;

/** A full name (`refs/…`) that `git check-ref-format` lets pass, without characters that cannot be seen. */
export function isRefName(name: string): boolean {
  if (!name.startsWith("refs/") || name.length <= "refs/".length || NOT_IN_REFS.test(name)) return false;
  return !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\uFFFD]/u.test(name);
}

/**
 * True where the full name `ref` is meant by `pattern`, in which `*` stands for anything but nothing, slashes included:
 * `refs/heads/agent/*` means `refs/heads/agent/a/b`, and not `refs/heads/agent/`.
 */
export function matchesRef(pattern: string, ref: string): boolean {
  const parts = pattern.split("*");
  const [first = ""] = parts;
  const last = parts.length > 1 ? (parts.at(-1) ?? "") : "";
  if (parts.length === 1) return pattern === ref;
  if (!ref.startsWith(first)) return false;
  // By hand and not as an expression: a pattern of many stars must not take for ever.
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = ref.indexOf(part, at + 1);
    if (found === -1) return false;
    at = found + part.length;
  }
  return ref.length - last.length > at && ref.endsWith(last);
}

/** True where every one of `refs` is meant by one of `patterns`. */
export function matchesRefs(patterns: readonly string[], refs: readonly string[]): boolean {
  return refs.every((ref) => patterns.some((pattern) => matchesRef(pattern, ref)));
}
