/** What goes wrong with a stored session, as errors that a person can act on. */
import { ManyHandsError } from "../core/errors.ts";
import { messageOf } from "../core/json.ts";

const FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
const DENIED: ReadonlySet<string> = new Set(["EACCES", "EPERM", "EROFS"]);

/** The code that the system gave, or the empty string. */
export function systemCode(thrown: unknown): string {
  return (thrown as NodeJS.ErrnoException | null | undefined)?.code ?? "";
}

export function isMissing(thrown: unknown): boolean {
  return systemCode(thrown) === "ENOENT";
}

/** The error of a failed write; `where` is the folder that the person should look at. */
export function storageError(thrown: unknown, where: string): ManyHandsError {
  if (thrown instanceof ManyHandsError) return thrown;
  const code = systemCode(thrown);
  if (FULL.has(code)) {
    const message = `The disk is full: make room on the disk of ${where}. Nothing is lost; the session goes on once there is room.`;
    return new ManyHandsError("storage_full", "session", message, thrown);
  }
  if (DENIED.has(code)) {
    const message = `No permission to write in ${where} (${code}): allow it. Nothing is lost; the session goes on once it is.`;
    return new ManyHandsError("storage_denied", "session", message, thrown);
  }
  const gone = isMissing(thrown) ? " The folder is gone: was it moved or deleted?" : "";
  const message = `The session could not be stored in ${where} (${messageOf(thrown)}).${gone} What is stored is untouched.`;
  return new ManyHandsError("storage_failed", "session", message, thrown);
}

/** The error of a file that cannot be read. */
export function readError(thrown: unknown, path: string): ManyHandsError {
  if (thrown instanceof ManyHandsError) return thrown;
  const code = systemCode(thrown);
  if (DENIED.has(code)) {
    const message = `No permission to read ${path} (${code}): allow it. Its bytes are kept.`;
    return new ManyHandsError("storage_denied", "session", message, thrown);
  }
  const message = `${path} cannot be read (${messageOf(thrown)}). Its bytes are kept.`;
  return new ManyHandsError("storage_failed", "session", message, thrown);
}

/** The error of a write by a window that does not have the lease, or has it no more. */
export function notHeld(): ManyHandsError {
  const message =
    "This window does not have the session's lease; another one may have taken it over. Nothing was written.";
  return new ManyHandsError("lease_lost", "session", message);
}

export function readOnly(reason: string): ManyHandsError {
  return new ManyHandsError("session_read_only", "session", reason);
}

export function closed(): ManyHandsError {
  return new ManyHandsError("cancelled", "session", "The session's log is closed.");
}

export function notFound(id: string, cause?: unknown): ManyHandsError {
  return new ManyHandsError("session_not_found", "session", `There is no session ${id}.`, cause);
}

export function existsAlready(id: string, cause?: unknown): ManyHandsError {
  return new ManyHandsError("storage_failed", "session", `There is a session ${id} already.`, cause);
}

export function runElsewhere(owner: string): ManyHandsError {
  return readOnly(`Another window (${owner}) runs this session: stop it there, or take it over, to delete it.`);
}

export function blobMissing(what: string, cause?: unknown): ManyHandsError {
  return new ManyHandsError("blob_missing", "session", `${what} of this session is gone.`, cause);
}
