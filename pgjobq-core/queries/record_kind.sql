-- Records the policy of a kind, and its queue. $1 kind   $2 queue   $3 priority   $4 retries   $5 max_crashes
-- $6 redacted arguments
select pgjobq.record_kind($1, $2, $3, $4, $5, $6)
