/** Errors that cross a port: each has a code to switch on, says where it arose, and keeps its cause. */

/** Where a failure arose (invariant I10). */
export type Origin = "brain" | "hand" | "network" | "session" | "vault";

export type ErrorCode =
  | "session_not_found"
  | "session_read_only"
  | "lease_lost"
  | "storage_full"
  | "storage_denied"
  | "storage_failed"
  | "log_newer"
  | "event_invalid"
  | "blob_missing"
  | "blob_damaged"
  | "hand_detached"
  | "hand_unavailable"
  | "hand_unknown"
  | "file_missing"
  | "file_exists"
  | "file_denied"
  | "limit_exceeded"
  | "not_trusted"
  | "key_missing"
  | "key_invalid"
  | "credential_invalid"
  | "grant_unknown"
  | "secrets_unavailable"
  | "sign_in_failed"
  | "cancelled";

/** An error that someone can act on: the message says what to do. */
export class ManyHandsError extends Error {
  readonly code: ErrorCode;
  readonly origin: Origin;

  constructor(code: ErrorCode, origin: Origin, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ManyHandsError";
    this.code = code;
    this.origin = origin;
  }
}

/** True when `thrown` is an error of this program with one of `codes`. */
export function hasCode(thrown: unknown, ...codes: readonly ErrorCode[]): thrown is ManyHandsError {
  return thrown instanceof ManyHandsError && codes.includes(thrown.code);
}
