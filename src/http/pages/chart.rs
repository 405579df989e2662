//! A small bar chart, drawn as SVG in the page: no script, no image to load.

use crate::model::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

const BAR_STEP: usize = 8;
const BAR_WIDTH: usize = 6;
const HEIGHT: u64 = 48;

/// Items a day, oldest first; the last bar is today's. `subject` says of what: `items`.
pub(super) fn items_a_day(counts: &[u64], now: Timestamp, subject: &str) -> Markup {
    let most = counts.iter().copied().max().unwrap_or(0);
    let total: u64 = counts.iter().sum();
    let width = counts.len() * BAR_STEP - (BAR_STEP - BAR_WIDTH);
    let summary = format!("{total} {subject} in {} days, at most {most} a day", counts.len());
    html! {
        figure.chart {
            svg viewBox={ "0 0 " (width) " " (HEIGHT) } role="img" aria-label=(summary) preserveAspectRatio="none" {
                @for (index, count) in counts.iter().enumerate() {
                    @let height = bar_height(*count, most);
                    @let days_ago = counts.len() - 1 - index;
                    rect x=(index * BAR_STEP) y=(HEIGHT - height) width=(BAR_WIDTH) height=(height)
                        class=[(days_ago == 0).then_some("today")] {
                        title { (day(now, days_ago)) ": " (count) }
                    }
                }
            }
            figcaption { (summary) }
        }
    }
}

/// Proportional, but a day with anything at all is seen.
fn bar_height(count: u64, most: u64) -> u64 {
    match count {
        0 => 1,
        _ => (count * HEIGHT / most.max(1)).max(3),
    }
}

/// The store counts days in UTC.
fn day(now: Timestamp, days_ago: usize) -> String {
    let ago = jiff::Span::new().days(i64::try_from(days_ago).unwrap_or(0));
    let date = now.to_zoned_datetime(TimeZone::UTC).date();
    date.checked_sub(ago).map_or_else(|_| String::new(), |date| date.strftime("%-d %b").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_proportional_and_never_nothing() {
        assert_eq!([0, 1, 500, 1000].map(|count| bar_height(count, 1000)), [1, 3, 24, 48]);
        assert_eq!(bar_height(0, 0), 1);
    }

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let chart = items_a_day(&[1, 0, 3], "2026-11-24T08:00:00Z".parse().unwrap(), "items").into_string();
        assert!(chart.contains("4 items in 3 days, at most 3 a day"), "{chart}");
        assert!(chart.contains("<title>22 Nov: 1</title>") && chart.contains("<title>24 Nov: 3</title>"), "{chart}");
        assert!(!chart.contains("style="));
    }
}
