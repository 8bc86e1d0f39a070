//! What commits is sent, as it was said, in order, and nothing else.

mod arguments;
mod bulk;
mod changes;
mod click_ids;
mod commit;
mod foreign_tables;
mod insertion;
mod linktrust;
mod neighbours;
mod networks;
mod prepared;
mod retries;
mod servers;
