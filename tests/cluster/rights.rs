//! Lets no one in: roles without rights, objects of the same names, secrets.

pub mod hostile;
mod impostors;
mod secrets;
mod tenants;
