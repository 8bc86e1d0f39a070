//! Macros of networks' own manuals that were left in a template: `tid=ORDER_ID`, `cid=[campaign_id]`.
//!
//! Two rules find them, and constants such as `goal=PURCHASE` or `name=make_purchase` pass:
//!
//! 1. a name in brackets, `[x]`, or in encoded braces, `%7Bx%7D`, unless the bracket is part of a key
//!    (`items[sku]=`) or there is more than a name in it (`[value:{amount}]`);
//! 2. a value that is the name of a value: the words in it, told apart by `_`, `-`, `.` and upper case,
//!    are those of a standard parameter of several words (`click_id`, `clickid`), of the id of a click,
//!    lead, order, sale or transaction, or `amount` or `currency` alone; or there are several words,
//!    not all of them lower case, the last of which is `ID`, `AMOUNT` or `CURRENCY`; or a word tells to
//!    replace it, `YOUR`, `INSERT`, `REPLACE` or a last `HERE`; or it is `XXX`.
//!
//! A value is what follows `=` or `:` up to the next delimiter; what a placeholder adds to is none. What
//! is meant as it is can be percent-encoded: `%43LICK_ID`.

use crate::callback::STANDARD;

/// The first macro in what follows a template's host, and where it starts.
pub fn find(text: &str) -> Option<(usize, &str)> {
    let in_brackets = enclosed(text, "[", "]");
    let in_braces = enclosed(text, "%7B", "%7D").or_else(|| enclosed(text, "%7b", "%7d"));
    let all = [in_brackets, in_braces, named(text)];
    all.into_iter().flatten().min()
}

/// A name between `open` and `close`, with them.
fn enclosed<'a>(text: &'a str, open: &str, close: &str) -> Option<(usize, &'a str)> {
    text.match_indices(open).find_map(|(at, _)| {
        let is_key =
            text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == ']' || c == '}');
        let inner = &text[at + open.len()..];
        let inner = &inner[..inner.find(close)?];
        let is_name = inner.contains(|c: char| c.is_ascii_alphabetic())
            && inner
                .replace("%20", "_")
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        let end = at + open.len() + inner.len() + close.len();
        (is_name && !is_key).then(|| (at, &text[at..end]))
    })
}

/// A value that is the name of a value.
fn named(text: &str) -> Option<(usize, &str)> {
    text.match_indices(['=', ':']).find_map(|(before, _)| {
        let start = before + 1;
        let rest = &text[start..];
        let end = rest
            .find(['&', '/', '?', ':', ',', ';', '=', '{', '[', ']'])
            .unwrap_or(rest.len());
        // A key, or a text around a placeholder.
        if rest[end..].starts_with(['=', ':', '{']) {
            return None;
        }
        let value = rest[..end].trim_matches(|c: char| !c.is_ascii_alphanumeric());
        is_name_of_value(value).then(|| (start, &rest[..end]))
    })
}

fn is_name_of_value(value: &str) -> bool {
    let is_made_of_words = value
        .bytes()
        .all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'.'));
    if !is_made_of_words {
        return false;
    }
    let words = words(value);
    let joined = words.concat();
    let of_several_words = STANDARD.iter().filter(|name| name.contains('_'));
    if of_several_words
        .map(|name| name.replace('_', ""))
        .any(|name| name == joined)
    {
        return true;
    }
    let identified = ["click", "lead", "order", "sale", "transaction"];
    if joined
        .strip_suffix("id")
        .is_some_and(|of| identified.contains(&of))
        || ["amount", "currency"].contains(&joined.as_str())
        || (joined.len() >= 3 && joined.bytes().all(|b| b == b'x'))
    {
        return true;
    }
    let [others @ .., last] = words.as_slice() else {
        return false;
    };
    let is_told = |word: &String| ["your", "insert", "replace"].contains(&word.as_str());
    let is_lower_case = !value.bytes().any(|b| b.is_ascii_uppercase());
    !others.is_empty()
        && (others.iter().any(is_told)
            || last == "here"
            || (!is_lower_case
                && ["id", "amount", "currency"].contains(&last.as_str())
                && others.iter().all(|word| word.len() >= 2)))
}

/// The words of a name, in lower case: `LeadID` and `lead_id` have the same.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut after_lower_case = false;
    let mut is_new = true;
    for c in name.chars() {
        if !c.is_ascii_alphabetic() {
            is_new = true;
            continue;
        }
        if is_new || (after_lower_case && c.is_ascii_uppercase()) {
            words.push(String::new());
        }
        is_new = false;
        after_lower_case = c.is_ascii_lowercase();
        if let Some(word) = words.last_mut() {
            word.push(c.to_ascii_lowercase());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_of_manuals_are_found() {
        for (text, found) in [
            ("/p?tid=ORDER_ID", "ORDER_ID"),
            ("/p?tid=LeadID&a={amount}", "LeadID"),
            ("/p?a={amount}&tid=LEAD_ID_HERE", "LEAD_ID_HERE"),
            ("/p?cid=CLICK_ID", "CLICK_ID"),
            ("/p?cid=click_id", "click_id"),
            ("/p?cid=clickid", "clickid"),
            ("/p?cid=$CLICKID", "$CLICKID"),
            ("/p?cid=__CLICKID__", "__CLICKID__"),
            ("/p?cid=(transactionId)", "(transactionId)"),
            ("/p?cid=YOUR-CAMPAIGN", "YOUR-CAMPAIGN"),
            ("/p?a=insert_amount", "insert_amount"),
            ("/p?a=AMOUNT&c={click_id}", "AMOUNT"),
            ("/p?a=ORDER_AMOUNT", "ORDER_AMOUNT"),
            ("/p?c=currency", "currency"),
            ("/p?parts=DEFAULT:SALE_AMOUNT", "SALE_AMOUNT"),
            ("/conversion/clickref:CLICK_ID/x", "CLICK_ID"),
            ("/p?s=subID", "subID"),
            ("/p?k=XXXX", "XXXX"),
            ("/p?c=[campaign_id]&d={click_id}", "[campaign_id]"),
            ("/p?d=[marker]{click_id}[/marker]", "[marker]"),
            ("/[Your%20Page]?d={click_id}", "[Your%20Page]"),
            ("/p?d=%7Bclick_id%7D", "%7Bclick_id%7D"),
        ] {
            assert_eq!(find(text).map(|(_, found)| found), Some(found), "{text}");
        }
    }

    #[test]
    fn constants_pass() {
        for text in [
            "/p?goal=PURCHASE&c={click_id}",
            "/p?name=make_purchase&status=APPROVED&type=sale",
            "/p?event=Order_Placed&action=ORDER&event_type=LEAD_CREATED",
            "/p?tt=ss&tv=2&merchant=1001&parts=DEFAULT:{amount}&vc={voucher_code}",
            "/p?METHOD=S2S&CURRENCY=EUR&OID={transaction_id}",
            "/conversion/tracking_mode:api/campaign:10l17/clickref:{click_id}/[value:{amount}]",
            "/order_id/{transaction_id}/click_id?items[sku]=a&items[0]=b&ids=[1]",
            "/p?click_id={click_id}&orderid=ORDER_ID-{transaction_id}",
            "/p?market=shop_id&lang=id&os=android&state=paid&plan=PAID&user=david",
            "/p?key=aBcID&token=AbCdEf&tag=SUMMER-SALE&status=approved&reason=returned",
            "/p?goal=%43LICK_ID&x=&y",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
