// The radio chip of a Pico W as its serial bus shows it, without firmware: enough to reach the pin of the LED. Written from
// what its maker and free drivers publish.

const [POWER, DATA, SELECT, CLOCK] = [23, 24, 25, 29];
/// From power to the first answer, in cycles of the processor.
const BOOT = 150 * 125e3;
const CHIP_COMMON = 0x1800_0000;
const LED = 1;

export class Radio {
  constructor(chip) {
    this.chip = chip;
    const { gpio } = chip.mcu;
    this.data = gpio[DATA];
    /// What the LED does, as of a pin.
    this.drive = 'low';
    this.count = 0;
    const on = (pin, take) => {
      let was = false;
      gpio[pin].addListener(() => {
        const level = gpio[pin].outputEnable && gpio[pin].outputValue;
        if (level !== was) take((was = level));
      });
    };
    on(POWER, (level) => this.power(level));
    on(SELECT, (level) => (level ? this.deselect() : this.select()));
    on(CLOCK, (level) => level && this.rise());
    this.power(false);
  }

  /// How often the LED has changed since somebody asked.
  changes() {
    const { count } = this;
    this.count = 0;
    return count;
  }

  power(on) {
    this.hasPower = on && this.level() === false;
    this.since = this.chip.now();
    this.longWords = false;
    this.delay = 0;
    this.clock = 0;
    this.window = [0, 0, 0];
    this.registers = new Map();
    this.command = null;
    this.show();
  }

  /// What the host drives on the data line; null if it lets go.
  level() {
    return this.data.outputEnable ? this.data.outputValue : null;
  }

  select() {
    this.command = { bits: [], answer: null };
  }

  deselect() {
    this.command = null;
  }

  rise() {
    const { command } = this;
    if (!command || !this.hasPower || this.chip.now() - this.since < BOOT) return;
    if (command.answer) {
      this.data.setInputValue(command.answer.shift() ?? false);
      return;
    }
    command.bits.push(this.level());
    if (command.bits.length % 32 !== 0) return;
    const head = this.word(command.bits.slice(0, 32));
    const [isWrite, operation, address] = [head >>> 31, (head >>> 28) & 3, (head >>> 11) & 0x1ffff];
    if (((head >>> 30) & 1) === 0) command.answer = [];
    else if (!isWrite) this.answer(operation, address);
    else if (command.bits.length === 64) this.write(operation, address, head & 0x7ff, this.word(command.bits.slice(32)));
  }

  answer(operation, address) {
    let value = 0;
    if (operation === 0 && address === 0x14) value = 0xfeedbead;
    if (operation === 1 && address === 0x1000e) value = this.clock;
    const late = operation === 1 ? Array(8 * this.delay).fill(true) : [];
    const bits = Array.from({ length: 32 }, (_, n) => ((this.ordered(value) >>> (31 - n)) & 1) === 1);
    this.command.answer = [...late, ...bits];
    this.data.setInputValue(this.command.answer.shift());
  }

  write(operation, address, bytes, value) {
    if (operation === 0 && address === 0) this.longWords = (value & 1) === 1;
    if (operation === 0 && address === 0x1d) this.delay = value;
    if (operation !== 1) return;
    if (address >= 0x1000a && address <= 0x1000c) this.window[address - 0x1000a] = value & 0xff;
    // The clock runs as soon as it is asked for.
    else if (address === 0x1000e) this.clock = value & 8 ? 0x48 : 0;
    else if (address & 0x8000 && bytes === 4 && this.clock & 0x40) {
      const [low, mid, high] = this.window;
      const base = high * 2 ** 24 + (mid << 16) + ((low & 0x80) << 8);
      this.registers.set(base + (address & 0x7fff), value);
      this.show();
    }
  }

  show() {
    const at = (offset) => this.registers.get(CHIP_COMMON + offset) ?? 0;
    const isLit = (at(0x64) & at(0x68) & ~at(0x6c) & LED) !== 0;
    const drive = isLit ? 'high' : 'low';
    if (drive !== this.drive) this.count++;
    this.drive = drive;
  }

  word(bits) {
    return this.ordered(bits.reduce((word, bit) => word * 2 + (bit ? 1 : 0), 0));
  }

  /// Between the order on the bus and a number.
  ordered(word) {
    return this.longWords ? word : ((word << 16) | (word >>> 16)) >>> 0;
  }
}
