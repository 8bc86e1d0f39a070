-- What the files of `sql/` use; the runner makes it in each one's database.

-- What a command says: its first value, `accepted` if it has none to give, or its error with
-- SQLSTATE, DETAIL and HINT. Numbers of callbacks, which differ from run to run, are N.
create function refusal(command text) returns text language plpgsql as $$
declare
    said text; state text; detail text; hint text; result text := 'accepted';
begin
    if command ~ '^(create|alter|drop) ' then
        execute command;
    else
        execute command into result;
    end if;
    return coalesce(result, 'NULL');
exception when others then
    get stacked diagnostics said = message_text, state = returned_sqlstate,
                            detail = pg_exception_detail, hint = pg_exception_hint;
    said := regexp_replace(said, 'callback \d+', 'callback N');
    return format(E'%s: %s\n  %s\n  %s', state, said, detail, hint);
end $$;
