-- Does the next batch of an action. $1 action (null: the one that is due first)
select acted, wait, queues, cancelled, running, problem from pgjobq.act($1)
