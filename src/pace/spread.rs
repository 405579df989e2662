//! Spreading feeds that are due together: at the first start, after a restart, after a long sleep.
//!
//! Pure. The times it gives are stored, so that the next restart finds them and asks nobody twice.

use crate::model::Timestamp;
use jiff::SignedDuration;
use std::collections::HashMap;

/// Overdue feeds are spread over as long as they have waited, up to this: a restart is not felt, three days off are
/// caught up with gently.
const CATCH_UP_MAX: SignedDuration = SignedDuration::from_mins(10);
/// Twenty starts a second at most when there is no reason to take longer.
const STEP_MIN: SignedDuration = SignedDuration::from_millis(50);
/// A feed whose next check lies further ahead was given it by a clock that has since been set back.
pub const SLEEP_MAX: SignedDuration = SignedDuration::from_hours(8 * 24);

/// A feed that is due.
#[derive(Debug, Clone, Copy)]
pub struct Due<'d> {
    pub host: &'d str,
    /// `None`: it was never refreshed.
    pub due_at: Option<Timestamp>,
}

/// When each of these feeds is to be refreshed, in their order: evenly, hosts taking turns.
///
/// Feeds never refreshed come at once and as fast as is decent; overdue ones over up to ten minutes.
pub fn spread(due: &[Due<'_>], now: Timestamp) -> Vec<Timestamp> {
    let mut times = vec![now; due.len()];
    let longest = due.iter().filter_map(|feed| feed.due_at).map(|due_at| now.duration_since(due_at)).max();
    let catch_up = longest.unwrap_or_default().clamp(SignedDuration::ZERO, CATCH_UP_MAX);
    for (window, never_refreshed) in [(SignedDuration::ZERO, true), (catch_up, false)] {
        let order = by_turns(due, |feed| feed.due_at.is_none() == never_refreshed);
        // The last one comes at the end of the window.
        let steps = i64::try_from(order.len()).unwrap_or(i64::MAX).saturating_sub(1).max(1);
        let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let least_ms = i64::try_from(STEP_MIN.as_millis()).unwrap_or(i64::MAX);
        for (place, index) in (0_i64..).zip(order) {
            let wait_ms = (window_ms.saturating_mul(place) / steps).max(least_ms.saturating_mul(place));
            let wait = SignedDuration::from_millis(wait_ms);
            times[index] = now.saturating_add(wait).unwrap_or(now);
        }
    }
    times
}

/// Indices of the chosen feeds: the first of each host, then the second of each, and so on.
fn by_turns(due: &[Due<'_>], chosen: impl Fn(&Due<'_>) -> bool) -> Vec<usize> {
    let mut turns: HashMap<&str, usize> = HashMap::new();
    let mut order: Vec<(usize, usize)> = due
        .iter()
        .enumerate()
        .filter(|(_, feed)| chosen(feed))
        .map(|(index, feed)| {
            let turn = turns.entry(feed.host).or_default();
            *turn += 1;
            (*turn, index)
        })
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn seconds(times: &[Timestamp]) -> Vec<f64> {
        times.iter().map(|at| at.duration_since(NOW).as_secs_f64()).collect()
    }

    #[test]
    fn p33_a_first_round_is_even_and_no_second_has_three_times_the_mean() {
        let hosts: Vec<String> = (0..500).map(|n| format!("host-{n}")).collect();
        let due: Vec<Due> = (0..5000).map(|n| Due { host: &hosts[n % 500], due_at: None }).collect();
        let times = seconds(&spread(&due, NOW));
        for second in 0..250_u32 {
            let within = f64::from(second)..f64::from(second + 1);
            let starts = times.iter().filter(|at| within.contains(at)).count();
            assert!(starts <= 3 * 20, "{starts} starts in second {second}");
        }
        assert!(times.contains(&0.0), "the first begins at once");
    }

    #[test]
    fn p35_after_three_days_off_overdue_feeds_take_ten_minutes() {
        let three_days_ago = Some(NOW - SignedDuration::from_hours(72));
        let due = vec![Due { host: "a", due_at: three_days_ago }; 200];
        let times = seconds(&spread(&due, NOW));
        let last = times.iter().copied().fold(0.0, f64::max);
        assert!((599.0..=600.0).contains(&last), "{last} s");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 2.9));
    }

    #[test]
    fn a_restart_is_not_felt() {
        let a_second_ago = Some(NOW - SignedDuration::from_secs(1));
        let due = vec![Due { host: "a", due_at: a_second_ago }; 5];
        assert!(seconds(&spread(&due, NOW)).iter().all(|at| *at <= 1.0));
        assert_eq!(spread(&[Due { host: "a", due_at: None }], NOW), [NOW]);
        assert!(spread(&[], NOW).is_empty());
    }

    #[test]
    fn hosts_take_turns() {
        let due = ["a", "a", "a", "b", "c"].map(|host| Due { host, due_at: None });
        assert_eq!(seconds(&spread(&due, NOW)), [0.0, 0.15, 0.2, 0.05, 0.1]);
    }
}
