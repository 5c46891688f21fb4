//! How the eye gets from one place to another: smoothly, and the same in every chart.
//!
//! A glide depends on the time step alone, and a step of a tenth of a second or more ends it, so pictures and tests
//! never see one half way.

/// How fast a glide is, per second.
const SPEED: f64 = 18.0;
/// A time step from which on nothing glides.
const JUMP: f64 = 0.1;

/// Something that is looked at, such as a range of time or a part of a drawing.
pub trait Place: Copy {
    /// The place at this share of the way to `goal`, 0 to 1.
    #[must_use]
    fn towards(self, goal: Self, share: f64) -> Self;
    /// True when nobody can tell it from `goal`.
    fn is_near(self, goal: Self) -> bool;
}

/// A range of time, or of another axis, that fills the width of a chart.
impl Place for (f64, f64) {
    fn towards(self, goal: Self, share: f64) -> Self {
        (self.0 + (goal.0 - self.0) * share, self.1 + (goal.1 - self.1) * share)
    }

    fn is_near(self, goal: Self) -> bool {
        // Less than a pixel of a wide screen.
        let pixel = (goal.1 - goal.0) / 4000.0;
        (self.0 - goal.0).abs() < pixel && (self.1 - goal.1).abs() < pixel
    }
}

/// Where one is after `dt` seconds on the way from `now` to `goal`; true once that is the goal itself.
#[must_use]
pub fn step<P: Place>(now: P, goal: P, dt: f64) -> (P, bool) {
    let share = if dt >= JUMP { 1.0 } else { 1.0 - (-dt * SPEED).exp() };
    let next = now.towards(goal, share);
    if next.is_near(goal) { (goal, true) } else { (next, false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glide_slows_down_towards_its_goal_and_a_long_step_ends_it() {
        let goal = (100.0, 200.0);
        let mut way = vec![(0.0, 1000.0)];
        while let (next, false) = step(way[way.len() - 1], goal, 0.016) {
            way.push(next);
        }
        assert!((5..60).contains(&way.len()), "{way:?}");
        assert!(way.windows(3).all(|w| w[2].0 - w[1].0 < w[1].0 - w[0].0 && w[2].0 > w[1].0));
        assert_eq!(step((0.0, 1.0), goal, 0.1), (goal, true));
    }
}
