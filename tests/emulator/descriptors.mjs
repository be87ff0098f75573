// USB descriptors, read from the device and parsed strictly.

/// What a host reads when it finds a device.
export function readDescriptors(host) {
  const get = (type, index, length, language = 0) => host.controlIn(0x80, 0x06, (type << 8) | index, language, length);
  const device = get(1, 0, 18);
  const head = get(2, 0, 9);
  const configuration = get(2, 0, head.readUInt16LE(2));
  const strings = {};
  for (const [name, at] of [['manufacturer', 14], ['product', 15], ['serial', 16]]) {
    if (device[at] === 0) continue;
    const descriptor = get(3, device[at], 255, 0x0409);
    if (descriptor[0] !== descriptor.length || descriptor[1] !== 3) throw new Error(`the string ${name} is malformed`);
    strings[name] = descriptor.subarray(2).toString('utf16le');
  }
  return { device, configuration, strings };
}

/// The endpoints of the smart-card reader and of the vendor's interface, from a well-formed configuration.
export function parseConfiguration(bytes) {
  if (bytes[0] !== 9 || bytes[1] !== 2) throw new Error('this is no configuration descriptor');
  if (bytes.readUInt16LE(2) !== bytes.length) throw new Error('the configuration has another length than it says');
  const result = { value: bytes[5], interfaces: bytes[4], ccid: null, vendor: null };
  let [current, seen] = [null, 0];
  for (let at = 9; at < bytes.length; at += bytes[at]) {
    const descriptor = bytes.subarray(at, at + bytes[at]);
    if (descriptor.length < 2 || descriptor.length !== bytes[at]) throw new Error('a descriptor is cut short');
    switch (descriptor[1]) {
      case 4: {
        current = { number: descriptor[2], endpoints: descriptor[4], found: 0, class: descriptor[5] };
        if (descriptor[2] !== seen++) throw new Error('interfaces are not numbered in order');
        if (current.class === 0x0b) result.ccid = current;
        else if (current.class === 0xff) result.vendor = current;
        else throw new Error(`an interface of class ${current.class}`);
        break;
      }
      case 5: {
        const [address, kind, packet] = [descriptor[2], descriptor[3] & 3, descriptor.readUInt16LE(4)];
        if (packet > 64) throw new Error('a packet is larger than full speed allows');
        if (kind === 2) current[address & 0x80 ? 'into' : 'out'] = address & 0x0f;
        if (kind === 3) current.interrupt = address & 0x0f;
        current.found++;
        break;
      }
      case 0x21: {
        // CCID's own descriptor, with the type that its class gives it. The vendor's is one byte shorter, so that no
        // driver takes that interface for a reader.
        const length = current.class === 0x0b ? 54 : 53;
        if (descriptor.length !== length) throw new Error(`a class descriptor has not ${length} bytes`);
        current.maxMessage = descriptor.readUInt32LE(44);
        current.features = descriptor.readUInt32LE(40);
        break;
      }
      default:
        break;
    }
  }
  if (seen !== result.interfaces) throw new Error('the number of interfaces is wrong');
  for (const found of [result.ccid, result.vendor]) {
    if (found && found.found !== found.endpoints) throw new Error('the number of endpoints is wrong');
  }
  if (!result.ccid?.out || !result.ccid?.into) throw new Error('there is no smart-card reader');
  return result;
}
