//! What bytes mean: commands by the types of the protocol, answers as trees of data objects.

use ferrite_client::proto::apdu::Apdu;
use ferrite_client::proto::command::Command;
use ferrite_client::proto::tlv::{Tag, split};

/// Deepest tree that is shown.
const DEPTH: usize = 8;
/// Longest value that is shown in full, in bytes.
const SHOWN: usize = 32;

/// Names of data objects in answers of this kind of card.
const NAMES: [(u16, &str); 32] = [
    (0x02, "integer"),
    (0x03, "bit string"),
    (0x04, "octet string"),
    (0x06, "object identifier"),
    (0x0C, "text"),
    (0x30, "sequence"),
    (0x31, "set"),
    (0x42, "reference of the issuer (CAR)"),
    (0x4F, "application identifier"),
    (0x50, "label"),
    (0x53, "data"),
    (0x5F20, "holder's reference (CHR)"),
    (0x5F24, "expiry date"),
    (0x5F25, "date of issue"),
    (0x5F29, "profile"),
    (0x5F37, "signature"),
    (0x62, "file control parameters"),
    (0x67, "authenticated request"),
    (0x6F, "file control information"),
    (0x7C, "dynamic authentication data"),
    (0x7F21, "card-verifiable certificate"),
    (0x7F49, "public key"),
    (0x7F4C, "authorisation (CHAT)"),
    (0x7F4E, "certificate body"),
    (0x80, "size, or context 0"),
    (0x81, "size, or context 1"),
    (0x82, "file descriptor, or context 2"),
    (0x83, "file identifier, or context 3"),
    (0x84, "name"),
    (0x85, "options and version, or context 5"),
    (0x86, "public point, or context 6"),
    (0xA5, "attributes"),
];

/// A command in words. Secrets in it are not shown.
pub(super) fn command(bytes: &[u8]) -> String {
    let Ok(apdu) = Apdu::parse(bytes) else {
        return "no command: header and lengths do not fit".into();
    };
    match Command::decode(&apdu) {
        Ok(command) => format!("{command:?}"),
        Err(status) => format!("INS {:02X}, for which this program has no words here ({status})", apdu.ins),
    }
}

/// An answer as a tree, if it is one.
pub(super) fn answer(bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    if !bytes.is_empty() && tree(bytes, 0, &mut lines).is_none() {
        lines.clear();
    }
    lines
}

fn tree(mut bytes: &[u8], depth: usize, lines: &mut Vec<String>) -> Option<()> {
    while !bytes.is_empty() {
        let object = split(bytes).ok().filter(|_| depth < DEPTH)?;
        bytes = object.rest;
        let Tag(tag) = object.tag;
        let name = NAMES.iter().find(|(known, _)| *known == tag).map_or("", |(_, name)| *name);
        let is_constructed = u8::try_from(tag >> 8).ok().filter(|high| *high != 0).unwrap_or(tag as u8) & 0x20 != 0;
        let head = format!("{:indent$}{tag:02X} {name}", "", indent = 2 * depth);
        let at = lines.len();
        lines.push(format!("{}, {} bytes", head.trim_end(), object.value.len()));
        if is_constructed && tree(object.value, depth + 1, lines).is_some() {
            continue;
        }
        lines.truncate(at);
        lines.push(format!("{}: {}", head.trim_end(), value(object.value)));
    }
    Some(())
}

/// A value in hexadecimal, and as text if it is some.
fn value(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.len() > 3 && text.chars().all(|c| c.is_ascii_graphic() || c == ' '));
    match (text, bytes.get(..SHOWN).filter(|_| bytes.len() > SHOWN)) {
        (Some(text), _) => format!("{text:?}"),
        (None, None) => hex::encode(bytes),
        (None, Some(shown)) => format!("{}... ({} bytes)", hex::encode(shown), bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_not_shown_in_the_meaning_of_a_command() {
        let meaning = command(&[0x00, 0x20, 0x00, 0x81, 0x06, b'6', b'4', b'8', b'2', b'1', b'9']);
        assert!(meaning.starts_with("Verify") && meaning.contains("secret") && !meaning.contains("54"), "{meaning}");
        assert!(command(&[0x80, 0x1E, 0x02, 0x00, 0x00]).contains("INS 1E"));
        assert!(command(&[0x00]).contains("no command"));
    }

    #[test]
    fn an_answer_is_a_tree_or_nothing() {
        let lines = answer(&[0x62, 0x05, 0x85, 0x03, 0xFF, 0x06, 0x06]);
        assert_eq!(lines, ["62 file control parameters, 5 bytes", "  85 options and version, or context 5: ff0606"]);
        assert!(answer(&[0x62, 0x05, 0x85]).is_empty());
        // Content of a constructed tag that is no tree is a value.
        assert_eq!(answer(&[0x30, 0x01, 0xFF]), ["30 sequence: ff"]);
    }
}
