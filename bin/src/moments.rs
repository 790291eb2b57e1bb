//! Moments and spans of time as people and Kafka's tools write them.

const DAY_MS: i64 = 86_400_000;

/// Milliseconds of a span: `90s`, `15m`, `2h`, `7d`.
pub(crate) fn parse_span(text: &str) -> Option<i64> {
    let unit_ms = match text.as_bytes().last()? {
        b's' => 1_000,
        b'm' => 60_000,
        b'h' => 3_600_000,
        b'd' => DAY_MS,
        _ => return None,
    };
    Some(number(&text[..text.len() - 1])?.saturating_mul(unit_ms))
}

/// Milliseconds of a duration as ISO 8601 writes it and Java reads it: `P1DT2H3M4.5S`, each part with a sign if need be.
pub(crate) fn parse_iso_duration(text: &str) -> Option<i64> {
    let text = text.to_ascii_uppercase();
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.as_str()),
    };
    let rest = rest.strip_prefix('P')?;
    let (days, time) = rest.split_once('T').map_or((rest, None), |(days, time)| (days, Some(time)));
    if time.is_some_and(str::is_empty) || rest.is_empty() {
        return None;
    }
    let total = parts(days, &[('D', DAY_MS)])?;
    let total = total.checked_add(parts(time.unwrap_or(""), &[('H', 3_600_000), ('M', 60_000), ('S', 1_000)])?)?;
    Some(sign * total)
}

/// Numbers with units in this order, each at most once; only seconds may have a fraction.
fn parts(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut total = 0i64;
    for (unit, unit_ms) in units {
        let Some((value, rest)) = text.split_once(*unit) else { continue };
        let part = if *unit == 'S' { seconds_ms(value)? } else { value.parse::<i64>().ok()?.checked_mul(*unit_ms)? };
        total = total.checked_add(part)?;
        text = rest;
    }
    text.is_empty().then_some(total)
}

fn seconds_ms(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let ms = whole.parse::<i64>().ok()?.checked_mul(1_000)?;
    let fraction = fraction_ms(fraction)?;
    Some(if whole.starts_with('-') { ms - fraction } else { ms + fraction })
}

/// `5` is half a second: the digits behind a point, those behind the third being dropped.
fn fraction_ms(digits: &str) -> Option<i64> {
    if digits.is_empty() {
        return Some(0);
    }
    let digits: String = digits.chars().chain("00".chars()).take(digits.len().clamp(3, 9)).collect();
    number(&digits)?;
    number(&digits[..3])
}

/// Milliseconds since the epoch of a date and time as ISO 8601 writes it: `2026-11-25T10:00:00.000`, with or without seconds and
/// fractions. Without a zone (`Z`, `+01:00`, `+0100`) it is UTC, as in Kafka's tools (`Utils.getDateTime`).
pub(crate) fn parse_datetime(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let (time, zone_minutes) = split_zone(time)?;
    let mut date = date.splitn(3, '-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.splitn(3, ':');
    let (hours, minutes) = (number(time.next()?)?, number(time.next()?)?);
    let ms = time.next().map_or(Some(0), seconds_ms)?;
    let month_days = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let is_sound = (1..=9_999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=month_days).contains(&day)
        && (0..24).contains(&hours)
        && (0..60).contains(&minutes)
        && (0..60_000).contains(&ms);
    is_sound.then(|| days_from_civil(year, month, day) * DAY_MS + (hours * 60 + minutes - zone_minutes) * 60_000 + ms)
}

/// The time without its zone, and the zone's distance from UTC in minutes.
fn split_zone(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some((time, 0));
    }
    let Some(at) = time.find(['+', '-']) else { return Some((time, 0)) };
    let digits: String = time[at + 1..].chars().filter(|char| *char != ':').collect();
    let minutes = match digits.len() {
        2 => number(&digits)? * 60,
        4 => number(&digits[..2])? * 60 + number(&digits[2..])?,
        _ => return None,
    };
    let sign = if time.as_bytes()[at] == b'-' { -1 } else { 1 };
    Some((&time[..at], sign * minutes))
}

fn number(digits: &str) -> Option<i64> {
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// Days since 1970-01-01, after Howard Hinnant.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// A moment in milliseconds since the epoch as ISO 8601 writes it, in UTC: `2026-11-25T10:20:30.000Z`. One that is none, before 1970
/// or after 9999, stays a number.
pub(crate) fn format_utc(moment: i64) -> String {
    let (days, ms) = (moment.div_euclid(DAY_MS), moment.rem_euclid(DAY_MS));
    let (year, month, day) = civil_from_days(days);
    if !(1970..10_000).contains(&year) {
        return moment.to_string();
    }
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", ms % 1_000)
}

/// The date so many days after 1970-01-01, after Howard Hinnant.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        for text in [
            "1970-01-01T00:00:00.000Z",
            "2024-02-29T23:59:59.999Z",
            "2026-11-25T10:20:30.007Z",
            "9999-12-31T00:00:00.000Z",
        ] {
            assert_eq!(parse_datetime(text).map(format_utc).as_deref(), Some(text));
        }
        let (first, last) = (0, 8_000 * 365 * DAY_MS);
        for moment in (first..last).step_by(7_654_321_987) {
            assert_eq!(parse_datetime(&format_utc(moment)), Some(moment));
        }
        for odd in [-1, i64::MIN, i64::MAX] {
            assert_eq!(format_utc(odd), odd.to_string());
        }
    }

    #[test]
    fn spans_have_one_unit() {
        assert_eq!(
            (parse_span("90s"), parse_span("15m"), parse_span("2h")),
            (Some(90_000), Some(900_000), Some(7_200_000))
        );
        assert_eq!(
            (parse_span("7d"), parse_span("m"), parse_span("-1s"), parse_span("5")),
            (Some(604_800_000), None, None, None)
        );
    }

    #[test]
    fn durations_are_those_of_java() {
        let day = 86_400_000;
        for (text, ms) in [
            ("P1D", day),
            ("PT15M", 900_000),
            ("p2dT3h4m5.678S", 2 * day + 11_045_678),
            ("-PT1S", -1_000),
            ("PT-1H", -3_600_000),
        ] {
            assert_eq!(parse_iso_duration(text), Some(ms), "{text}");
        }
        for text in ["", "P", "PT", "1D", "P1H", "PT1D", "PT1S2M", "PT1.5M", "P1DT"] {
            assert_eq!(parse_iso_duration(text), None, "{text}");
        }
    }

    #[test]
    fn dates_are_utc_unless_they_name_a_zone() {
        // date -d 2026-11-25T10:20:30Z +%s
        let moment = 1_795_602_030_000;
        for text in
            ["2026-11-25T10:20:30", "2026-11-25T10:20:30.000Z", "2026-11-25T11:20:30+01:00", "2026-11-25T05:50:30-0430"]
        {
            assert_eq!(parse_datetime(text), Some(moment), "{text}");
        }
        assert_eq!(parse_datetime("2026-11-25T10:20"), Some(moment - 30_000));
        assert_eq!(parse_datetime("2024-02-29T00:00:00.5"), Some(1_709_164_800_500));
        assert_eq!(parse_datetime("1970-01-01T00:00:00"), Some(0));
        for text in
            ["2026-11-25", "2026-13-01T00:00", "2025-02-29T00:00", "2026-11-25T24:00", "x", "2026-11-25T10:00:00+1"]
        {
            assert_eq!(parse_datetime(text), None, "{text}");
        }
    }
}
