//! Walks through what can happen: every path of so many steps, or long random ones.

use std::fmt::Debug;

use steadfast::Rng;

/// A session and a model of it, after the same inputs.
pub(crate) trait Pair: Clone {
    type Step: Copy + Debug;

    /// Takes a step; false if it makes no sense here. An error says how the two differ.
    fn step(&mut self, step: Self::Step) -> Result<bool, String>;

    /// A last look at everything, at the end of a long path.
    fn audit(&mut self);
}

/// What was walked.
#[derive(Default)]
pub(crate) struct Walk {
    pub(crate) turns: u64,
    pub(crate) paths: u64,
}

impl Walk {
    /// Every path of so many of these steps, from the middle of things.
    pub(crate) fn all<P: Pair>(&mut self, steps: &[P::Step], mut pair: P, middle: &[P::Step], depth: usize) {
        let mut path = Vec::new();
        for step in middle {
            path.push(*step);
            assert!(self.take(&mut pair, *step, &path), "{step:?} makes no sense in {middle:?}");
        }
        self.on(steps, &pair, depth, &mut path);
    }

    fn on<P: Pair>(&mut self, steps: &[P::Step], from: &P, depth: usize, path: &mut Vec<P::Step>) {
        if depth == 0 {
            self.paths += 1;
            return;
        }
        for step in steps.iter().copied() {
            let mut pair = from.clone();
            path.push(step);
            if self.take(&mut pair, step, path) {
                self.on(steps, &pair, depth - 1, path);
            }
            path.pop();
        }
    }

    /// So many long paths of steps that are drawn.
    pub(crate) fn random<P: Pair>(
        &mut self,
        paths: usize,
        make: impl Fn(usize) -> P,
        mut draw: impl FnMut(&mut Rng) -> P::Step,
    ) {
        let seed = number("STEADFAST_SEED", 1);
        let mut rng = Rng::new(seed);
        for number in 0..paths {
            let (mut pair, mut path) = (make(number), Vec::new());
            while path.len() < 200 {
                let step = draw(&mut rng);
                path.push(step);
                if !self.take(&mut pair, step, &path) {
                    path.pop();
                }
            }
            pair.audit();
            self.paths += 1;
        }
        println!("STEADFAST_SEED={seed}");
    }

    fn take<P: Pair>(&mut self, pair: &mut P, step: P::Step, path: &[P::Step]) -> bool {
        let sensible = pair.step(step).unwrap_or_else(|why| panic!("after {path:?}\n{why}"));
        self.turns += u64::from(sensible);
        sensible
    }

    /// Enough was walked.
    pub(crate) fn end(&self, of: &str, least: u64) {
        println!("{} turns {of} on {} paths", self.turns, self.paths);
        assert!(self.turns >= least, "only {} turns", self.turns);
    }
}

/// One of them.
pub(crate) fn one_of<T: Copy>(rng: &mut Rng, all: &[T]) -> T {
    all[rng.up_to(all.len() as u64 - 1) as usize]
}

pub(crate) fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).ok().map_or(or, |text| text.parse().expect("a number"))
}
