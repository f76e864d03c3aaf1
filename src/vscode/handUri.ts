/** Addresses of files in hands: `hand://<session>+<hand>/path`. Pure. */

export const HAND_SCHEME = "hand";

/** Stands for the session where there is none: a hand of the settings. */
const NO_SESSION = "settings";

export interface HandAddress {
  /** null: the settings' hand of that name, of no session. */
  readonly sessionId: string | null;
  readonly hand: string;
}

/**
 * The same for the same hand, for ever. VS Code takes authorities for the same in upper and lower case and shows them in
 * lower case, so capitals are written small between two "~", and whatever is neither letter, digit, "_" nor "-" as its
 * code point between two dots.
 */
export function handAuthority({ sessionId, hand }: HandAddress): string {
  return `${encoded(sessionId ?? NO_SESSION)}+${encoded(hand)}`;
}

/** Null where it is none. */
export function parseHandAuthority(authority: string): HandAddress | null {
  const words = authority.split("+");
  const [session = "", hand = ""] = words.map(decoded);
  if (words.length !== 2 || session === "" || hand === "") return null;
  return { sessionId: session === NO_SESSION ? null : session, hand };
}

function encoded(text: string): string {
  return text.replaceAll(/[A-Z][A-Z0-9]*|[^a-z0-9_-]/gu, (found) =>
    /^[A-Z]/.test(found) ? `~${found.toLowerCase()}~` : `.${(found.codePointAt(0) ?? 0).toString(16)}.`,
  );
}

function decoded(text: string): string {
  return text.replaceAll(/~([^~]*)~|\.([0-9a-f]{1,6})\./gi, (_whole, capitals?: string, code?: string) => {
    if (capitals !== undefined) return capitals.toUpperCase();
    const point = Number.parseInt(code ?? "", 16);
    return point <= 0x10_ff_ff ? String.fromCodePoint(point) : "";
  });
}
