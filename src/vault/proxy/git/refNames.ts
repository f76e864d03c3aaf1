/** Names of refs: which there can be. */

/** Control characters, space, and what git's own expressions are made of. */
// oxlint-disable-next-line no-control-regex
const NOT_IN_REFS = /[\0-\x20\x7f~^:?*[\\]|@\{|\.\.|\/\/|\/\.|\.\/|\.$|\/$|\.lock(?:\/|$)/;

/** A full name (`refs/…`) that `git check-ref-format` lets pass, without characters that cannot be seen. */
export function isRefName(name: string): boolean {
  if (!name.startsWith("refs/") || name.length <= "refs/".length || NOT_IN_REFS.test(name)) return false;
  return !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\uFFFD]/u.test(name);
}
