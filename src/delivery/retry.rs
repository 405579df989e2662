//! When a delivery that failed is tried again, and when it is given up.

use crate::model::{Timestamp, WAIT_CEILING};
use jiff::SignedDuration;

const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(5);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(6);
/// A receiver that was down over a long weekend still gets everything.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(4 * 24);

/// The next try of a delivery noted at `created_at` that has just failed at `now`, after `attempts` tries before
/// this one. `None`: it has been tried for long enough.
///
/// The wait doubles from five seconds to six hours, and is never shorter than `retry_after`. `chance` (0 to 1)
/// spreads it by a quarter either way, so that receivers of many are not asked by all at once.
pub(super) fn next_try_at(
    created_at: Timestamp,
    attempts: u32,
    retry_after: Option<SignedDuration>,
    chance: f64,
    now: Timestamp,
) -> Option<Timestamp> {
    let doubled = FIRST_WAIT.checked_mul(1 << attempts.min(16)).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
    let spread = SignedDuration::try_from_secs_f64(doubled.as_secs_f64() * (0.75 + chance.clamp(0.0, 1.0) / 2.0));
    let wait = spread.unwrap_or(doubled).max(retry_after.unwrap_or_default().min(WAIT_CEILING));
    let at = now.checked_add(wait).ok()?;
    (at.duration_since(created_at) <= GIVEN_UP_AFTER).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_s(attempts: u32, retry_after_s: Option<i64>, chance: f64) -> Option<i64> {
        let now = Timestamp::UNIX_EPOCH;
        let at = next_try_at(now, attempts, retry_after_s.map(SignedDuration::from_secs), chance, now)?;
        Some(at.duration_since(now).as_secs())
    }

    #[test]
    fn the_wait_doubles_up_to_six_hours_and_is_spread_by_a_quarter() {
        for (attempts, seconds) in [(0, 5), (1, 10), (5, 160), (12, 20_480), (13, 21_600), (400, 21_600)] {
            assert_eq!(wait_s(attempts, None, 0.5), Some(seconds), "after {attempts}");
        }
        assert_eq!(wait_s(2, None, 0.0), Some(15));
        assert_eq!(wait_s(2, None, 1.0), Some(25));
    }

    #[test]
    fn what_the_receiver_asked_for_is_waited_for() {
        assert_eq!(wait_s(0, Some(120), 0.5), Some(120));
        assert_eq!(wait_s(9, Some(1), 0.5), Some(2_560));
    }

    #[test]
    fn after_four_days_it_is_given_up() {
        let now = Timestamp::UNIX_EPOCH;
        let after = |hours| now + SignedDuration::from_hours(hours);
        assert!(next_try_at(now, 20, None, 0.5, after(89)).is_some());
        assert_eq!(next_try_at(now, 20, None, 0.5, after(91)), None);
    }

    #[test]
    fn a_receiver_that_is_down_for_good_is_asked_a_bounded_number_of_times() {
        let (mut now, mut attempts) = (Timestamp::UNIX_EPOCH, 0);
        while let Some(next) = next_try_at(Timestamp::UNIX_EPOCH, attempts, None, 0.5, now) {
            (now, attempts) = (next, attempts + 1);
        }
        assert!((20..40).contains(&attempts), "{attempts} tries");
    }
}
