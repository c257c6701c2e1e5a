-- Stops an action. $1 action
select pgjobq.stop_action($1) as stopped
