use super::*;
use crate::digest::{assign, issue_entry_id};
use crate::model::{DigestName, PendingEntry};
use jiff::civil::time;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn calendar(schedule: &Schedule, zone: &str) -> Calendar {
    Calendar::new(schedule, TimeZone::get(zone).expect("a known zone")).expect("a good schedule")
}

fn day(hour: i8, minute: i8) -> Schedule {
    Schedule::Day { at: time(hour, minute, 0, 0) }
}

fn week(on: Weekday, hour: i8) -> Schedule {
    Schedule::Week { on, at: time(hour, 0, 0, 0) }
}

fn month(day: i8, hour: i8) -> Schedule {
    Schedule::Month { day, at: time(hour, 0, 0, 0) }
}

/// The periods from one instant to another, as `name: end`, the end in the zone.
#[track_caller]
fn check(schedule: &Schedule, zone: &str, from: &str, to: &str, expected: &[&str]) {
    let calendar = calendar(schedule, zone);
    let printed = |period: &Period| {
        let end = period.ends_at.to_zoned_datetime(calendar.time_zone.clone());
        format!("{}: {}", period.name, end.strftime("%a %F %H:%M %z"))
    };
    let periods = calendar.due_periods(Some(at(from)), at(to));
    assert_eq!(periods.iter().map(printed).collect::<Vec<_>>(), expected);
}

#[test]
fn ten_days_asleep_yield_each_missing_issue_once() {
    let expected: Vec<String> = (14..24).map(|day| format!("2026-11-{day}: ")).collect();
    let periods =
        calendar(&day(8, 0), "Europe/Paris").due_periods(Some(at("2026-11-14T07:00:00Z")), at("2026-11-24T07:00:00Z"));
    assert_eq!(periods.iter().map(|period| format!("{}: ", period.name)).collect::<Vec<_>>(), expected);
    assert!(periods.windows(2).all(|pair| pair[0].ends_at == pair[1].starts_at));
}

/// Stepped through a day for each, these took hours.
#[test]
fn a_cut_a_second_costs_no_more_than_any_other() {
    let schedule = Schedule::Cron("* * * * * *".into());
    let (from, to) = (at("2026-11-24T07:00:00Z"), at("2026-11-24T19:00:00Z"));
    let periods = calendar(&schedule, "Europe/Paris").due_periods(Some(from), to);
    assert_eq!(periods.len(), PERIODS_PER_CALL);
    assert_eq!((periods[0].name.as_str(), periods[999].ends_at), ("2026-11-24T07:00:01Z", at("2026-11-24T07:16:40Z")));
}

#[test]
fn a_period_is_named_by_the_day_week_or_month_that_holds_most_of_it() {
    let (zone, to) = ("Europe/Paris", "2026-12-02T12:00:00Z");
    check(&day(8, 0), zone, "2026-12-01T07:00:00Z", to, &["2026-12-01: Wed 2026-12-02 08:00 +0100"]);
    check(&day(18, 0), zone, "2026-11-30T17:00:00Z", to, &["2026-12-01: Tue 2026-12-01 18:00 +0100"]);
    let monday = week(Weekday::Monday, 8);
    check(&monday, zone, "2026-11-23T07:00:00Z", to, &["2026-W48: Mon 2026-11-30 08:00 +0100"]);
    let friday = week(Weekday::Friday, 17);
    check(&friday, zone, "2026-11-20T16:00:00Z", to, &["2026-W48: Fri 2026-11-27 17:00 +0100"]);
    check(&month(1, 8), zone, "2026-11-01T07:00:00Z", to, &["2026-11: Tue 2026-12-01 08:00 +0100"]);
    check(&month(31, 20), zone, "2026-10-31T19:00:00Z", to, &["2026-11: Mon 2026-11-30 20:00 +0100"]);
    let cron = Schedule::Cron("0 30 9 * * Mon,Wed".into());
    check(&cron, zone, "2026-11-30T08:30:00Z", to, &["2026-12-02T08:30:00Z: Wed 2026-12-02 09:30 +0100"]);
}

#[test]
fn week_numbers_are_of_the_week_year() {
    let expected = ["2026-W53: Mon 2027-01-04 00:00 +0100", "2027-W01: Mon 2027-01-11 00:00 +0100"];
    check(&week(Weekday::Monday, 0), "Europe/Paris", "2026-12-27T23:00:00Z", "2027-01-12T00:00:00Z", &expected);
}

#[test]
fn a_skipped_time_happens_when_the_skip_ends() {
    let expected = [
        "2026-03-27: Sat 2026-03-28 02:30 +0100",
        "2026-03-28: Sun 2026-03-29 03:00 +0200",
        "2026-03-29: Mon 2026-03-30 02:30 +0200",
    ];
    check(&day(2, 30), "Europe/Paris", "2026-03-27T01:30:00Z", "2026-03-30T12:00:00Z", &expected);
    // Samoa left out 30 December 2011: its cut falls at the first moment of the 31st.
    let expected = [
        "2011-12-28: Thu 2011-12-29 08:00 -1000",
        "2011-12-29: Sat 2011-12-31 00:00 +1400",
        "2011-12-30: Sat 2011-12-31 08:00 +1400",
    ];
    check(&day(8, 0), "Pacific/Apia", "2011-12-28T18:00:00Z", "2011-12-30T20:00:00Z", &expected);
}

#[test]
fn a_repeated_time_happens_the_first_time_only() {
    let expected = ["2026-10-24: Sun 2026-10-25 02:30 +0200", "2026-10-25: Mon 2026-10-26 02:30 +0100"];
    check(&day(2, 30), "Europe/Paris", "2026-10-24T00:30:00Z", "2026-10-26T12:00:00Z", &expected);
    // Half an hour is repeated on Lord Howe Island.
    let expected = ["2026-04-04: Sun 2026-04-05 01:45 +1100", "2026-04-05: Mon 2026-04-06 01:45 +1030"];
    check(&day(1, 45), "Australia/Lord_Howe", "2026-04-03T14:45:00Z", "2026-04-06T00:00:00Z", &expected);
}

#[test]
fn an_hourly_pattern_goes_on_through_a_change_of_clocks() {
    let hourly = Schedule::Cron("0 0 * * * *".into());
    let count = |from, to| calendar(&hourly, "Europe/Paris").due_periods(Some(at(from)), at(to)).len();
    assert_eq!(count("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"), 23);
    // The repeated hour is one long period: the dial shows 02:00 twice, and the first time counts.
    assert_eq!(count("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"), 24);
}

#[test]
fn the_first_period_after_a_change_of_schedule_is_named_by_its_end() {
    let from = "2026-11-23T07:00:00Z"; // a cut of the old schedule, at 08:00
    let expected = ["2026-11-23T17:00:00Z: Mon 2026-11-23 18:00 +0100", "2026-11-24: Tue 2026-11-24 18:00 +0100"];
    check(&day(18, 0), "Europe/Paris", from, "2026-11-24T20:00:00Z", &expected);
}

#[test]
fn a_digest_without_a_beginning_has_its_last_period_due() {
    let periods = calendar(&week(Weekday::Monday, 8), "Europe/Paris").due_periods(None, at("2026-11-24T06:00:00Z"));
    assert_eq!(periods.len(), 1);
    assert_eq!(periods[0].name, "2026-W47");
    assert_eq!((periods[0].starts_at, periods[0].ends_at), (at("2026-11-16T07:00:00Z"), at("2026-11-23T07:00:00Z")));
}

#[test]
fn a_pattern_that_never_comes_is_never_due() {
    let never = calendar(&Schedule::Cron("0 0 0 30 2 *".into()), "Europe/Paris");
    assert_eq!(never.next_cut_at(at("2026-11-24T06:00:00Z")), None);
    assert!(never.due_periods(None, at("2026-11-24T06:00:00Z")).is_empty());
}

#[test]
fn a_bad_pattern_is_named() {
    for pattern in ["", "0 8 * * Mon", "0 0 25 * * *", "every day"] {
        let error = Calendar::new(&Schedule::Cron(pattern.into()), TimeZone::UTC).unwrap_err();
        assert!(error.to_string().contains(&format!("`{pattern}`")), "{error}");
    }
}

const ZONES: [&str; 12] = [
    "Europe/Paris",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Nuuk",
    "Atlantic/Azores",
    "Africa/Casablanca",
    "Asia/Shanghai",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "UTC",
];

fn schedules() -> impl Strategy<Value = Schedule> {
    let times = || (0..24_i8, 0..60_i8).prop_map(|(hour, minute)| time(hour, minute, 0, 0));
    let weekdays = (1..=7_i8).prop_map(|day| Weekday::from_monday_one_offset(day).expect("a weekday"));
    prop_oneof![
        times().prop_map(|at| Schedule::Day { at }),
        (weekdays, times()).prop_map(|(on, at)| Schedule::Week { on, at }),
        (1..=31_i8, times()).prop_map(|(day, at)| Schedule::Month { day, at }),
        prop_oneof!["0 (0|15|30|59) (0|1|2|3|\\*|\\*/3) \\* \\* \\*", "0 30 2 \\* \\* (Mon|Sun|Mon-Fri)"]
            .prop_map(Schedule::Cron),
    ]
}

/// Instants of the years in which the zones above changed their clocks, and a few to come.
fn instants() -> impl Strategy<Value = Timestamp> {
    let days = prop_oneof![8_600..8_650_i64, 15_320..15_345_i64, 18_900..21_900_i64];
    (days, 0..86_400_i64).prop_map(|(day, second)| Timestamp::from_second(day * 86_400 + second).expect("in range"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn periods_tile_time_and_keep_their_names(
        schedule in schedules(), zone in prop::sample::select(&ZONES), start in instants(),
        steps_s in prop::collection::vec(0..250_000_i64, 1..12),
    ) {
        let calendar = calendar(&schedule, zone);
        let (mut now, mut reached, mut stepwise) = (start, start, Vec::new());
        for step in steps_s {
            now += SignedDuration::from_secs(step);
            let due = calendar.due_periods(Some(reached), now);
            reached = due.last().map_or(reached, |period| period.ends_at);
            prop_assert!(calendar.next_cut_at(reached).is_none_or(|next| next > now), "something due was left out");
            stepwise.extend(due);
        }
        let at_once = calendar.due_periods(Some(start), now);
        prop_assert_eq!(&stepwise, &at_once);
        let starts = std::iter::once(start).chain(at_once.iter().map(|period| period.ends_at));
        for (period, start) in at_once.iter().zip(starts) {
            prop_assert_eq!(period.starts_at, start);
            prop_assert!(period.ends_at > start && period.ends_at <= now);
        }
        let names: BTreeSet<&String> = at_once.iter().map(|period| &period.name).collect();
        prop_assert_eq!(names.len(), at_once.len(), "two periods share a name: {:?}", at_once);
    }

    #[test]
    fn every_date_has_one_daily_cut(hour in 0..24_i8, minute in 0..60_i8, zone in prop::sample::select(&ZONES), start in instants()) {
        let calendar = calendar(&day(hour, minute), zone);
        let end = start + SignedDuration::from_hours(24 * 30);
        let dates = |at: Timestamp| calendar.time_zone.to_datetime(at).date();
        let passed = dates(start).until(dates(end)).expect("in range").get_days();
        let count = i32::try_from(calendar.due_periods(Some(start), end).len()).expect("few");
        prop_assert!((count - passed).abs() <= 1, "{} cuts in {} days", count, passed);
    }

    #[test]
    fn names_survive_changes_of_schedule(
        configs in prop::collection::vec((schedules(), 0..2_000_000_i64), 1..6), zone in prop::sample::select(&ZONES), start in instants(),
    ) {
        let (mut now, mut reached, mut names) = (start, start, BTreeSet::new());
        for (schedule, step) in configs {
            now += SignedDuration::from_secs(step);
            for period in calendar(&schedule, zone).due_periods(Some(reached), now) {
                prop_assert_eq!(period.starts_at, reached);
                reached = period.ends_at;
                prop_assert!(names.insert(period.name.clone()), "{} came twice", period.name);
            }
        }
    }

    #[test]
    fn names_survive_changes_of_zone_with_their_stand_in(
        configs in prop::collection::vec((0..24_i8, prop::sample::select(&ZONES), 0..500_000_i64), 1..6), start in instants(),
    ) {
        let (mut now, mut reached, mut names) = (start, start, BTreeSet::new());
        for (hour, zone, step) in configs {
            now += SignedDuration::from_secs(step);
            for period in calendar(&day(hour, 0), zone).due_periods(Some(reached), now) {
                reached = period.ends_at;
                prop_assert!(names.insert(period.name.clone()) || names.insert(period.name_by_end()));
            }
        }
    }

    /// Random arrivals, cuts, sleeps, crashes after a cut was computed, and a clock that jumps both ways.
    #[test]
    fn every_story_is_in_exactly_one_issue(
        schedule in schedules(), zone in prop::sample::select(&ZONES), start in instants(),
        events in prop::collection::vec((0..4_u8, -200_000..400_000_i64), 1..60),
    ) {
        let calendar = calendar(&schedule, zone);
        let digest = DigestName("d".into());
        let (mut now, mut reached, mut sequence) = (start, start, 0);
        let mut pending: Vec<PendingEntry> = Vec::new();
        let mut issues: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        let far = SignedDuration::from_hours(24 * 70);
        for (kind, step) in events.into_iter().chain([(3, far.as_secs())]) {
            now += SignedDuration::from_secs(step);
            match kind {
                0 | 1 => {
                    sequence += 1;
                    pending.push(PendingEntry { sequence, entered_at: now });
                }
                2 => drop(assign(&pending, calendar.due_periods(Some(reached), now), now)),
                _ => {
                    for cut in assign(&pending, calendar.due_periods(Some(reached), now), now) {
                        reached = cut.period.ends_at;
                        pending.retain(|entry| !cut.sequences.contains(&entry.sequence));
                        let id = issue_entry_id(&digest, &cut.period.name).0;
                        prop_assert!(issues.insert(id, cut.sequences).is_none(), "an issue was cut twice");
                    }
                }
            }
        }
        // Whatever the clock did, the cuts go on from where they were; the next one takes all that waits.
        let after = reached.max(now) + far;
        for cut in assign(&pending, calendar.due_periods(Some(reached), after), after) {
            pending.retain(|entry| !cut.sequences.contains(&entry.sequence));
            prop_assert!(issues.insert(issue_entry_id(&digest, &cut.period.name).0, cut.sequences).is_none());
        }
        let mut published: Vec<i64> = issues.into_values().flatten().collect();
        published.sort_unstable();
        prop_assert_eq!(published, (1..=sequence).collect::<Vec<_>>());
        prop_assert!(pending.is_empty());
    }

    #[test]
    fn a_story_is_in_the_period_in_which_it_entered(
        schedule in schedules(), zone in prop::sample::select(&ZONES), start in instants(), offsets_s in prop::collection::vec(0..3_000_000_i64, 1..40),
    ) {
        let pending: Vec<PendingEntry> = offsets_s.iter().zip(1..).map(|(offset, sequence)| {
            PendingEntry { sequence, entered_at: start + SignedDuration::from_secs(*offset) }
        }).collect();
        let now = start + SignedDuration::from_secs(2_000_000);
        let cuts = assign(&pending, calendar(&schedule, zone).due_periods(Some(start), now), now);
        for cut in &cuts {
            for entry in pending.iter().filter(|entry| cut.sequences.contains(&entry.sequence)) {
                let is_inside = cut.period.starts_at <= entry.entered_at && entry.entered_at < cut.period.ends_at;
                prop_assert!(is_inside || entry.entered_at > now);
            }
        }
    }
}
