/** File-system errors as errors that a person can act on. */
import { ManyHandsError } from "../core/errors.ts";
import { messageOf } from "../core/json.ts";

/** The error of a failed write; `where` is the folder that the person should look at. */
export function storageError(thrown: unknown, where: string): ManyHandsError {
  if (thrown instanceof ManyHandsError) return thrown;
  const code = (thrown as NodeJS.ErrnoException | null)?.code;
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG") {
    const message = `The disk is full: make room for ${where}. The session goes on by itself; nothing is lost.`;
    return new ManyHandsError("storage_full", "session", message, thrown);
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    const message = `No permission to write in ${where}: allow it. The session goes on by itself; nothing is lost.`;
    return new ManyHandsError("storage_denied", "session", message, thrown);
  }
  const message = `The session could not be stored in ${where} (${messageOf(thrown)}). It is tried again; nothing is lost.`;
  return new ManyHandsError("storage_failed", "session", message, thrown);
}

export function isMissing(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException | null)?.code === "ENOENT";
}
