-- What the extension consists of, a line for each fact: object, kind of fact, fact. Everything is
-- named, nothing is an OID, so that the surfaces of two databases can be compared.
with extension as (
    select * from pg_extension where extname = 'pgrx-ext'
), member as (
    select d.classid, d.objid, pg_describe_object(d.classid, d.objid, d.objsubid) as object
    from pg_depend d join extension e on e.oid = d.refobjid
    where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e'
), relation as (
    select m.object, c.* from member m join pg_class c on c.oid = m.objid
    where m.classid = 'pg_class'::regclass
), index as (
    select m.object, i.*, c.reloptions, c.reltablespace
    from relation m join pg_index i on i.indrelid = m.oid join pg_class c on c.oid = i.indexrelid
), fact(object, kind, fact) as (
    select 'extension', 'definition',
           concat_ws(' ', extversion, extnamespace::regnamespace, extowner::regrole, extrelocatable,
                     extconfig::regclass[], extcondition)
    from extension
    union all
    select object, 'member', classid::regclass::text from member
    union all
    select object, 'comment', obj_description(objid, classid::regclass::name) from member
    union all
    select m.object, 'initial rights', concat_ws(' ', i.objsubid, i.privtype, i.initprivs)
    from member m join pg_init_privs i on i.classoid = m.classid and i.objoid = m.objid
    union all
    select m.object, 'depends on',
           concat_ws(' ', d.deptype, pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid))
    from member m join pg_depend d on d.classid = m.classid and d.objid = m.objid
    union all
    select 'schema s2s', 'holds', pg_describe_object(tableoid, oid, 0)
    from (select tableoid, oid from pg_class where relnamespace = 's2s'::regnamespace
          union all select tableoid, oid from pg_proc where pronamespace = 's2s'::regnamespace
          union all select tableoid, oid from pg_type where typnamespace = 's2s'::regnamespace
          union all select tableoid, oid from pg_operator where oprnamespace = 's2s'::regnamespace) held
    union all
    select m.object, 'definition', concat_ws(' ', n.nspowner::regrole, n.nspacl)
    from member m join pg_namespace n on n.oid = m.objid where m.classid = 'pg_namespace'::regclass
    union all
    select m.object, 'definition', pg_get_functiondef(p.oid)
    from member m join pg_proc p on p.oid = m.objid where m.classid = 'pg_proc'::regclass
    union all
    select m.object, 'rights', concat_ws(' ', p.proowner::regrole, p.proacl)
    from member m join pg_proc p on p.oid = m.objid where m.classid = 'pg_proc'::regclass
    union all
    select m.object, 'definition',
           jsonb_build_object(
               'length', t.typlen, 'by value', t.typbyval, 'kind', t.typtype,
               'category', t.typcategory, 'preferred', t.typispreferred, 'defined', t.typisdefined,
               'delimiter', t.typdelim, 'relation', t.typrelid::regclass,
               'subscript', t.typsubscript::regproc, 'element', t.typelem::regtype,
               'array', t.typarray::regtype, 'input', t.typinput::regprocedure,
               'output', t.typoutput::regprocedure, 'receive', t.typreceive::regprocedure,
               'send', t.typsend::regprocedure, 'modin', t.typmodin::regprocedure,
               'modout', t.typmodout::regprocedure, 'analyze', t.typanalyze::regproc,
               'alignment', t.typalign, 'storage', t.typstorage, 'not null', t.typnotnull,
               'base', t.typbasetype::regtype, 'modifier', t.typtypmod, 'dimensions', t.typndims,
               'collation', t.typcollation::regcollation, 'default', t.typdefault,
               'owner', t.typowner::regrole, 'rights', t.typacl,
               'labels', (select array_agg(l.enumlabel order by l.enumsortorder)
                          from pg_enum l where l.enumtypid = t.oid))::text
    from member m join pg_type t on t.oid = m.objid where m.classid = 'pg_type'::regclass
    union all
    select m.object, 'definition',
           concat_ws(' ', o.oprkind, o.oprcanmerge, o.oprcanhash, o.oprresult::regtype,
                     o.oprcom::regoperator, o.oprnegate::regoperator, o.oprcode::regprocedure,
                     o.oprrest::regproc, o.oprjoin::regproc, o.oprowner::regrole)
    from member m join pg_operator o on o.oid = m.objid where m.classid = 'pg_operator'::regclass
    union all
    select m.object, 'definition',
           concat_ws(' ', a.amname, o.opcintype::regtype, o.opckeytype::regtype, o.opcdefault,
                     pg_describe_object('pg_opfamily'::regclass, o.opcfamily, 0), o.opcowner::regrole)
    from member m join pg_opclass o on o.oid = m.objid join pg_am a on a.oid = o.opcmethod
    where m.classid = 'pg_opclass'::regclass
    union all
    select m.object, 'operator',
           concat_ws(' ', o.amopstrategy, o.amoppurpose, o.amopopr::regoperator,
                     o.amoplefttype::regtype, o.amoprighttype::regtype)
    from member m join pg_amop o on o.amopfamily = m.objid where m.classid = 'pg_opfamily'::regclass
    union all
    select m.object, 'support',
           concat_ws(' ', f.amprocnum, f.amproc::regprocedure, f.amproclefttype::regtype,
                     f.amprocrighttype::regtype)
    from member m join pg_amproc f on f.amprocfamily = m.objid where m.classid = 'pg_opfamily'::regclass
    union all
    select m.object, 'definition', concat_ws(' ', c.castfunc::regprocedure, c.castcontext, c.castmethod)
    from member m join pg_cast c on c.oid = m.objid where m.classid = 'pg_cast'::regclass
    union all
    select m.object, 'definition',
           concat_ws(' ', w.fdwhandler::regprocedure, w.fdwvalidator::regprocedure, w.fdwoptions,
                     w.fdwowner::regrole, w.fdwacl)
    from member m join pg_foreign_data_wrapper w on w.oid = m.objid
    where m.classid = 'pg_foreign_data_wrapper'::regclass
    union all
    select m.object, 'definition',
           concat_ws(' ', t.evtevent, t.evtfoid::regprocedure, t.evtenabled, t.evttags, t.evtowner::regrole)
    from member m join pg_event_trigger t on t.oid = m.objid
    where m.classid = 'pg_event_trigger'::regclass
    union all
    select r.object, 'definition',
           concat_ws(' ', r.relkind, r.relpersistence, r.relreplident, r.relrowsecurity,
                     r.relforcerowsecurity, r.relispartition, r.reltablespace, a.amname,
                     r.relowner::regrole, r.relacl, r.reloptions)
    from relation r left join pg_am a on a.oid = r.relam
    union all
    -- The number counts: callbacks are inserted by it.
    select r.object, 'column ' || a.attnum,
           concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                     a.attgenerated, a.attcollation::regcollation, a.attstorage, a.attcompression,
                     a.attstattarget, o.options, a.attacl, a.attisdropped,
                     pg_get_expr(d.adbin, d.adrelid), col_description(r.oid, a.attnum))
    from relation r join pg_attribute a on a.attrelid = r.oid
    left join pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
    -- Without the number by which newer servers tell a column's versions apart.
    cross join lateral (
        select array_agg(o order by o) as options
        from unnest(a.attoptions) o where o not like 'pg\_attver=%'
    ) o
    where a.attnum > 0
    union all
    select coalesce(r.object, t.object), 'constraint ' || c.conname,
           concat_ws(' ', pg_get_constraintdef(c.oid), c.convalidated,
                     obj_description(c.oid, 'pg_constraint'))
    from pg_constraint c
    left join relation r on r.oid = c.conrelid
    left join member t on t.classid = 'pg_type'::regclass and t.objid = c.contypid
    where r.object is not null or t.object is not null
    union all
    select i.object, 'index',
           concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered, i.indisreplident,
                     i.reloptions, i.reltablespace, obj_description(i.indexrelid, 'pg_class'))
    from index i
    union all
    select r.object, 'rule ' || u.rulename, pg_get_ruledef(u.oid) || u.ev_enabled::text
    from relation r join pg_rewrite u on u.ev_class = r.oid
    union all
    select r.object, 'trigger', pg_get_triggerdef(t.oid) || t.tgenabled::text
    from relation r join pg_trigger t on t.tgrelid = r.oid
    union all
    select r.object, 'policy', p.polname::text from relation r join pg_policy p on p.polrelid = r.oid
    union all
    select r.object, 'sequence',
           concat_ws(' ', s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
                     s.seqcycle)
    from relation r join pg_sequence s on s.seqrelid = r.oid
)
select concat_ws(' | ', object, kind, fact) from fact order by 1
