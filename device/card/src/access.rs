//! Who may do what: the one table of access conditions (specification part 1 §2 "Needs", decisions D3, D4, D12).
//!
//! The table is looked up by instruction before a command's data is parsed, so that an outsider learns nothing from
//! the way malformed data is refused. What depends on the file in question is in [`crate::files`].

use ferrite_proto::command::{ExtrasFunction, Instruction};

/// Who may send a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Anybody with access to the interface.
    Anyone,
    /// The user, authenticated in this session, on a device that is not shut by the secure lock.
    User,
    /// The user, authenticated in this session, also while the secure lock keeps the device shut.
    UserOfShutDevice,
    /// The user or the security officer, authenticated in this session.
    UserOrOfficer,
    /// Whoever verified a PIN in this session, the user or the SO, whether or not that authenticates a user.
    PinHolder,
    /// Nobody.
    Nobody,
}

/// One row: an instruction, who may send it, and whether option 0100 makes it wait for the user's presence.
pub(crate) struct Rule {
    pub(crate) instruction: Instruction,
    pub(crate) who: Who,
    pub(crate) presence: bool,
}

const fn rule(instruction: Instruction, who: Who, presence: bool) -> Rule {
    Rule { instruction, who, presence }
}

/// Every command the card answers. An instruction without a row is answered 6D00.
pub(crate) const RULES: &[Rule] = &[
    rule(Instruction::Select, Who::Anyone, false),
    rule(Instruction::ReadBinary, Who::Anyone, false),
    rule(Instruction::ReadBinaryOdd, Who::Anyone, false),
    rule(Instruction::UpdateBinaryOdd, Who::User, false),
    rule(Instruction::DeleteFile, Who::User, false),
    rule(Instruction::EnumerateObjects, Who::Anyone, false),
    rule(Instruction::Verify, Who::Anyone, false),
    rule(Instruction::ChangeReferenceData, Who::Anyone, false),
    rule(Instruction::ResetRetryCounter, Who::Anyone, false),
    // Free on a blank device; once initialised the handler demands the SO-PIN or an SO session (D3).
    rule(Instruction::InitializeDevice, Who::Anyone, false),
    rule(Instruction::ManageSecurityEnvironment, Who::Anyone, false),
    // What it believes serves the registration of keys and the exchange of key-encryption keys (D14).
    rule(Instruction::VerifyCertificate, Who::PinHolder, false),
    rule(Instruction::ExternalAuthenticate, Who::Anyone, false),
    // Uses the device key, which no PIN seals, so that a PIN can travel inside the channel.
    rule(Instruction::GeneralAuthenticate, Who::Anyone, true),
    // The handler demands the user, through the secure channel (6982), once it knows that there are session PINs at all.
    rule(Instruction::SessionPin, Who::Anyone, false),
    rule(Instruction::GetChallenge, Who::Anyone, false),
    rule(Instruction::GenerateKeyPair, Who::User, true),
    // Opens no key, so that nobody need be there.
    rule(Instruction::GenerateSecretKey, Who::User, false),
    // By function: see EXTRAS.
    rule(Instruction::Extras, Who::UserOrOfficer, true),
    rule(Instruction::Sign, Who::User, true),
    rule(Instruction::Decipher, Who::User, true),
    rule(Instruction::DeriveKey, Who::User, true),
    rule(Instruction::SymmetricCipher, Who::User, true),
    rule(Instruction::HierarchicalKeys, Who::User, true),
    // Anybody may ask and import shares; the handler demands the user for the rest (6985).
    rule(Instruction::KeyDomain, Who::Anyone, false),
    rule(Instruction::WrapKey, Who::User, true),
    rule(Instruction::UnwrapKey, Who::User, true),
    // Anybody may ask; the handler demands a PIN for a registration, once it knows that keys can be registered at all.
    rule(Instruction::PublicKeyAuthentication, Who::Anyone, false),
];

/// Who may use a function of EXTRAS; the row of the instruction counts for functions that there are not.
const EXTRAS: &[(ExtrasFunction, Who)] = &[
    (ExtrasFunction::Memory, Who::Anyone),
    (ExtrasFunction::Configuration, Who::Anyone),
    // The SO manages options (D4).
    (ExtrasFunction::Options, Who::UserOrOfficer),
    (ExtrasFunction::Clock, Who::UserOrOfficer),
    (ExtrasFunction::SecureLock, Who::UserOfShutDevice),
];

/// Who may send a command with this P1.
pub(crate) fn who(rule: &Rule, p1: u8) -> Who {
    let function = ExtrasFunction::from_p1(p1).filter(|_| rule.instruction == Instruction::Extras);
    let row = EXTRAS.iter().find(|(known, _)| Some(*known) == function);
    row.map_or(rule.who, |(_, who)| *who)
}

/// The row of an instruction.
pub(crate) fn rule_of(instruction: Instruction) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.instruction == instruction)
}
