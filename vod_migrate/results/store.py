"""The results store: one method per thing that may happen to a run, a scan, a claim, a result or a pace.

Every method is one transaction and may be repeated: a lost connection is waited out for `patience` seconds, and a commit
whose answer was lost is simply done again. Times are the database's own, so that workers on different machines agree.

What holds between any two transactions, in whatever order objects are discovered, claimed and recorded, workers crash and
come late, leases run out, and runs are ended, cancelled and repeated (tests/integration/test_store_machine.py tries them):

1. An object is one result: unique by account, bucket and key, never deleted, owned by the migration that saw it first.
2. A result moves only so: pending → registered | failed | gone; failed → pending by a rerun, → registered by a late answer;
   registered → gone, → pending by mode all; gone → its former state, → registered by a late answer.
3. Registered has a MediaId, and a MediaId once recorded is neither lost nor changed, whatever the state. Failed has a code and
   the run that saw it. Nothing is recorded that did not happen.
4. Only pending results are claimed, each under one token. What is under a living worker's token is given to nobody else, and
   a worker knows of everything under its token, or gives it back.
5. An answer changes only what is pending under its token; from anybody else it may set registered, never undo it. A call
   recorded twice, a page merged twice and a release repeated change nothing.
6. A run counts an object once, and each scan's counts add up to what it listed. Only a scan that listed its whole prefix
   marks results as gone, and never one that is claimed.
7. Nothing is stuck: when everybody is dead and every lease has run out, one undisturbed run of each migration leaves nothing
   pending.
"""

from __future__ import annotations

from vod_migrate.results.claims import Claims
from vod_migrate.results.counts import CountQueries
from vod_migrate.results.plans import Plans
from vod_migrate.results.rates import Rates
from vod_migrate.results.recorder import RecorderQueries
from vod_migrate.results.scans import Scans


class Store(Plans, Scans, Claims, RecorderQueries, CountQueries, Rates):
    """Results, runs, scans, claims, calls and quotas in one Postgres database."""
