//! Somebody guesses PINs and cuts the power wherever that may help. Whatever they do, they learn of no more guesses than
//! there are tries.

mod common;

use common::*;
use ferrite_store::testing::SharedFlash;

/// Tries of the user PIN in these tests, so that every sequence of cuts can be tried.
const USER_TRIES: u8 = 2;

/// A way to try a PIN out.
struct Attack {
    what: &'static str,
    /// The command that tries a PIN.
    guess: fn(&[u8]) -> Vec<u8>,
    right: &'static [u8],
    wrong: &'static [u8],
    /// How many tries there are, and the command that asks how many are left.
    tries: usize,
    query: [u8; 4],
}

const USER: [u8; 4] = [0, 0x20, 0, 0x81];
const OFFICER: [u8; 4] = [0, 0x20, 0, 0x88];

const ATTACKS: [Attack; 6] = [
    Attack {
        what: "VERIFY of the user PIN",
        guess: |pin| verify(0x81, pin),
        right: USER_PIN,
        wrong: b"648218",
        tries: USER_TRIES as usize,
        query: USER,
    },
    Attack {
        what: "CHANGE REFERENCE DATA of the user PIN",
        guess: |pin| apdu(0, 0x24, 0, 0x81, &[pin, b"mine-now"].concat(), None),
        right: USER_PIN,
        wrong: b"648218",
        tries: USER_TRIES as usize,
        query: USER,
    },
    Attack {
        what: "VERIFY of the SO-PIN",
        guess: |pin| verify(0x88, pin),
        right: SO_PIN,
        wrong: b"57621881",
        tries: 15,
        query: OFFICER,
    },
    Attack {
        what: "CHANGE REFERENCE DATA of the SO-PIN",
        guess: |pin| apdu(0, 0x24, 0, 0x88, &[pin, b"mine-now"].concat(), None),
        right: SO_PIN,
        wrong: b"57621881",
        tries: 15,
        query: OFFICER,
    },
    Attack {
        what: "RESET RETRY COUNTER by the SO-PIN",
        guess: |pin| apdu(0, 0x2C, 0, 0x81, &[pin, b"mine-now"].concat(), None),
        right: SO_PIN,
        wrong: b"57621881",
        tries: 15,
        query: OFFICER,
    },
    Attack {
        what: "INITIALIZE with the SO-PIN",
        guess: |pin| initialize(&[0, 1], b"mine-now", pin),
        right: SO_PIN,
        wrong: b"57621881",
        tries: 15,
        query: OFFICER,
    },
];

/// INITIALIZE with few tries of the user PIN.
fn initial() -> Vec<u8> {
    let pins = [tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN)].concat();
    apdu(0x80, 0x50, 0, 0, &[tlv(&[0x80], &[0, 1]), pins, tlv(&[0x91], &[USER_TRIES])].concat(), None)
}

/// A device that somebody has, its PINs unknown to them.
fn found() -> SharedFlash {
    let (mut device, flash) = Device::blank();
    device.ok(&initial());
    flash
}

/// Everything that a guess tells: the answer, how many tries are left after a start, and what is on flash, for an attacker
/// who reads it. (The flash tells of a comparison even if the answer never came.)
#[derive(PartialEq, Eq)]
struct Told {
    status: u16,
    left: u16,
    flash: Vec<u8>,
}

/// One guess on this flash with the power cut after `cut` flash operations, and a start after it. Also returns whether the
/// power was cut at all.
fn guess(flash: &SharedFlash, attack: &Attack, pin: &[u8], cut: u64, seed: u64) -> (Told, bool) {
    let mut device = Device::start(flash);
    flash.lock().cut_after(cut, seed);
    let status = device.status(&(attack.guess)(pin));
    let was_cut = flash.lock().is_off();
    drop(device);
    flash.lock().revive();
    let bytes = flash.lock().bytes().to_vec();
    let left = Device::start(flash).status(&attack.query);
    (Told { status, left, flash: bytes }, was_cut)
}

/// A wrong guess. Returns whether it told anything: whether the right PIN would have left another trace; and whether the
/// power was cut.
fn guess_tells(flash: &SharedFlash, attack: &Attack, cut: u64, seed: u64) -> (bool, bool) {
    let (right, _) = guess(&flash.fork(), attack, attack.right, cut, seed);
    let (wrong, was_cut) = guess(flash, attack, attack.wrong, cut, seed);
    (right != wrong, was_cut)
}

fn is_blocked(flash: &SharedFlash, attack: &Attack) -> bool {
    Device::start(flash).status(&attack.query) == 0x6983
}

/// A blocked PIN is not opened by the right one either.
fn stays_blocked(flash: &SharedFlash, attack: &Attack) {
    let (told, _) = guess(flash, attack, attack.right, u64::MAX, 0);
    assert_eq!((told.status, told.left), (0x6983, 0x6983), "{}", attack.what);
}

#[test]
fn without_cuts_there_are_as_many_guesses_as_tries() {
    for attack in &ATTACKS {
        let flash = found();
        let mut told = 0;
        while !is_blocked(&flash, attack) {
            assert!(
                guess_tells(&flash, attack, u64::MAX, 0).0,
                "{}: the test must see what an attacker sees",
                attack.what
            );
            told += 1;
        }
        assert_eq!(told, attack.tries, "{}", attack.what);
        stays_blocked(&flash, attack);
    }
}

/// The same cut at every guess, until the PIN is blocked or the attacker has had enough.
#[test]
fn the_same_cut_at_every_guess_gives_no_guess_more() {
    for attack in &ATTACKS {
        let mut cut = 0;
        loop {
            let flash = found();
            let (mut told, mut cuts) = (0, 0);
            for seed in 0..attack.tries as u64 + 3 {
                let (tells, was_cut) = guess_tells(&flash, attack, cut, seed);
                told += usize::from(tells);
                cuts += usize::from(was_cut);
                if is_blocked(&flash, attack) {
                    break;
                }
            }
            assert!(told <= attack.tries, "{}: {told} guesses with cuts after {cut}", attack.what);
            if is_blocked(&flash, attack) {
                stays_blocked(&flash, attack);
            } else {
                assert!(cuts > 0, "{}: nothing kept the tries from running out", attack.what);
            }
            if cuts == 0 {
                break;
            }
            cut += 1;
        }
        assert!(cut > 0, "{}", attack.what);
        println!("{}: {cut} places", attack.what);
    }
}

/// Every sequence of cuts of three guesses.
#[test]
fn no_sequence_of_cuts_gives_a_guess_more() {
    fn go_on(flash: &SharedFlash, attack: &Attack, told: usize, depth: usize, paths: &mut usize) {
        if depth == 0 || is_blocked(flash, attack) {
            *paths += 1;
            assert!(told <= attack.tries, "{}: {told} guesses", attack.what);
            return;
        }
        for cut in 0.. {
            let flash = flash.fork();
            let (tells, was_cut) = guess_tells(&flash, attack, cut, depth as u64);
            go_on(&flash, attack, told + usize::from(tells), depth - 1, paths);
            if !was_cut {
                break;
            }
        }
    }
    for attack in ATTACKS.iter().filter(|attack| attack.query == USER) {
        let mut paths = 0;
        go_on(&found(), attack, 0, 3, &mut paths);
        println!("{}: {paths} sequences", attack.what);
        assert!(paths > 4);
    }
}

/// Counting down a try may have to make room first, by moving what is on a page and erasing it.
#[test]
fn cuts_while_the_memory_makes_room_give_no_guess_more() {
    let attack = &ATTACKS[0];
    let flash = SharedFlash::new(16);
    let mut device = Device::start(&flash);
    device.ok(&initial());
    // Fill the memory once round, then its last page with tries only.
    for round in 0..400_u32 {
        device.ok(&update(0xCF01, 0, &round.to_be_bytes().repeat(40)));
    }
    let operations = |flash: &SharedFlash| {
        let flash = flash.fork();
        let mut device = Device::start(&flash);
        let before = flash.lock().operations();
        device.status(&(attack.guess)(attack.wrong));
        flash.lock().operations() - before
    };
    let usual = operations(&flash);
    let longest = (0..400).map(|_| {
        device.login();
        operations(&flash)
    });
    let longest = longest.into_iter().find(|operations| *operations > usual + 2).expect("a guess makes room at last");
    drop(device);
    println!("{longest} operations");
    for cut in 0..=longest {
        let flash = flash.fork();
        let mut told = 0;
        for seed in 0..attack.tries as u64 + 2 {
            told += usize::from(guess_tells(&flash, attack, cut, seed).0);
        }
        assert!(told <= attack.tries, "{told} guesses with cuts after {cut}");
        assert!(cut < longest || told == attack.tries, "without a cut the tries run out");
    }
}
