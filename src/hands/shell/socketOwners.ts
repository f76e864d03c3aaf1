/** Whose a connection over loopback is, by the kernel's table of connections: where that is there, others are turned away. */
import { readFile } from "node:fs/promises";
import { limits } from "../../core/limits.ts";

/** Rows of /proc/net/tcp or tcp6, and the number of the user whose connections are right. */
export interface PeerRows {
  readonly uid: number;
  readonly rows: string;
}

export type AskPeers = (ports: readonly number[]) => Promise<PeerRows | null>;

/**
 * Of this computer; null where its system does not tell. The kernel walks all of a table for each look, which takes
 * milliseconds: the second one is read only for connections that the first does not have.
 */
export async function peersHere(ports: readonly number[]): Promise<PeerRows | null> {
  const uid = process.getuid?.();
  if (uid === undefined) return null;
  const rows = await tableOf("tcp");
  if (rows === "") return null;
  const isThere = (port: number): boolean => new RegExp(`: [0-9A-F]{8}:${spellPort(port)} `).test(rows);
  return { uid, rows: ports.every(isThere) ? rows : `${rows}\n${await tableOf("tcp6")}` };
}

function tableOf(name: "tcp" | "tcp6"): Promise<string> {
  return readFile(`/proc/net/${name}`, "latin1").catch(() => "");
}

export class PeerCheck {
  readonly #ask: AskPeers;
  #asking: Promise<unknown> = Promise.resolve();
  #next: { readonly ports: number[]; readonly answer: Promise<PeerRows | null> } | null = null;

  constructor(ask: AskPeers) {
    this.#ask = ask;
  }

  /**
   * Whether the connection from port `from` to port `to` belongs to the user. True where nobody can tell, which leaves the
   * entrance's token; false where the table does not have it, or the answer takes too long.
   */
  async isOwn(from: number, to: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<PeerRows>((resolve) => {
      timer = setTimeout(() => resolve({ uid: -1, rows: "" }), limits.entrancePeerMs);
    });
    try {
      const peers = await Promise.race([this.#rowsOf(from), late]);
      if (peers === null) return true;
      const owners = ownersOf(peers.rows, from, to);
      return owners.length > 0 && owners.every((uid) => uid === peers.uid);
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  /** One question at a time; who comes meanwhile shares the next one, so that many connections cost few. */
  #rowsOf(port: number): Promise<PeerRows | null> {
    if (this.#next !== null) {
      this.#next.ports.push(port);
      return this.#next.answer;
    }
    const ports = [port];
    const answer = this.#asking.then(() => {
      this.#next = null;
      return this.#ask(ports);
    });
    this.#next = { ports, answer };
    this.#asking = answer.catch(() => {});
    return answer;
  }
}

/** Users of the near ends of all connections between these ports: there may be several, of several loopback addresses. */
function ownersOf(rows: string, from: number, to: number): number[] {
  const owners: number[] = [];
  const mark = `:${spellPort(from)} `;
  for (const row of rows.split("\n")) {
    if (!row.includes(mark)) continue;
    const [, near = "", far = "", , , , , uid = ""] = row.trim().split(/\s+/);
    if (portOf(near) === from && portOf(far) === to && /^\d+$/.test(uid)) owners.push(Number(uid));
  }
  return owners;
}

function portOf(address: string): number {
  const found = /^[0-9A-F]+:([0-9A-F]{4})$/i.exec(address);
  return found === null ? -1 : Number.parseInt(found[1] ?? "", 16);
}

/** How a port is written there. */
export function spellPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}

/** A request of the supervisor. `seq ports`: rows about these ports after the number of its user; nothing where its system does not tell. */
export const peersRequest = `
mh_peers() {
  mh_x=
  if [ -r /proc/net/tcp ]; then
    MH_ID=\${MH_ID:-$(id -u)}
    mh_x="$MH_ID
$(grep -hiE ":($2) " /proc/net/tcp /proc/net/tcp6 2>/dev/null)"
  fi
  mh_reply "$1 data \${#mh_x} -"
  printf '%s\\n' "$mh_x" >&9
}
`;
