//! The card on an emulated Cortex-M, to measure the memory it needs - program, buffers, state, and the deepest stack of
//! each command, seen by painting the unused stack before the command and looking how far down the paint is gone after
//! it - and the instructions that each command takes.
//!
//! It reports lines of fields with `|` between them: `program`, section, bytes; `static`, what, bytes; `command`, its
//! name, the algorithm or nothing, bytes of stack, instructions. The last line is `done`.
#![no_std]
#![no_main]

use core::fmt::Display;
use core::mem::{MaybeUninit, size_of};
use core::ptr::{addr_of, addr_of_mut};
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hprintln};
use ferrite_bench_chip::{Chip, clock};
use ferrite_card::{Card, CommandBuffer, Workspace};
use ferrite_crypto::{ec, edwards, montgomery};
use ferrite_proto::command::{
    AeadMode, AlgorithmId, Attributes, CipherMode, Command, Direction, HmacHash, Initialize, KeyAlgorithm, KeyRequest,
    Options, Pbkdf2, PinReference, Secret, SecretKeyLen, Share, SymmetricOperation, Target,
};
use ferrite_proto::fid::{FileId, KeyId};
use ferrite_store::{Flash, FlashError, PAGE_SIZE};

/// Pages of flash: 1 MiB, kept in RAM here and not counted.
const PAGES: usize = 256;
const PAINT: u32 = 0x5AC3_963C;
const PIN: Secret<'static> = Secret(b"648219");
const SO_PIN: Secret<'static> = Secret(b"57621880");

static mut FLASH: [u8; PAGES * PAGE_SIZE] = [0xFF; PAGES * PAGE_SIZE];
static mut COMMAND: CommandBuffer = CommandBuffer::new();
static mut WORKSPACE: Workspace = Workspace::new();
static mut CARD: MaybeUninit<Card<'static, Chip, RamFlash>> = MaybeUninit::uninit();

struct RamFlash;

impl RamFlash {
    fn region(&mut self, address: usize, len: usize) -> Result<&'static mut [u8], FlashError> {
        // SAFETY: one thread, and the store uses one region at a time.
        let flash: &'static mut [u8] = unsafe { &mut *addr_of_mut!(FLASH) };
        flash.get_mut(address..).and_then(|rest| rest.get_mut(..len)).ok_or(FlashError)
    }
}

impl Flash for RamFlash {
    fn pages(&self) -> usize {
        PAGES
    }
    fn read(&mut self, address: usize, out: &mut [u8]) -> Result<(), FlashError> {
        out.copy_from_slice(self.region(address, out.len())?);
        Ok(())
    }
    fn program(&mut self, address: usize, data: &[u8]) -> Result<(), FlashError> {
        let cells = self.region(address, data.len())?;
        cells.iter_mut().zip(data).for_each(|(cell, byte)| *cell &= byte);
        Ok(())
    }
    fn erase(&mut self, page: usize) -> Result<(), FlashError> {
        self.region(page * PAGE_SIZE, PAGE_SIZE)?.fill(0xFF);
        Ok(())
    }
}

unsafe extern "C" {
    /// End of the statics, where the stack may grow down to.
    static mut __sheap: u32;
    /// Top of the stack.
    static mut _stack_start: u32;
    static __stext: u8;
    static __etext: u8;
    static __srodata: u8;
    static __erodata: u8;
}

/// How far apart two marks of the linker are.
fn between(start: *const u8, end: *const u8) -> usize {
    end as usize - start as usize
}

/// An address on the stack, somewhat below the caller's frame.
#[inline(never)]
fn stack_pointer() -> usize {
    let here = 0u32;
    addr_of!(here) as usize
}

/// How much of the stack an action uses, in bytes.
#[inline(never)]
fn depth(action: impl FnOnce()) -> usize {
    let bottom = addr_of_mut!(__sheap);
    let top = stack_pointer() - 256;
    let words = (top - bottom as usize) / 4;
    for i in 0..words {
        // SAFETY: between the statics and the stack in use nothing lives.
        unsafe { bottom.add(i).write_volatile(PAINT) };
    }
    action();
    // SAFETY: as above; reading what was painted.
    let untouched = (0..words).take_while(|i| unsafe { bottom.add(*i).read_volatile() } == PAINT).count();
    addr_of!(_stack_start) as usize - (bottom as usize + 4 * untouched)
}

#[entry]
fn main() -> ! {
    type ThisCard = Card<'static, Chip, RamFlash>;
    clock::start();
    hprintln!("program|.text|{}", between(addr_of!(__stext), addr_of!(__etext)));
    hprintln!("program|.rodata|{}", between(addr_of!(__srodata), addr_of!(__erodata)));
    hprintln!("static|command buffer|{}", size_of::<CommandBuffer>());
    hprintln!("static|workspace|{}", size_of::<Workspace>());
    hprintln!("static|card|{}", size_of::<ThisCard>());
    // SAFETY: taken once, here, by the only thread.
    let (command, card) = unsafe { (&mut *addr_of_mut!(COMMAND), &mut *addr_of_mut!(CARD)) };
    report("start", "", || {
        // SAFETY: as above.
        let workspace = unsafe { &mut *addr_of_mut!(WORKSPACE) };
        card.write(Card::new(Chip::new(0x1234_5679), RamFlash, workspace));
    });
    // SAFETY: written just now.
    let card = unsafe { card.assume_init_mut() };

    let generate = |id, algorithm| {
        let request = KeyRequest { car: None, chr: None, algorithm, attributes: Attributes::default() };
        Command::GenerateKeyPair { key: KeyId::new(id), request }
    };
    let initialize = Initialize {
        options: Some(Options(1)),
        user_pin: Some(PIN),
        so_pin: Some(SO_PIN),
        dkek_shares: Some(1),
        ..Initialize::default()
    };
    let sign = |id, algorithm| Command::Sign { key: KeyId::new(id), algorithm, data: b"message" };
    let decipher = |id, algorithm, data| Command::Decipher { key: KeyId::new(id), algorithm, data };
    let file = Target::File(FileId::new(0xCD01));
    let commands = [
        ("INITIALIZE", "", Command::Initialize(initialize)),
        ("IMPORT SHARE", "", Command::ImportShare { domain: 0, share: Share(&[3; 32]) }),
        ("VERIFY", "", Command::Verify { reference: PinReference::User, pin: Some(PIN) }),
        ("GENERATE", "RSA-1024", generate(1, KeyAlgorithm::Rsa { bits: 1024 })),
        ("SIGN, PKCS#1", "RSA-1024", sign(1, AlgorithmId::RSA_PKCS1_SHA256)),
        ("SIGN, PSS", "RSA-1024", sign(1, AlgorithmId::RSA_PSS_SHA256)),
        ("DECIPHER, raw", "RSA-1024", decipher(1, AlgorithmId::RSA_DECRYPT_RAW, &[5; 128])),
        ("UPDATE BINARY", "", Command::UpdateBinary { target: file, offset: 0, content: Secret(&[7; 512]) }),
        ("READ BINARY", "", Command::ReadBinary { target: file, offset: 0 }),
        ("ENUMERATE", "", Command::EnumerateObjects),
        ("SELECT", "", Command::SelectFile { file: KeyId::new(1).key() }),
        (
            "CHANGE PIN",
            "",
            Command::ChangeReferenceData { reference: PinReference::User, data: Secret(b"648219123456") },
        ),
        (
            "RESET PIN",
            "",
            Command::ResetRetryCounter {
                mode: ferrite_proto::command::UnblockMode::SoPinAndNew,
                data: Secret(b"57621880648219"),
            },
        ),
        ("VERIFY, new PIN", "", Command::Verify { reference: PinReference::User, pin: Some(PIN) }),
    ];
    for (name, algorithm, wanted) in &commands {
        measure(card, command, name, algorithm, wanted);
    }
    let mut blob = [0; 1024];
    let mut len = 0;
    load(command, &Command::WrapKey { key: KeyId::new(1) });
    report("WRAP", "RSA-1024", || {
        let answer = card.transmit(command);
        len = answer.len() - 2;
        blob[..len].copy_from_slice(&answer[..len]);
    });
    let unwrap = Command::UnwrapKey { key: KeyId::new(5), blob: Some(&blob[..len]) };
    measure(card, command, "UNWRAP", "RSA-1024", &unwrap);
    let target = KeyId::new(3);
    for curve in ec::Curve::ALL {
        let domain = curve.domain();
        let algorithm = KeyAlgorithm::Ec { prime: domain.prime, a: Some(domain.a), b: Some(domain.b) };
        let commands = [
            ("GENERATE", generate(2, algorithm)),
            ("SIGN", sign(2, AlgorithmId::ECDSA)),
            ("DECIPHER", decipher(2, AlgorithmId::ECDH, domain.generator)),
            ("DERIVE", Command::DeriveKey { source: KeyId::new(2), target, tweak: &[1] }),
            ("DELETE", Command::DeleteFile { target: Target::File(KeyId::new(2).key()) }),
            ("DELETE", Command::DeleteFile { target: Target::File(target.key()) }),
        ];
        for (name, wanted) in &commands {
            measure(card, command, name, format_args!("{curve:?}"), wanted);
        }
    }
    let secret = KeyId::new(4);
    let generate_secret =
        Command::GenerateSecretKey { key: secret, len: SecretKeyLen::Bits256, attributes: Attributes::default() };
    measure(card, command, "GENERATE", "AES-256", &generate_secret);
    let (direction, key_len, data) = (Direction::Encrypt, 32, Secret(&[7; 512]));
    let cipher = |mode| SymmetricOperation::Cipher { mode, key_len, direction, iv: [1; 16], data };
    let aead = |mode| SymmetricOperation::Aead { mode, key_len, direction, nonce: &[1; 12], aad: &[], data };
    let kdf = Pbkdf2 { salt: &[1; 16], iterations: 100, key_len: None, prf: HmacHash::Sha512 };
    for (algorithm, operation) in [
        ("AES-256-CBC", cipher(CipherMode::Cbc)),
        ("AES-256-CTR", cipher(CipherMode::Ctr)),
        ("AES-256-GCM", aead(AeadMode::Gcm)),
        ("AES-256-CCM", aead(AeadMode::Ccm)),
        ("ChaCha20-Poly1305", aead(AeadMode::ChaCha20Poly1305)),
        ("HMAC-SHA-256", SymmetricOperation::Hmac { hash: HmacHash::Sha256, message: data }),
        ("PBKDF2, 100 times", SymmetricOperation::Pbkdf2(kdf)),
    ] {
        let mut objects = [0; 600];
        let (byte, len) = operation.write(&mut objects).expect("fits");
        let data = Secret(&objects[..len]);
        let wanted = Command::SymmetricCipher { key: secret, algorithm: byte, data, len: None };
        measure(card, command, "CIPHER", algorithm, &wanted);
    }
    for (curve, domain, name, wanted) in [
        ("X25519", montgomery::Curve::X25519.domain(), "DECIPHER", decipher(2, AlgorithmId::ECDH, &[9; 32])),
        ("X448", montgomery::Curve::X448.domain(), "DECIPHER", decipher(2, AlgorithmId::ECDH, &[9; 56])),
        ("Ed25519", edwards::Curve::Ed25519.domain(), "SIGN", sign(2, AlgorithmId::ECDSA)),
        ("Ed448", edwards::Curve::Ed448.domain(), "SIGN", sign(2, AlgorithmId::ECDSA)),
    ] {
        let algorithm = KeyAlgorithm::Ec { prime: domain.prime, a: None, b: Some(domain.base) };
        let delete = Command::DeleteFile { target: Target::File(KeyId::new(2).key()) };
        for (name, wanted) in [("GENERATE", generate(2, algorithm)), (name, wanted), ("DELETE", delete)] {
            measure(card, command, name, curve, &wanted);
        }
    }
    hprintln!("done");
    debug::exit(debug::EXIT_SUCCESS);
    loop {
        cortex_m::asm::wfi();
    }
}

/// Encodes a command outside of what is measured.
#[inline(never)]
fn load(buffer: &mut CommandBuffer, command: &Command<'_>) {
    let mut scratch = [0; 1024];
    let mut wire = [0; 1100];
    let apdu = command.encode(&mut scratch).expect("fits");
    let len = apdu.encode(&mut wire).expect("fits");
    buffer.load(&wire[..len]);
}

/// Sends a command, which must succeed, and reports what it took.
#[inline(never)]
fn measure(
    card: &mut Card<'static, Chip, RamFlash>,
    buffer: &mut CommandBuffer,
    name: &str,
    curve: impl Display,
    command: &Command<'_>,
) {
    load(buffer, command);
    let mut status = [0; 2];
    report(name, &curve, || {
        let answer = card.transmit(buffer);
        status.copy_from_slice(&answer[answer.len() - 2..]);
    });
    assert!(status == [0x90, 0x00], "{name} {curve}: {status:02X?}");
}

/// Reports stack and instructions of an action.
#[inline(never)]
fn report(name: &str, algorithm: impl Display, action: impl FnOnce()) {
    let mut instructions = 0;
    let stack = depth(|| {
        let start = clock::instructions();
        action();
        instructions = clock::instructions() - start;
    });
    hprintln!("command|{}|{}|{}|{}", name, algorithm, stack, instructions);
}
