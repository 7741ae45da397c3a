"""Words that Flink 2.3 does not take as a name without backticks. Pure data; read by validation and by the scaffold.

Found by trying: each word as a column of a table and of a view, in Flink's own parser.
"""

from __future__ import annotations

_WORDS = """
abs all allocate allow alter and any are array as asensitive asymmetric at atomic authorization avg begin
between bigint binary bit blob boolean both by bytes call called cardinality cascaded case cast ceil ceiling
char character char_length character_length check classifier clob close coalesce collate collect column commit
condition connect constraint contains convert corr corresponding count covar_pop covar_samp create cross cube
cume_dist current current_catalog current_date current_path current_role current_row current_schema current_time
current_timestamp current_user cursor cycle date datetime day deallocate dec decimal declare default define
delete dense_rank deref describe deterministic disallow disconnect distinct double drop dynamic each element
else empty end end_frame end_partition equals escape every except exec execute exists exp explain extend
external extract false fetch filter first_value float floor for foreign frame_row free friday from full function
fusion get global grant group grouping groups having hold hour identity ilike import in indicator initial inner
inout insensitive insert int integer intersect intersection interval into is join json_array json_exists
json_object json_query json_value lag language large last_value lateral lead leading left like like_regex limit
ln local localtime localtimestamp lower match matches match_number match_recognize materialized max measures
member merge method min minus minute mod models modifies modify module modules monday month multiset national
natural nchar nclob new next no none normalize not nth_value ntile null nullif numeric occurrences_regex
octet_length of offset old omit on one only open or order ordinal out outer over overlaps overlay parameter
partition pattern per percent percentile_cont percentile_disc percent_rank period permute portion position
position_regex power precedes precision prepare prev primary procedure qualify quarters range rank raw reads
real recursive ref references referencing regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope
regr_sxx regr_sxy regr_syy release rename reset result return returns revoke right rlike rollback rollup row
rows row_number running safe_cast safe_offset safe_ordinal saturday savepoint scala scope scroll search second
seek select sensitive session_user set show similar skip smallint some specific specifictype sql sqlexception
sqlstate sqlwarning sqrt start statement static stddev_pop stddev_samp stream string submultiset subset
substring substring_regex succeeds sum sunday symmetric system system_time system_user table tables tablesample
then thursday time timestamp timestamp_ltz timezone_hour timezone_minute tinyint to trailing translate
translate_regex translation treat trigger trim trim_array true truncate try_cast tuesday uescape union unique
unknown unnest unpivot update upper upsert use user using value values value_of varbinary varchar variant
varying var_pop var_samp versioning watermark watermarks wednesday weeks when whenever where width_bucket window
with within without year distribution distributed buckets refresh_mode freshness pivot contains_substr
date_trunc
"""

RESERVED = frozenset(_WORDS.split())


def identifier(name: str) -> str:
    """``name`` as SQL writes it: in backticks where it must be."""
    return f"`{name}`" if name.lower() in RESERVED else name
