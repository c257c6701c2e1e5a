-- Sends a notification, in a transaction of its own: its lock is then held for an instant. $1 payload
select pg_notify(pgjobq.channel(), $1)
