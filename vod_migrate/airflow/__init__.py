"""vod-migrate inside Airflow: connection type, hook, operators, DAGs. The only part of the package that imports airflow.

``hook.VodHook``                the connection and the results database of a task
``dag.migration_dag``           one DAG for one migration file
``dag.migration_group``         the same tasks as one TaskGroup, for a DAG of your own
``sensor.VodMediaReadySensor``  waits there until VOD can play what was registered

Parsing a DAG file imports neither the SDKs nor a database driver; every such import is inside a method.
"""
