//! Timestamp text to epoch milliseconds.

/// The instant of an RFC 3339 timestamp in milliseconds since 1970, or `None` when it does not parse.
///
/// Any fraction (cut to milliseconds, towards the past) and any offset; years 0000 to 9999 as RFC 3339
/// has them. A leap second (`:60`) does not parse: no instant in epoch milliseconds is it.
pub(crate) fn epoch_ms(text: &str) -> Option<i64> {
    let (date, rest) = split(text.as_bytes(), 10)?;
    let (t, rest) = split(rest, 1)?;
    let (time, rest) = split(rest, 8)?;
    let [year, month, day] = numbers(date, [(0, 4), (5, 2), (8, 2)], b'-')?;
    let [hour, minute, second] = numbers(time, [(0, 2), (3, 2), (6, 2)], b':')?;
    let in_range = matches!(t[0], b'T' | b't' | b' ')
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range {
        return None;
    }
    let (millis, zone) = fraction(rest)?;
    let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset(zone)?;
    Some((minutes * 60 + second) * 1000 + millis)
}

fn split(text: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    (text.len() >= at).then(|| text.split_at(at))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))
}

/// The three numbers of `text` at their places, with the separator between them.
fn numbers(text: &[u8], at: [(usize, usize); 3], separator: u8) -> Option<[i64; 3]> {
    let part = |(start, len): (usize, usize)| number(&text[start..start + len]);
    let separated = text[at[1].0 - 1] == separator && text[at[2].0 - 1] == separator;
    separated.then_some(())?;
    Some([part(at[0])?, part(at[1])?, part(at[2])?])
}

/// The milliseconds of a fraction, 0 without one, and what stands behind it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let len = digits.iter().take_while(|d| d.is_ascii_digit()).count();
    if len == 0 {
        return None;
    }
    let millis = (0..3).fold(0, |n, i| n * 10 + digits[..len].get(i).map_or(0, |d| i64::from(d - b'0')));
    Some((millis, &digits[len..]))
}

/// The offset of a zone from UTC in minutes.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), rest @ ..] if rest.len() == 5 && rest[2] == b':' => {
            let (hours, minutes) = (number(&rest[..2])?, number(&rest[3..])?);
            let offset = (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)?;
            Some(if *sign == b'-' { -offset } else { offset })
        }
        _ => None,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, by counting from March, so that
/// the leap day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let month = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::format_description::well_known::Rfc3339;

    #[test]
    fn the_forms_the_service_and_rfc_3339_use() {
        for (text, ms) in [
            ("1970-01-01T00:00:00.000Z", Some(0)),
            ("2026-10-21T14:02:11.925Z", Some(1_792_591_331_925)),
            ("2026-10-21T14:02:11Z", Some(1_792_591_331_000)),
            ("2026-10-21t14:02:11.9z", Some(1_792_591_331_900)),
            ("2026-10-21 14:02:11.92599999999Z", Some(1_792_591_331_925)),
            ("2026-10-21T16:02:11.925+02:00", Some(1_792_591_331_925)),
            ("2026-10-21T09:32:11.925-04:30", Some(1_792_591_331_925)),
            ("0000-01-01T00:00:00Z", Some(-62_167_219_200_000)),
            ("9999-12-31T23:59:59.999Z", Some(253_402_300_799_999)),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800_000)),
            ("2023-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-00-01T00:00:00Z", None),
            ("2026-04-31T00:00:00Z", None),
            ("2026-10-21T24:00:00Z", None),
            ("2026-10-21T23:60:00Z", None),
            ("2016-12-31T23:59:60Z", None),
            ("2026-10-21T14:02:11", None),
            ("2026-10-21T14:02:11.Z", None),
            ("2026-10-21T14:02:11+0200", None),
            ("2026-10-21T14:02:11+24:00", None),
            ("2026-10-21T14:02:11+02:60", None),
            ("2026-10-21T14:02:11Zjunk", None),
            ("2026-10-21", None),
            ("+026-10-21T14:02:11Z", None),
            ("2026/10/21T14:02:11Z", None),
            ("２０２６-10-21T14:02:11Z", None),
            ("", None),
        ] {
            assert_eq!(epoch_ms(text), ms, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_instant_of_ten_thousand_years_agrees_with_the_time_crate(ns in -62_167_219_200_000_000_000i128..253_402_300_800_000_000_000i128, minutes in -1439i32..1440) {
            let offset = time::UtcOffset::from_whole_seconds(minutes * 60).unwrap();
            let instant = time::OffsetDateTime::from_unix_timestamp_nanos(ns).unwrap();
            let local = instant.checked_to_offset(offset).filter(|t| (0..10_000).contains(&t.year())).unwrap_or(instant);
            let text = local.format(&Rfc3339).unwrap();
            prop_assert_eq!(epoch_ms(&text).map(i128::from), Some(ns.div_euclid(1_000_000)), "{}", text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = epoch_ms(&text);
        }

        #[test]
        fn what_the_time_crate_refuses_is_refused(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})") {
            let ours = epoch_ms(&text);
            if let Ok(theirs) = time::OffsetDateTime::parse(&text, &Rfc3339) {
                prop_assert_eq!(ours.map(i128::from), Some(theirs.unix_timestamp_nanos().div_euclid(1_000_000)), "{}", text);
            } else {
                prop_assert_eq!(ours, None, "{}", text);
            }
        }
    }
}
