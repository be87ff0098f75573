// A USB host for the emulated controller: control transfers, bulk packets, stalls.

const AVAILABLE = 1 << 10;
const STALL = 1 << 11;
const OUT_CONTROL = (endpoint) => 0x84 + 8 * endpoint;
const SECOND = 125e6;

/// The device answered with a stall.
export class Stalled extends Error {}
/// The device did not answer.
export class TimedOut extends Error {}

export class Host {
  constructor(chip) {
    this.chip = chip;
    const controller = (this.controller = chip.mcu.usbCtrl);
    const ram = chip.mcu.usbDPRAMView;
    /// Packets that came in, by endpoint, and how many packets each OUT endpoint can take.
    this.incoming = Array.from({ length: 16 }, () => []);
    this.room = new Array(16).fill(0);
    this.stalled = new Set();
    this.wasReset = false;

    controller.onUSBEnabled = () => controller.resetDevice();
    controller.onResetReceived = () => {
      this.wasReset = true;
      this.room.fill(0);
    };
    controller.onEndpointWrite = (endpoint, bytes) => this.incoming[endpoint].push(Buffer.from(bytes));
    // The chip clears AVAILABLE at the end of a transfer, the emulator at its start; drivers watch that bit.
    controller.onEndpointRead = (endpoint) => {
      this.room[endpoint] = 1;
      const at = OUT_CONTROL(endpoint);
      ram.setUint32(at, ram.getUint32(at, true) | AVAILABLE, true);
    };
    const finish = controller.finishRead.bind(controller);
    controller.finishRead = (endpoint, bytes) => {
      const at = OUT_CONTROL(endpoint);
      ram.setUint32(at, ram.getUint32(at, true) & ~AVAILABLE, true);
      finish(endpoint, bytes);
    };
    const updated = controller.DPRAMUpdated.bind(controller);
    controller.DPRAMUpdated = (offset, value) => {
      if (offset >= 0x80 && offset < 0x100 && value & STALL) this.stalled.add((offset - 0x80) >> 2);
      updated(offset, value);
    };
  }

  wait(until, what, cycles = SECOND) {
    if (!this.chip.run(until, cycles)) throw new TimedOut(`${what}: the device does not answer`);
  }

  /// Lets the device run for a while.
  pause(millis) {
    this.chip.run(() => false, millis * 125e3);
  }

  /// Waits until the device has connected and was reset.
  connect() {
    this.wait(() => this.wasReset, 'connecting', 20 * SECOND);
    this.pause(1);
  }

  setup(request) {
    this.incoming[0].length = 0;
    this.stalled.delete(0);
    this.stalled.delete(1);
    this.room[0] = 0;
    this.controller.sendSetupPacket(new Uint8Array(request));
  }

  check(what) {
    if (this.stalled.has(0) || this.stalled.has(1)) throw new Stalled(what);
  }

  /// A control transfer that reads up to `length` bytes.
  controlIn(type, request, value, index, length) {
    const what = `control request ${request.toString(16)} ${value.toString(16)}`;
    this.setup([type, request, value & 0xff, value >> 8, index & 0xff, index >> 8, length & 0xff, length >> 8]);
    const parts = [];
    let total = 0;
    for (;;) {
      this.wait(() => this.incoming[0].length > 0 || this.stalled.has(0), what);
      this.check(what);
      const packet = this.incoming[0].shift();
      parts.push(packet);
      total += packet.length;
      if (packet.length < 64 || total >= length) break;
    }
    this.statusOut(what);
    return Buffer.concat(parts);
  }

  statusOut(what) {
    this.wait(() => this.room[0] > 0 || this.stalled.has(1), what);
    this.room[0] = 0;
    this.controller.endpointReadDone(0, new Uint8Array(0));
    this.pause(0.2);
  }

  /// A control transfer without data, or with data to the device.
  controlOut(type, request, value, index, data = Buffer.alloc(0)) {
    const what = `control request ${request.toString(16)}`;
    const length = data.length;
    this.setup([type, request, value & 0xff, value >> 8, index & 0xff, index >> 8, length & 0xff, length >> 8]);
    for (let at = 0; at < length; at += 64) this.packetOut(0, data.subarray(at, at + 64), what);
    this.wait(() => this.incoming[0].length > 0 || this.stalled.has(0) || this.stalled.has(1), what);
    this.check(what);
    this.incoming[0].shift();
    this.pause(0.2);
  }

  /// Sends a packet.
  packetOut(endpoint, data, what = 'sending', cycles = 60 * SECOND) {
    this.wait(() => this.room[endpoint] > 0 || this.stalled.has(2 * endpoint + 1), what, cycles);
    if (this.stalled.has(2 * endpoint + 1)) throw new Stalled(what);
    this.room[endpoint] = 0;
    this.controller.endpointReadDone(endpoint, new Uint8Array(data));
  }

  /// Receives a packet.
  packetIn(endpoint, what = 'receiving', cycles = 60 * SECOND) {
    this.wait(() => this.incoming[endpoint].length > 0, what, cycles);
    return this.incoming[endpoint].shift();
  }
}
