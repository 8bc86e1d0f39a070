//! A trigger's first argument: the name of its server, or the mark that the server was dropped.
//!
//! A mark is longer than any server's name, so that no new server can take over the trigger, and it is
//! an argument like any other: a dump keeps it.

/// What stands after the name of a server that was dropped.
const MARK: &str = ": this server was dropped; name another with CREATE OR REPLACE TRIGGER";

/// A server's name has 63 bytes at most.
const _: () = assert!(MARK.len() > 63);

/// The first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerArgument<'a> {
    /// The server of this name.
    Name(&'a str),
    /// A server that had this name and was dropped.
    Dropped(&'a str),
}

impl<'a> ServerArgument<'a> {
    /// Reads it from a trigger's arguments.
    pub fn of(arguments: &'a [String]) -> ServerArgument<'a> {
        let first = arguments.first().map_or("", String::as_str);
        match first.strip_suffix(MARK) {
            Some(name) => ServerArgument::Dropped(name),
            None => ServerArgument::Name(first),
        }
    }

    /// The name that the server has or had.
    pub fn name(self) -> &'a str {
        match self {
            ServerArgument::Name(name) | ServerArgument::Dropped(name) => name,
        }
    }
}

/// The argument in the place of the name of a server that was dropped.
pub fn mark(name: &str) -> String {
    format!("{name}{MARK}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_is_no_servers_name() {
        for name in ["", "x", "games_nl", "größe", ": this server was dropped"] {
            let marked = mark(name);
            assert!(marked.len() > 63);
            assert_eq!(ServerArgument::of(&[marked]), ServerArgument::Dropped(name));
            assert_eq!(
                ServerArgument::of(&[name.to_owned()]),
                ServerArgument::Name(name)
            );
        }
        assert_eq!(ServerArgument::of(&[]), ServerArgument::Name(""));
    }
}
