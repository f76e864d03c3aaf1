/** The one spelling of a path that a grant is checked against and that goes out: whatever could be read in two ways is refused. */

/** What may stand in a path as it is (RFC 3986), and what lax clients leave unescaped: it is escaped here. */
const PLAIN = /^[A-Za-z0-9\-._~!$&'()*+,;=:@/%[\]|^{}"<>`]*$/;
const UNRESERVED = /^[A-Za-z0-9\-._~]$/;
const LAX = /[[\]|^{}"<>`]/g;

export interface ProxyPath {
  readonly path: string;
  /** With its `?`, or the empty string. */
  readonly search: string;
}

/**
 * Splits a request's target (`/a/b?c`) and brings its path to normal form: escapes of plain characters are undone, the
 * others have capitals; `new URL` leaves it as it is. undefined for what servers could read differently: `.` and `..`, `//`, backslashes, an escaped
 * slash or dot segment, escapes of escapes, control characters, wrong UTF-8.
 */
export function parseProxyPath(target: string): ProxyPath | undefined {
  const mark = target.indexOf("?");
  const raw = mark === -1 ? target : target.slice(0, mark);
  const search = mark === -1 ? "" : target.slice(mark);
  if (!raw.startsWith("/") || !PLAIN.test(raw) || !/^[\x21-\x22\x24-\x7e]*$/.test(search)) return undefined;
  if (/%(?![0-9a-f]{2})/i.test(raw)) return undefined;
  const unescaped = raw.replaceAll(/%[0-9a-f]{2}/gi, (escape) => {
    const char = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return UNRESERVED.test(char) ? char : escape.toUpperCase();
  });
  const path = unescaped.replaceAll(LAX, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  return isPlain(path) ? { path, search } : undefined;
}

function isPlain(path: string): boolean {
  // An escape of a percent sign is one only where it cannot become another escape further on.
  if (/%(?:2F|5C|[01][0-9A-F]|7F)/.test(path) || /%25[0-9A-F]{2}/i.test(path)) return false;
  let text: string;
  try {
    text = decodeURIComponent(path);
  } catch {
    return false;
  }
  // Some servers take a wide dot or slash for a plain one.
  const folded = text.normalize("NFKC");
  if (folded.includes("\\") || folded.split("/").length !== path.split("/").length) return false;
  const segments = folded.split("/").slice(1);
  return segments.every((segment, at) => {
    // `..;x` is `..` to some servers, and `.. ` to others.
    const bare = (segment.split(";")[0] ?? "").trim();
    if (bare === "." || bare === "..") return false;
    return bare !== "" || (segment === "" && at === segments.length - 1);
  });
}

/** True where `path` is `prefix` or below it, by whole segments. */
export function isBelow(path: string, prefix: string): boolean {
  const base = prefix.endsWith("/") ? prefix : `${prefix}/`;
  return path === prefix || path.startsWith(base);
}
