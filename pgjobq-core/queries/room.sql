-- How many jobs a bounded queue has room for. $1 its name
select pgjobq.room($1) as room,
       exists (select from pgjobq.queues where name = $1 and deleted_at is null) as known
