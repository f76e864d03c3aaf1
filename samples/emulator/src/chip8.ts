/** A CHIP-8: 4 KiB of memory, sixteen registers, sixteen keys, a screen of 64 by 32 dots. As its manuals of 1978 describe it. */

const WIDTH = 64;
const HEIGHT = 32;
const MEMORY_BYTES = 4_096;
const START = 0x200;
/** Instructions in one frame, of which there are sixty in a second of its time. */
const STEPS_IN_FRAME = 12;

const DIGITS = [
  0xf0, 0x90, 0x90, 0x90, 0xf0, 0x20, 0x60, 0x20, 0x20, 0x70, 0xf0, 0x10, 0xf0, 0x80, 0xf0, 0xf0, 0x10, 0xf0, 0x10,
  0xf0, 0x90, 0x90, 0xf0, 0x10, 0x10, 0xf0, 0x80, 0xf0, 0x10, 0xf0, 0xf0, 0x80, 0xf0, 0x90, 0xf0, 0xf0, 0x10, 0x20,
  0x40, 0x40, 0xf0, 0x90, 0xf0, 0x90, 0xf0, 0xf0, 0x90, 0xf0, 0x10, 0xf0, 0xf0, 0x90, 0xf0, 0x90, 0x90, 0xe0, 0x90,
  0xe0, 0x90, 0xe0, 0xf0, 0x80, 0x80, 0x80, 0xf0, 0xe0, 0x90, 0x90, 0x90, 0xe0, 0xf0, 0x80, 0xf0, 0x80, 0xf0, 0xf0,
  0x80, 0xf0, 0x80, 0x80,
] as const;

/** All that the machine is at a moment; plain JSON. */
export interface Snapshot {
  readonly memory: readonly number[];
  readonly registers: readonly number[];
  readonly stack: readonly number[];
  readonly screen: readonly number[];
  readonly at: number;
  readonly index: number;
  readonly delay: number;
  readonly random: number;
}

export class Chip8 {
  #memory = new Uint8Array(MEMORY_BYTES);
  #registers = new Uint8Array(16);
  #stack: number[] = [];
  #screen = new Uint8Array(WIDTH * HEIGHT);
  #at = START;
  #index = 0;
  #delay = 0;
  /** A small generator of its own, so that the same keys give the same run. */
  #random = 1;
  #key: number | null = null;

  constructor(program: readonly number[]) {
    this.reset(program);
  }

  reset(program: readonly number[]): void {
    if (program.length > MEMORY_BYTES - START) throw new RangeError("the program does not fit into 3,584 bytes");
    this.#memory = new Uint8Array(MEMORY_BYTES);
    this.#memory.set(DIGITS);
    this.#memory.set(program, START);
    this.#registers = new Uint8Array(16);
    this.#screen = new Uint8Array(WIDTH * HEIGHT);
    this.#stack = [];
    this.#at = START;
    this.#index = 0;
    this.#delay = 0;
    this.#random = 1;
  }

  static from(snapshot: Snapshot): Chip8 {
    const machine = new Chip8([]);
    machine.#memory = Uint8Array.from(snapshot.memory);
    machine.#registers = Uint8Array.from(snapshot.registers);
    machine.#stack = [...snapshot.stack];
    machine.#screen = Uint8Array.from(snapshot.screen);
    machine.#at = snapshot.at;
    machine.#index = snapshot.index;
    machine.#delay = snapshot.delay;
    machine.#random = snapshot.random;
    return machine;
  }

  snapshot(): Snapshot {
    return {
      memory: [...this.#memory],
      registers: [...this.#registers],
      stack: [...this.#stack],
      screen: [...this.#screen],
      at: this.#at,
      index: this.#index,
      delay: this.#delay,
      random: this.#random,
    };
  }

  /** Runs that many frames, with a key (0 to 15) held down or none. Throws where the program does what no CHIP-8 can. */
  run(frames: number, key: number | null): void {
    this.#key = key;
    for (let frame = 0; frame < frames; frame += 1) {
      for (let step = 0; step < STEPS_IN_FRAME; step += 1) this.#step();
      if (this.#delay > 0) this.#delay -= 1;
    }
    this.#key = null;
  }

  /** The screen as lines of text, two rows of dots in one. */
  text(): string {
    const lit = (x: number, y: number): boolean => this.#screen[y * WIDTH + x] === 1;
    const glyph = (x: number, y: number): string => {
      if (lit(x, y)) return lit(x, y + 1) ? "█" : "▀";
      return lit(x, y + 1) ? "▄" : " ";
    };
    const row = (y: number): string => Array.from({ length: WIDTH }, (_, x) => glyph(x, y)).join("");
    return Array.from({ length: HEIGHT / 2 }, (_, line) => `|${row(line * 2)}|`).join("\n");
  }

  #step(): void {
    const code = ((this.#memory[this.#at] ?? 0) << 8) | (this.#memory[this.#at + 1] ?? 0);
    const here = this.#at;
    this.#at = (this.#at + 2) % MEMORY_BYTES;
    const x = (code >> 8) & 15;
    const y = (code >> 4) & 15;
    const byte = code & 255;
    const address = code & 0xfff;
    switch (code >> 12) {
      case 0x0:
        if (code === 0x00e0) this.#screen.fill(0);
        else if (code === 0x00ee) this.#at = this.#stack.pop() ?? START;
        else this.#refuse(code, here);
        break;
      case 0x1:
        this.#at = address;
        break;
      case 0x2:
        if (this.#stack.length === 16) throw new RangeError("the program calls deeper than sixteen times");
        this.#stack.push(this.#at);
        this.#at = address;
        break;
      case 0x3:
        if (this.#v(x) === byte) this.#at += 2;
        break;
      case 0x4:
        if (this.#v(x) !== byte) this.#at += 2;
        break;
      case 0x5:
        if (this.#v(x) === this.#v(y)) this.#at += 2;
        break;
      case 0x6:
        this.#registers[x] = byte;
        break;
      case 0x7:
        this.#registers[x] = this.#v(x) + byte;
        break;
      case 0x8:
        this.#calculate(x, y, code & 15, code, here);
        break;
      case 0x9:
        if (this.#v(x) !== this.#v(y)) this.#at += 2;
        break;
      case 0xa:
        this.#index = address;
        break;
      case 0xb:
        this.#at = address + this.#v(0);
        break;
      case 0xc:
        this.#random = (this.#random * 69_069 + 1) >>> 0;
        this.#registers[x] = (this.#random >>> 24) & byte;
        break;
      case 0xd:
        this.#draw(this.#v(x), this.#v(y), code & 15);
        break;
      case 0xe:
        if ((byte === 0x9e) === (this.#key === (this.#v(x) & 15))) this.#at += 2;
        break;
      default:
        this.#other(x, byte, code, here);
    }
  }

  #v(register: number): number {
    return this.#registers[register] ?? 0;
  }

  #calculate(x: number, y: number, operation: number, code: number, here: number): void {
    const [a, b] = [this.#v(x), this.#v(y)];
    const set = (value: number, flag?: boolean): void => {
      this.#registers[x] = value;
      if (flag !== undefined) this.#registers[15] = flag ? 1 : 0;
    };
    if (operation === 0) set(b);
    else if (operation === 1) set(a | b);
    else if (operation === 2) set(a & b);
    else if (operation === 3) set(a ^ b);
    else if (operation === 4) set(a + b, a + b > 255);
    else if (operation === 5) set(a - b, a >= b);
    else if (operation === 6) set(b >> 1, (b & 1) === 1);
    else if (operation === 7) set(b - a, b >= a);
    else if (operation === 14) set(b << 1, b > 127);
    else this.#refuse(code, here);
  }

  /** Turns dots over; the flag says that one was lit before. */
  #draw(left: number, top: number, rows: number): void {
    this.#registers[15] = 0;
    for (let row = 0; row < rows; row += 1) {
      const bits = this.#memory[this.#index + row] ?? 0;
      for (let bit = 0; bit < 8; bit += 1) {
        const [x, y] = [(left % WIDTH) + bit, (top % HEIGHT) + row];
        if ((bits & (0x80 >> bit)) === 0 || x >= WIDTH || y >= HEIGHT) continue;
        const place = y * WIDTH + x;
        if (this.#screen[place] === 1) this.#registers[15] = 1;
        this.#screen[place] = (this.#screen[place] ?? 0) ^ 1;
      }
    }
  }

  #other(x: number, byte: number, code: number, here: number): void {
    if (byte === 0x07) this.#registers[x] = this.#delay;
    else if (byte === 0x0a && this.#key === null) this.#at = here;
    else if (byte === 0x0a) this.#registers[x] = this.#key ?? 0;
    else if (byte === 0x15) this.#delay = this.#v(x);
    else if (byte === 0x1e) this.#index = (this.#index + this.#v(x)) & 0xfff;
    else if (byte === 0x29) this.#index = (this.#v(x) & 15) * 5;
    else if (byte === 0x33) {
      const value = this.#v(x);
      this.#memory.set([Math.floor(value / 100), Math.floor(value / 10) % 10, value % 10], this.#index);
    } else if (byte === 0x55) this.#memory.set(this.#registers.subarray(0, x + 1), this.#index);
    else if (byte === 0x65) this.#registers.set(this.#memory.subarray(this.#index, this.#index + x + 1));
    else if (byte !== 0x18) this.#refuse(code, here);
  }

  #refuse(code: number, here: number): never {
    throw new RangeError(`there is no instruction ${code.toString(16).padStart(4, "0")} (at ${here.toString(16)})`);
  }
}
