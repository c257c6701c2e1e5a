-- Records that there shall be an index by this attribute, or that there shall be none. $1 attribute   $2 wanted
select pgjobq.want_attribute_index($1, $2)
