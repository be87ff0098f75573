// Parts of the chip that the emulator has not, or not enough of: flash controller, its pins, a look at the other pins, ring
// oscillator.

import { randomBytes } from 'node:crypto';
import { BasePeripheral } from 'rp2040js';

/// The flash controller: serial commands go to the flash chip. (Mapped reads need no controller here.)
export class FlashController extends BasePeripheral {
  /// `alone` throws if somebody else needs the flash.
  constructor(chip, serial, alone) {
    super(chip, 'SSI');
    this.serial = serial;
    this.alone = alone;
    this.registers = new Map();
    this.received = [];
  }

  readUint32(offset) {
    switch (offset) {
      case 0x20: // TXFLR
        return 0;
      case 0x24: // RXFLR
        return this.received.length;
      case 0x28: // SR: room to send, nothing left to send, something received
        return 0b0110 | (this.received.length > 0 ? 0b1000 : 0);
      case 0x60: // DR0
        return this.received.shift() ?? 0;
      default:
        return this.registers.get(offset) ?? 0;
    }
  }

  writeUint32(offset, value) {
    if (offset === 0x60) {
      this.alone();
      this.received.push(this.serial.exchange(value & 0xff));
      return;
    }
    if (offset === 0x08) {
      // SSIENR: switching it off empties it
      this.received = [];
      this.serial.select();
    }
    this.registers.set(offset, value);
  }
}

/// The pins of the flash chip: its select line can be forced, and let go to read the button behind it.
export class FlashPins extends BasePeripheral {
  /// `alone` throws if somebody else needs the flash.
  constructor(chip, serial, alone) {
    super(chip, 'IO_QSPI');
    this.serial = serial;
    this.alone = alone;
    this.registers = new Map();
  }

  readUint32(offset) {
    return this.registers.get(offset) ?? 0;
  }

  writeUint32(offset, value) {
    this.registers.set(offset, value);
    if (offset === 0x0c) this.alone();
    // GPIO_QSPI_SS_CTRL, output forced low or high
    if (offset === 0x0c && ((value >> 8) & 3) >= 2) this.serial.select();
  }
}

/// What the firmware does with a pin.
export class Pin {
  constructor(gpio) {
    this.gpio = gpio;
    this.drive = this.now();
    this.count = 0;
    gpio.addListener(() => {
      const now = this.now();
      if (now === this.drive) return;
      this.drive = now;
      this.count++;
    });
  }

  now() {
    const { outputEnable, outputValue } = this.gpio;
    return outputEnable ? (outputValue ? 'high' : 'low') : 'free';
  }

  /// How often that has changed since somebody asked.
  changes() {
    const { count } = this;
    this.count = 0;
    return count;
  }
}

/// The ring oscillator: random bits that really are random, so that no test relies on some.
export class RingOscillator extends BasePeripheral {
  constructor(chip) {
    super(chip, 'ROSC');
    this.pool = Buffer.alloc(0);
    this.position = 0;
    this.registers = new Map();
    /// What every reading gives, for a source that has failed.
    this.stuckAt = null;
  }

  readUint32(offset) {
    switch (offset) {
      case 0x18: // STATUS: stable, enabled
        return (0x8000_1000 | 0) >>> 0;
      case 0x1c: // RANDOMBIT
        return this.stuckAt ?? this.bit();
      default:
        return this.registers.get(offset) ?? 0;
    }
  }

  writeUint32(offset, value) {
    this.registers.set(offset, value);
  }

  bit() {
    if (this.position >= this.pool.length * 8) {
      this.pool = randomBytes(4096);
      this.position = 0;
    }
    const bit = (this.pool[this.position >> 3] >> (this.position & 7)) & 1;
    this.position++;
    return bit;
  }
}
