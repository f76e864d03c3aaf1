/** Read-only documents out of a session's log: both sides of a file change, whole outputs, raw events. */
import * as vscode from "vscode";
import type { BlobRef, StoredEvent } from "../core/events.ts";
import type { Json } from "../core/json.ts";
import { isObject } from "../core/json.ts";
import type { SessionService } from "../core/service.ts";
import type { AnyEvent } from "../core/sessionState.ts";
import { essentialOf } from "./callText.ts";

const SCHEME = "many-hands-session";
/** Events before and after a call in which what belongs to it is looked for. */
const NEAR_EVENTS = 1_000;
const DOCUMENT_BYTES_MAX = 32 * 1024 * 1024;
const DOCUMENTS_MAX = 100;

export class SessionDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #service: SessionService;
  readonly #registered: vscode.Disposable;
  /** What a document shows, by its address; the newest last. */
  readonly #sources = new Map<string, () => Promise<string>>();
  #count = 0;

  constructor(service: SessionService) {
    this.#service = service;
    this.#registered = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  }

  dispose(): void {
    this.#registered.dispose();
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const source = this.#sources.get(uri.toString());
    return source === undefined
      ? "This document was part of a session page that is closed. Open it there again."
      : source();
  }

  /** VS Code's diff editor for the change of a call; before it ran, for what it would change. */
  async openDiff(sessionId: string, toolUseId: string): Promise<void> {
    const events = await this.#near(sessionId, toolUseId);
    const use = events.find((event) => event.id === toolUseId) as StoredEvent<"agent.tool_use"> | undefined;
    if (use === undefined) throw new Error("This call is not in the log any more.");
    const change = events.find(
      (event): event is StoredEvent<"hand.file_change"> =>
        event.type === "hand.file_change" && event["tool_use_id"] === toolUseId,
    );
    const path = change?.path ?? essentialOf(use.input);
    const name = path.split(/[\\/]/).at(-1) ?? "file";
    const { before, after } =
      change === undefined ? await proposedChange(use.input) : this.#storedChange(sessionId, change);
    const title = change === undefined ? `${name} (proposed)` : `${name} (changed by the agent)`;
    await vscode.commands.executeCommand(
      "vscode.diff",
      this.#document(name, before),
      this.#document(name, after),
      title,
    );
  }

  async openOutput(sessionId: string, toolUseId: string): Promise<void> {
    const events = await this.#near(sessionId, toolUseId);
    const result = events.find(
      (event): event is StoredEvent<"agent.tool_result"> =>
        event.type === "agent.tool_result" && event["tool_use_id"] === toolUseId,
    );
    if (result === undefined) throw new Error("This call has no output in the log yet.");
    const show = async (): Promise<string> =>
      result.output_ref === undefined ? contentText(result) : this.#blobText(sessionId, result.output_ref);
    await vscode.window.showTextDocument(this.#document("output.txt", show), { preview: true });
  }

  async openEvent(sessionId: string, seq: number): Promise<void> {
    const show = async (): Promise<string> => {
      const events = await this.#service.getEvents(sessionId, { from: seq, to: seq, resolve: true });
      return JSON.stringify(events[0] ?? null, null, 2);
    };
    await vscode.window.showTextDocument(this.#document(`event-${seq}.json`, show), { preview: true });
  }

  #storedChange(
    sessionId: string,
    change: StoredEvent<"hand.file_change">,
  ): { readonly before: () => Promise<string>; readonly after: () => Promise<string> } {
    const { before, after } = change;
    return {
      before: async () => (before === null ? "" : this.#blobText(sessionId, before)),
      after: () => this.#blobText(sessionId, after),
    };
  }

  async #blobText(sessionId: string, ref: BlobRef): Promise<string> {
    const bytes = await this.#service.readBlob(sessionId, ref, { offset: 0, bytes: DOCUMENT_BYTES_MAX });
    const text = new TextDecoder().decode(bytes);
    return ref.bytes > DOCUMENT_BYTES_MAX ? `${text}\n… ${ref.bytes - DOCUMENT_BYTES_MAX} more bytes` : text;
  }

  /** Events around a call. A call's events follow it closely; its id tells nothing of its place, so it is searched for. */
  async #near(sessionId: string, toolUseId: string): Promise<readonly AnyEvent[]> {
    const { state } = await this.#service.getSession(sessionId);
    for (let to = state.seq; to > 0;) {
      const slice = { to, order: "desc" as const, types: ["agent.tool_use"], limit: NEAR_EVENTS };
      const uses = await this.#service.getEvents(sessionId, slice);
      const use = uses.find((event) => event.id === toolUseId);
      if (use !== undefined) {
        return this.#service.getEvents(sessionId, { from: use.seq, limit: NEAR_EVENTS, resolve: true });
      }
      to = (uses[0]?.seq ?? 1) - 1;
    }
    return [];
  }

  #document(name: string, show: () => Promise<string>): vscode.Uri {
    this.#count += 1;
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${this.#count}/${name}` });
    this.#sources.set(uri.toString(), show);
    const [oldest] = this.#sources.keys();
    if (this.#sources.size > DOCUMENTS_MAX && oldest !== undefined) this.#sources.delete(oldest);
    return uri;
  }
}

/** What an edit or write would make of the file as it is now on this computer; of the texts alone where it is not here. */
async function proposedChange(
  input: Json,
): Promise<{ readonly before: () => Promise<string>; readonly after: () => Promise<string> }> {
  const members = isObject(input) ? input : {};
  const text = (member: string): string => (typeof members[member] === "string" ? members[member] : "");
  const current = await localText(text("file_path"));
  if (typeof members["content"] === "string") {
    return { before: async () => current ?? "", after: async () => text("content") };
  }
  const [before, after] = [text("old_string"), text("new_string")];
  if (current === null || before === "" || !current.includes(before)) {
    return { before: async () => before, after: async () => after };
  }
  const changed =
    members["replace_all"] === true ? current.replaceAll(before, () => after) : current.replace(before, () => after);
  return { before: async () => current, after: async () => changed };
}

async function localText(path: string): Promise<string | null> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  if (path === "" || folder === undefined) return null;
  const isAbsolute = path.startsWith("/") || /^[A-Za-z]:/.test(path);
  const uri = isAbsolute ? folder.with({ path }) : vscode.Uri.joinPath(folder, path);
  try {
    return new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
  } catch {
    return null;
  }
}

function contentText(result: StoredEvent<"agent.tool_result">): string {
  return result.content.map((block) => (block.type === "text" ? block.text : `[${block.type}]`)).join("\n");
}
