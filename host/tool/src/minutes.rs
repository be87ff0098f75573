//! The record of a ceremony for a firm's minutes: a text without secrets, to be printed and signed.

use crate::bytes;
use crate::clock;
use crate::report::pairs;
use ferrite_client::Result;
use ferrite_client::hsm::Token;
use std::path::Path;

/// What the minutes say.
pub(crate) struct Minutes<'a> {
    /// The device.
    pub(crate) token: &'a Token,
    /// Versions of the device, in words.
    pub(crate) versions: String,
    /// The key domain.
    pub(crate) domain: u8,
    /// Check value of the DKEK, in hexadecimal.
    pub(crate) check_value: &'a str,
    /// The file of the share.
    pub(crate) share: &'a Path,
    /// SHA-256 of that file, in hexadecimal.
    pub(crate) digest: &'a str,
    /// Number of custodians.
    pub(crate) parts: u32,
    /// How many of them are needed.
    pub(crate) needed: u32,
}

impl Minutes<'_> {
    /// Writes them to a file, which is not replaced if it is there.
    ///
    /// # Errors
    /// Those of [`bytes::write_private`].
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        bytes::write_private(path, self.text().as_bytes())
    }

    /// The check values of the parts are left out on purpose. Each tells 16 bits about its part: whoever has one part too few
    /// could test guesses of the password against those of the others, without the ten million rounds of hashing that each
    /// guess at the share's file costs.
    fn text(&self) -> String {
        let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
        let facts = pairs(&[
            ("Date and time", clock::now().map_or_else(|| "not known to the computer".into(), clock::text)),
            ("Device", or_none(&self.token.serial)),
            ("Label", or_none(&self.token.label)),
            ("Device's version", self.versions.clone()),
            ("Tool", format!("pico-hsm-tool {}", env!("CARGO_PKG_VERSION"))),
            ("Key domain", self.domain.to_string()),
            ("Check value of the DKEK", self.check_value.into()),
            ("Custodians", format!("{}, any {} of whom open the share", self.parts, self.needed)),
            ("File of the share", self.share.display().to_string()),
            ("SHA-256 of the file", self.digest.into()),
        ]);
        let head = "Ceremony of a DKEK share";
        let blank = "_".repeat(32);
        let signers = (1..=self.parts).map(|part| format!("Part {part}")).chain(["Witness", "Witness"].map(Into::into));
        let lines: String = signers.map(|who| format!("{who:10}{blank}  {blank}\n\n")).collect();
        format!(
            "{head}\n\n{facts}\nThe share was opened with {} parts before the device took it.\n\n{:10}{:34}Signature\n\n{lines}",
            self.needed, "", "Name"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_passes_for_no_line_of_the_minutes_and_everybody_signs() {
        let token = Token { serial: "S1".into(), label: "Office\nKey domain: 7".into(), manufacturer: String::new() };
        let minutes = Minutes {
            token: &token,
            versions: "interface 6.0".into(),
            domain: 0,
            check_value: "0011223344556677",
            share: Path::new("office.share"),
            digest: "ab",
            parts: 3,
            needed: 2,
        };
        let text = minutes.text();
        assert_eq!(text.lines().filter(|line| line.starts_with("Key domain:")).count(), 1, "{text}");
        for who in ["Part 1 ", "Part 2 ", "Part 3 ", "Witness "] {
            assert!(text.lines().any(|line| line.starts_with(who) && line.contains("____")), "{text}");
        }
        assert!(!text.contains("Part 4"), "{text}");
    }
}
