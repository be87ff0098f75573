//! Prints what typical loads cost the flash: `cargo run -p ferrite-store --example wear`.

use ferrite_store::testing::{RamFlash, SeededRng};
use ferrite_store::{Change, Kek, ObjectId, RootKey, Seal, Store};

const PAGES: usize = 256;

fn main() {
    println!("region of {PAGES} pages of 4 KiB");
    println!("{:44} {:>6} {:>7} {:>7} {:>9} {:>10}", "load", "full %", "times", "erases", "max/page", "bytes/time");
    for fill in [0, 200, 600, 850] {
        report("count a PIN try down and up", fill, 500_000, |store, _, round| store.count(ObjectId(1), round));
        report("generate a key (3 objects)", fill, 20_000, |store, rng, round| {
            let kek = Kek::from_bytes(&[2; 32]);
            let put = |id, seal, len| Change::Put {
                id: ObjectId(id),
                seal,
                meta: &[],
                content: &BYTES[..len],
                counter: None,
            };
            let id = (round % 8) as u16;
            let changes = [
                put(0x100 + id, Seal::Secret(&kek), 1200),
                put(0x200 + id, Seal::Public, 60),
                put(0x300 + id, Seal::Public, 1200),
            ];
            store.commit(&changes, rng)
        });
        report("write 2 KiB in pieces of 230 bytes", fill, 2_000, |store, rng, _| {
            let put = Change::Put { id: ObjectId(2), seal: Seal::Public, meta: &[], content: &[], counter: None };
            store.commit(&[put], rng)?;
            BYTES.chunks(230).enumerate().try_for_each(|(at, content)| {
                let write = Change::Write { id: ObjectId(2), seal: Seal::Public, offset: at * 230, content };
                store.commit(&[write], rng)
            })
        });
    }
}

static BYTES: [u8; 2048] = [0xa5; 2048];

fn report(
    name: &str,
    fill: u16,
    times: u32,
    mut load: impl FnMut(&mut Store<RamFlash>, &mut SeededRng, u32) -> Result<(), ferrite_store::Error>,
) {
    let mut rng = SeededRng::new(1);
    let Ok(mut store) = ferrite_store::testing::mount(RamFlash::new(PAGES), RootKey::from_bytes(&[1; 32])) else {
        return println!("{name}: does not mount");
    };
    let put =
        |id, counter| Change::Put { id: ObjectId(id), seal: Seal::Device, meta: &[], content: &BYTES[..840], counter };
    let filled = store
        .commit(&[put(1, Some(3))], &mut rng)
        .and_then(|()| (0..fill).try_for_each(|id| store.commit(&[put(0x1000 + id, None)], &mut rng)));
    let usage = store.usage();
    let before = (store.flash().erases().iter().sum::<u32>(), store.flash().programmed());
    let loaded = filled.and_then(|()| (0..times).try_for_each(|round| load(&mut store, &mut rng, round)));
    if let Err(error) = loaded {
        return println!("{name}: {error:?}");
    }
    let flash = store.flash();
    println!(
        "{name:44} {:6} {times:7} {:7} {:9} {:10}",
        (usage.total - usage.free) * 100 / usage.total,
        flash.erases().iter().sum::<u32>() - before.0,
        flash.erases().iter().max().copied().unwrap_or(0),
        (flash.programmed() - before.1) / u64::from(times),
    );
}
