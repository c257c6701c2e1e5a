-- The indexes by attribute.
select attribute, is_ready, is_being_built, percent from pgjobq.list_attribute_indexes()
