use super::*;

/// A Tuesday, half past seven GMT.
const NOW: &str = "2026-11-24T07:30:00Z";
const ZONE: &TimeZone = &TimeZone::UTC;
const GOOD: Ended = Ended::Good;

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn input(interval: &Interval) -> PolicyInput<'_> {
    PolicyInput {
        now: now(),
        interval,
        min_interval: SignedDuration::from_mins(15),
        max_interval: DAY,
        time_zone: ZONE,
        ended: GOOD,
        is_conditional: true,
        asked: Asked::default(),
        rhythm: &[],
        harvest: None,
        last_overflow_at: None,
        chance: 0.5,
    }
}

fn fixed(seconds: i64) -> Interval {
    Interval::Fixed(SignedDuration::from_secs(seconds))
}

fn wait(input: &PolicyInput) -> i64 {
    next_check(input).at.expect("it is checked again").duration_since(input.now).as_secs()
}

/// Items at these many minutes before now.
fn rhythm(minutes: &[i64]) -> Vec<Timestamp> {
    minutes.iter().map(|minutes| now() - SignedDuration::from_mins(*minutes)).collect()
}

fn every(minutes: i64) -> Vec<Timestamp> {
    rhythm(&(1..20).map(|n| n * minutes).collect::<Vec<_>>())
}

const DAY: SignedDuration = SignedDuration::from_hours(24);
const MINUTE: i64 = 60;
const HOUR_S: i64 = 3600;
const DAY_S: i64 = 24 * HOUR_S;

#[test]
fn a_fixed_interval_is_kept_to_the_second() {
    let two_seconds = fixed(2);
    let mut input = input(&two_seconds);
    input.min_interval = SignedDuration::from_secs(2);
    for chance in [0.0, 0.99] {
        input.chance = chance;
        for is_conditional in [true, false] {
            input.is_conditional = is_conditional;
            assert_eq!(wait(&input), 2);
        }
    }
    assert_eq!(next_check(&input).reason, "every 2 s as configured");
}

#[test]
fn adaptive_follows_the_feeds_rhythm_within_bounds() {
    let check = |rhythm: &[Timestamp], expected_s: i64| {
        let input = PolicyInput { rhythm, ..input(&Interval::Adaptive) };
        assert_eq!(wait(&input), expected_s, "{}", next_check(&input).reason);
    };
    check(&[], HOUR_S);
    check(&every(5), 15 * MINUTE);
    check(&every(20), 20 * MINUTE);
    check(&every(59), 59 * MINUTE);
    check(&every(365 * 24 * 60), DAY_S);
    // How much by which hour of the day is shown with the hours.
    let about = |rhythm: &[Timestamp], expected_s: i64| {
        let waited = wait(&PolicyInput { rhythm, ..input(&Interval::Adaptive) });
        assert!((expected_s / 2..=expected_s * 2).contains(&waited), "{waited} s for about {expected_s} s");
    };
    about(&every(90), HOUR_S);
    about(&every(4 * 60), HOUR_S);
    about(&every(16 * 60), 2 * HOUR_S);
    about(&every(64 * 60), 4 * HOUR_S);
}

#[test]
fn a_silent_feed_slows_down_and_a_burst_is_one_event() {
    let check = |minutes: &[i64], expected_s: i64| {
        let rhythm = rhythm(minutes);
        assert_eq!(wait(&PolicyInput { rhythm: &rhythm, ..input(&Interval::Adaptive) }), expected_s, "{minutes:?}");
    };
    check(&[60 * 24 * 365 * 2, 60 * 24 * 365 * 2 + 10], DAY_S);
    let fallen_silent = rhythm(&[60 * 64, 60 * 64 + 10]);
    let waited = wait(&PolicyInput { rhythm: &fallen_silent, ..input(&Interval::Adaptive) });
    assert!((2 * HOUR_S..3 * HOUR_S).contains(&waited), "{waited} s, at an hour that brought nothing");
    check(&[10; 30], HOUR_S);
    check(&[0; 30], HOUR_S);
    let tomorrow = [now() + SignedDuration::from_hours(24)];
    assert_eq!(wait(&PolicyInput { rhythm: &tomorrow, ..input(&Interval::Adaptive) }), HOUR_S);
}

#[test]
fn adaptive_intervals_drift_apart_by_a_tenth_and_never_below_the_minimum() {
    let rhythm = every(64 * 60);
    let mut input = PolicyInput { rhythm: &rhythm, ..input(&Interval::Adaptive) };
    let even = wait(&input);
    input.chance = 0.0;
    assert!((wait(&input) - even * 9 / 10).abs() <= 1);
    input.chance = 0.999_999;
    assert!(wait(&input) > even * 109 / 100);
    let (busy, chance) = (every(1), 0.0);
    assert_eq!(wait(&PolicyInput { rhythm: &busy, chance, ..input.clone() }), 15 * MINUTE);
    assert_eq!(wait(&PolicyInput { rhythm: &every(90), chance, ..input }), HOUR_S, "an hour is an hour");
}

#[test]
fn p12_without_validators_once_a_day_unless_that_has_lost_items() {
    let check = |minutes: i64, new: usize, has_overflowed: bool, expected_s: std::ops::RangeInclusive<i64>| {
        let rhythm = every(minutes);
        let harvest = Some(Harvest { since_last: DAY, new, listed: 20 });
        let last_overflow_at = has_overflowed.then(|| now() - DAY * 30);
        let is_conditional = false;
        let input =
            PolicyInput { rhythm: &rhythm, harvest, last_overflow_at, is_conditional, ..input(&Interval::Adaptive) };
        let waited = wait(&input);
        assert!(expected_s.contains(&waited), "every {minutes} min, {new} new: {waited} s");
    };
    let a_day = DAY_S..=DAY_S * 11 / 10;
    for (minutes, new) in [(8 * 60, 0), (60, 0), (2, 0), (60, 12), (60, 19)] {
        check(minutes, new, false, a_day.clone());
    }
    check(8 * 60, 0, true, a_day);
    check(60, 0, true, 10 * HOUR_S..=11 * HOUR_S);
    check(2, 0, true, HOUR_S..=HOUR_S * 11 / 10);
    check(60, 20, true, DAY_S / 5..=DAY_S / 5);
    assert!(wait(&PolicyInput { is_conditional: false, ..input(&Interval::Adaptive) }) >= DAY_S);
    let failed = PolicyInput { ended: Ended::Failed { failure_count: 1 }, ..input(&Interval::Adaptive) };
    assert_eq!(wait(&PolicyInput { is_conditional: false, chance: 0.99, ..failed }), DAY_S);
}

#[test]
fn p13_p20_the_longest_of_all_that_is_asked_for_wins() {
    let ten_minutes = fixed(10 * MINUTE);
    let check = |asked: Asked, expected_s: i64, word: &str| {
        let next = next_check(&PolicyInput { asked, ..input(&ten_minutes) });
        let waited = next.at.unwrap().duration_since(now()).as_secs();
        assert_eq!(waited, expected_s, "{asked:?}");
        assert!(next.reason.contains(word), "{}", next.reason);
    };
    let s = |seconds| Some(SignedDuration::from_secs(seconds));
    check(Asked::default(), 15 * MINUTE, "min_interval");
    check(Asked { fresh_for: s(43_200), ..Asked::default() }, 43_200, "fresh");
    check(Asked { fresh_for: s(0), ttl_s: Some(0), ..Asked::default() }, 15 * MINUTE, "min_interval");
    check(Asked { ttl_s: Some(180 * 60), ..Asked::default() }, 180 * MINUTE, "ttl");
    check(Asked { fresh_for: s(60), ttl_s: Some(7200), retry_after: s(9000), ..Asked::default() }, 9000, "left alone");
}

#[test]
fn p17_no_one_but_the_operator_makes_a_feed_sleep_longer_than_a_week() {
    let interval = fixed(60);
    let asked = Asked { ttl_s: Some(1_000_000_000), ..Asked::default() };
    let next = next_check(&PolicyInput { asked, ..input(&interval) });
    assert_eq!(next.at.unwrap().duration_since(now()), WAIT_CEILING);
    assert!(next.reason.contains("cut to 7 d"), "{}", next.reason);
    let asked = Asked { fresh_for: Some(WAIT_CEILING), cut: true, ..Asked::default() };
    assert!(next_check(&PolicyInput { asked, ..input(&interval) }).reason.contains("cut to 7 d"));
    let month = fixed(30 * DAY_S);
    assert_eq!(wait(&input(&month)), 30 * DAY_S);
}

#[test]
fn p19_skipped_hours_and_days_are_left_out() {
    let hourly = fixed(HOUR_S);
    let check = |skip_hours: u32, skip_days: u8, expected: &str| {
        let asked = Asked { skip_hours, skip_days, ..Asked::default() };
        let next = next_check(&PolicyInput { asked, ..input(&hourly) });
        assert_eq!(next.at, Some(expected.parse().unwrap()), "{}", next.reason);
    };
    check(0, 0, "2026-11-24T08:30:00Z");
    check(1 << 8, 0, "2026-11-24T09:00:00Z");
    check(1 << 7, 0, "2026-11-24T08:30:00Z");
    check(0b111 << 8, 0, "2026-11-24T11:00:00Z");
    check(0, 1 << 1, "2026-11-25T00:00:00Z");
    check(1, 1 << 1, "2026-11-25T01:00:00Z");
    check(0, 0b111_1110, "2026-11-30T00:00:00Z");
    check((1 << 24) - 1, 0, "2026-11-24T08:30:00Z");
    check(0, 0b111_1111, "2026-11-24T08:30:00Z");
    let asked = Asked { skip_days: 0b111_1111, ..Asked::default() };
    assert!(next_check(&PolicyInput { asked, ..input(&hourly) }).reason.contains("ignored"));
}

#[test]
fn p21_p22_a_server_that_wants_peace_gets_it() {
    let ten_minutes = fixed(10 * MINUTE);
    let check = |failure_count, retry_after_s: Option<i64>, fresh_for_s: Option<i64>, expected_s| {
        let seconds = |seconds: Option<i64>| seconds.map(SignedDuration::from_secs);
        let asked = Asked { retry_after: seconds(retry_after_s), fresh_for: seconds(fresh_for_s), ..Asked::default() };
        let ended = Ended::RetryLater { failure_count };
        assert_eq!(wait(&PolicyInput { ended, asked, ..input(&ten_minutes) }), expected_s);
    };
    check(1, Some(7200), None, 7200);
    check(5, Some(7200), None, 7200);
    check(1, Some(60), None, 15 * MINUTE);
    check(1, Some(60), Some(172_800), 172_800);
    for (failure_count, hours) in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 24), (90, 24)] {
        check(failure_count, None, None, hours * HOUR_S);
    }
}

#[test]
fn p24_failures_back_off_by_doubling_up_to_the_maximum() {
    let two_seconds = fixed(2);
    let check = |failure_count, expected_s| {
        let mut input = input(&two_seconds);
        input.ended = Ended::Failed { failure_count };
        input.min_interval = SignedDuration::from_secs(2);
        assert_eq!(wait(&input), expected_s, "{failure_count}");
    };
    for (failure_count, expected_s) in [(1, 4), (2, 8), (3, 16), (10, 2048), (16, DAY_S), (u32::MAX, DAY_S)] {
        check(failure_count, expected_s);
    }
    for (chance, expected_s) in [(0.0, 850), (0.999_999_999, 1149)] {
        let interval = fixed(500);
        let ended = Ended::Failed { failure_count: 1 };
        let min_interval = SignedDuration::from_secs(1);
        assert_eq!(wait(&PolicyInput { min_interval, ended, chance, ..input(&interval) }), expected_s);
    }
}

#[test]
fn p24_a_failing_adaptive_feed_is_never_asked_sooner_than_when_it_is_well() {
    let check = |minutes: i64, failure_count, expected_s| {
        let (rhythm, ended) = (every(minutes), Ended::Failed { failure_count });
        assert_eq!(wait(&PolicyInput { rhythm: &rhythm, ended, ..input(&Interval::Adaptive) }), expected_s);
    };
    check(16 * 60, 1, 4 * HOUR_S);
    check(16 * 60, 2, 8 * HOUR_S);
    check(20, 1, 40 * MINUTE);
    check(20, 10, DAY_S);
    let asked = Asked { fresh_for: Some(WAIT_CEILING), ..Asked::default() };
    let ended = Ended::Failed { failure_count: 1 };
    assert_eq!(wait(&PolicyInput { ended, asked, ..input(&Interval::Adaptive) }), DAY_S, "an error's max-age");
}

#[test]
fn p26_a_feed_that_is_gone_is_asked_once_more_a_day_later() {
    let interval = fixed(60);
    let gone = |confirmed| PolicyInput { ended: Ended::Gone { confirmed }, ..input(&interval) };
    assert!(wait(&gone(false)) >= DAY_S);
    assert_eq!(next_check(&gone(true)).at, None);
}

#[test]
fn an_overflowing_window_is_caught_within_three_visits_and_kept() {
    for window_minutes in [31, 60, 240, 600] {
        let mut since_last = DAY;
        let mut last_overflow_at = None;
        let mut waits = Vec::new();
        for _ in 0..8 {
            let listed = 20;
            let gap_minutes = since_last.as_secs() / 60;
            let new = usize::try_from((listed * gap_minutes / window_minutes).min(listed)).unwrap();
            let harvest = Some(Harvest { since_last, new, listed: 20 });
            if new == 20 {
                last_overflow_at = Some(now());
            }
            // What the store shows of such a feed: the few items that were not missed, widely apart.
            let rhythm = every(24 * 60);
            let input = PolicyInput { rhythm: &rhythm, harvest, last_overflow_at, ..input(&Interval::Adaptive) };
            since_last = SignedDuration::from_secs(wait(&input));
            waits.push(since_last.as_secs() / 60);
        }
        let caught = waits.iter().position(|wait| *wait * 2 < window_minutes).unwrap();
        assert!(caught < 3, "window {window_minutes} min: waits {waits:?} min");
        assert!(waits[3..].iter().all(|wait| *wait <= window_minutes * 3 / 4), "{window_minutes}: {waits:?}");
    }
}

#[test]
fn an_overflow_does_not_override_the_operator() {
    let hourly = fixed(HOUR_S);
    let harvest = Some(Harvest { since_last: HOUR, new: 20, listed: 20 });
    assert_eq!(wait(&PolicyInput { harvest, ..input(&hourly) }), HOUR_S);
}

#[test]
fn cron_fires_by_its_pattern_but_not_before_what_is_asked_for() {
    let cron = Interval::Cron("0 0 */2 * * *".to_owned());
    let check = |asked: Asked, ended, expected: &str| {
        let next = next_check(&PolicyInput { ended, asked, ..input(&cron) });
        assert_eq!(next.at, Some(expected.parse().unwrap()), "{}", next.reason);
        assert!(next.reason.contains("0 0 */2 * * *"), "{}", next.reason);
    };
    check(Asked::default(), GOOD, "2026-11-24T08:00:00Z");
    let fresh = Asked { fresh_for: Some(SignedDuration::from_hours(3)), ..Asked::default() };
    check(fresh, GOOD, "2026-11-24T12:00:00Z");
    let just = Asked { retry_after: Some(SignedDuration::from_mins(30)), ..Asked::default() };
    check(just, GOOD, "2026-11-24T08:00:00Z");
    check(Asked::default(), Ended::Failed { failure_count: 3 }, "2026-11-24T10:00:00Z");
}

#[test]
fn nothing_panics_at_the_ends_of_time() {
    let long = Interval::Fixed(SignedDuration::MAX);
    for interval in [&long, &Interval::Adaptive] {
        for at in [Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH] {
            let rhythm = [Timestamp::MAX, Timestamp::MIN];
            for ended in [GOOD, Ended::Failed { failure_count: u32::MAX }, Ended::RetryLater { failure_count: 0 }] {
                let asked = Asked { ttl_s: Some(u64::MAX), skip_hours: 0x7f_ffff, ..Asked::default() };
                let harvest = Some(Harvest { since_last: SignedDuration::MIN, new: usize::MAX, listed: usize::MAX });
                let base = input(interval);
                next_check(&PolicyInput { now: at, rhythm: &rhythm, ended, asked, harvest, ..base });
            }
        }
    }
}
