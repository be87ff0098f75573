// The flash chip: NOR cells kept in a file, a serial interface for its identity, and a power switch that can be set to
// cut the power in the middle of an operation.

import fs from 'node:fs';

export const SECTOR = 4096;
const PAGE = 256;

// Typical times of a W25Q16JV, by its data sheet.
const ERASE_NANOS = 45e6;
const PROGRAM_NANOS = 0.4e6;

/// The power went away; the chip is dead until it is started again.
export class PowerCut extends Error {}

export class Flash {
  /// `cells` is the memory that the processor sees; it is filled from the file at `path`, or blank.
  constructor(path, size) {
    this.path = path;
    this.size = size;
    this.operations = 0;
    this.cutAt = null;
    if (!fs.existsSync(path)) fs.writeFileSync(path, Buffer.alloc(size, 0xff));
    this.file = fs.openSync(path, 'r+');
    const length = fs.fstatSync(this.file).size;
    if (length !== size) throw new Error(`${path} has ${length} bytes instead of ${size}`);
    this.serial = new Serial(size);
  }

  /// Connects the cells to a processor that starts. `image` is [offset, bytes] pairs of a program to be put in first.
  attach(cells, image) {
    this.cells = cells;
    for (const [offset, bytes] of image) fs.writeSync(this.file, bytes, 0, bytes.length, offset);
    cells.fill(0xff);
    fs.readSync(this.file, cells, 0, this.size, 0);
  }

  /// Cuts the power within the operation that comes after this many others: so many bytes into it.
  cutWithin(operation, bytes) {
    this.cutAt = { operation: this.operations + operation, bytes };
  }

  /// Erases a sector. Returns how long it takes, in nanoseconds.
  erase(offset, length) {
    if (offset % SECTOR || length % SECTOR || offset + length > this.size) throw new Error('erasing outside of flash');
    const done = this.begin(length);
    this.cells.fill(0xff, offset, offset + done);
    this.end(offset, length, done);
    return (length / SECTOR) * ERASE_NANOS;
  }

  /// Programs whole pages: bits are only ever cleared. Returns how long it takes, in nanoseconds.
  program(offset, data) {
    if (offset % PAGE || data.length % PAGE || offset + data.length > this.size) throw new Error('programming outside of flash');
    const done = this.begin(data.length);
    for (let i = 0; i < done; i++) this.cells[offset + i] &= data[i];
    this.end(offset, data.length, done);
    return (data.length / PAGE) * PROGRAM_NANOS;
  }

  /// How many bytes of this operation happen.
  begin(length) {
    const operation = this.operations++;
    return this.cutAt?.operation === operation ? Math.min(length, this.cutAt.bytes) : length;
  }

  /// What happened is in the file at once, whatever becomes of this program.
  end(offset, length, done) {
    fs.writeSync(this.file, this.cells, offset, length, offset);
    if (this.cutAt?.operation === this.operations - 1) {
      this.cutAt = null;
      throw new PowerCut('the power was cut within a flash operation');
    }
  }
}

/// The chip's answers to serial commands. A command begins when the chip is selected, or, where the controller selects
/// by itself, after the one before is complete.
class Serial {
  constructor(size) {
    const capacity = Math.log2(size);
    this.answers = {
      0x05: [0x00], // status: not busy
      0x35: [0x02], // status 2: quad enabled
      0x15: [0x00],
      0x9f: [0xef, 0x40, capacity],
      // four bytes of nothing, then the number
      0x4b: [0, 0, 0, 0, 0xe6, 0x61, 0x64, 0x08, 0x43, 0x5c, 0x2a, 0x31],
    };
    this.select();
  }

  select() {
    this.pending = null;
  }

  /// Sends a byte and returns the one that comes in.
  exchange(byte) {
    if (this.pending === null) {
      this.pending = [...(this.answers[byte] ?? [])];
      return 0;
    }
    const answer = this.pending.shift() ?? 0xff;
    if (this.pending.length === 0) this.select();
    return answer;
  }
}
