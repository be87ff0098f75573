//! Status words: the last two bytes of every response (specification part 1 §1.12).

use core::fmt;

/// A status word.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(u16);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        impl Status {
            $(
                #[doc = $text]
                pub const $name: Self = Self($value);
            )*

            /// What the status means, in words for a person.
            pub fn describe(self) -> &'static str {
                match self.0 {
                    $($value => $text,)*
                    0x6100..=0x61FF => "more data is waiting for GET RESPONSE",
                    0x63C0..=0x63CF => "the PIN is wrong; the last digit says how many tries are left",
                    _ => "a status word this program does not know",
                }
            }
        }
    };
}

statuses! {
    OK = 0x9000, "done";
    KEY_AUTHENTICATED = 0x9001, "done; the queried key is authenticated";
    END_OF_FILE = 0x6282, "the offset lies behind the end of the file";
    EXECUTION = 0x6400, "the operation failed; the key cannot be used in this session or for this purpose";
    MEMORY_FAILURE = 0x6581, "the storage reported a failure";
    PRESENCE = 0x6600, "nobody confirmed at the device";
    WRONG_LENGTH = 0x6700, "wrong length";
    SM_NOT_SUPPORTED = 0x6882, "secure messaging is not supported";
    CHAINING = 0x6883, "the parts of a chained command do not belong together";
    CHAINING_NOT_SUPPORTED = 0x6884, "command chaining is not supported";
    SECURITY_STATUS = 0x6982, "log in first, or not allowed for this role";
    BLOCKED = 0x6983, "the PIN is blocked";
    DATA_INVALID = 0x6984, "the referenced data cannot be used; a transport PIN must be changed first";
    CONDITIONS = 0x6985, "the conditions for this use are not satisfied";
    NOT_ALLOWED = 0x6986, "the command is not allowed";
    SM_OBJECTS_MISSING = 0x6987, "the command is not protected as the secure channel wants it";
    SM_OBJECTS_WRONG = 0x6988, "a protected command was changed, repeated or lost on its way; the secure channel is closed";
    WRONG_DATA = 0x6A80, "the data field is wrong";
    FUNCTION_NOT_SUPPORTED = 0x6A81, "the function or curve is not supported";
    NOT_FOUND = 0x6A82, "file, key or application not found";
    FULL = 0x6A84, "no room left, or the key's use counter is exhausted";
    WRONG_P1P2 = 0x6A86, "wrong parameters P1 P2";
    REFERENCE_NOT_FOUND = 0x6A88, "the referenced PIN, key or domain is not set up";
    EXISTS = 0x6A89, "there is something under that identifier already";
    WRONG_OFFSET = 0x6B00, "parameters P1 P2 out of range";
    INS = 0x6D00, "the instruction is not supported";
    CLA = 0x6E00, "the class is not supported";
    INTERNAL = 0x6F00, "internal error";
}

impl Status {
    /// The status `61xx`: `rest` bytes wait for GET RESPONSE (`00` when 256 or more).
    pub const fn more_data(rest: usize) -> Self {
        let low = if rest > 0xFF { 0 } else { rest };
        Self(0x6100 | low as u16)
    }

    /// The status `63Cx`: a wrong PIN with `tries` left, 15 at most.
    pub const fn tries_left(tries: u8) -> Self {
        let tries = if tries > 15 { 15 } else { tries };
        Self(0x63C0 | tries as u16)
    }

    /// How many tries are left, if this is a `63Cx`.
    pub const fn tries(self) -> Option<u8> {
        if self.0 & 0xFFF0 == 0x63C0 { Some((self.0 & 0x0F) as u8) } else { None }
    }

    /// Whether the command was carried out: 9000 or 9001.
    pub const fn is_success(self) -> bool {
        self.0 & 0xFF00 == 0x9000
    }

    /// The status word as a number.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// The status word as it stands on the wire.
    pub const fn to_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }

    /// Reads a status word from the wire.
    pub const fn from_bytes(bytes: [u8; 2]) -> Self {
        Self(u16::from_be_bytes(bytes))
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}: {}", self.0, self.describe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_clipped_to_their_field() {
        assert_eq!(Status::more_data(0x1F).value(), 0x611F);
        assert_eq!(Status::more_data(256).value(), 0x6100);
        assert_eq!(Status::tries_left(3).value(), 0x63C3);
        assert_eq!(Status::tries_left(200).value(), 0x63CF);
        assert_eq!(Status::tries_left(7).tries(), Some(7));
        assert_eq!(Status::OK.tries(), None);
        assert!(Status::KEY_AUTHENTICATED.is_success() && !Status::more_data(1).is_success());
    }
}
