//! One line for each command: header, lengths and status. Data never appears, for it may be a PIN, a key or a share.

use std::time::Duration;

/// The instructions of the HSM (part 1, section 2).
const INSTRUCTIONS: [(u8, &str); 28] = [
    (0x1C, "RESCUE"),
    (0x20, "VERIFY"),
    (0x22, "MANAGE SECURITY ENVIRONMENT"),
    (0x24, "CHANGE REFERENCE DATA"),
    (0x2A, "VERIFY CERTIFICATE"),
    (0x2C, "RESET RETRY COUNTER"),
    (0x46, "GENERATE ASYMMETRIC KEY PAIR"),
    (0x48, "GENERATE SYMMETRIC KEY"),
    (0x4A, "BIP32"),
    (0x50, "INITIALIZE DEVICE"),
    (0x52, "KEY DOMAIN"),
    (0x54, "PUBLIC KEY AUTHENTICATION"),
    (0x58, "ENUMERATE OBJECTS"),
    (0x5A, "SESSION PIN"),
    (0x62, "DECIPHER"),
    (0x64, "EXTRAS"),
    (0x68, "SIGN"),
    (0x72, "WRAP KEY"),
    (0x74, "UNWRAP KEY"),
    (0x76, "DERIVE ASYMMETRIC KEY"),
    (0x78, "SYMMETRIC CIPHER"),
    (0x82, "EXTERNAL AUTHENTICATE"),
    (0x84, "GET CHALLENGE"),
    (0x86, "GENERAL AUTHENTICATE"),
    (0xA4, "SELECT"),
    (0xB1, "READ BINARY"),
    (0xD7, "UPDATE BINARY"),
    (0xE4, "DELETE FILE"),
];

/// Describes one exchange.
pub(crate) fn line(apdu: &[u8], response: &[u8], time: Duration) -> String {
    let answer = match response {
        [data @ .., sw1, sw2] => format!("{sw1:02X}{sw2:02X} + {} bytes", data.len()),
        _ => "no status word".into(),
    };
    let [cla, ins, p1, p2, body @ ..] = apdu else {
        return format!("apdu: {} bytes, no header -> {answer}", apdu.len());
    };
    let name = INSTRUCTIONS.iter().find(|(code, _)| code == ins).map_or("unknown", |(_, name)| name);
    let lengths = lengths(body);
    format!("apdu: {cla:02X} {ins:02X} {p1:02X} {p2:02X} {lengths}-> {answer}, {} ms  {name}", time.as_millis())
}

/// Lc and Le as ISO 7816-4 section 5.1 encodes them.
fn lengths(body: &[u8]) -> String {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number: usize, &byte| number << 8 | usize::from(byte));
    let or_max = |number, max| if number == 0 { max } else { number };
    let le = |le: &[u8], max| if le.is_empty() { String::new() } else { format!("Le {} ", or_max(number(le), max)) };
    let with_data = |lc: &[u8], rest: &[u8], max| match rest.split_at_checked(number(lc)) {
        Some((data, rest)) if rest.len() <= lc.len().min(2) => format!("Lc {} {}", data.len(), le(rest, max)),
        _ => "malformed ".into(),
    };
    match body {
        [] => String::new(),
        [short] => le(&[*short], 256),
        [0, high, low] => le(&[*high, *low], 65536),
        [0, high, low, rest @ ..] => with_data(&[*high, *low], rest, 65536),
        [short, rest @ ..] => with_data(&[*short], rest, 256),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_command_shows_its_lengths() {
        let table: [(&[u8], &str); 8] = [
            (&[], ""),
            (&[0], "Le 256 "),
            (&[1, 0xAA], "Lc 1 "),
            (&[1, 0xAA, 0x10], "Lc 1 Le 16 "),
            (&[0, 0, 0], "Le 65536 "),
            (&[0, 0, 2, 1, 2], "Lc 2 "),
            (&[0, 0, 2, 1, 2, 2, 0], "Lc 2 Le 512 "),
            (&[5, 1], "malformed "),
        ];
        for (body, shown) in table {
            assert_eq!(lengths(body), shown, "{body:02X?}");
        }
    }

    #[test]
    fn no_data_is_ever_shown() {
        let line = line(b"\x00\x20\x00\x81\x06\xD1\xD2\xD3\xD4\xD5\xD6", b"\xE1\xE2\x63\xC2", Duration::ZERO);
        assert_eq!(line, "apdu: 00 20 00 81 Lc 6 -> 63C2 + 2 bytes, 0 ms  VERIFY");
    }
}
