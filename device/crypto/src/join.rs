//! Two closures side by side: the second core of a chip, a thread on a PC, or one after the other.

/// Runs two independent pieces of work, side by side where the platform can.
pub trait Join {
    /// Runs both closures and returns both results.
    fn join<A: Send, B: Send>(&mut self, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B);
}

/// The default: one after the other.
pub struct Sequential;

impl Join for Sequential {
    fn join<A: Send, B: Send>(&mut self, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
        (a(), b())
    }
}
