/**
 * A filter of system calls (classic BPF, as seccomp takes it) for what a sandbox's namespaces do not hold back: sockets to
 * the host of a virtual machine, and the kernel's keyrings. `null` for machines that it is not written for.
 * io_uring goes too: it would make the same sockets past the filter.
 */
import { arch, endianness } from "node:os";

interface Machine {
  readonly audit: number;
  readonly socket: number;
  /** add_key, request_key, keyctl, io_uring_setup. */
  readonly refused: readonly number[];
  /** Numbers from here on belong to another set of calls on the same machine. */
  readonly foreign: number | null;
}

const MACHINES: Readonly<Record<string, Machine>> = {
  x64: { audit: 0xc000003e, socket: 41, refused: [248, 249, 250, 425], foreign: 0x40000000 },
  arm64: { audit: 0xc00000b7, socket: 198, refused: [217, 218, 219, 425], foreign: null },
};

const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const refuse = (errno: number): number => 0x00050000 + errno;
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;
const AF_VSOCK = 40;
/** Where the number of the call, the machine and the first argument are. */
const AT_NUMBER = 0;
const AT_MACHINE = 4;
const AT_FIRST = 16;

type Step = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

export function systemCallFilter(machine: string = arch()): Buffer | null {
  const known = MACHINES[machine];
  if (known === undefined || endianness() !== "LE") return null;
  const foreign: readonly Step[] =
    known.foreign === null
      ? []
      : [
          [JUMP_AT_LEAST, 0, 1, known.foreign],
          [RETURN, 0, 0, refuse(ENOSYS)],
        ];
  const steps: readonly Step[] = [
    [LOAD, 0, 0, AT_MACHINE],
    // Calls of another machine (32 bits) have other numbers: none of them.
    [JUMP_EQUAL, 1, 0, known.audit],
    [RETURN, 0, 0, refuse(ENOSYS)],
    [LOAD, 0, 0, AT_NUMBER],
    ...foreign,
    ...known.refused.flatMap((call): Step[] => [
      [JUMP_EQUAL, 0, 1, call],
      [RETURN, 0, 0, refuse(EPERM)],
    ]),
    [JUMP_EQUAL, 0, 3, known.socket],
    [LOAD, 0, 0, AT_FIRST],
    [JUMP_EQUAL, 0, 1, AF_VSOCK],
    [RETURN, 0, 0, refuse(EAFNOSUPPORT)],
    [RETURN, 0, 0, ALLOW],
  ];
  const bytes = Buffer.alloc(steps.length * 8);
  steps.forEach(([code, ifTrue, ifFalse, value], at) => {
    bytes.writeUInt16LE(code, at * 8);
    bytes.writeUInt8(ifTrue, at * 8 + 2);
    bytes.writeUInt8(ifFalse, at * 8 + 3);
    bytes.writeUInt32LE(value, at * 8 + 4);
  });
  return bytes;
}
