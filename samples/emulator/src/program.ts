/** What the machine runs: a dot that the keys 2 (up), 8 (down), 4 (left) and 6 (right) move, and the count of its moves. */

/** Instructions of a CHIP-8; the first is at 200. vA and vB are the dot's column and row, vC the moves, vD the key. */
const words = [
  0x00e0, // 200 clear the screen
  0x6a20, // 202 vA = 32
  0x6b10, // 204 vB = 16
  0x6c00, // 206 vC = 0
  0x2230, // 208 draw all
  0xfd0a, // 20a vD = the key that is held; waits for one
  0x2230, // 20c drawn a second time it is gone
  0x4d02, // 20e key 2:
  0x7bff, // 210   one up
  0x4d08, // 212 key 8:
  0x7b01, // 214   one down
  0x4d04, // 216 key 4:
  0x7aff, // 218   one left
  0x4d06, // 21a key 6:
  0x7a01, // 21c   one right
  0x7c01, // 21e one move more
  0x6e06, // 220 wait six frames
  0xfe15, // 222
  0xfe07, // 224
  0x3e00, // 226
  0x1224, // 228
  0x1208, // 22a from the start
  0x1208, // 22c
  0x1208, // 22e
  0xa250, // 230 draw all: the dot …
  0xdab1, // 232
  0xa260, // 234 … and the three digits of the count
  0xfc33, // 236
  0xf265, // 238
  0x6300, // 23a
  0x6400, // 23c
  0xf029, // 23e
  0xd345, // 240
  0x7305, // 242
  0xf129, // 244
  0xd345, // 246
  0x7305, // 248
  0xf229, // 24a
  0xd345, // 24c
  0x00ee, // 24e
  0x8000, // 250 the dot
] as const;

export const program: readonly number[] = words.flatMap((word) => [word >> 8, word & 255]);
