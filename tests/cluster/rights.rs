//! Lets no one in: roles without rights, objects of the same names, secrets.

pub mod hostile;
mod identity;
mod impostors;
mod secrets;
mod tenants;
