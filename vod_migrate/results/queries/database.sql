-- name: state^
-- What the database is, and what the role may do in it; the catalogs can be read without any grant.
select current_user as role, current_database() as database, pg_encoding_to_char(d.encoding) as encoding,
       pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as read_only,
       has_database_privilege(d.oid, 'create') as may_create,
       n.oid is not null as has_schema,
       case when n.oid is null then true else has_schema_privilege(n.oid, 'usage') end as may_use,
       case when n.oid is null then true else has_schema_privilege(n.oid, 'create') end as may_extend,
       exists (select from pg_class where relnamespace = n.oid and relname = 'version' and relkind = 'r') as has_version,
       exists (select from pg_class where relnamespace = n.oid and relkind in ('r', 'p', 'v', 'm', 'f')) as has_tables,
       array(select c.relname::text from pg_class c
             where c.relnamespace = n.oid and c.relkind in ('r', 'p')
               and not (has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert')
                        and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete'))
             order by c.relname) as not_granted,
       (select s.nspname::text from pg_namespace s
        where (select count(*) from pg_class c where c.relnamespace = s.oid and c.relname in ('dag_run', 'task_instance', 'alembic_version')) = 3
        order by s.nspname limit 1) as airflow
from pg_database d left join pg_namespace n on n.nspname = 'vod_migrate'
where d.datname = current_database();
