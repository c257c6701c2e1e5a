-- Changes settings of a limit. $1 kind or queue   $2 its name
-- $3 an object of the settings and their values, null to reset one, as JSON   $4 by whom
select pgjobq.change_limits($1, $2, array_agg(key order by key),
                            array_agg(nullif(value, 'null'::jsonb) order by key), $4)::text
  from jsonb_each($3::jsonb)
