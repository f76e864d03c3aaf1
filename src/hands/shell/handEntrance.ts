/** The way from a hand to the credential proxy and back: opened before its shell, kept for as long as the hand is. */
import { ManyHandsError } from "../../core/errors.ts";
import type { ProvisionContext } from "../../core/hand.ts";
import { messageOf } from "../../core/json.ts";
import type { Egress, EntranceAddress, HandEntrance } from "../../core/vault.ts";
import { callEnvironment } from "./callEnvironment.ts";
import type { Link } from "./link.ts";
import type { EntranceWay, FarEnd } from "./shellStream.ts";
import { spellPort } from "./socketOwners.ts";
import type { PeerRows } from "./socketOwners.ts";

export interface OpenEntrancePorts {
  readonly farEnd: FarEnd;
  readonly context: ProvisionContext;
  /** null: the hand's network is not limited. */
  readonly egress: Egress | null;
}

export class OpenedEntrance {
  readonly #link = Promise.withResolvers<Link>();
  #way: EntranceWay | null = null;
  #variables: Readonly<Record<string, string>> | null = null;
  #isClosed = false;
  /** For the hand's description; empty where there is nothing to say. */
  lacks = "";

  private constructor() {
    this.#link.promise.catch(() => {});
  }

  /** A hand without a way to the vault is a hand: what stands in the way is said in `lacks`. Rejects when it is aborted, and with `hand_unavailable`. */
  static async open({ farEnd, context, egress }: OpenEntrancePorts): Promise<OpenedEntrance> {
    const opened = new OpenedEntrance();
    if (context.entrance === undefined) return opened;
    try {
      if (farEnd.openEntrance === undefined) throw new Error("this kind of hand has no way back to this computer");
      const entrance = await context.entrance(egress).catch((thrown: unknown) => {
        throw new Error(messageOf(thrown), { cause: thrown });
      });
      await opened.#open(farEnd, entrance, context.signal);
    } catch (thrown) {
      opened.close();
      context.signal.throwIfAborted();
      // The place itself cannot be reached: there is no hand either.
      if (thrown instanceof ManyHandsError) throw thrown;
      opened.lacks = `without a way to the vault: ${messageOf(thrown).replace(/\.$/, "")}`;
      context.onProgress(opened.lacks);
    }
    return opened;
  }

  async #open(farEnd: FarEnd, entrance: HandEntrance, signal: AbortSignal): Promise<void> {
    const accept = (connection: NodeJS.ReadWriteStream): void => entrance.accept(connection);
    const tell = async (address: EntranceAddress): Promise<void> => {
      this.#variables = await entrance.environment(address);
    };
    const peers = async (ports: readonly number[]): Promise<PeerRows | null> =>
      peersAt(await this.#link.promise, ports);
    const way = await farEnd.openEntrance?.(accept, { port: entrance.port, signal, peers, onMove: tell });
    if (way === undefined) return;
    this.#way = way;
    if (this.#isClosed) return way.close();
    const { url, socket_path } = way;
    await tell(socket_path === undefined ? { url } : { url, socket_path });
    this.lacks = way.lacks ?? "";
  }

  /** Text for each call's shell; asked for anew whenever a shell is opened. */
  readonly callEnvironment = (): string => callEnvironment(this.#variables);

  /** The hand's shell is there, to be asked whose a connection is. */
  linked(link: Link): void {
    this.#link.resolve(link);
    link.onDidLose(() => this.close());
  }

  /** What was made for it at the far end, to be removed with the hand. */
  get folder(): string | null {
    return this.#way?.folder ?? null;
  }

  close(): void {
    this.#isClosed = true;
    this.#way?.close();
    this.#link.reject(new Error("the hand was let go of"));
  }
}

async function peersAt(link: Link, ports: readonly number[]): Promise<PeerRows | null> {
  const { data } = await link.request("peers", ports.map(spellPort).join("|"));
  const [uid = "", ...rows] = data.toString("latin1").split("\n");
  return /^\d+$/.test(uid) ? { uid: Number(uid), rows: rows.join("\n") } : null;
}
