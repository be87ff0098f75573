//! The secure channel with somebody on the line who changes, repeats, drops, inserts and swaps messages; and the session PIN
//! (specification part 1 §6, decisions D7 and D8).

mod common;

use common::host::*;
use common::*;
use ferrite_card::Presence;
use ferrite_crypto::channel::Channel;
use ferrite_proto::secure_messaging;
use ferrite_proto::status::Status;

/// Options: RESET RETRY COUNTER, session PINs, session PINs that outlive a reset.
const RESET: u8 = 0x01;
const SESSION_PIN: u8 = 0x04;
const OUTLIVES: u8 = 0x08;

const VERIFY: [u8; 4] = [0x00, 0x20, 0x00, 0x81];
const CHALLENGE: [u8; 4] = [0x00, 0x84, 0x00, 0x00];
const MAKE_SESSION_PIN: [u8; 4] = [0x00, 0x5A, 0x01, 0x81];
const CLEAR_SESSION_PIN: [u8; 4] = [0x00, 0x5A, 0x02, 0x81];
/// A command that only the user may send.
const GENERATE: [u8; 4] = [0x00, 0x48, 0x07, 0xB2];
const SELECT: [u8; 4] = [0x00, 0xA4, 0x04, 0x00];

/// A device with options, nobody logged in.
fn device(options: u8) -> (Device, ferrite_store::testing::SharedFlash) {
    let (mut device, flash) = Device::blank();
    device.ok(&initialize(&[0, options], USER_PIN, SO_PIN));
    device.select();
    (device, flash)
}

fn may_generate(device: &mut Device) -> bool {
    device.status(&apdu(0x00, 0x48, 0x00, 0xB2, &[], None)) != 0x6982
}

#[test]
fn pins_and_secrets_travel_inside_the_channel() {
    let (mut device, _) = device(RESET);
    let mut host = Host::open(&mut device);
    assert_eq!(host.send(&mut device, VERIFY, b"wrong pin", 0).1, 0x63C2);
    host.login(&mut device);
    let content = [0x5A; 3000];
    let written = [tlv(&[0x54], &[0, 0]), tlv(&[0x53], &content)].concat();
    host.ok(&mut device, [0x00, 0xD7, 0xCD, 0x05], &written);
    assert_eq!(host.ok(&mut device, [0x00, 0xB1, 0xCD, 0x05], &tlv(&[0x54], &[0, 0])), content);
    assert_eq!(host.send(&mut device, CHALLENGE, &[], 8).0.len(), 8);
    for plain in [USER_PIN, &content[..16], b"wrong pin"] {
        assert!(!host.seen.iter().any(|message| message.windows(plain.len()).any(|window| window == plain)));
    }
}

#[test]
fn answers_of_every_length_arrive_whole() {
    let (mut device, _) = device(RESET);
    let mut host = Host::open(&mut device);
    for len in [1, 7, 8, 15, 16, 17, 100, 111, 112, 113, 127, 128, 239, 240, 241, 255, 256, 257, 1024] {
        assert_eq!(host.send(&mut device, CHALLENGE, &[], len).0.len(), len);
    }
    // A status other than 9000 is inside as well, and leaves the channel as it is.
    assert_eq!(host.send(&mut device, [0x00, 0xFF, 0, 0], &[], 0), (Vec::new(), 0x6D00));
    assert_eq!(host.send(&mut device, GENERATE, &[], 0), (Vec::new(), 0x6982));
    assert_eq!(host.send(&mut device, [0x00, 0xB1, 0xCC, 0x55], &tlv(&[0x54], &[0, 0]), 0).1, 0x6A82);
    host.login(&mut device);
    // The longest object goes through, as far as an answer with its protection can be long.
    for (len, expected) in [(60_000, 0x9000), (65_400, 0x9000)] {
        let content = vec![7; len];
        let data = [tlv(&[0x54], &[0, 0]), tlv(&[0x53], &content)].concat();
        assert_eq!(host.send(&mut device, [0x00, 0xD7, 0xCD, 0x01], &data, 0).1, expected);
        assert_eq!(host.ok(&mut device, [0x00, 0xB1, 0xCD, 0x01], &tlv(&[0x54], &[0, 0])), content);
    }
}

#[test]
fn an_answer_that_is_fetched_in_parts_is_the_same() {
    let (mut device, _) = device(RESET);
    let mut host = Host::open(&mut device);
    let mut command = host.protect(CHALLENGE, &[], 300);
    let le = command.len() - 2;
    command.truncate(le);
    let (mut answer, mut status) = device.send(&command);
    while status >> 8 == 0x61 {
        let (part, next) = device.send(&[0x00, 0xC0, 0x00, 0x00, 0x00]);
        answer.extend(part);
        status = next;
    }
    assert_eq!(host.unprotect(&answer).unwrap().0.len(), 300);
    // Fetching in the clear has not closed the channel, not even for a protected login.
    host.login(&mut device);
    assert_eq!(host.send(&mut device, CHALLENGE, &[], 8).1, 0x9000);
}

/// Every byte of a protected command counts: changed, the command is refused, nothing is done, the channel is closed, and
/// nobody is logged in any more.
#[test]
fn a_changed_command_closes_the_channel_and_logs_out() {
    let (mut device, _) = device(RESET);
    let len = Host::open(&mut device).protect(GENERATE, &[0x90, 4, 0, 0, 0, 9], 0).len();
    for at in 0..len - 2 {
        for bit in [0, 7] {
            let mut host = Host::open(&mut device);
            host.login(&mut device);
            let mut command = host.protect(GENERATE, &[0x90, 4, 0, 0, 0, 9], 0);
            command[at] ^= 1 << bit;
            let (answer, status) = device.send(&command);
            assert!(answer.is_empty() && status != 0x9000, "{at}.{bit}: {status:04X}");
            assert!(!may_generate(&mut device), "{at}.{bit}: still logged in");
            assert_eq!(device.status(&host.protect(CHALLENGE, &[], 8)), 0x6987, "{at}.{bit}: still open");
            device.select();
        }
    }
    device.login();
    assert_eq!(device.status(&read(0xCC07, 0)), 0x6A82);
}

#[test]
fn a_command_comes_once_and_in_its_turn() {
    // What the attacker does with two commands; the last one must be refused.
    let (mut device, _) = device(RESET);
    let attacks: [(&str, &[usize]); 4] =
        [("repeats", &[0, 0]), ("swaps", &[1]), ("drops", &[1]), ("repeats later", &[0, 1, 0])];
    for (what, order) in attacks {
        let mut host = Host::open(&mut device);
        host.login(&mut device);
        let mut commands = Vec::new();
        for _ in 0..2 {
            commands.push(host.protect(CHALLENGE, &[], 8));
            // The answer counts too.
            host.channel.count();
        }
        let (last, before) = order.split_last().unwrap();
        for command in before {
            assert_eq!(device.status(&commands[*command]), 0x9000, "{what}");
        }
        assert_eq!(device.status(&commands[*last]), 0x6988, "{what}");
        assert!(!may_generate(&mut device), "{what}");
    }
}

/// The host sees what is done to answers.
#[test]
fn a_changed_or_repeated_answer_is_detected() {
    let (mut device, _) = device(RESET);
    let mut host = Host::open(&mut device);
    let command = host.protect(CHALLENGE, &[], 8);
    let (first, _) = device.send(&command);
    let count = |channel: &mut Channel| (0..2).for_each(|_| channel.count());
    for at in 0..first.len() {
        let mut host = Host { channel: Host::open(&mut device).channel, seen: Vec::new() };
        let command = host.protect(CHALLENGE, &[], 8);
        let (mut answer, _) = device.send(&command);
        answer[at] ^= 1;
        assert_eq!(host.unprotect(&answer), None, "{at}");
    }
    let mut host = Host::open(&mut device);
    let command = host.protect(CHALLENGE, &[], 8);
    let (answer, _) = device.send(&command);
    assert!(host.unprotect(&answer).is_some());
    count(&mut host.channel);
    assert_eq!(host.unprotect(&answer), None);
}

/// Who logged in through the channel has no plain session: somebody on the line could use it.
#[test]
fn a_command_in_the_clear_ends_a_protected_login() {
    let (mut device, _) = device(RESET);
    let plain: [(&str, Vec<u8>); 4] = [
        ("GET CHALLENGE", apdu(0x00, 0x84, 0, 0, &[], Some(8))),
        ("a user's command", apdu(0x00, 0x48, 0x07, 0xB2, &[], None)),
        ("another channel chosen", choose()),
        ("half a protected command", hex::decode("0C2000810A").unwrap()),
    ];
    for (what, command) in plain {
        let mut host = Host::open(&mut device);
        host.login(&mut device);
        assert_ne!(device.status(&command), 0x6A89, "{what}");
        assert!(!may_generate(&mut device), "{what}");
        assert_eq!(device.status(&host.protect(CHALLENGE, &[], 8)), 0x6987, "{what}");
    }
    device.login();
    assert_eq!(device.status(&read(0xCC07, 0)), 0x6A82, "a key was made");
}

/// Who logged in in the clear has nothing to lose: plain commands and the channel go on side by side.
#[test]
fn a_login_in_the_clear_and_a_channel_do_not_disturb_each_other() {
    let (mut device, _) = device(RESET);
    device.login();
    let mut host = Host::open(&mut device);
    assert!(may_generate(&mut device));
    host.ok(&mut device, GENERATE, &[]);
    assert!(may_generate(&mut device));
    assert_eq!(host.send(&mut device, CHALLENGE, &[], 8).1, 0x9000);
}

#[test]
fn the_application_is_selected_again_inside_the_channel_or_outside() {
    let (mut device, _) = device(RESET);
    let mut host = Host::open(&mut device);
    host.login(&mut device);
    host.ok(&mut device, SELECT, AID);
    assert_eq!(host.send(&mut device, GENERATE, &[], 0).1, 0x6982, "still logged in");
    host.login(&mut device);
    device.select();
    assert_eq!(device.status(&host.protect(CHALLENGE, &[], 8)), 0x6987);
    let mut host = Host::open(&mut device);
    device.card.reset();
    assert_eq!(device.status(&host.protect(CHALLENGE, &[], 8)), 0x6987);
}

#[test]
fn only_a_device_with_a_key_opens_a_channel_and_only_in_order() {
    let (mut blank, _) = Device::blank();
    let key = host_key();
    let point = key.public_key().unwrap();
    blank.ok(&choose());
    assert_eq!(blank.status(&authenticate(point.as_ref())), 0x6985);

    let (mut device, _) = device(RESET);
    assert_eq!(device.status(&authenticate(point.as_ref())), 0x6985);
    let mut off_curve = point.as_ref().to_vec();
    off_curve[64] ^= 1;
    let mut compressed = off_curve.clone();
    compressed[0] = 2;
    // Not on the curve, and not in the form of a point.
    for (wrong, expected) in
        [(&off_curve[..], 0x6400), (&point.as_ref()[..64], 0x6984), (&compressed, 0x6984), (&[0; 65], 0x6984)]
    {
        device.ok(&choose());
        assert_eq!(device.status(&authenticate(wrong)), expected);
    }
    // One choice, one try.
    device.ok(&choose());
    assert_eq!(device.status(&authenticate(&off_curve)), 0x6400);
    assert_eq!(device.status(&authenticate(point.as_ref())), 0x6985);
    // None is opened through another.
    let mut host = Host::open(&mut device);
    let protocol = tlv(&[0x80], &secure_messaging::PROTOCOL);
    assert_eq!(host.send(&mut device, [0x00, 0x22, 0x41, 0xA4], &protocol, 0).1, 0x6986);
    let data = tlv(&[0x7C], &tlv(&[0x80], point.as_ref()));
    assert_eq!(host.send(&mut device, [0x00, 0x86, 0, 0], &data, 256).1, 0x6986);
    assert_eq!(host.send(&mut device, CHALLENGE, &[], 8).1, 0x9000);
}

/// A class byte that leaves the header out of the checksum is not taken.
#[test]
fn the_header_is_always_protected() {
    let (mut device, _) = device(RESET);
    for cla in [0x04, 0x08] {
        let mut host = Host::open(&mut device);
        let mut command = host.protect(CHALLENGE, &[], 8);
        command[0] = cla;
        assert_eq!(device.status(&command), 0x6882);
        assert_eq!(device.status(&host.protect(CHALLENGE, &[], 8)), 0x6987);
    }
}

#[test]
fn with_press_to_confirm_a_channel_needs_somebody() {
    let (mut device, _) = Device::blank();
    device.ok(&initialize(&[0x01, 0x01], USER_PIN, SO_PIN));
    let key = host_key();
    device.card.platform().presence = Presence::TimedOut;
    device.ok(&choose());
    assert_eq!(device.status(&authenticate(key.public_key().unwrap().as_ref())), 0x6600);
    device.card.platform().presence = Presence::Confirmed;
    Host::open(&mut device);
}

#[test]
fn a_device_is_initialised_through_the_channel() {
    let (mut device, _) = device(RESET);
    let mut host = Host::open(&mut device);
    let data = [tlv(&[0x80], &[0, 1]), tlv(&[0x81], b"another pin"), tlv(&[0x82], SO_PIN)].concat();
    host.ok(&mut device, [0x80, 0x50, 0, 0], &data);
    host.ok(&mut device, GENERATE, &[]);
    assert!(!may_generate(&mut device), "the session of INITIALIZE is open to the line");
    assert_eq!(device.status(&verify(0x81, b"another pin")), 0x9000);
}

/// A device with session PINs, and one made in a channel with the user logged in.
fn with_session_pin(options: u8) -> (Device, Host, Vec<u8>) {
    let (mut device, _) = device(options);
    let mut host = Host::open(&mut device);
    host.login(&mut device);
    let pin = host.ok(&mut device, MAKE_SESSION_PIN, &[]);
    assert_eq!(pin.len(), 8);
    (device, host, pin)
}

#[test]
fn a_session_pin_stands_for_the_user_pin_inside_the_channel_only() {
    let (mut device, mut host, pin) = with_session_pin(RESET | SESSION_PIN);
    for _ in 0..5 {
        host.ok(&mut device, SELECT, AID);
        assert_eq!(host.send(&mut device, GENERATE, &[], 0).1, 0x6982);
        host.ok(&mut device, VERIFY, &pin);
    }
    host.ok(&mut device, GENERATE, &[]);
    // In the clear it is a wrong PIN.
    device.select();
    assert_eq!(device.status(&verify(0x81, &pin)), 0x63C2);
    // It is no SO-PIN, and nothing that a PIN is changed with.
    let mut host = Host::open(&mut device);
    assert_eq!(host.send(&mut device, [0x00, 0x20, 0x00, 0x88], &pin, 0).1, 0x63CE);
    let change = [&pin[..], b"new-pin-"].concat();
    assert_eq!(host.send(&mut device, [0x00, 0x24, 0x00, 0x81], &change, 0).1, 0x63C1);
    host.ok(&mut device, VERIFY, &pin);
}

#[test]
fn a_session_pin_is_made_by_the_user_through_the_channel() {
    let plain = [apdu(0x00, 0x5A, 0x01, 0x81, &[], Some(256)), apdu(0x00, 0x5A, 0x02, 0x81, &[], None)];
    let (mut without, _) = device(RESET);
    without.login();
    let mut host = Host::open(&mut without);
    for (command, header) in plain.iter().zip([MAKE_SESSION_PIN, CLEAR_SESSION_PIN]) {
        assert_eq!(without.status(command), 0x6D00);
        assert_eq!(host.send(&mut without, header, &[], 256).1, 0x6D00);
    }
    let (mut device, _) = device(RESET | SESSION_PIN);
    device.login();
    for command in &plain {
        assert_eq!(device.status(command), 0x6982, "in the clear");
    }
    device.select();
    let mut host = Host::open(&mut device);
    assert_eq!(host.send(&mut device, MAKE_SESSION_PIN, &[], 256).1, 0x6982, "nobody");
    host.ok(&mut device, [0x00, 0x20, 0x00, 0x88], SO_PIN);
    assert_eq!(host.send(&mut device, MAKE_SESSION_PIN, &[], 256).1, 0x6982, "the SO");
    host.login(&mut device);
    let first = host.ok(&mut device, MAKE_SESSION_PIN, &[]);
    let second = host.ok(&mut device, MAKE_SESSION_PIN, &[]);
    assert_ne!(first, second);
    assert_eq!(host.send(&mut device, VERIFY, &first, 0).1, 0x63C2, "the one before");
    host.ok(&mut device, VERIFY, &second);
}

#[test]
fn a_session_pin_takes_three_wrong_tries() {
    let (mut device, mut host, pin) = with_session_pin(RESET | SESSION_PIN);
    let wrong = |n: u8| [n; 8];
    assert_eq!(host.send(&mut device, VERIFY, &wrong(1), 0).1, 0x63C2);
    assert_eq!(host.send(&mut device, VERIFY, &wrong(2), 0).1, 0x63C1);
    // A right one gives its tries back, and those of the user PIN stay as they are.
    host.ok(&mut device, VERIFY, &pin);
    host.ok(&mut device, SELECT, AID);
    assert_eq!(host.send(&mut device, VERIFY, &[], 0).1, 0x63C1);
    host.login(&mut device);
    for n in 1..3 {
        assert_eq!(host.send(&mut device, VERIFY, &wrong(n), 0).1, 0x63C3 - u16::from(n));
    }
    host.login(&mut device);
    assert_eq!(host.send(&mut device, VERIFY, &wrong(3), 0).1, 0x63C2);
    assert_eq!(host.send(&mut device, VERIFY, &pin, 0).1, 0x63C1, "three wrong tries, and still there");
}

/// A user PIN that is as long as a session PIN is no wrong one.
#[test]
fn the_user_pin_costs_no_try_of_the_session_pin() {
    const LONG_PIN: &[u8] = b"eight678";
    let (mut device, mut host, _) = with_session_pin(RESET | SESSION_PIN);
    host.ok(&mut device, [0x00, 0x24, 0x00, 0x81], &[USER_PIN, LONG_PIN].concat());
    let pin = host.ok(&mut device, MAKE_SESSION_PIN, &[]);
    for n in 1..3 {
        assert_eq!(host.send(&mut device, VERIFY, &[n; 8], 0).1, 0x63C2);
        for _ in 0..4 {
            host.ok(&mut device, VERIFY, LONG_PIN);
        }
    }
    host.ok(&mut device, VERIFY, &pin);
    // Nor does it give tries back that wrong ones took.
    for n in 1..4 {
        assert_eq!(host.send(&mut device, VERIFY, &[n; 8], 0).1, 0x63C2);
        host.ok(&mut device, VERIFY, LONG_PIN);
    }
    assert_eq!(host.send(&mut device, VERIFY, &pin, 0).1, 0x63C2);
}

#[test]
fn a_blocked_user_pin_blocks_the_session_pin() {
    let (mut device, mut host, pin) = with_session_pin(RESET | SESSION_PIN);
    host.ok(&mut device, SELECT, AID);
    for _ in 0..3 {
        host.send(&mut device, VERIFY, b"not eight", 0);
    }
    assert_eq!(host.send(&mut device, VERIFY, &pin, 0).1, 0x6983);
}

#[test]
fn a_session_pin_ends() {
    let reset = |device: &mut Device, _: &mut Host| device.card.reset();
    type End = fn(&mut Device, &mut Host);
    // What ends it with option 0004, and with 000C.
    let ends: [(&str, End, [bool; 2]); 6] = [
        ("a card reset", reset, [true, false]),
        ("another selection", |device, _| device.select(), [false, false]),
        ("clearing it", |device, host| _ = host.ok(device, CLEAR_SESSION_PIN, &[]), [true, true]),
        (
            "another user PIN",
            |device, host| _ = host.ok(device, [0x00, 0x24, 0x00, 0x81], &[USER_PIN, USER_PIN].concat()),
            [true, true],
        ),
        (
            "the SO setting the user PIN",
            |device, _| device.ok(&apdu(0x00, 0x2C, 0x00, 0x81, &[SO_PIN, USER_PIN].concat(), None)).clear(),
            [true, true],
        ),
        (
            "INITIALIZE",
            |device, _| device.ok(&initialize(&[0, RESET | SESSION_PIN | OUTLIVES], USER_PIN, SO_PIN)).clear(),
            [true, true],
        ),
    ];
    for (what, end, expected) in ends {
        for (options, is_gone) in [RESET | SESSION_PIN, RESET | SESSION_PIN | OUTLIVES].into_iter().zip(expected) {
            let (mut device, mut host, pin) = with_session_pin(options);
            end(&mut device, &mut host);
            let mut host = Host::open(&mut device);
            let status = host.send(&mut device, VERIFY, &pin, 0).1;
            assert_eq!(status == 0x9000, !is_gone, "{what}, {options:02X}: {status:04X}");
        }
    }
}

#[test]
fn a_session_pin_is_nowhere_in_the_flash() {
    let (mut device, flash) = device(RESET | SESSION_PIN | OUTLIVES);
    let mut host = Host::open(&mut device);
    host.login(&mut device);
    let before = flash.lock().bytes().to_vec();
    let pin = host.ok(&mut device, MAKE_SESSION_PIN, &[]);
    assert!(before == flash.lock().bytes(), "making it writes");
    host.ok(&mut device, SELECT, AID);
    host.ok(&mut device, VERIFY, &pin);
    assert!(before == flash.lock().bytes(), "using it writes");
    // Power that fails, fails it too.
    drop(device);
    let mut device = Device::start(&flash);
    let mut host = Host::open(&mut device);
    assert_eq!(host.send(&mut device, VERIFY, &pin, 0).1, 0x63C2);
    let _ = Status::OK;
}
