//! The hours of the day at which a feed publishes, and what they make of a wait: shorter where its items come, longer at night.
//!
//! Pure, and without an opinion on how many visits a day are right: over a whole day there are as many as without it.

use crate::model::Timestamp;
use jiff::SignedDuration;

const HOURS: usize = 24;
const HOUR_S: f64 = 3600.0;
const DAY_S: f64 = 24.0 * HOUR_S;
/// So many items, spread evenly over the day, are thought of beside those that were seen: a few prove no habit.
const EVEN_ITEMS: f64 = 8.0;

/// How fast time passes in each hour (GMT) as far as the feed's items are concerned; one on average.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hours([f64; HOURS]);

impl Hours {
    /// From the instants at which items appeared. An item counts for half in its hour and for a quarter in those beside it.
    ///
    /// Where items come four times as often there are twice as many visits: for a given number of visits the delay of an
    /// item is least when they go with the square root of the rate.
    pub(super) fn of(times: &[Timestamp]) -> Self {
        let mut share = [EVEN_ITEMS / 24.0; HOURS];
        for time in times {
            let hour = hour_of(*time);
            for (at, part) in [(hour + HOURS - 1, 0.25), (hour, 0.5), (hour + 1, 0.25)] {
                share[at % HOURS] += part;
            }
        }
        let speeds = share.map(f64::sqrt);
        let mean = speeds.iter().sum::<f64>() / 24.0;
        Self(speeds.map(|speed| speed / mean))
    }

    /// How long a wait from `now` is that would be `even` if all hours were alike.
    pub(super) fn wait(&self, even: SignedDuration, now: Timestamp) -> SignedDuration {
        let days = (even.as_secs_f64() / DAY_S).floor();
        let (mut left_s, mut wait_s) = (even.as_secs_f64() - days * DAY_S, days * DAY_S);
        let (mut hour, mut rest_s) = (hour_of(now), HOUR_S - f64::from(second_of_hour(now)));
        // A day of any hours is as long as an even one.
        for _ in 0..=HOURS {
            let speed = self.0[hour % HOURS];
            if speed * rest_s >= left_s {
                wait_s += left_s / speed;
                break;
            }
            (left_s, wait_s) = (left_s - speed * rest_s, wait_s + rest_s);
            (hour, rest_s) = (hour + 1, HOUR_S);
        }
        SignedDuration::try_from_secs_f64(wait_s).unwrap_or(even)
    }
}

fn hour_of(at: Timestamp) -> usize {
    usize::try_from(at.as_second().div_euclid(3600).rem_euclid(24)).expect("less than 24")
}

fn second_of_hour(at: Timestamp) -> u16 {
    u16::try_from(at.as_second().rem_euclid(3600)).expect("less than 3600")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600).unwrap()
    }

    fn wait_min(hours: &Hours, even_min: i64, now: Timestamp) -> i64 {
        (hours.wait(SignedDuration::from_mins(even_min), now) + SignedDuration::from_millis(500)).as_secs() / 60
    }

    #[test]
    fn without_a_habit_a_wait_is_what_it_was() {
        for hours in [Hours::of(&[]), Hours::of(&(0..240).map(|n| at(n * 7)).collect::<Vec<_>>())] {
            for even_min in [1, 60, 150, 1440, 4000] {
                let waited = wait_min(&hours, even_min, at(5) + SignedDuration::from_mins(17));
                assert!((waited - even_min).abs() <= 1, "{waited} for {even_min}");
            }
        }
    }

    #[test]
    fn a_feed_of_the_morning_is_asked_in_the_morning_and_as_often_over_a_day() {
        let mornings: Vec<Timestamp> = (0..30).map(|day| at(day * 24 + 8)).collect();
        let hours = Hours::of(&mornings);
        assert!(wait_min(&hours, 120, at(8)) < 60, "{}", wait_min(&hours, 120, at(8)));
        assert!(wait_min(&hours, 120, at(20)) > 180, "{}", wait_min(&hours, 120, at(20)));
        let (mut now, mut visits) = (at(0), 0);
        while now < at(24) {
            now += hours.wait(SignedDuration::from_mins(120), now);
            visits += 1;
        }
        assert!((12..=13).contains(&visits), "{visits}");
        assert_eq!(wait_min(&hours, 1440, at(3)), 1440);
        assert_eq!(wait_min(&hours, 3 * 1440, at(3)), 3 * 1440);
    }

    #[test]
    fn the_ends_of_time_do_no_harm() {
        let hours = Hours::of(&[Timestamp::MIN, Timestamp::MAX]);
        for now in [Timestamp::MIN, Timestamp::MAX] {
            for even in [SignedDuration::ZERO, SignedDuration::MAX] {
                hours.wait(even, now);
            }
        }
    }
}
