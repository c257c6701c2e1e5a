-- Ask to cancel jobs. $1 shard   $2 ids   $3 who asks   $4 why   $5 their kinds (null: any)
select pgjobq.ask_to_cancel($1, array(
           select d.id from unnest($2::uuid[]) d(id)
            where $5::text[] is null
               or exists (select 1 from (select kind from pgjobq.jobs where shard = $1 and id = d.id offset 0) j
                           where j.kind = any ($5::text[]))), $3, $4) as asked
