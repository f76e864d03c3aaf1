/** What a grant that is given in advance still has to be asked, and the scope that comes of the answers: pure functions. */
import type { SessionId } from "../core/ids.ts";
import type { CredentialInfo, CredentialKind, CredentialPlace, GrantScope } from "../core/vault.ts";

export interface GrantDraft {
  readonly info: CredentialInfo;
  /** `id` null: every session of the workspace. `title` as in a sentence. */
  readonly session?: { readonly id: SessionId | null; readonly title: string };
  readonly use?: GrantScope["kind"];
  readonly place?: CredentialPlace;
  readonly repositories?: readonly string[];
  readonly push_refs?: readonly string[];
  readonly path_prefix?: string;
  readonly methods?: readonly string[] | null;
}

export type GrantQuestion = "session" | "use" | "place" | "repositories" | "push_refs" | "path_prefix" | "methods";

const READING = ["GET", "HEAD", "OPTIONS"];

/** As a person is offered them; `methods` null: all. */
export const methodChoices: readonly {
  readonly label: string;
  readonly description: string;
  readonly value: { readonly methods: readonly string[] | null };
}[] = [
  { label: "$(eye) Reading", description: READING.join(", "), value: { methods: READING } },
  {
    label: "$(edit) Reading, adding and changing",
    description: "and POST, PUT, PATCH",
    value: { methods: [...READING, "POST", "PUT", "PATCH"] },
  },
  { label: "$(warning) Everything", description: "DELETE too, and any other method", value: { methods: null } },
];

/** What a credential of this kind can be granted for. */
export function usesOf(kind: CredentialKind): readonly GrantScope["kind"][] {
  if (kind === "git") return ["git"];
  if (kind === "mcp_oauth") return ["mcp"];
  return kind === "basic" || kind === "vscode_account" ? ["git", "http", "mcp"] : ["http", "mcp"];
}

function useOf({ info, use }: GrantDraft): GrantScope["kind"] | undefined {
  const uses = usesOf(info.kind);
  return use ?? (uses.length === 1 ? uses[0] : undefined);
}

function placeOf({ info, place }: GrantDraft): CredentialPlace | undefined {
  return place ?? (info.places.length === 1 ? info.places[0] : undefined);
}

/** The next one; null: the draft is whole. */
export function questionOf(draft: GrantDraft): GrantQuestion | null {
  const use = useOf(draft);
  if (draft.session === undefined) return "session";
  if (use === undefined) return "use";
  if (placeOf(draft) === undefined) return "place";
  if (use === "git") {
    if (draft.repositories === undefined) return "repositories";
    return draft.push_refs === undefined ? "push_refs" : null;
  }
  if (use === "mcp") return null;
  if (draft.path_prefix === undefined) return "path_prefix";
  return draft.methods === undefined ? "methods" : null;
}

/** Null as long as a question is open. */
export function scopeOf(draft: GrantDraft): GrantScope | null {
  const [kind, place] = [useOf(draft), placeOf(draft)];
  if (kind === undefined || place === undefined || questionOf(draft) !== null) return null;
  const { origin } = place;
  if (kind === "git") {
    const { repositories = [], push_refs = [] } = draft;
    return { kind, origin, path_prefix: "/", methods: null, git: { repositories, push_refs } };
  }
  const { path_prefix = place.path_prefix, methods = null } = draft;
  return { kind, origin, path_prefix, methods };
}

/** Out of what a person types or pastes: names, or the ends of addresses. */
export function repositoriesOf(text: string): readonly string[] {
  const names = text.split(/[\s,]+/).filter((name) => name !== "");
  return [...new Set(names.map((name) => name.replace(/^https?:\/\/[^/]+\//, "").replace(/^\/+|(\.git)?\/*$/g, "")))];
}

export function problemOfRepositories(text: string): string | null {
  const wrong = repositoriesOf(text).find((name) => !/^[\w.~*-]+(\/[\w.~*-]+)*$/.test(name) || name.includes(".."));
  return wrong === undefined ? null : `“${wrong}” is no repository: write owner/name, with * for anything.`;
}
