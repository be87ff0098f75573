// The emulated device as its host sees it: started, enumerated, powered, restarted.

import { BootLoader, Chip, Reset, imageOf } from './chip.mjs';
import { Ccid } from './ccid.mjs';
import { Flash, PowerCut } from './flash.mjs';
import { Host } from './usb.mjs';
import { parseConfiguration, readDescriptors } from './descriptors.mjs';

const FLASH_SIZE = 2 << 20;

export class Device {
  constructor(elf, flashPath) {
    this.image = imageOf(elf);
    this.flash = new Flash(flashPath, FLASH_SIZE);
    /// Whether a radio chip is on the board, from the next start on.
    this.hasRadio = false;
    this.start();
  }

  /// Powers the device up, enumerates it and powers its card.
  start() {
    this.chip = new Chip(this.flash, this.image, this.hasRadio);
    this.host = new Host(this.chip);
    this.host.connect();
    this.host.controlOut(0x00, 0x05, 1, 0);
    this.configuration = parseConfiguration(readDescriptors(this.host).configuration);
    this.host.controlOut(0x00, 0x09, this.configuration.value, 0);
    const { out, into } = this.configuration.ccid;
    this.ccid = new Ccid(this.host, out, into);
    this.host.pause(1);
    this.atr = this.ccid.powerOn();
  }

  descriptors() {
    return readDescriptors(this.host);
  }

  /// Cuts the power and starts again with what the flash holds.
  restart() {
    this.start();
  }

  /// Powers the card off and on.
  reset() {
    this.ccid.powerOff();
    this.atr = this.ccid.powerOn();
  }

  /// Sends an APDU; returns the answer and what it took.
  transmit(apdu) {
    const before = { cycles: this.chip.cycles, flash: this.chip.flashCycles, time: this.chip.now() };
    const { second } = this.chip;
    this.chip.lowest = Infinity;
    second.lowest = second.stack;
    const answer = this.ccid.transmit(apdu);
    return {
      answer,
      cycles: Math.round(this.chip.cycles - before.cycles),
      flash: Math.round(this.chip.flashCycles - before.flash),
      time: Math.round(this.chip.now() - before.time),
      extensions: this.ccid.extensions,
      stack: this.chip.stack - this.chip.lowest,
      secondStack: second.stack - second.lowest,
    };
  }
}

export { BootLoader, PowerCut, Reset };
