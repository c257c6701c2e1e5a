-- The next statement that builds or drops an index. $1 attribute
select statement, waits from pgjobq.attribute_index_step($1)
