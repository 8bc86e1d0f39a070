//! TradeTracker's click ids.

use md5::{Digest, Md5};

/// The fields of a TradeTracker click id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeTrackerId<'a> {
    /// The advertising material that was clicked.
    pub material_id: i64,
    /// The affiliate's site.
    pub affiliate_id: i64,
    /// The affiliate's own text, which may be empty and may hold `::`.
    pub reference: &'a str,
    /// Empty, an md5 in hexadecimal, or Magento's ciphertext.
    pub checksum: &'a str,
    /// When the click was made, in seconds since 1970.
    pub clicked_at: i64,
}

/// The first field that keeps a text from being a TradeTracker click id. It allocates nothing: the
/// click ids of other networks are split in vain, row by row.
pub(super) enum Field {
    /// Fewer than five fields.
    Count,
    Material,
    Affiliate,
    Checksum,
    UnixTime,
}

impl Field {
    /// What is wrong with the field of `text`.
    pub(super) fn detail(&self, text: &str) -> String {
        match self {
            Field::Count => format!(
                "A TradeTracker click id has five fields separated by \"::\"; this has {}.",
                text.split("::").count()
            ),
            Field::Material => "The first field, the material id, is not a decimal number.".into(),
            Field::Affiliate => "The second field, the affiliate id, is not a decimal number.".into(),
            Field::Checksum => "The last field but one, the checksum, is neither empty nor 32 hexadecimal digits nor Magento's form.".into(),
            Field::UnixTime => "The last field, the time of the click, does not have 9 to 11 digits.".into(),
        }
    }
}

impl<'a> TradeTrackerId<'a> {
    /// The fields of `text`, or `None` if it is not a TradeTracker click id.
    pub fn parse(text: &'a str) -> Option<TradeTrackerId<'a>> {
        let [material, affiliate, reference, checksum, unix_time] = Self::split(text).ok()?;
        Some(TradeTrackerId {
            material_id: material.parse().ok()?,
            affiliate_id: affiliate.parse().ok()?,
            reference,
            checksum,
            clicked_at: unix_time.parse().ok()?,
        })
    }

    /// The fields as they are written, or the first that is malformed.
    pub(super) fn split(text: &'a str) -> Result<[&'a str; 5], Field> {
        let (material, rest) = split_first(text).ok_or(Field::Count)?;
        let (affiliate, rest) = split_first(rest).ok_or(Field::Count)?;
        let (rest, unix_time) = split_last(rest).ok_or(Field::Count)?;
        let (reference, checksum) = split_last(rest).ok_or(Field::Count)?;
        if !matches!(unix_time.len(), 9..=11) {
            return Err(Field::UnixTime);
        }
        if !is_checksum(checksum) {
            return Err(Field::Checksum);
        }
        for (text, field) in [
            (material, Field::Material),
            (affiliate, Field::Affiliate),
            (unix_time, Field::UnixTime),
        ] {
            if !is_decimal(text) {
                return Err(field);
            }
        }
        Ok([material, affiliate, reference, checksum, unix_time])
    }

    /// Whether the md5 fits the campaign; `None` if the checksum is not an md5.
    ///
    /// It is the md5 of `CHK_campaign::material::affiliate::reference`. No secret is in it, so it
    /// finds copying mistakes and proves nothing about who made it.
    pub fn checksum_ok(&self, campaign_id: i64) -> Option<bool> {
        if !is_md5(self.checksum) {
            return None;
        }
        let TradeTrackerId {
            material_id,
            affiliate_id,
            reference,
            ..
        } = self;
        let digest = Md5::digest(format!(
            "CHK_{campaign_id}::{material_id}::{affiliate_id}::{reference}"
        ));
        let expected: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(expected.eq_ignore_ascii_case(self.checksum))
    }
}

/// Splits at the first `::`. For texts of this length it takes a third of `str::split_once`'s time,
/// and it runs several times for every row of every trigger.
fn split_first(text: &str) -> Option<(&str, &str)> {
    let at = text.as_bytes().windows(2).position(|pair| pair == b"::")?;
    Some((&text[..at], &text[at + 2..]))
}

/// Splits at the last `::`.
fn split_last(text: &str) -> Option<(&str, &str)> {
    let at = text.as_bytes().windows(2).rposition(|pair| pair == b"::")?;
    Some((&text[..at], &text[at + 2..]))
}

/// 1 to 18 digits, which always fit 64 bits.
fn is_decimal(text: &str) -> bool {
    is_digits(text) && text.len() <= 18
}

pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_md5(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_checksum(text: &str) -> bool {
    text.is_empty() || is_md5(text) || is_magento_checksum(text)
}

/// Magento 2 shops put a ciphertext there: `0:3:` and base64.
fn is_magento_checksum(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let (Some(key), Some(cipher), Some(base64)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let digits = base64.trim_end_matches('=');
    is_digits(key)
        && is_digits(cipher)
        && !digits.is_empty()
        && base64.len() - digits.len() <= 2
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}
