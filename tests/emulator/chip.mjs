// An RP2040 with the real firmware image, started anew at every power-up. No boot ROM is needed: the program starts at
// its vector table, and the ROM's flash functions are traps into this file.

import fs from 'node:fs';
import { RP2040, Simulator } from 'rp2040js';
import { FlashController, FlashPins, Pin, RingOscillator } from './peripherals.mjs';
import { Radio } from './radio.mjs';
import { SecondCore } from './second-core.mjs';

const FLASH_BASE = 0x1000_0000;
const VECTORS = FLASH_BASE + 0x100;
export const MEGAHERTZ = 125;
const NANOS_PER_CYCLE = 1000 / MEGAHERTZ;
/// Cycles that core 1 gets at a time while core 0 waits.
const TURN = 64;

/// The program asked for a reset.
export class Reset extends Error {}
/// The program asked for the boot loader.
export class BootLoader extends Error {}

/// The segments of an ELF file that lie in flash, as [offset, bytes] pairs.
export function imageOf(path) {
  const elf = fs.readFileSync(path);
  const image = [];
  const [start, size, count] = [elf.readUInt32LE(28), elf.readUInt16LE(42), elf.readUInt16LE(44)];
  for (let i = 0; i < count; i++) {
    const header = start + i * size;
    const [kind, offset, , address, length] = [0, 4, 8, 12, 16].map((field) => elf.readUInt32LE(header + field));
    if (kind !== 1 || length === 0) continue;
    if (address < FLASH_BASE) throw new Error(`a segment lies at ${address.toString(16)}`);
    image.push([address - FLASH_BASE, elf.subarray(offset, offset + length)]);
  }
  return image;
}

export class Chip {
  constructor(flash, image, hasRadio) {
    this.flash = flash;
    this.simulator = new Simulator();
    this.mcu = this.simulator.rp2040;
    this.core = this.mcu.core;
    this.clock = this.simulator.clock;
    /// Cycles in which a processor worked, and in which it waited for flash.
    this.cycles = 0;
    this.flashCycles = 0;
    /// The lowest stack pointer seen since somebody set this.
    this.lowest = Infinity;
    for (const level of ['debug', 'info', 'error']) this.mcu.logger[level] = () => {};
    // The chip would fault: a stack that has left memory, for one, shows here.
    this.mcu.logger.warn = (_, text) => {
      if (text.startsWith('Write to undefined')) throw new Error(`${text}, from ${this.mcu.core.PC.toString(16)}`);
    };
    this.second = new SecondCore(this.mcu);
    const alone = () => this.second.leavesFlashAlone();

    this.pins = Object.fromEntries(this.mcu.gpio.map((gpio, number) => [number, new Pin(gpio)]));
    if (hasRadio) this.pins.radio = new Radio(this);
    this.rosc = new RingOscillator(this.mcu);
    const { peripherals } = this.mcu;
    peripherals[0x18000] = new FlashController(this.mcu, flash.serial, alone);
    peripherals[0x40018] = new FlashPins(this.mcu, flash.serial, alone);
    peripherals[0x40060] = this.rosc;
    peripherals[0x40058].onWatchdogTrigger = () => {
      throw new Reset('the firmware was reset by its watchdog');
    };
    // The pads of the flash's pins listen after a reset, on the chip.
    this.mcu.qspi[1].padValue |= 0x40;
    this.setButton(false);
    this.installRom();
    flash.attach(this.mcu.flash, image);

    const [stack, entry] = [0, 4].map((field) => this.mcu.readUint32(VECTORS + field));
    this.stack = stack;
    this.core.SP = stack;
    this.core.PC = entry & ~1;
    this.core.VTOR = VECTORS;
  }

  /// Presses or releases BOOTSEL, which pulls the flash's select line low.
  setButton(isPressed) {
    this.mcu.qspi[1].setInputValue(!isPressed);
  }

  /// What a fault anywhere leads to.
  fault() {
    this.core.waiting = false;
    this.core.PC = this.mcu.readUint32(VECTORS + 12) & ~1;
  }

  /// RAM, and the memory of the USB controller.
  memory() {
    return [Buffer.from(this.mcu.sram), Buffer.from(this.mcu.usbDPRAM)];
  }

  installRom() {
    const { core, flash } = this;
    const code = (name) => name.charCodeAt(0) | (name.charCodeAt(1) << 8);
    const takesTime = (nanos) => {
      this.second.leavesFlashAlone();
      this.flashCycles += nanos / NANOS_PER_CYCLE;
      this.clock.tick(nanos);
    };
    const functions = {
      IF: () => {},
      EX: () => {},
      FC: () => {},
      CX: () => {},
      RE: ([offset, length]) => takesTime(flash.erase(offset, length)),
      RP: ([offset, source, length]) => {
        const data = Buffer.alloc(length);
        for (let i = 0; i < length; i++) data[i] = this.mcu.readUint8(source + i);
        takesTime(flash.program(offset, data));
      },
      UB: () => {
        throw new BootLoader('the firmware went to the boot loader');
      },
    };
    const table = Object.keys(functions);
    const address = (index) => 0x100 + 4 * index;
    const lookup = ([, wanted]) => {
      const index = table.findIndex((name) => code(name) === wanted);
      core.registers[0] = index < 0 ? 0 : address(index) | 1;
    };
    // Each entry is the instructions UDF and BX LR.
    const traps = [...table.map((name) => functions[name]), lookup];
    traps.forEach((_, index) => {
      this.mcu.bootrom[address(index) / 4] = 0x4770_de00 + index;
    });
    // Magic and version; where the table of functions and the look-up are.
    this.mcu.bootrom[0x10 / 4] = 0x0301_754d;
    this.mcu.bootrom[0x14 / 4] = 0x0010;
    this.mcu.bootrom[0x18 / 4] = address(table.length) | 1;
    this.mcu.onBreak = (index) => {
      const trap = traps[index];
      const { PC } = this.mcu.core;
      if (!trap || PC >= 0x1000) throw new Error(`an undefined instruction at ${PC.toString(16)}`);
      trap([0, 1, 2, 3].map((register) => core.registers[register] >>> 0));
    };
  }

  /// Runs until `until` holds, or for at most this many cycles of emulated time. Returns whether it holds.
  run(until, most) {
    const { core, clock, second } = this;
    const end = clock.nanosCounter + most * NANOS_PER_CYCLE;
    let sinceCheck = 0;
    while (clock.nanosCounter < end) {
      if (core.waiting && !second.works) {
        if (until()) return true;
        const nanos = clock.nanosToNextAlarm;
        clock.tick(nanos > 0 ? nanos : 1000);
        continue;
      }
      const cycles = core.waiting ? TURN : core.executeInstruction();
      this.cycles += cycles;
      second.advance(cycles);
      if (core.registers[13] < this.lowest) this.lowest = core.registers[13];
      const now = clock.nanosCounter + cycles * NANOS_PER_CYCLE;
      if (clock.nextAlarm !== null && clock.nextAlarm.nanos <= now) clock.tick(cycles * NANOS_PER_CYCLE);
      else clock.nanosCounter = now;
      if (++sinceCheck === 64) {
        sinceCheck = 0;
        if (until()) return true;
      }
    }
    return until();
  }

  /// Emulated time since power-up, in cycles.
  now() {
    return this.clock.nanosCounter / NANOS_PER_CYCLE;
  }
}
