//! What commits is sent, as it was said, in order, and nothing else.

mod arguments;
mod bulk;
mod click_ids;
mod commit;
mod engine;
mod foreign_tables;
mod insertion;
mod linktrust;
mod networks;
mod prepared;
