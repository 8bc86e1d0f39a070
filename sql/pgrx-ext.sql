-- The SQL surface of pgrx-ext, in the order of the README: each object with its comment and its
-- privileges. What acts is granted by the administrator; what only computes is open to all.
--
--   the schema · click ids · building URLs · networks · triggers · without a trigger ·
--   what happens to a callback · operating · internals
--
-- Functions of `language c` are Rust: src/pg/surface, src/pg/trigger and src/pg/server.rs.

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
comment on schema s2s is 'server-to-server callbacks to affiliate networks';
grant usage on schema s2s to public;

-- Click ids: stored like text, compared like bytea, byte by byte
-- --------------------------------------------------------------

create type s2s.click_id;

create function s2s.click_id_in(cstring, oid, integer) returns s2s.click_id
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'click_id_in_wrapper';
comment on function s2s.click_id_in is 'input of click_id';
create function s2s.click_id_out(s2s.click_id) returns cstring
    language internal immutable strict parallel safe as 'textout';
comment on function s2s.click_id_out is 'output of click_id';
create function s2s.click_id_recv(internal, oid, integer) returns s2s.click_id
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'click_id_recv_wrapper';
comment on function s2s.click_id_recv is 'binary input of click_id';
create function s2s.click_id_send(s2s.click_id) returns bytea
    language internal immutable strict parallel safe as 'textsend';
comment on function s2s.click_id_send is 'binary output of click_id';
create function s2s.click_id_typmod_in(cstring[]) returns integer
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'click_id_typmod_in_wrapper';
comment on function s2s.click_id_typmod_in is 'type modifiers of click_id';
create function s2s.click_id_typmod_out(integer) returns cstring
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'click_id_typmod_out_wrapper';
comment on function s2s.click_id_typmod_out is 'type modifiers of click_id';

create type s2s.click_id (
    input = s2s.click_id_in,
    output = s2s.click_id_out,
    receive = s2s.click_id_recv,
    send = s2s.click_id_send,
    typmod_in = s2s.click_id_typmod_in,
    typmod_out = s2s.click_id_typmod_out,
    internallength = variable,
    storage = extended,
    -- String, so that it goes with text in UNION, CASE, coalesce() and IN.
    category = 'S'
);
comment on type s2s.click_id is 'the identifier that an affiliate network gives to one click; s2s.click_id(tradetracker) and s2s.click_id(linktrust) accept only that network''s form';

create function s2s.click_id(s2s.click_id, integer, boolean) returns s2s.click_id
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'click_id_check_form_wrapper';
comment on function s2s.click_id(s2s.click_id, integer, boolean) is 'checks a click id against a type modifier';

create cast (s2s.click_id as s2s.click_id)
    with function s2s.click_id(s2s.click_id, integer, boolean) as assignment;
comment on cast (s2s.click_id as s2s.click_id) is 'checks the type modifier';
create cast (text as s2s.click_id) with inout as assignment;
comment on cast (text as s2s.click_id) is 'validates';
create cast (character varying as s2s.click_id) with inout as assignment;
comment on cast (character varying as s2s.click_id) is 'validates';
create function s2s.click_id(character) returns s2s.click_id
    language sql immutable strict parallel safe
    return $1::text::s2s.click_id;
comment on function s2s.click_id(character) is 'validates, without the blanks at the end';
create cast (character as s2s.click_id) with function s2s.click_id(character) as assignment;
comment on cast (character as s2s.click_id) is 'validates, without the blanks at the end';
create cast (s2s.click_id as text) without function as implicit;
comment on cast (s2s.click_id as text) is 'the same text';
create cast (s2s.click_id as character varying) without function as implicit;
comment on cast (s2s.click_id as character varying) is 'the same text';

-- Types of the category string take all others by assignment. These must be cast: a number is an order's,
-- not a click's, and JSON writes a text with quotes.
do $$
declare
    other text;
begin
    foreach other in array array['smallint', 'integer', 'bigint', 'numeric', 'boolean', 'bytea', 'json', 'jsonb'] loop
        execute pg_catalog.format('create cast (%s as s2s.click_id) with inout', other);
        execute pg_catalog.format('comment on cast (%s as s2s.click_id) is ''validates''', other);
    end loop;
end
$$;

create function s2s.click_id_eq(s2s.click_id, s2s.click_id) returns boolean
    language internal immutable strict leakproof parallel safe as 'byteaeq';
comment on function s2s.click_id_eq is 'implementation of = operator';
create function s2s.click_id_ne(s2s.click_id, s2s.click_id) returns boolean
    language internal immutable strict leakproof parallel safe as 'byteane';
comment on function s2s.click_id_ne is 'implementation of <> operator';
create function s2s.click_id_lt(s2s.click_id, s2s.click_id) returns boolean
    language internal immutable strict leakproof parallel safe as 'bytealt';
comment on function s2s.click_id_lt is 'implementation of < operator';
create function s2s.click_id_le(s2s.click_id, s2s.click_id) returns boolean
    language internal immutable strict leakproof parallel safe as 'byteale';
comment on function s2s.click_id_le is 'implementation of <= operator';
create function s2s.click_id_gt(s2s.click_id, s2s.click_id) returns boolean
    language internal immutable strict leakproof parallel safe as 'byteagt';
comment on function s2s.click_id_gt is 'implementation of > operator';
create function s2s.click_id_ge(s2s.click_id, s2s.click_id) returns boolean
    language internal immutable strict leakproof parallel safe as 'byteage';
comment on function s2s.click_id_ge is 'implementation of >= operator';
create function s2s.click_id_cmp(s2s.click_id, s2s.click_id) returns integer
    language internal immutable strict leakproof parallel safe as 'byteacmp';
comment on function s2s.click_id_cmp is 'less-equal-greater';
create function s2s.click_id_sortsupport(internal) returns void
    language internal immutable strict parallel safe as 'bytea_sortsupport';
comment on function s2s.click_id_sortsupport is 'sort support';
create function s2s.click_id_hash(s2s.click_id) returns integer
    language internal immutable strict leakproof parallel safe as 'hashvarlena';
comment on function s2s.click_id_hash is 'hash';
create function s2s.click_id_hash_extended(s2s.click_id, bigint) returns bigint
    language internal immutable strict leakproof parallel safe as 'hashvarlenaextended';
comment on function s2s.click_id_hash_extended is 'hash';

-- In pg_catalog, so that `where click_id = '…'` means the same whatever the search_path is. One side of
-- each is a click id, and nothing is cast to a click id implicitly, so no other query can come to mean
-- them.
create operator pg_catalog.= (
    leftarg = s2s.click_id, rightarg = s2s.click_id, function = s2s.click_id_eq,
    commutator = operator(pg_catalog.=), negator = operator(pg_catalog.<>),
    restrict = eqsel, join = eqjoinsel, hashes, merges
);
comment on operator pg_catalog.= (s2s.click_id, s2s.click_id) is 'equal';

create operator pg_catalog.<> (
    leftarg = s2s.click_id, rightarg = s2s.click_id, function = s2s.click_id_ne,
    commutator = operator(pg_catalog.<>), negator = operator(pg_catalog.=),
    restrict = neqsel, join = neqjoinsel
);
comment on operator pg_catalog.<> (s2s.click_id, s2s.click_id) is 'not equal';

create operator pg_catalog.< (
    leftarg = s2s.click_id, rightarg = s2s.click_id, function = s2s.click_id_lt,
    commutator = operator(pg_catalog.>), negator = operator(pg_catalog.>=),
    restrict = scalarltsel, join = scalarltjoinsel
);
comment on operator pg_catalog.< (s2s.click_id, s2s.click_id) is 'less than, byte by byte';

create operator pg_catalog.<= (
    leftarg = s2s.click_id, rightarg = s2s.click_id, function = s2s.click_id_le,
    commutator = operator(pg_catalog.>=), negator = operator(pg_catalog.>),
    restrict = scalarlesel, join = scalarlejoinsel
);
comment on operator pg_catalog.<= (s2s.click_id, s2s.click_id) is 'less than or equal, byte by byte';

create operator pg_catalog.> (
    leftarg = s2s.click_id, rightarg = s2s.click_id, function = s2s.click_id_gt,
    commutator = operator(pg_catalog.<), negator = operator(pg_catalog.<=),
    restrict = scalargtsel, join = scalargtjoinsel
);
comment on operator pg_catalog.> (s2s.click_id, s2s.click_id) is 'greater than, byte by byte';

create operator pg_catalog.>= (
    leftarg = s2s.click_id, rightarg = s2s.click_id, function = s2s.click_id_ge,
    commutator = operator(pg_catalog.<=), negator = operator(pg_catalog.<),
    restrict = scalargesel, join = scalargejoinsel
);
comment on operator pg_catalog.>= (s2s.click_id, s2s.click_id) is 'greater than or equal, byte by byte';

create operator class s2s.click_id_ops default for type s2s.click_id using btree as
    operator 1 pg_catalog.<, operator 2 pg_catalog.<=, operator 3 pg_catalog.=, operator 4 pg_catalog.>=, operator 5 pg_catalog.>,
    function 1 s2s.click_id_cmp(s2s.click_id, s2s.click_id),
    function 2 s2s.click_id_sortsupport(internal),
    function 4 pg_catalog.btequalimage(oid);
comment on operator class s2s.click_id_ops using btree is 'click ids byte by byte';

create operator class s2s.click_id_ops default for type s2s.click_id using hash as
    operator 1 pg_catalog.=,
    function 1 s2s.click_id_hash(s2s.click_id),
    function 2 s2s.click_id_hash_extended(s2s.click_id, bigint);
comment on operator class s2s.click_id_ops using hash is 'click ids by their bytes';

-- The same between click ids and text, so that a click id that is passed as text is found, by an index too.
-- Those between two texts are for joins that sort or hash the text: they have names of their own, and
-- heed no collation.
do $$
declare
    pair record;
    op record;
begin
    for pair in
        select * from (values
            ('s2s.click_id', 'text', 'pg_catalog.%s'),
            ('text', 's2s.click_id', 'pg_catalog.%s'),
            ('text', 'text', 's2s.~%s~')
        ) as pair(l, r, named)
    loop
        for op in
            select * from (values
                ('eq', 3, '=', '=', '<>', 'eqsel, join = eqjoinsel, hashes, merges', 'equal'),
                ('ne', null, '<>', '<>', '=', 'neqsel, join = neqjoinsel', 'not equal'),
                ('lt', 1, '<', '>', '>=', 'scalarltsel, join = scalarltjoinsel', 'less than, byte by byte'),
                ('le', 2, '<=', '>=', '>', 'scalarlesel, join = scalarlejoinsel', 'less than or equal, byte by byte'),
                ('gt', 5, '>', '<', '<=', 'scalargtsel, join = scalargtjoinsel', 'greater than, byte by byte'),
                ('ge', 4, '>=', '<=', '<', 'scalargesel, join = scalargejoinsel', 'greater than or equal, byte by byte')
            ) as op(name, strategy, symbol, commutator, negator, estimates, comment)
        loop
            execute pg_catalog.format(
                'create function s2s.click_id_%3$s(%1$s, %2$s) returns boolean
                     language internal immutable strict leakproof parallel safe as ''bytea%3$s'';
                 comment on function s2s.click_id_%3$s(%1$s, %2$s) is ''implementation of %4$s operator'';
                 create operator %5$s (
                     leftarg = %1$s, rightarg = %2$s, function = s2s.click_id_%3$s,
                     commutator = operator(%6$s), negator = operator(%7$s), restrict = %8$s
                 );
                 comment on operator %5$s (%1$s, %2$s) is %9$L',
                pair.l, pair.r, op.name, op.symbol,
                pg_catalog.format(pair.named, op.symbol), pg_catalog.format(pair.named, op.commutator),
                pg_catalog.format(pair.named, op.negator), op.estimates, op.comment);
            if op.strategy is not null then
                execute pg_catalog.format(
                    'alter operator family s2s.click_id_ops using btree add operator %s %s (%s, %s)',
                    op.strategy, pg_catalog.format(pair.named, op.symbol), pair.l, pair.r);
            end if;
        end loop;
        execute pg_catalog.format(
            'create function s2s.click_id_cmp(%1$s, %2$s) returns integer
                 language internal immutable strict leakproof parallel safe as ''byteacmp'';
             comment on function s2s.click_id_cmp(%1$s, %2$s) is ''less-equal-greater'';
             alter operator family s2s.click_id_ops using btree
                 add function 1 (%1$s, %2$s) s2s.click_id_cmp(%1$s, %2$s);
             alter operator family s2s.click_id_ops using hash
                 add operator 1 %3$s (%1$s, %2$s)',
            pair.l, pair.r, pg_catalog.format(pair.named, '='));
    end loop;
end
$$;

create function s2s.click_id_hash(text) returns integer
    language internal immutable strict leakproof parallel safe as 'hashvarlena';
comment on function s2s.click_id_hash(text) is 'hash, the same as that of a click id';
create function s2s.click_id_hash_extended(text, bigint) returns bigint
    language internal immutable strict leakproof parallel safe as 'hashvarlenaextended';
comment on function s2s.click_id_hash_extended(text, bigint) is 'hash, the same as that of a click id';
alter operator family s2s.click_id_ops using btree
    add function 2 (text, text) s2s.click_id_sortsupport(internal);
alter operator family s2s.click_id_ops using hash add
    function 1 (text, text) s2s.click_id_hash(text),
    function 2 (text, text) s2s.click_id_hash_extended(text, bigint);

create function s2s.network(id s2s.click_id) returns text
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'network_wrapper';
comment on function s2s.network is 'the network whose form the click id has: tradetracker, linktrust or NULL';
create function s2s.material_id(id s2s.click_id) returns bigint
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'material_id_wrapper';
comment on function s2s.material_id is 'the material that was clicked; NULL if not a TradeTracker click id';
create function s2s.affiliate_id(id s2s.click_id) returns bigint
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'affiliate_id_wrapper';
comment on function s2s.affiliate_id is 'the affiliate''s site; NULL if not a TradeTracker click id';
create function s2s.reference(id s2s.click_id) returns text
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'reference_wrapper';
comment on function s2s.reference is 'the affiliate''s own reference; NULL if not a TradeTracker click id';
create function s2s.checksum(id s2s.click_id) returns text
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'checksum_wrapper';
comment on function s2s.checksum is 'the checksum field; NULL if not a TradeTracker click id';
create function s2s.clicked_at(id s2s.click_id) returns timestamptz
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'clicked_at_wrapper';
comment on function s2s.clicked_at is 'when the click was made; NULL if not a TradeTracker click id';
create function s2s.checksum_ok(id s2s.click_id, campaign_id bigint) returns boolean
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'checksum_ok_wrapper';
comment on function s2s.checksum_ok is 'whether the md5 in the click id fits the campaign; NULL if there is none';
create function s2s.is_click_id(text text) returns boolean
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'is_click_id_wrapper';
comment on function s2s.is_click_id(text) is 'whether the text is a click id of any network';
create function s2s.is_click_id(text text, network text) returns boolean
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'is_click_id_of_wrapper';
comment on function s2s.is_click_id(text, text) is 'whether the text is a click id of the network';
create function s2s.try_click_id(text text) returns s2s.click_id
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'try_click_id_wrapper';
comment on function s2s.try_click_id(text) is 'the text as a click id; NULL if it is none';
create function s2s.try_click_id(text text, network text) returns s2s.click_id
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'try_click_id_of_wrapper';
comment on function s2s.try_click_id(text, text) is 'the text as a click id of the network; NULL if it is none';
create function s2s.click_id_from_url(url text, parameter text) returns s2s.click_id
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'click_id_from_url_wrapper';
comment on function s2s.click_id_from_url is 'the click id in a query parameter of a landing page''s URL; NULL if it is absent or no click id';


-- Building URLs
-- -------------

create function s2s.url_encode(text text) returns text
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'url_encode_wrapper';
comment on function s2s.url_encode is 'percent-encodes all but A-Z a-z 0-9 - . _ ~ (RFC 3986)';
create function s2s.url_decode(text text) returns text
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'url_decode_wrapper';
comment on function s2s.url_decode is 'decodes percent-encoded text once (RFC 3986)';

create function s2s.tradetracker_lead_url(
    campaign_id bigint, product_id bigint, transaction_id text, click_id s2s.click_id,
    description_merchant text default null, description_affiliate text default null,
    voucher_code text default null, tracking_group_id text default null, base_url text default null
) returns text
    language c immutable parallel safe
    as 'MODULE_PATHNAME', 'tradetracker_lead_url_wrapper';
comment on function s2s.tradetracker_lead_url is 'the URL that reports a lead to TradeTracker';

create function s2s.tradetracker_sale_url(
    campaign_id bigint, product_id bigint, transaction_id text, amount numeric, currency text,
    click_id s2s.click_id,
    description_merchant text default null, description_affiliate text default null,
    voucher_code text default null, tracking_group_id text default null, base_url text default null
) returns text
    language c immutable parallel safe
    as 'MODULE_PATHNAME', 'tradetracker_sale_url_wrapper';
comment on function s2s.tradetracker_sale_url is 'the URL that reports a sale to TradeTracker';

create function s2s.linktrust_edit_url(
    tracking_url text, password text,
    transaction_id text default null, click_id s2s.click_id default null,
    merchant_reference_id text default null, campaign_id text default null,
    approved boolean default null, affiliate_payout numeric default null,
    merchant_payout numeric default null, execute_affiliate_pixel boolean default null,
    reason text default null
) returns text
    language c immutable parallel safe
    as 'MODULE_PATHNAME', 'linktrust_edit_url_wrapper';
comment on function s2s.linktrust_edit_url is 'the URL that edits a transaction at LinkTrust, with the password';

create function s2s.postback_url(template text, parameters jsonb) returns text
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'postback_url_wrapper';
comment on function s2s.postback_url is 'a URL template with its placeholders filled in';

-- The same for a server: its campaign, hosts or templates, which are read for each row. So PostgreSQL uses
-- several processes for a large table.
create function s2s.lead_url(
    server text, transaction_id text,
    click_id s2s.click_id default null,
    description_merchant text default null, description_affiliate text default null,
    voucher_code text default null, product_id bigint default null,
    tracking_group_id text default null, parameters jsonb default null
) returns text
    language c stable parallel safe cost 100
    as 'MODULE_PATHNAME', 'lead_url_wrapper';
comment on function s2s.lead_url is 'the URL that reports a lead to a server''s network';

create function s2s.sale_url(
    server text, transaction_id text, amount numeric, currency text,
    click_id s2s.click_id default null,
    description_merchant text default null, description_affiliate text default null,
    voucher_code text default null, product_id bigint default null,
    tracking_group_id text default null, parameters jsonb default null
) returns text
    language c stable parallel safe cost 100
    as 'MODULE_PATHNAME', 'sale_url_wrapper';
comment on function s2s.sale_url is 'the URL that reports a sale to a server''s network';

create function s2s.edit_url(
    server text,
    transaction_id text default null, click_id s2s.click_id default null,
    merchant_reference_id text default null, campaign_id text default null,
    approved boolean default null, affiliate_payout numeric default null,
    merchant_payout numeric default null, execute_affiliate_pixel boolean default null,
    reason text default null
) returns text
    language c stable parallel safe cost 100
    as 'MODULE_PATHNAME', 'edit_url_wrapper';
comment on function s2s.edit_url is 'the URL that edits a transaction at a server''s network, without the password';

-- For queries over many rows, of which some cannot be reported. What is wrong with the server is an error here, too.
create function s2s.try_lead_url(
    server text, transaction_id text,
    click_id s2s.click_id default null,
    description_merchant text default null, description_affiliate text default null,
    voucher_code text default null, product_id bigint default null,
    tracking_group_id text default null, parameters jsonb default null
) returns text
    language c stable parallel safe cost 100
    as 'MODULE_PATHNAME', 'try_lead_url_wrapper';
comment on function s2s.try_lead_url is 'the URL that reports a lead to a server''s network; NULL if its values are invalid';

create function s2s.try_sale_url(
    server text, transaction_id text, amount numeric, currency text,
    click_id s2s.click_id default null,
    description_merchant text default null, description_affiliate text default null,
    voucher_code text default null, product_id bigint default null,
    tracking_group_id text default null, parameters jsonb default null
) returns text
    language c stable parallel safe cost 100
    as 'MODULE_PATHNAME', 'try_sale_url_wrapper';
comment on function s2s.try_sale_url is 'the URL that reports a sale to a server''s network; NULL if its values are invalid';

create function s2s.try_edit_url(
    server text,
    transaction_id text default null, click_id s2s.click_id default null,
    merchant_reference_id text default null, campaign_id text default null,
    approved boolean default null, affiliate_payout numeric default null,
    merchant_payout numeric default null, execute_affiliate_pixel boolean default null,
    reason text default null
) returns text
    language c stable parallel safe cost 100
    as 'MODULE_PATHNAME', 'try_edit_url_wrapper';
comment on function s2s.try_edit_url is 'the URL that edits a transaction at a server''s network, without the password; NULL if its values are invalid';


-- Networks: foreign-data wrappers without a handler
-- -------------------------------------------------
-- CREATE SERVER keeps and checks an account; nothing can be selected from it.

create function s2s.tradetracker_validator(options text[], catalog oid) returns void
    language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'network_validator_wrapper';
comment on function s2s.tradetracker_validator is 'checks the options of TradeTracker servers';
create foreign data wrapper tradetracker validator s2s.tradetracker_validator;
comment on foreign data wrapper tradetracker is 'TradeTracker: servers are campaigns, for leads and sales';

create function s2s.linktrust_validator(options text[], catalog oid) returns void
    language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'network_validator_wrapper';
comment on function s2s.linktrust_validator is 'checks the options of LinkTrust servers and their passwords';
create foreign data wrapper linktrust validator s2s.linktrust_validator;
comment on foreign data wrapper linktrust is 'LinkTrust: servers are tracking URLs, for edits of transactions';

create function s2s.postback_validator(options text[], catalog oid) returns void
    language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'network_validator_wrapper';
comment on function s2s.postback_validator is 'checks the URL templates of postback servers';
create foreign data wrapper postback validator s2s.postback_validator;
comment on foreign data wrapper postback is 'any other network, by URL templates';

create function s2s.linktrust_answer(xml text)
    returns table (
        succeeded boolean, error_type text, message text, transaction_id text, click_id text,
        merchant_reference_id text, campaign_id text, affiliate_payout text, merchant_payout text,
        approved text, reason text
    )
    language c immutable strict parallel safe
    as 'MODULE_PATHNAME', 'linktrust_answer_wrapper';
comment on function s2s.linktrust_answer is 'the content of an answer from LinkTrust';


-- Triggers
-- --------

create function s2s.report_lead() returns trigger
    language c as 'MODULE_PATHNAME', 'report_lead_trigger_wrapper';
comment on function s2s.report_lead() is 'trigger: queues a lead for each row; arguments: server, parameter=text {column} …';
create function s2s.report_sale() returns trigger
    language c as 'MODULE_PATHNAME', 'report_sale_trigger_wrapper';
comment on function s2s.report_sale() is 'trigger: queues a sale for each row; arguments: server, parameter=text {column} …';
create function s2s.edit_transaction() returns trigger
    language c as 'MODULE_PATHNAME', 'edit_transaction_trigger_wrapper';
comment on function s2s.edit_transaction() is 'trigger: queues an edit of a transaction for each row; arguments: server, parameter=text {column} …';

create function s2s.preview("table" regclass, trigger_name name, row_limit integer default 10)
    returns table (row_data jsonb, url text, problem text)
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'preview_wrapper';
comment on function s2s.preview(regclass, name, integer) is 'what a trigger would report for rows that exist already: the URL, or the problem, or neither if it would queue nothing; in WHEN, OLD is NULL; queues and sends nothing';
create function s2s.preview("table" regclass, trigger_name name, new jsonb, old jsonb)
    returns table (row_data jsonb, url text, problem text)
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'preview_given_wrapper';
comment on function s2s.preview(regclass, name, jsonb, jsonb) is 'what a trigger would report if a row with these columns were inserted, or if it took the place of the same row with the columns in old; for the table''s owner; queues and sends nothing';


-- Without a trigger
-- -----------------

create function s2s.report_lead(
    server text, transaction_id text,
    click_id s2s.click_id default null,
    description_merchant text default null, description_affiliate text default null,
    voucher_code text default null, product_id bigint default null,
    tracking_group_id text default null, parameters jsonb default null
) returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'report_lead_wrapper';
comment on function s2s.report_lead(
    text, text, s2s.click_id, text, text, text, bigint, text, jsonb) is 'queues a lead and returns its callback''s id; NULL without click id and voucher code';
revoke execute on function s2s.report_lead(
    text, text, s2s.click_id, text, text, text, bigint, text, jsonb) from public;

create function s2s.report_sale(
    server text, transaction_id text, amount numeric, currency text,
    click_id s2s.click_id default null,
    description_merchant text default null, description_affiliate text default null,
    voucher_code text default null, product_id bigint default null,
    tracking_group_id text default null, parameters jsonb default null
) returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'report_sale_wrapper';
comment on function s2s.report_sale(
    text, text, numeric, text, s2s.click_id, text, text, text, bigint, text, jsonb) is 'queues a sale and returns its callback''s id; NULL without click id and voucher code';
revoke execute on function s2s.report_sale(
    text, text, numeric, text, s2s.click_id, text, text, text, bigint, text, jsonb) from public;

create function s2s.edit_transaction(
    server text,
    transaction_id text default null, click_id s2s.click_id default null,
    merchant_reference_id text default null, campaign_id text default null,
    approved boolean default null, affiliate_payout numeric default null,
    merchant_payout numeric default null, execute_affiliate_pixel boolean default null,
    reason text default null
) returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'edit_transaction_wrapper';
comment on function s2s.edit_transaction(
    text, text, s2s.click_id, text, text, boolean, numeric, numeric, boolean, text) is 'queues the edit of a transaction and returns its callback''s id';
revoke execute on function s2s.edit_transaction(
    text, text, s2s.click_id, text, text, boolean, numeric, numeric, boolean, text) from public;

-- Open to all, since USAGE of the server is the right to it: with that, a role can queue the same by a
-- trigger on a temporary table.
create function s2s.queue_callback(server text, action text, parameters jsonb) returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'queue_callback_wrapper';
comment on function s2s.queue_callback is 'for your own triggers: queues a callback with the parameters of trigger arguments, parked if they are invalid, and returns its id; NULL if a trigger would queue nothing; needs USAGE of the server';

create function s2s.linktrust_load(server text, file text)
    returns table (line integer, callback_id bigint, problem text)
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'linktrust_load_wrapper';
comment on function s2s.linktrust_load is 'queues one edit a line of LinkTrust''s tab-delimited file; a row a line: its callback, or what is wrong with it';
revoke execute on function s2s.linktrust_load(text, text) from public;

create function s2s.linktrust_file(server text, identification text default null) returns text
    language c stable parallel unsafe set search_path to pg_catalog, pg_temp
    as 'MODULE_PATHNAME', 'linktrust_file_wrapper';
comment on function s2s.linktrust_file is 'a server''s queued edits as LinkTrust''s tab-delimited file, with the password: for the server''s owner; the edits stay queued';
revoke execute on function s2s.linktrust_file(text, text) from public;


-- What happens to a callback
-- --------------------------

create type s2s.action as enum ('lead', 'sale', 'edit');
comment on type s2s.action is 'what a callback reports: a lead, a sale, or an edit of a transaction';
create type s2s.verdict as enum ('delivered', 'retry', 'failed', 'cancelled');
comment on type s2s.verdict is 'result of an attempt: delivered, to be retried, failed for good, or cancelled by a user';

create table s2s.queue (
    id bigint generated always as identity,
    server text collate "C" not null,
    action s2s.action not null,
    transaction_id text collate "C" not null,
    click_id s2s.click_id,
    parameters jsonb not null,
    created_at timestamptz not null default pg_catalog.now(),
    due_at timestamptz not null default pg_catalog.clock_timestamp(),
    attempts integer not null default 0,
    last_error text,
    server_dropped_at timestamptz,
    -- One index serves reading, recording and identity, since every index slows insertion. The
    -- worker reads each server's callbacks in the order in which they are due, so that one server's
    -- backlog does not hide another's. `id` alone is unique, too.
    constraint queue_pkey primary key (server, due_at, id),
    constraint attempts_is_not_negative check (attempts >= 0),
    constraint parameters_is_an_object check (pg_catalog.jsonb_typeof(parameters) = 'object'),
    constraint callbacks_of_dropped_servers_are_parked
        check (server_dropped_at is null or due_at = 'infinity')
)
-- Callbacks are inserted without SQL, whatever default_table_access_method is.
using heap;
comment on table s2s.queue is 'callbacks that are not delivered yet';
comment on column s2s.queue.id is 'number of the callback, in the order of queueing';
comment on column s2s.queue.server is 'the foreign server';
comment on column s2s.queue.action is 'what is reported';
comment on column s2s.queue.transaction_id is 'transaction id of the conversion at the network';
comment on column s2s.queue.click_id is 'the click, if there was one';
comment on column s2s.queue.parameters is 'all other parameters: an object of strings';
comment on column s2s.queue.created_at is 'start of the database transaction that queued it';
comment on column s2s.queue.due_at is 'time of the next attempt; infinity if it is parked';
comment on column s2s.queue.attempts is 'number of attempts so far with a request';
comment on column s2s.queue.last_error is 'why it is not delivered yet';
comment on column s2s.queue.server_dropped_at is 'when its server was dropped: it is for no server that has the name now, until the owner of the queue says so; else NULL';

-- Callbacks of a transaction id are delivered in order: one that was sent, and is retried or parked, holds
-- the later ones of the same server and action. One that was never sent holds none: whoever may insert
-- rows could queue an invalid one for each transaction id of another. The index has the same condition, to be
-- used for the view. What is left of a dropped server holds nothing of another of that name. (It is no function: a role that may not execute it could not insert.)
create view s2s.holding as
select server, action, transaction_id, id
from s2s.queue
where attempts > 0 and server_dropped_at is null;

comment on view s2s.holding is 'callbacks that hold the later ones of the same server, action and transaction id: they were sent, and are retried or parked';
comment on column s2s.holding.server is 'the foreign server';
comment on column s2s.holding.action is 'what is reported';
comment on column s2s.holding.transaction_id is 'transaction id of the conversion at the network';
comment on column s2s.holding.id is 'number of the callback';

create index queue_holding on s2s.queue (server, action, transaction_id, id)
    where attempts > 0 and server_dropped_at is null;

create table s2s.attempt (
    id bigint generated always as identity,
    callback_id bigint not null,
    server text collate "C" not null,
    action s2s.action not null,
    transaction_id text collate "C" not null,
    click_id s2s.click_id,
    url text,
    created_at timestamptz not null,
    attempt integer not null,
    started_at timestamptz not null,
    duration interval not null,
    http_status integer,
    verdict s2s.verdict not null,
    message text not null,
    response text,
    constraint attempt_pkey primary key (id)
);

create index attempt_callback on s2s.attempt (callback_id, id);
create index attempt_transaction on s2s.attempt (transaction_id);
create index attempt_server on s2s.attempt (server, started_at);
comment on table s2s.attempt is 'every attempt to deliver a callback, kept for s2s.attempt_retention';
comment on column s2s.attempt.id is 'number of the attempt among all';
comment on column s2s.attempt.callback_id is 'number of the callback';
comment on column s2s.attempt.server is 'the foreign server';
comment on column s2s.attempt.action is 'what was reported';
comment on column s2s.attempt.transaction_id is 'transaction id of the conversion at the network';
comment on column s2s.attempt.click_id is 'the click, if there was one';
comment on column s2s.attempt.url is 'the URL as sent, without secrets; NULL if no request was made';
comment on column s2s.attempt.created_at is 'when the callback was queued';
comment on column s2s.attempt.attempt is 'number of the attempt, from 1, starting over after s2s.retry(); of a cancelled callback, the number of attempts made';
comment on column s2s.attempt.started_at is 'when the attempt started';
comment on column s2s.attempt.duration is 'how long it took';
comment on column s2s.attempt.http_status is 'HTTP status of the answer; NULL without an answer';
comment on column s2s.attempt.verdict is 'result of the attempt';
comment on column s2s.attempt.message is 'reason for the verdict';
comment on column s2s.attempt.response is 'the first 2 kB of the answer''s body';

-- Rows come and go: look for dead ones early, and before they are many.
alter table s2s.queue set (
    autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.0, autovacuum_analyze_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);
alter table s2s.attempt set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05
);

-- A dump keeps what is owed and what was done, but not the sequences: it would set them back in a database
-- where triggers queue callbacks while it is restored. Ids count from the microseconds since 1970, those of
-- callbacks when the first is queued: so they are above all that a dump brings.
select pg_catalog.pg_extension_config_dump('s2s.queue', '');
select pg_catalog.pg_extension_config_dump('s2s.attempt', '');
select pg_catalog.setval('s2s.attempt_id_seq', (extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::bigint);

create view s2s.callback as
select q.id,
       q.server,
       q.action,
       q.transaction_id,
       q.click_id,
       q.parameters,
       last_attempt.url,
       case
           when q.due_at = 'infinity' then 'parked'
           when holding.id is not null then 'held'
           when q.attempts > 0 then 'retrying'
           else 'waiting'
       end as status,
       case when q.due_at < 'infinity' then holding.id end as held_by,
       q.attempts,
       q.created_at,
       null::timestamptz as finished_at,
       q.last_error
from s2s.queue q
left join lateral (
    select a.url from s2s.attempt a where a.callback_id = q.id order by a.id desc limit 1
) last_attempt on true
left join lateral (
    select h.id
    from s2s.holding h
    where h.server = q.server and h.action = q.action and h.transaction_id = q.transaction_id
      and h.id < q.id
    order by h.id
    limit 1
) holding on true
union all
select a.callback_id,
       a.server,
       a.action,
       a.transaction_id,
       a.click_id,
       null::jsonb,
       coalesce(a.url, (
           select e.url from s2s.attempt e
           where e.callback_id = a.callback_id and e.url is not null order by e.id desc limit 1
       )),
       a.verdict::text,
       null::bigint,
       a.attempt,
       a.created_at,
       a.started_at + a.duration,
       case when a.verdict = 'delivered' then null else a.message end
from s2s.attempt a
where a.verdict in ('delivered', 'cancelled')
  and not exists (
      select from s2s.attempt later
      where later.callback_id = a.callback_id and later.id > a.id and later.verdict in ('delivered', 'cancelled')
  )
  and not exists (select from s2s.queue q where q.id = a.callback_id);
comment on view s2s.callback is 'status of every callback, one row each';
comment on column s2s.callback.id is 'number of the callback, in the order of queueing';
comment on column s2s.callback.server is 'the foreign server';
comment on column s2s.callback.action is 'what is reported';
comment on column s2s.callback.transaction_id is 'transaction id of the conversion at the network';
comment on column s2s.callback.click_id is 'the click, if there was one';
comment on column s2s.callback.parameters is 'all other parameters, while it is queued';
comment on column s2s.callback.url is 'the URL as last sent, without secrets';
comment on column s2s.callback.status is 'waiting, retrying, held, parked, delivered or cancelled';
comment on column s2s.callback.held_by is 'the earlier callback of the same transaction id that it waits for';
comment on column s2s.callback.attempts is 'number of attempts so far';
comment on column s2s.callback.created_at is 'when it was queued';
comment on column s2s.callback.finished_at is 'when it left the queue';
comment on column s2s.callback.last_error is 'why it is not delivered';

create function s2s.server_occupation()
    returns table (server oid, in_flight integer, is_broken boolean)
    language c volatile strict parallel unsafe
    as 'MODULE_PATHNAME', 'server_occupation_wrapper';
comment on function s2s.server_occupation is 'requests in flight and breaker state of each server that is broken or busy, as the worker last reported them; a row without server if not all that are broken are shown';

create function s2s.server_problem(server text) returns text
    language c volatile strict parallel unsafe
    as 'MODULE_PATHNAME', 'server_problem_wrapper';
comment on function s2s.server_problem is 'why nothing can be sent to a server until that is mended: its options, or its ca_file; NULL if nothing is wrong with them';

create view s2s.server_status as
select s.srvname::text as server,
       w.fdwname::text as network,
       case
           when exists (
               select from pg_catalog.pg_options_to_table(s.srvoptions) o
               where o.option_name = 'paused' and o.option_value::boolean
           ) then 'paused'
           when occupation.is_broken or own.problem is not null then 'broken'
           when occupation.server is null and exists (
               select from s2s.server_occupation() o where o.server is null
           ) then 'unknown'
           else 'active'
       end as state,
       queued.waiting,
       queued.parked,
       queued.oldest_waiting,
       coalesce(occupation.in_flight, 0) as in_flight,
       lately.delivered_last_hour,
       lately.failed_last_hour,
       lately.median_duration,
       lately.p99_duration,
       coalesce(own.problem, case when occupation.is_broken then (
           select a.message from s2s.attempt a
           where a.server = s.srvname::text and a.verdict in ('retry', 'failed')
           order by a.started_at desc limit 1
       ) end) as problem
from pg_catalog.pg_foreign_server s
join pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw
join pg_catalog.pg_proc validator on validator.oid = w.fdwvalidator
    and validator.pronamespace = 's2s'::pg_catalog.regnamespace
left join s2s.server_occupation() occupation on occupation.server = s.oid
cross join lateral (select s2s.server_problem(s.srvname::text) as problem) own
cross join lateral (
    select count(*) filter (where q.due_at < 'infinity') as waiting,
           count(*) filter (where q.due_at = 'infinity') as parked,
           pg_catalog.now() - min(q.created_at) filter (where q.due_at < 'infinity') as oldest_waiting
    from s2s.queue q where q.server = s.srvname::text and q.server_dropped_at is null
) queued
cross join lateral (
    select count(*) filter (where a.verdict = 'delivered') as delivered_last_hour,
           count(*) filter (where a.verdict in ('retry', 'failed')) as failed_last_hour,
           percentile_cont(0.5) within group (order by a.duration) filter (where a.url is not null)
               as median_duration,
           percentile_cont(0.99) within group (order by a.duration) filter (where a.url is not null)
               as p99_duration
    from s2s.attempt a
    where a.server = s.srvname::text and a.started_at > pg_catalog.now() - interval '1 hour'
) lately;
comment on view s2s.server_status is 'state and load of every foreign server of an affiliate network, one row each';
comment on column s2s.server_status.server is 'the foreign server';
comment on column s2s.server_status.network is 'its network: the foreign-data wrapper';
comment on column s2s.server_status.state is 'active, paused, or broken: after failures in a row it is only probed, or its options or its ca_file cannot be used; unknown if more than 64 are broken';
comment on column s2s.server_status.waiting is 'callbacks queued and not parked';
comment on column s2s.server_status.parked is 'callbacks parked until s2s.retry() or s2s.cancel()';
comment on column s2s.server_status.oldest_waiting is 'age of the oldest callback that is queued and not parked';
comment on column s2s.server_status.in_flight is 'requests in flight';
comment on column s2s.server_status.delivered_last_hour is 'callbacks delivered in the last hour';
comment on column s2s.server_status.failed_last_hour is 'attempts of the last hour that did not deliver';
comment on column s2s.server_status.median_duration is 'median duration of the last hour''s requests';
comment on column s2s.server_status.p99_duration is '99th percentile of that duration';
comment on column s2s.server_status.problem is 'why nothing can be sent to it until that is mended, or why it is broken';


-- Operating
-- ---------

-- Acting on a callback takes USAGE of its server, or to be its owner, besides EXECUTE. So these functions
-- run as their caller, and reach the tables as the tables' owner.

create function s2s.callback_url(id bigint) returns text
    language c volatile strict parallel unsafe set search_path to pg_catalog, pg_temp
    as 'MODULE_PATHNAME', 'callback_url_wrapper';
comment on function s2s.callback_url is 'the URL that a queued callback would be sent to now, without secrets; NULL if it is not queued, or the user may not use its server';
revoke execute on function s2s.callback_url(bigint) from public;

create function s2s.retry(id bigint) returns boolean
    language c volatile strict parallel unsafe set search_path to pg_catalog, pg_temp
    as 'MODULE_PATHNAME', 'retry_wrapper';
comment on function s2s.retry is 'makes a callback due now, with attempts from zero; false if it is not queued, or the user may not use its server';
revoke execute on function s2s.retry(bigint) from public;

create function s2s.retry_parked(server text default null) returns bigint
    language c volatile parallel unsafe set search_path to pg_catalog, pg_temp
    as 'MODULE_PATHNAME', 'retry_parked_wrapper';
comment on function s2s.retry_parked is 'makes all parked callbacks due now, of one server or of all that the user may use; returns their number';
revoke execute on function s2s.retry_parked(text) from public;

create function s2s.cancel(id bigint) returns boolean
    language c volatile strict parallel unsafe set search_path to pg_catalog, pg_temp
    as 'MODULE_PATHNAME', 'cancel_wrapper';
comment on function s2s.cancel is 'removes a callback from the queue and records it as cancelled; false if it is not queued, or the user may not use its server';
revoke execute on function s2s.cancel(bigint) from public;

create function s2s.wait_until_idle(timeout interval default '30s') returns boolean
    language c volatile strict parallel unsafe security definer set search_path to pg_catalog, pg_temp
    as 'MODULE_PATHNAME', 'wait_until_idle_wrapper';
comment on function s2s.wait_until_idle is 'waits until nothing is left that can be sent now; false on timeout';
revoke execute on function s2s.wait_until_idle(interval) from public;

create function s2s.wake() returns void
    language c volatile strict parallel unsafe
    as 'MODULE_PATHNAME', 'wake_worker_wrapper';
comment on function s2s.wake is 'makes the worker read the whole queue again when the database transaction commits';
revoke execute on function s2s.wake() from public;

create function s2s.worker_status()
    returns table (
        running boolean, pid integer, started_at timestamptz, in_flight integer,
        last_delivery_at timestamptz, last_error text, hint text
    )
    language c volatile strict parallel unsafe set search_path to pg_catalog, pg_temp
    as 'MODULE_PATHNAME', 'worker_status_wrapper';
comment on function s2s.worker_status is 'status of this database''s worker; a hint if it is not running';


-- Ids as shops have them
-- ----------------------
-- Every function above that takes a transaction id or a merchant reference id as text takes it as an
-- integer, numeric or uuid as well: by a form of it that calls that of text. Their first arguments differ,
-- or a call without any such id would be ambiguous: name and varchar are taken for less than text, so
-- literals and parameters without a type mean the form of text. The forms are open to all: who may not call
-- that of text gets no further. They are inlined, which SET would prevent: all names in them are qualified.

create function s2s.id_text(id anyelement) returns text
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'id_text_wrapper';
comment on function s2s.id_text is 'the text of an integer, numeric, uuid or text; an error for other types';

do $$
declare
    of_text record;
begin
    for of_text in
        select p.proname as name, p.provolatile as volatility, p.proparallel as parallel, p.procost as cost,
               pg_catalog.pg_get_function_arguments(p.oid) as arguments,
               pg_catalog.pg_get_function_result(p.oid) as result,
               pg_catalog.obj_description(p.oid, 'pg_proc') as comment,
               (select pg_catalog.string_agg(
                    case when argument.name in ('transaction_id', 'merchant_reference_id') then 's2s.id_text($' || argument.number || ')'
                         when argument.name in ('server', 'tracking_url') then '$' || argument.number || '::pg_catalog.text'
                         else '$' || argument.number
                    end, ', ' order by argument.number)
                from pg_catalog.unnest(p.proargnames) with ordinality as argument(name, number)) as passed
        from pg_catalog.pg_proc p
        join pg_catalog.pg_depend d on d.objid = p.oid and d.deptype = 'e'
            and d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        where p.pronamespace = 's2s'::pg_catalog.regnamespace and p.proargmodes is null
          and p.proargnames && array['transaction_id', 'merchant_reference_id']
        order by 1
    loop
        of_text.arguments := pg_catalog.regexp_replace(
            of_text.arguments, '(transaction_id|merchant_reference_id) text( DEFAULT NULL)?(::text)?', '\1 anycompatible\2', 'g');
        of_text.arguments := pg_catalog.regexp_replace(of_text.arguments, '^server text', 'server name');
        of_text.arguments := pg_catalog.regexp_replace(of_text.arguments, '^tracking_url text', 'tracking_url varchar');
        execute pg_catalog.format(
            'create function s2s.%1$I(%2$s) returns %4$s language sql %5$s parallel %6$s cost %7$s as %8$L;
             comment on function s2s.%1$I(%3$s) is %9$L',
            of_text.name,
            of_text.arguments,
            pg_catalog.regexp_replace(of_text.arguments, ' DEFAULT [^,]*', '', 'g'),
            of_text.result,
            case of_text.volatility when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
            case of_text.parallel when 's' then 'safe' else 'unsafe' end,
            of_text.cost,
            pg_catalog.format('select s2s.%I(%s)', of_text.name, of_text.passed),
            of_text.comment || '; ids of type integer, numeric or uuid');
    end loop;
end
$$;


-- Internals
-- ---------

-- Logical replication brings no callbacks: a subscriber would send again what its publisher sends. The
-- triggers fire for what a subscription applies, and for nothing else: a dump may be restored with
-- session_replication_role = replica, and pg_restore --disable-triggers runs ENABLE TRIGGER ALL.
create function s2s.is_replicated() returns boolean
    language c stable strict parallel unsafe as 'MODULE_PATHNAME', 'is_replicated_wrapper';
comment on function s2s.is_replicated is 'whether this session applies changes made in another database';
create function s2s.skip_replicated() returns trigger
    language c as 'MODULE_PATHNAME', 'skip_replicated_wrapper';
comment on function s2s.skip_replicated is 'trigger: skips callbacks and attempts that logical replication brings from another database';

create trigger skip_replicated before insert on s2s.queue for each row
    when (s2s.is_replicated())
    execute function s2s.skip_replicated();
alter table s2s.queue enable replica trigger skip_replicated;
comment on trigger skip_replicated on s2s.queue is 'callbacks of the publisher are delivered by the publisher';

create trigger skip_replicated before insert on s2s.attempt for each row
    when (s2s.is_replicated())
    execute function s2s.skip_replicated();
alter table s2s.attempt enable replica trigger skip_replicated;
comment on trigger skip_replicated on s2s.attempt is 'attempts of the publisher are recorded at the publisher';

create function s2s.check_ddl() returns event_trigger
    language c set search_path to pg_catalog, pg_temp
    as 'MODULE_PATHNAME', 'check_ddl_wrapper';
comment on function s2s.check_ddl is 'event trigger: checks triggers that report to networks, warns about those that a command breaks, keeps triggers and queue with their servers, tells the worker about changed servers';

create event trigger s2s_check_ddl on ddl_command_end
    when tag in (
        'CREATE TRIGGER', 'CREATE SCHEMA', 'ALTER TABLE', 'ALTER FOREIGN TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER TYPE',
        'CREATE SERVER', 'ALTER SERVER', 'DROP SERVER',
        'CREATE USER MAPPING', 'ALTER USER MAPPING', 'DROP USER MAPPING', 'DROP FOREIGN DATA WRAPPER', 'DROP OWNED'
    )
    execute function s2s.check_ddl();
comment on event trigger s2s_check_ddl is 'checks triggers that report to networks when they are created or their columns change, warns about those that a changed server breaks, gives triggers and queue the new name of a server, tells the worker about changed servers';
-- Any command that can drop a server, or a column with something else; most return at once without CASCADE.
create event trigger s2s_check_drop on sql_drop execute function s2s.check_ddl();
comment on event trigger s2s_check_drop is 'warns about triggers that report to networks and lose a column to DROP … CASCADE, or their server; parks what is queued for that';
-- Before the command: after it neither the trigger nor its function exists.
create event trigger s2s_drop_extension on ddl_command_start
    when tag in ('DROP EXTENSION')
    execute function s2s.check_ddl();
comment on event trigger s2s_drop_extension is 'tells the worker that the extension is dropped';

create function s2s.start_worker() returns void
    language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'start_worker_wrapper';
comment on function s2s.start_worker is 'starts this database''s worker at commit; called by CREATE EXTENSION';
revoke execute on function s2s.start_worker() from public;
select s2s.start_worker();
