-- Schema, the types, and what makes s2s.click_id a type like any other.
-- A click id is stored like text and compared like bytea: byte by byte.

do $$
begin
    if pg_catalog.getdatabaseencoding() operator(pg_catalog.<>) 'UTF8' then
        raise exception 'pgrx-ext needs a database with encoding UTF8'
            using errcode = 'feature_not_supported',
                  detail = pg_catalog.format('This database has encoding %s.', pg_catalog.getdatabaseencoding()),
                  hint = 'Networks expect percent-encoded UTF-8: create the database with ENCODING ''UTF8''.';
    end if;
end
$$;

create schema s2s;
grant usage on schema s2s to public;

create type s2s.action as enum ('lead', 'sale', 'edit');
create type s2s.verdict as enum ('delivered', 'retry', 'failed', 'cancelled');

create type s2s.click_id;

create function s2s.click_id_in(cstring, oid, integer) returns s2s.click_id
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'click_id_in_wrapper';
create function s2s.click_id_out(s2s.click_id) returns cstring
    language internal immutable strict parallel safe as 'textout';
create function s2s.click_id_recv(internal, oid, integer) returns s2s.click_id
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'click_id_recv_wrapper';
create function s2s.click_id_send(s2s.click_id) returns bytea
    language internal immutable strict parallel safe as 'textsend';
create function s2s.click_id_typmod_in(cstring[]) returns integer
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'click_id_typmod_in_wrapper';
create function s2s.click_id_typmod_out(integer) returns cstring
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'click_id_typmod_out_wrapper';

create type s2s.click_id (
    input = s2s.click_id_in,
    output = s2s.click_id_out,
    receive = s2s.click_id_recv,
    send = s2s.click_id_send,
    typmod_in = s2s.click_id_typmod_in,
    typmod_out = s2s.click_id_typmod_out,
    internallength = variable,
    storage = extended,
    category = 'U'
);

create function s2s.click_id(s2s.click_id, integer, boolean) returns s2s.click_id
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'click_id_check_form_wrapper';

create cast (s2s.click_id as s2s.click_id)
    with function s2s.click_id(s2s.click_id, integer, boolean) as assignment;
create cast (text as s2s.click_id) with inout as assignment;
create cast (character varying as s2s.click_id) with inout as assignment;
create cast (s2s.click_id as text) without function as assignment;

create function s2s.click_id_eq(s2s.click_id, s2s.click_id) returns boolean
    language internal immutable strict leakproof parallel safe as 'byteaeq';
create function s2s.click_id_ne(s2s.click_id, s2s.click_id) returns boolean
    language internal immutable strict leakproof parallel safe as 'byteane';
create function s2s.click_id_lt(s2s.click_id, s2s.click_id) returns boolean
    language internal immutable strict leakproof parallel safe as 'bytealt';
create function s2s.click_id_le(s2s.click_id, s2s.click_id) returns boolean
    language internal immutable strict leakproof parallel safe as 'byteale';
create function s2s.click_id_gt(s2s.click_id, s2s.click_id) returns boolean
    language internal immutable strict leakproof parallel safe as 'byteagt';
create function s2s.click_id_ge(s2s.click_id, s2s.click_id) returns boolean
    language internal immutable strict leakproof parallel safe as 'byteage';
create function s2s.click_id_cmp(s2s.click_id, s2s.click_id) returns integer
    language internal immutable strict leakproof parallel safe as 'byteacmp';
create function s2s.click_id_sortsupport(internal) returns void
    language internal immutable strict parallel safe as 'bytea_sortsupport';
create function s2s.click_id_hash(s2s.click_id) returns integer
    language internal immutable strict leakproof parallel safe as 'hashvarlena';
create function s2s.click_id_hash_extended(s2s.click_id, bigint) returns bigint
    language internal immutable strict leakproof parallel safe as 'hashvarlenaextended';

-- In pg_catalog, so that `where click_id = '…'` means the same whatever the search_path is. They
-- take nothing but click ids, and nothing is cast to a click id implicitly, so no other query can
-- come to mean them.
create operator pg_catalog.= (
    leftarg = s2s.click_id, rightarg = s2s.click_id, function = s2s.click_id_eq,
    commutator = operator(pg_catalog.=), negator = operator(pg_catalog.<>),
    restrict = eqsel, join = eqjoinsel, hashes, merges
);
create operator pg_catalog.<> (
    leftarg = s2s.click_id, rightarg = s2s.click_id, function = s2s.click_id_ne,
    commutator = operator(pg_catalog.<>), negator = operator(pg_catalog.=),
    restrict = neqsel, join = neqjoinsel
);
create operator pg_catalog.< (
    leftarg = s2s.click_id, rightarg = s2s.click_id, function = s2s.click_id_lt,
    commutator = operator(pg_catalog.>), negator = operator(pg_catalog.>=),
    restrict = scalarltsel, join = scalarltjoinsel
);
create operator pg_catalog.<= (
    leftarg = s2s.click_id, rightarg = s2s.click_id, function = s2s.click_id_le,
    commutator = operator(pg_catalog.>=), negator = operator(pg_catalog.>),
    restrict = scalarlesel, join = scalarlejoinsel
);
create operator pg_catalog.> (
    leftarg = s2s.click_id, rightarg = s2s.click_id, function = s2s.click_id_gt,
    commutator = operator(pg_catalog.<), negator = operator(pg_catalog.<=),
    restrict = scalargtsel, join = scalargtjoinsel
);
create operator pg_catalog.>= (
    leftarg = s2s.click_id, rightarg = s2s.click_id, function = s2s.click_id_ge,
    commutator = operator(pg_catalog.<=), negator = operator(pg_catalog.<),
    restrict = scalargesel, join = scalargejoinsel
);

create operator class s2s.click_id_ops default for type s2s.click_id using btree as
    operator 1 pg_catalog.<, operator 2 pg_catalog.<=, operator 3 pg_catalog.=, operator 4 pg_catalog.>=, operator 5 pg_catalog.>,
    function 1 s2s.click_id_cmp(s2s.click_id, s2s.click_id),
    function 2 s2s.click_id_sortsupport(internal),
    function 4 pg_catalog.btequalimage(oid);

create operator class s2s.click_id_ops default for type s2s.click_id using hash as
    operator 1 pg_catalog.=,
    function 1 s2s.click_id_hash(s2s.click_id),
    function 2 s2s.click_id_hash_extended(s2s.click_id, bigint);
