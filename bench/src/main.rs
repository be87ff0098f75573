//! Speed of Ferrite beside other implementations.
//!
//! The candidates of a row take turns within one run, so that whatever else the machine does hits them alike; the row
//! shows the median time of each and its ratio to Ferrite's. See `docs/src/benchmarks.md`.

mod asymmetric;
mod card;
mod symmetric;

use ferrite_crypto::Join;
use ferrite_crypto::drbg::Drbg;
use std::time::{Duration, Instant};

/// A second worker in a thread of its own.
struct Threads;

impl Join for Threads {
    fn join<A: Send, B: Send>(&mut self, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
        std::thread::scope(|scope| {
            let b = scope.spawn(b);
            (a(), b.join().expect("the worker does not panic"))
        })
    }
}

/// One way of doing what a row measures.
type Candidate<'a> = (&'static str, Box<dyn FnMut() + 'a>);

/// Lets the candidates take turns and prints a row. The first is what the others are compared with.
fn row(name: &str, rounds: usize, candidates: &mut [Candidate<'_>]) {
    let mut times = vec![Vec::with_capacity(rounds); candidates.len()];
    for round in 0..rounds {
        for turn in 0..candidates.len() {
            // Each round starts with another candidate.
            let index = (turn + round) % candidates.len();
            let start = Instant::now();
            (candidates[index].1)();
            times[index].push(start.elapsed());
        }
    }
    let medians: Vec<Duration> = times.iter_mut().map(|times| median(times)).collect();
    println!("\n{name}   ({rounds} rounds)");
    for ((candidate, _), time) in candidates.iter().zip(&medians) {
        print_line(candidate, *time, medians[0]);
    }
}

/// The middle one of the times.
fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Prints one candidate: its time, and how many times that of the first candidate it is.
fn print_line(candidate: &str, time: Duration, first: Duration) {
    println!(
        "  {candidate:<34} {:>12.1} µs   × {:.2}",
        time.as_secs_f64() * 1e6,
        time.as_secs_f64() / first.as_secs_f64()
    );
}

fn rng() -> Drbg {
    let mut seed = [0; 48];
    getrandom::fill(&mut seed).expect("the system has randomness");
    Drbg::new(&seed, &[], b"ferrite bench")
}

/// The groups of rows, by name.
const GROUPS: [(&str, fn()); 3] =
    [("latencies", card::latencies), ("asymmetric", asymmetric::rows), ("symmetric", symmetric::rows)];

/// Prints the group that the first argument names, or all of them.
fn main() {
    let wanted = std::env::args().nth(1);
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    GROUPS.iter().filter(|(name, _)| is_wanted(name)).for_each(|(_, rows)| rows());
}
