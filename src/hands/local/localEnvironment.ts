/** The environment of programs of the local hand: made from a list of names, so that nothing comes along by itself. */

const NAMES = new Set(["PATH", "HOME", "LANG", "LANGUAGE", "TERM", "TZ", "USER", "LOGNAME", "SHELL", "TMPDIR"]);
const IS_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `more`: names that a person added; a name that no shell takes is passed over. */
export function localEnvironment(from: NodeJS.ProcessEnv, more: readonly string[]): Record<string, string> {
  const wanted = new Set(more);
  return Object.fromEntries(
    Object.entries(from).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined &&
        IS_NAME.test(entry[0]) &&
        (NAMES.has(entry[0]) || entry[0].startsWith("LC_") || wanted.has(entry[0])),
    ),
  );
}
