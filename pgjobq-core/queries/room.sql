-- How many jobs a bounded queue has room for. $1 its name
select pgjobq.room($1) as room
