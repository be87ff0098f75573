// Core 1, which the emulator lacks: a second processor on the same bus, the mailbox between the two cores, and what the
// boot ROM has core 1 do until it is given a program.

/// Registers of the single-cycle IO block: number of the core, mailbox.
const CPUID = 0x00;
const MAILBOX_STATUS = 0x50;
const MAILBOX_WRITE = 0x54;
const MAILBOX_READ = 0x58;
const MAILBOX_DEPTH = 8;
/// Registers of the divider, of which each core has its own.
const DIVIDER = ['divDividend', 'divDivisor', 'divQuotient', 'divRemainder', 'divCSR'];
/// Registers of a core's memory protection unit: control, region's address, region's attributes.
const MPU_CONTROL = 0xd94;
const MPU_ADDRESS = 0xd9c;
const MPU_REGISTERS = [0xd90, MPU_CONTROL, 0xd98, MPU_ADDRESS, 0xda0];
/// Register of the power-on state machine that switches parts off, and core 1's bit.
const FORCE_OFF = 0x04;
const CORE_1 = 1 << 16;
const FLASH = [0x1000_0000, 0x1400_0000];
/// What the boot ROM waits for before the vector table, the stack pointer and the entry point.
const GREETING = [0, 0, 1];
/// Cycles that core 1 may lag behind core 0 before it is run: cores are changed that seldom.
const LAG = 64;

const inFlash = (address) => address >= FLASH[0] && address < FLASH[1];

export class SecondCore {
  constructor(mcu) {
    this.mcu = mcu;
    this.first = mcu.core;
    this.core = new mcu.core.constructor(mcu);
    /// 'off', 'rom' or 'program'.
    this.state = 'rom';
    this.lag = 0;
    /// Whether its next job ends in its fault handler.
    this.faults = false;
    /// The lowest stack pointer seen since somebody set this, and the lowest there may be.
    this.lowest = Infinity;
    this.stack = 0;
    this.guard = 0;
    /// Words on their way to core 0, and to core 1.
    this.mailboxes = [[], []];
    this.received = [];
    this.dividers = [{}, Object.fromEntries(DIVIDER.map((name) => [name, name === 'divDivisor' ? 1 : 0]))];
    // Interrupts of peripherals go to core 0: the firmware enables none of them on core 1.
    mcu.setInterrupt = (irq, value) => this.first.setInterrupt(irq, value);
    mcu.logger.info = (_, text) => {
      if (text === 'SEV') this.event();
    };
    this.share(mcu.sio);
    this.watchPower(mcu.peripherals[0x40010]);
    this.protect(mcu.ppb);
  }

  get index() {
    return this.mcu.core === this.core ? 1 : 0;
  }

  /// Whether core 1 executes instructions.
  get works() {
    return this.state === 'program' && !this.core.waiting;
  }

  /// Throws if core 1 needs the flash, now that nobody can read it.
  leavesFlashAlone() {
    if (this.state !== 'program') return;
    const { PC, waiting } = this.core;
    if (!waiting) throw new Error(`core 1 works at ${PC.toString(16)} while flash cannot be read`);
    if (inFlash(PC)) throw new Error(`core 1 sleeps in flash at ${PC.toString(16)}`);
  }

  /// Core 0 has used this many cycles: core 1 gets as many.
  advance(cycles) {
    if (!this.works) {
      this.lag = 0;
      return;
    }
    this.lag += cycles;
    if (this.lag < LAG) return;
    this.turnTo(1);
    try {
      while (this.lag > 0 && this.works) {
        this.lag -= this.core.executeInstruction();
        if (this.faults && inFlash(this.core.PC)) {
          this.faults = false;
          this.core.PC = this.mcu.readUint32(this.core.VTOR + 12) & ~1;
        }
        const stack = this.core.registers[13];
        if (stack < this.lowest) this.lowest = stack;
        if (stack < this.guard) throw new Error(`core 1 has overflowed its stack at ${this.core.PC.toString(16)}`);
      }
    } finally {
      this.turnTo(0);
    }
  }

  turnTo(index) {
    const { sio } = this.mcu;
    for (const name of DIVIDER) {
      this.dividers[1 - index][name] = sio[name];
      sio[name] = this.dividers[index][name];
    }
    this.mcu.core = index === 1 ? this.core : this.first;
  }

  /// Wakes whoever waits for an event.
  event() {
    for (const core of [this.first, this.core]) {
      if (core.waiting) core.waiting = false;
      else core.eventRegistered = true;
    }
  }

  share(sio) {
    const read = sio.readUint32.bind(sio);
    const write = sio.writeUint32.bind(sio);
    sio.readUint32 = (offset) => {
      const { index } = this;
      switch (offset) {
        case CPUID:
          return index;
        case MAILBOX_STATUS:
          return (this.mailboxes[index].length > 0 ? 0b01 : 0) | (this.mailboxes[1 - index].length < MAILBOX_DEPTH ? 0b10 : 0);
        case MAILBOX_READ:
          return this.mailboxes[index].shift() ?? 0;
        default:
          return read(offset);
      }
    };
    sio.writeUint32 = (offset, value) => {
      if (offset === MAILBOX_WRITE) this.send(1 - this.index, value >>> 0);
      else if (offset !== MAILBOX_STATUS) write(offset, value);
    };
  }

  send(to, word) {
    if (this.mailboxes[to].length < MAILBOX_DEPTH) this.mailboxes[to].push(word);
    if (to === 1 && this.state === 'rom') this.listen();
  }

  /// What the boot ROM does with a word: it sends it back, and starts a program when it has heard all about it.
  listen() {
    const word = this.mailboxes[1].shift();
    this.mailboxes[0].push(word);
    this.received.push(word);
    if (GREETING.some((expected, n) => n < this.received.length && this.received[n] !== expected)) this.received = [];
    if (this.received.length < GREETING.length + 3) return;
    const [vectors, stack, entry] = this.received.slice(GREETING.length);
    this.core.VTOR = vectors;
    this.core.SP = stack;
    this.core.PC = (entry & ~1) >>> 0;
    this.stack = stack;
    this.state = 'program';
  }

  /// Core 1 is switched off and on by the power-on state machine; it then starts in the boot ROM.
  watchPower(psm) {
    const write = psm.writeUint32.bind(psm);
    psm.writeUint32 = (offset, value) => {
      write(offset, value);
      if (offset !== FORCE_OFF) return;
      if (value & CORE_1) {
        this.state = 'off';
      } else if (this.state === 'off') {
        this.core = new this.first.constructor(this.mcu);
        this.guard = 0;
        this.received = [];
        this.mailboxes = [[0], []];
        this.state = 'rom';
      }
    };
  }

  /// The memory protection unit: of its one use here, a guard of 32 bytes below the stack, it is watched that the stack
  /// stays above.
  protect(ppb) {
    const read = ppb.readUint32.bind(ppb);
    const write = ppb.writeUint32.bind(ppb);
    const registers = [new Map(), new Map()];
    ppb.readUint32 = (offset) => (MPU_REGISTERS.includes(offset) ? (registers[this.index].get(offset) ?? 0) : read(offset));
    ppb.writeUint32 = (offset, value) => {
      if (!MPU_REGISTERS.includes(offset)) {
        write(offset, value);
        return;
      }
      registers[this.index].set(offset, value);
      // Attributes come last: one of eight parts of the region's 256 bytes is guarded.
      if (this.index === 1 && offset === 0xda0) {
        const part = Math.log2(~(value >> 8) & 0xff);
        this.guard = (registers[1].get(MPU_ADDRESS) & ~0xff) + 32 * part + 32;
      }
    };
  }
}
