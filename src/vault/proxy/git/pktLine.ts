/** Git's packets: four hex digits of length, then that many bytes less four; `0000` ends a section. */

/** The largest packet, its length digits included (gitprotocol-common). */
const PACKET_BYTES_MAX = 65_520;
export const flushPacket = Buffer.from("0000");

/** One packet of these bytes. Throws RangeError where they are more than a packet holds. */
export function packet(data: string | Uint8Array): Buffer {
  const bytes = Buffer.from(data);
  const length = bytes.length + 4;
  if (length > PACKET_BYTES_MAX) throw new RangeError(`a packet holds no ${bytes.length} bytes`);
  return Buffer.concat([Buffer.from(length.toString(16).padStart(4, "0")), bytes]);
}

/** Bytes on one band of side-band-64k, in as many packets as they need. */
export function bandPackets(band: 1 | 2 | 3, data: string | Uint8Array): Buffer {
  const bytes = Buffer.from(data);
  const room = PACKET_BYTES_MAX - 5;
  const packets: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += room) {
    packets.push(packet(Buffer.concat([Buffer.from([band]), bytes.subarray(at, at + room)])));
  }
  return Buffer.concat(packets);
}

type Packet =
  | { readonly kind: "data"; readonly data: Buffer }
  | { readonly kind: "flush" }
  /** `0001`, `0002`, `0003`, a length of a packet that there cannot be, or no hex digits. */
  | { readonly kind: "other" };

/** Cuts a stream of bytes into packets. */
export interface PacketReader {
  push(chunk: Uint8Array): void;
  /** The next packet, or undefined where it is not all there. */
  next(): Packet | undefined;
}

export function createPacketReader(): PacketReader {
  let held = Buffer.alloc(0);
  return {
    push(chunk) {
      held = Buffer.concat([held, chunk]);
    },
    next() {
      if (held.length < 4) return undefined;
      const digits = held.toString("latin1", 0, 4);
      if (!/^[0-9a-f]{4}$/i.test(digits)) return { kind: "other" };
      const length = Number.parseInt(digits, 16);
      if (length === 0) {
        held = held.subarray(4);
        return { kind: "flush" };
      }
      if (length < 4 || length > PACKET_BYTES_MAX) return { kind: "other" };
      if (held.length < length) return undefined;
      const data = held.subarray(4, length);
      held = held.subarray(length);
      return { kind: "data", data };
    },
  };
}
