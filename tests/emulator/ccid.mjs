// A CCID reader's driver, as the host has one: power, blocks, time extensions.

const HEADER = 10;

export class Ccid {
  /// `out` and `into` are the endpoint numbers of the bulk pipes.
  constructor(host, out, into) {
    Object.assign(this, { host, out, into, sequence: 0 });
  }

  /// Sends a message: type, three specific bytes, data.
  send(type, specific, data = Buffer.alloc(0)) {
    const message = Buffer.alloc(HEADER + data.length);
    this.sequence = (this.sequence + 1) & 0xff;
    message[0] = type;
    message.writeUInt32LE(data.length, 1);
    message[6] = this.sequence;
    message.set(specific, 7);
    data.copy(message, HEADER);
    for (let at = 0; at < message.length; at += 64) this.host.packetOut(this.out, message.subarray(at, at + 64));
  }

  /// Receives one message, to its end.
  receive() {
    const packets = [];
    let left = null;
    do {
      const packet = this.host.packetIn(this.into);
      if (left === null) {
        if (packet.length < HEADER) throw new Error(`a packet of ${packet.length} bytes begins a message`);
        left = HEADER + packet.readUInt32LE(1);
      }
      packets.push(packet);
      left -= packet.length;
      // A message that fills its last packet is followed by an empty one.
      if (left === 0 && packet.length === 64) this.host.packetIn(this.into);
    } while (left > 0);
    const message = Buffer.concat(packets);
    return {
      type: message[0],
      slot: message[5],
      sequence: message[6],
      status: message[7],
      error: message[8],
      chain: message[9],
      data: message.subarray(HEADER),
      raw: message,
    };
  }

  /// Sends a message and returns its answer; time extensions are counted and passed over.
  exchange(type, specific, data) {
    this.send(type, specific, data);
    this.extensions = 0;
    for (;;) {
      const answer = this.receive();
      if (answer.sequence !== this.sequence) throw new Error('an answer to another message');
      if (answer.status >> 6 === 2) {
        this.extensions++;
        continue;
      }
      if (answer.status >> 6 !== 0) throw new Error(`message ${type.toString(16)} failed with error ${answer.error}`);
      return answer;
    }
  }

  powerOn() {
    return this.exchange(0x62, [0, 0, 0]).data;
  }

  powerOff() {
    this.exchange(0x63, [0, 0, 0]);
  }

  transmit(apdu) {
    return this.exchange(0x6f, [0, 0, 0], apdu).data;
  }
}
