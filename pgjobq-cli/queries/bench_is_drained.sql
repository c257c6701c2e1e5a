-- True once all jobs of a measurement have ended.
select not exists (select from pgjobq_bench.jobs) as is_drained
