/** Messages between a session page (webview) and its host (extension). Each side parses what it gets. */
import type { ClientEvent, StreamEvent } from "./events.ts";
import type { AnyEvent } from "./sessionState.ts";
import type { SessionInfo } from "./service.ts";

/** As base64. */
export interface PageImage {
  readonly media_type: string;
  readonly data: string;
}

/** Host to page. */
export type ToPage =
  /** First message, and again after a reload of the page: who, and where the log ends. */
  | {
      readonly type: "init";
      readonly info: SessionInfo;
      readonly last_seq: number;
      /** Shown wherever the model is a rehearsal. */
      readonly rehearsal: boolean;
      readonly model: string;
      readonly trusted: boolean;
      /** Parts of the turn that is streaming now, as they would have come from its start. */
      readonly live: readonly StreamEvent[];
    }
  /** The answer to `slice`. */
  | {
      readonly type: "slice";
      readonly request_id: number;
      readonly events: readonly AnyEvent[];
      readonly last_seq: number;
    }
  | { readonly type: "slice_failed"; readonly request_id: number; readonly message: string }
  /** Appended since; consecutive by seq. */
  | { readonly type: "appended"; readonly events: readonly AnyEvent[] }
  | { readonly type: "stream"; readonly event: StreamEvent }
  | {
      readonly type: "info";
      readonly info: SessionInfo;
      readonly rehearsal: boolean;
      readonly model: string;
      readonly trusted: boolean;
    }
  /** A thing that the page asked for failed, or a word to the person. */
  | { readonly type: "notice"; readonly level: "info" | "error"; readonly message: string }
  /** The answer to `images`; none where they cannot be read. */
  | { readonly type: "images"; readonly seq: number; readonly images: readonly PageImage[] }
  /** Put the cursor into the message box. */
  | { readonly type: "focus_input" }
  /** The client event with this id is stored (or was refused: `message`). */
  | { readonly type: "emitted"; readonly event_id: string; readonly ok: boolean; readonly message?: string };

/** Page to host. */
export type FromPage =
  | { readonly type: "ready" }
  | {
      readonly type: "slice";
      readonly request_id: number;
      readonly from?: number;
      readonly to?: number;
      readonly limit: number;
      readonly order: "asc" | "desc";
    }
  /** The page mints the id, so that sending twice is harmless. */
  | { readonly type: "emit"; readonly event: ClientEvent }
  | { readonly type: "take_over" }
  | { readonly type: "wake" }
  | { readonly type: "rename" }
  | { readonly type: "set_api_key" }
  | { readonly type: "open_settings"; readonly query: string }
  | { readonly type: "manage_trust" }
  /** VS Code's diff editor for the change of this call; before it ran, what it would change. */
  | { readonly type: "open_diff"; readonly tool_use_id: string }
  | { readonly type: "open_file"; readonly path: string; readonly line?: number }
  /** The whole output of a call, or whole payload of an event, in an editor. */
  | { readonly type: "open_output"; readonly tool_use_id: string }
  | { readonly type: "open_event"; readonly seq: number }
  /** The images of this event, whole. */
  | { readonly type: "images"; readonly seq: number }
  | { readonly type: "open_link"; readonly href: string }
  | { readonly type: "copy"; readonly text: string }
  | { readonly type: "show_terminal"; readonly hand: string };
