//! Instructions the card knows (specification part 1 §2).

macro_rules! instructions {
    ($($(#[$doc:meta])* $name:ident = $ins:literal,)*) => {
        /// An instruction byte the card knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Instruction {
            $($(#[$doc])* $name = $ins,)*
        }

        impl Instruction {
            /// Every instruction.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The instruction of a byte.
            pub const fn from_ins(ins: u8) -> Option<Self> {
                match ins {
                    $($ins => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

instructions! {
    /// VERIFY.
    Verify = 0x20,
    /// MANAGE SECURITY ENVIRONMENT.
    ManageSecurityEnvironment = 0x22,
    /// CHANGE REFERENCE DATA.
    ChangeReferenceData = 0x24,
    /// PERFORM SECURITY OPERATION: VERIFY CERTIFICATE.
    VerifyCertificate = 0x2A,
    /// RESET RETRY COUNTER.
    ResetRetryCounter = 0x2C,
    /// GENERATE ASYMMETRIC KEY PAIR.
    GenerateKeyPair = 0x46,
    /// GENERATE SYMMETRIC KEY.
    GenerateSecretKey = 0x48,
    /// Hierarchical deterministic keys.
    HierarchicalKeys = 0x4A,
    /// INITIALIZE DEVICE, and information about the device.
    InitializeDevice = 0x50,
    /// KEY DOMAIN.
    KeyDomain = 0x52,
    /// PUBLIC KEY AUTHENTICATION management.
    PublicKeyAuthentication = 0x54,
    /// ENUMERATE OBJECTS.
    EnumerateObjects = 0x58,
    /// Session PIN.
    SessionPin = 0x5A,
    /// DECIPHER: decryption and key agreement.
    Decipher = 0x62,
    /// EXTRAS: options, secure lock, clock, memory, configuration.
    Extras = 0x64,
    /// SIGN.
    Sign = 0x68,
    /// WRAP KEY.
    WrapKey = 0x72,
    /// UNWRAP KEY.
    UnwrapKey = 0x74,
    /// DERIVE ASYMMETRIC KEY.
    DeriveKey = 0x76,
    /// SYMMETRIC CIPHER: ciphers, MACs and key derivation.
    SymmetricCipher = 0x78,
    /// EXTERNAL AUTHENTICATE: login by a registered key.
    ExternalAuthenticate = 0x82,
    /// GET CHALLENGE.
    GetChallenge = 0x84,
    /// GENERAL AUTHENTICATE: chip authentication.
    GeneralAuthenticate = 0x86,
    /// SELECT.
    Select = 0xA4,
    /// READ BINARY, even instruction.
    ReadBinary = 0xB0,
    /// READ BINARY, odd instruction: with an offset data object.
    ReadBinaryOdd = 0xB1,
    /// UPDATE BINARY, odd instruction.
    UpdateBinaryOdd = 0xD7,
    /// DELETE FILE.
    DeleteFile = 0xE4,
}

impl Instruction {
    /// The instruction byte.
    pub const fn ins(self) -> u8 {
        self as u8
    }
}
