-- Text that is no click id: each with its DETAIL and HINT.
\pset format unaligned
\pset tuples_only on
-- Any network.
select refusal(format('select %L::s2s.click_id', bad)) from (values
    (''), (' '), ('  a'), ('a '), (E'a\n'), (E'\ta'), (E'a\tb'), (E'a\r\nb'), (E'a\u007F'), (E'a\u0085b'),
    ('a b'), (E'a\u00A0b'), (E'\u00A0a'), (E'a\u200Bb'), (E'\uFEFFabc'), (E'a\u00ADb'), (E'a\u202Eb'), (E'a\u2028b'),
    ('[marker]0::12345::abc::::1405418672[/marker]'), ('[marker]abc'), ('abc[/marker]'), ('%5Bmarker%5Dabc%5B%2Fmarker%5D'),
    ('0%3A%3A1%3A%3Aa%0Ab%3A%3A%3A%3A1405418672'), ('0%3A%3A12345%3A%3Areference 3A'),
    (repeat('x', 513)), (repeat('é', 257))
) t(bad);
-- TradeTracker's form.
select refusal(format('select %L::s2s.click_id(tradetracker)', bad)) from (values
    ('abc'), ('0'), ('::'), ('::::::::'), ('0::12345::reference::1405418672'), ('0:12345:reference::1405418672'),
    ('x::12345::r::::1405418672'), ('::12345::r::::1405418672'), ('-1::12345::r::::1405418672'), ('1.5::12345::r::::1405418672'),
    ('1234567890123456789::12345::r::::1405418672'), ('0::::r::::1405418672'), ('0::a::r::::1405418672'), ('0:: 1::r::::1405418672'),
    ('0::1::r::abc::1405418672'), ('0::1::r::c83b23df3e4be73b2aa751dbd2fc248::1405418672'), ('0::1::r::g83b23df3e4be73b2aa751dbd2fc248e::1405418672'),
    ('0::1::r::0:3:====::1405418672'), ('0::1::r::0:3:::1405418672'), ('0::1::r::::12345678'), ('0::1::r::::123456789012'),
    ('0::1::r::::14054186xx'), ('0::1::r::::'), ('0::1::r::::-405418672'), ('0%253A%253A12345%253A%253Ar%253A%253A%253A%253A1405418672'),
    ('04_835477_fb93f424-788d-4c48-bfb1-98516f855839')
) t(bad);
-- LinkTrust's form.
select refusal(format('select %L::s2s.click_id(linktrust)', bad)) from (values
    ('0::12345::reference::::1405418672'), ('a.b'), ('ä'), (repeat('a', 129))
) t(bad);
-- Unknown modifiers.
select refusal(format('select %L::s2s.click_id(%s)', 'a', modifier)) from (values ('awin'), ('""""'), ('1')) t(modifier);
