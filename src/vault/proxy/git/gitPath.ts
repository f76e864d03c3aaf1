/** Which repository a request of git is about and what it wants there, out of the path that the hand asked for. */
import { parseProxyPath } from "../proxyPath.ts";

export type GitService = "git-upload-pack" | "git-receive-pack";

export interface GitRequest {
  /** `https://github.com`, with a port where it is not 443. */
  readonly origin: string;
  /** `github.com`, `localhost:8443`. */
  readonly host: string;
  /** As in the URL, without a leading slash and without `.git`: `owner/name`, `group/sub/name`, `org/project/_git/name`. */
  readonly repository: string;
  /** The repository's path at the server as the hand had it: `/owner/name.git`. */
  readonly base: string;
  readonly wants:
    | { readonly what: "refs" | "pack"; readonly service: GitService }
    /** `rest`: what follows `/info/lfs/`. */
    | { readonly what: "lfs"; readonly rest: string };
}

export type GitPath = GitRequest | { readonly refused: string };

/** Segments that mean something after a repository, so that no repository may be below them. */
const ENDINGS = /^(?:git-upload-pack|git-receive-pack|git-upload-archive|info)$/;
const DUMB = /^\/(.+)\/(?:HEAD|objects(?:\/.*)?|info\/(?:alternates|http-alternates|packs|grafts|attributes))$/;
const NO_REPOSITORY = "This is no address of a git repository.";
const NO_DUMB =
  "Only git's smart protocol over HTTP passes: this server or client speaks the old one, which knows no refs.";

/** `path` as a ProxyCall has it: `/<host>[:port]/<repository>/…`. */
export function parseGitPath(method: string, path: string, search: string): GitPath {
  const again = parseProxyPath(path);
  const [, first = "", rest = ""] = /^\/([^/]+)(\/.*)$/.exec(path) ?? [];
  const host = parseHost(first);
  if (host === undefined || again?.path !== path || again.search !== "") return { refused: NO_REPOSITORY };
  const parsed = parseEnding(method, rest, search);
  if ("refused" in parsed) return parsed;
  const repository = parsed.base.slice(1).replace(/\.git$/, "");
  const segments = repository.split("/");
  const isPlain = segments.every((segment) => segment !== "" && segment !== ".git" && !ENDINGS.test(segment));
  // In a grant a star stands for any name: who asks for one repository must not ask for all.
  if (repository.includes("*")) return { refused: NO_REPOSITORY };
  if (!isPlain) return { refused: NO_REPOSITORY };
  return { origin: `https://${host}`, host, repository, ...parsed };
}

/** A host name with an optional port in its one spelling, or undefined. */
function parseHost(text: string): string | undefined {
  const host = text.toLowerCase().replace(/:443$/, "");
  if (!/^[a-z0-9[][a-z0-9.:[\]-]*$/.test(host) || /\.(?::|$)/.test(host)) return undefined;
  try {
    return new URL(`https://${host}/`).host === host ? host : undefined;
  } catch {
    return undefined;
  }
}

function parseEnding(
  method: string,
  path: string,
  search: string,
): Pick<GitRequest, "base" | "wants"> | { refused: string } {
  const lfs = path.lastIndexOf("/info/lfs/");
  if (lfs > 0) return { base: path.slice(0, lfs), wants: { what: "lfs", rest: path.slice(lfs + "/info/lfs/".length) } };
  const refs = /^(.+)\/info\/refs$/.exec(path)?.[1];
  if (refs !== undefined) {
    const service = /^\?service=(git-upload-pack|git-receive-pack)$/.exec(search)?.[1];
    if (service === undefined || method !== "GET") return { refused: search === "" ? NO_DUMB : NO_REPOSITORY };
    return { base: refs, wants: { what: "refs", service: service as GitService } };
  }
  const [, base, service] = /^(.+)\/(git-upload-pack|git-receive-pack)$/.exec(path) ?? [];
  if (base !== undefined && method === "POST" && search === "") {
    return { base, wants: { what: "pack", service: service as GitService } };
  }
  return { refused: DUMB.test(path) ? NO_DUMB : NO_REPOSITORY };
}
