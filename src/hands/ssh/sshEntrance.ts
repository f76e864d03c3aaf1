/** The way back over a connection of ssh2: a socket at the host that only its user may open, and a port of its loopback for git. */
import type { AcceptConnection as TakeChannel, Channel, RejectConnection } from "ssh2";
import type { TcpConnectionDetails, UNIXConnectionDetails } from "ssh2";
import { messageOf } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import type { EntranceAddress } from "../../core/vault.ts";
import type { AcceptConnection, EntranceWay, EntranceWish } from "../shell/shellStream.ts";
import { PeerCheck } from "../shell/socketOwners.ts";
import { quote } from "../shell/supervisorScript.ts";
import type { SshConnection } from "./sshConnection.ts";
import { PREPARE, RECLAIM } from "./entranceFolder.ts";
import { ConnectionLost } from "./sshErrors.ts";

export interface SshEntrancePorts {
  readonly accept: AcceptConnection;
  readonly wish: EntranceWish;
  readonly socketName: string;
}

/** Where a port cannot be forwarded, URLs name a host that there never is (RFC 6761): who uses the socket needs some name. */
const NOWHERE = "http://many-hands.invalid";
const LOOPBACK = "127.0.0.1";
const ONLY_SOCKET =
  "with a way to the vault by $MANY_HANDS_SOCKET alone, and so none for git (AllowTcpForwarding of the host's sshd)";

/** What is forwarded on one connection. */
interface Forwarded {
  readonly connection: SshConnection;
  port: number | null;
  socketPath: string | null;
}

export class SshEntrance {
  readonly #ports: SshEntrancePorts;
  readonly #check: PeerCheck;
  readonly #channels = new Set<Channel>();
  #forwarded: Forwarded | null = null;
  #folder: string | null = null;
  #address: EntranceAddress | null = null;
  #isClosed = false;

  constructor(ports: SshEntrancePorts) {
    this.#ports = ports;
    this.#check = new PeerCheck(ports.wish.peers);
  }

  /** Rejects with the reason where the host forwards neither. */
  async openFirst(connection: SshConnection, signal: AbortSignal): Promise<EntranceWay> {
    const failures: string[] = [];
    const forwarded = await this.#forward(connection, this.#ports.wish.port, signal, failures);
    if (forwarded.port === null && forwarded.socketPath === null) {
      const why = failures.join("; ");
      throw new Error(`the host forwards nothing back (AllowTcpForwarding, AllowStreamLocalForwarding): ${why}`);
    }
    this.#address = addressOf(forwarded);
    return {
      ...this.#address,
      ...(this.#folder === null ? {} : { folder: this.#folder }),
      ...(forwarded.port === null ? { lacks: ONLY_SOCKET } : {}),
      close: () => this.#close(),
    };
  }

  /** The same way on another connection; nothing where it is this one. Rejects where the connection is lost meanwhile. */
  async openOn(connection: SshConnection, signal: AbortSignal): Promise<void> {
    if (this.#isClosed || this.#forwarded?.connection === connection) return;
    const forwarded = await this.#forward(connection, this.#forwarded?.port ?? null, signal);
    const address = addressOf(forwarded);
    const isSame = address.url === this.#address?.url && address.socket_path === this.#address.socket_path;
    this.#address = address;
    if (!isSame) await this.#ports.wish.onMove(address);
  }

  async #forward(
    connection: SshConnection,
    wanted: number | null,
    signal: AbortSignal,
    failures: string[] = [],
  ): Promise<Forwarded> {
    const forwarded: Forwarded = { connection, port: null, socketPath: null };
    const tried = async (what: string, act: () => Promise<void>): Promise<boolean> => {
      try {
        await act();
        return true;
      } catch (thrown) {
        signal.throwIfAborted();
        if (connection.isLost) throw thrown;
        failures.push(`${what}: ${messageOf(thrown)}`);
        return false;
      }
    };
    this.#forwarded = forwarded;
    this.#listen(forwarded);
    await tried("a folder for a socket", () => this.#prepare(connection, signal));
    await tried("a socket", () => forwardSocket(forwarded, this.#folder));
    if (wanted !== null && !(await tried(`port ${wanted}`, () => forwardPort(forwarded, wanted)))) {
      // Its own connection may hold it, which the host does not know to be lost yet.
      await tried("the connection before", () => this.#reclaim(connection, signal));
      await tried(`port ${wanted}`, () => forwardPort(forwarded, wanted));
    }
    if (forwarded.port === null) await tried("a port", () => forwardPort(forwarded, 0));
    if (this.#isClosed) undo(forwarded);
    return forwarded;
  }

  async #prepare(connection: SshConnection, signal: AbortSignal): Promise<void> {
    const script = `exec sh -c ${quote(PREPARE)} sh ${quote(this.#ports.socketName)}`;
    const folder = (await outputOf(connection, script, signal)).trim().split("\n").at(-1) ?? "";
    if (!folder.startsWith("/")) throw new Error("there is none that is this user's alone");
    this.#folder = folder;
  }

  async #reclaim(connection: SshConnection, signal: AbortSignal): Promise<void> {
    if (this.#folder === null) return;
    await outputOf(connection, `exec sh -c ${quote(RECLAIM)} sh ${quote(this.#folder)}`, signal);
  }

  /** Others use the same connection: only what was forwarded for this hand is its. */
  #listen(forwarded: Forwarded): void {
    const { client } = forwarded.connection;
    client.setMaxListeners(0);
    client.on("unix connection", ({ socketPath }: UNIXConnectionDetails, take, refuse) => {
      if (socketPath === forwarded.socketPath) this.#take(take, refuse);
    });
    client.on("tcp connection", (details: TcpConnectionDetails, take, refuse) => {
      if (details.destPort === forwarded.port) void this.#admit(details, take, refuse);
    });
  }

  /** Every user of the host is on its loopback, and where sshd has GatewayPorts, who is elsewhere comes in too. */
  async #admit(
    { srcIP, srcPort, destPort }: TcpConnectionDetails,
    take: TakeChannel<Channel>,
    refuse: RejectConnection,
  ): Promise<void> {
    const isNear = /^(::ffff:)?127\.|^::1$/.test(srcIP);
    if (isNear && (await this.#check.isOwn(srcPort, destPort))) this.#take(take, refuse);
    else refuse();
  }

  #take(take: TakeChannel<Channel>, refuse: RejectConnection): void {
    if (this.#isClosed || this.#channels.size >= limits.entranceConnectionsMax) return refuse();
    const channel = take();
    this.#channels.add(channel);
    channel.on("error", () => {});
    channel.once("close", () => this.#channels.delete(channel));
    this.#ports.accept(channel);
  }

  #close(): void {
    this.#isClosed = true;
    for (const channel of this.#channels) channel.close();
    if (this.#forwarded !== null) undo(this.#forwarded);
  }
}

function addressOf({ port, socketPath }: Forwarded): EntranceAddress {
  const url = port === null ? NOWHERE : `http://${LOOPBACK}:${port}`;
  return socketPath === null ? { url } : { url, socket_path: socketPath };
}

async function forwardSocket(forwarded: Forwarded, folder: string | null): Promise<void> {
  if (folder === null) throw new Error("there is no folder for one");
  const { connection } = forwarded;
  const path = `${folder}/proxy`;
  if (Buffer.byteLength(path) >= limits.socketPathBytesMax) throw new Error(`the path ${path} is too long for one`);
  // Who connects may come together with the answer.
  forwarded.socketPath = path;
  try {
    await answered(connection, (done) => connection.client.openssh_forwardInStreamLocal(path, done));
  } catch (thrown) {
    forwarded.socketPath = null;
    throw thrown;
  }
}

function forwardPort(forwarded: Forwarded, wanted: number): Promise<void> {
  const { connection } = forwarded;
  return answered(connection, (done) =>
    connection.client.forwardIn(LOOPBACK, wanted, (thrown, port) => {
      if (!thrown) forwarded.port = port;
      done(thrown);
    }),
  );
}

/** The connection may live on, for other hands. */
function undo({ connection, port, socketPath }: Forwarded): void {
  if (connection.isLost) return;
  try {
    if (port !== null) connection.client.unforwardIn(LOOPBACK, port, () => {});
    if (socketPath !== null) connection.client.openssh_unforwardInStreamLocal(socketPath, () => {});
  } catch {
    // It went in this moment, and what was forwarded went with it.
  }
}

/** What the host is asked has a deadline, and ends with the connection. */
function answered(connection: SshConnection, ask: (done: (thrown?: Error | null) => void) => unknown): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const settle = (thrown?: Error | null): void => {
      clearTimeout(timer);
      if (thrown) reject(thrown);
      else resolve();
    };
    const late = (): void => settle(new Error(`the host did not answer within ${limits.handStepMs} ms`));
    const timer = setTimeout(late, limits.handStepMs);
    void connection.lost.then((reason) => settle(new ConnectionLost(reason)));
    try {
      ask(settle);
    } catch (thrown) {
      settle(thrown as Error);
    }
  });
}

async function outputOf(connection: SshConnection, command: string, signal: AbortSignal): Promise<string> {
  const channel = await connection.exec(command, signal);
  let text = "";
  channel.on("data", (chunk: Buffer) => (text = (text + chunk.toString()).slice(-limits.handInlineBytes)));
  channel.stderr.resume();
  channel.end();
  await answered(connection, (done) => channel.on("close", () => done()));
  return text;
}
