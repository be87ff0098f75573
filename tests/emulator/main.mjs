// The emulated device behind a bridge. One of:
//
//   node main.mjs ELF FLASH                 lines on standard input and output, for tests
//   node main.mjs ELF FLASH --vpcd HOST:PORT   in pcscd's virtual reader
//
// Time stands still between commands. Lines in, and what is answered:
//
//   apdu HEX        answer HEX CYCLES FLASH TIME EXTENSIONS STACK SECOND-STACK
//                   cycles in which a processor worked, of waiting for flash, of both with sleep; time extensions
//                   before the answer; bytes of stack, and of core 1's
//   reset           atr HEX
//   restart         atr HEX            power off and on
//   cut N BYTES     ok                 power goes within the flash operation after N others, BYTES into it
//   press MILLIS    ok                 BOOTSEL is pressed in so many milliseconds of emulated time, for 100
//   stuck 0|1       ok                 the ring oscillator stands still
//   pause MILLIS    ok
//   fault [second]  ok                 the processor takes its fault handler; core 1 does in its next job
//   remains TEXT    remains COUNT true|false   bytes of memory that are not zero, and whether TEXT is among them
//   pin N MILLIS    pin LOW HIGH FREE CHANGES   what the firmware does with a pin for so long: milliseconds in which it was
//                   low, high and not driven; changes of that since the pin was looked at last. `radio` is the LED's pin of
//                   the radio chip
//   radio 0|1       ok                 from the next start on there is a radio chip, or none
//   descriptors     JSON
//   packet HEX      ok                 one packet of any content to the reader
//   message         message HEX        the next CCID message that comes from the reader
//   control TYPE REQUEST VALUE INDEX [HEX]   ok or stall      a control transfer of any content, numbers in hexadecimal
//   quit
//
// What goes wrong is answered by `error TEXT`; `error power` after a cut: `restart` is then the only way on.

import net from 'node:net';
import readline from 'node:readline';
import { Device, PowerCut } from './device.mjs';
import { Stalled } from './usb.mjs';

const [elf, flash, mode, address] = process.argv.slice(2);
if (!flash) {
  console.error('usage: node main.mjs ELF FLASH [--vpcd HOST:PORT]');
  process.exit(2);
}
const device = new Device(elf, flash);
const hex = (bytes) => Buffer.from(bytes).toString('hex').toUpperCase() || '-';
const bytes = (text) => Buffer.from(text ?? '', 'hex');

const commands = {
  apdu([text]) {
    const { answer, cycles, flash, time, extensions, stack, secondStack } = device.transmit(bytes(text));
    return `answer ${hex(answer)} ${cycles} ${flash} ${time} ${extensions} ${stack} ${secondStack}`;
  },
  reset() {
    device.reset();
    return `atr ${hex(device.atr)}`;
  },
  restart() {
    device.restart();
    return `atr ${hex(device.atr)}`;
  },
  cut([operation, at]) {
    device.flash.cutWithin(Number(operation), Number(at));
    return 'ok';
  },
  press([millis]) {
    const { clock } = device.chip;
    const { chip } = device;
    clock.createAlarm(() => chip.setButton(true)).schedule(Number(millis) * 1e6);
    clock.createAlarm(() => chip.setButton(false)).schedule((Number(millis) + 100) * 1e6);
    return 'ok';
  },
  stuck([level]) {
    device.chip.rosc.stuckAt = Number(level);
    return 'ok';
  },
  pause([millis]) {
    device.host.pause(Number(millis));
    return 'ok';
  },
  fault([core]) {
    if (core === 'second') device.chip.second.faults = true;
    else device.chip.fault();
    return 'ok';
  },
  remains([text]) {
    const memory = Buffer.concat(device.chip.memory());
    return `remains ${memory.filter((byte) => byte !== 0).length} ${memory.includes(text)}`;
  },
  pin([number, millis]) {
    const pin = device.chip.pins[number];
    const times = { low: 0, high: 0, free: 0 };
    for (let i = 0; i < Number(millis); i++) {
      device.host.pause(1);
      times[pin.drive]++;
    }
    return `pin ${times.low} ${times.high} ${times.free} ${pin.changes()}`;
  },
  radio([isThere]) {
    device.hasRadio = isThere === '1';
    return 'ok';
  },
  descriptors() {
    const { device: head, configuration, strings } = device.descriptors();
    return JSON.stringify({ device: hex(head), configuration: hex(configuration), strings });
  },
  packet([text]) {
    device.host.packetOut(device.ccid.out, bytes(text));
    return 'ok';
  },
  message() {
    return `message ${hex(device.ccid.receive().raw)}`;
  },
  control([type, request, value, index, text]) {
    const numbers = [type, request, value, index].map((number) => parseInt(number, 16));
    try {
      if (numbers[0] & 0x80) device.host.controlIn(...numbers, parseInt(text ?? '40', 16));
      else device.host.controlOut(...numbers, bytes(text));
      return 'ok';
    } catch (error) {
      if (error instanceof Stalled) return 'stall';
      throw error;
    }
  },
};

function serveLines() {
  const lines = readline.createInterface({ input: process.stdin, terminal: false });
  console.log(`ready ${hex(device.atr)}`);
  lines.on('line', (line) => {
    const [name, ...rest] = line.trim().split(/\s+/);
    if (name === 'quit') process.exit(0);
    try {
      const command = Object.hasOwn(commands, name) ? commands[name] : null;
      console.log(command ? command(rest) : `error what is ${name}?`);
    } catch (error) {
      console.log(error instanceof PowerCut ? 'error power' : `error ${error.message}`);
    }
  });
}

/// The card's end of vpcd: each message has its length in two bytes before it; one of a single byte is a control.
function serveReader(target) {
  const [host, port] = target.split(':');
  const socket = net.connect(Number(port), host, () => console.log('ready'));
  let received = Buffer.alloc(0);
  const send = (message) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    socket.write(Buffer.concat([length, message]));
  };
  socket.setNoDelay(true);
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const message = received.subarray(2, 2 + received.readUInt16BE(0));
      received = received.subarray(2 + message.length);
      if (message.length === 1) {
        if (message[0] === 4) send(device.atr);
        else device.reset();
      } else if (message.length > 1) {
        send(device.ccid.transmit(message));
      }
    }
  });
  socket.on('close', () => process.exit(0));
  socket.on('error', (error) => {
    console.error(error.message);
    process.exit(1);
  });
}

if (mode === '--vpcd') serveReader(address ?? '127.0.0.1:35963');
else serveLines();
