"""The results store: one method per thing that may happen to a run, a scan, a worker, an object or a rate.

Every method is one transaction and may be repeated: a lost connection is waited out for `patience` seconds, and a commit
whose answer was lost is simply done again. Times are the database's own, so that workers on different machines agree.

What holds between any two transactions, in whatever order objects are discovered, claimed and recorded, workers crash and
come late, leases run out, plans wait and are approved, and runs are ended, cancelled and repeated
(tests/integration/test_store_machine.py tries them):

1. An object is one fact: unique by source and key, deleted only by a repair, owned by the migration that settled it, until it is transferred.
2. A fact changes only so: nothing -> registered | failed; failed -> registered; registered -> failed only by an answer to its holder;
   registered -> gone -> registered; and what a repair forgets -> nothing.
3. Registered has a MediaId, and a MediaId once recorded is neither lost nor changed, unless a repair forgets it, which its history keeps.
   Failed has a code and the run that saw it. Nothing is recorded that did not happen.
4. What is in a block under a living worker's token is given to nobody else, and a worker knows of every block under its token, or gets it
   again.
5. An answer ends only work that is under its token; from anybody else it may set registered, never undo it. A call recorded twice, a page
   merged twice and a release repeated change nothing.
6. A run counts an object once, and each scan's counts add up to what it listed. Totals are what the facts say. Only a scan that listed its
   whole prefix marks objects as gone, and never one that was settled after its page was fetched.
7. A page is merged only onto the page before it, by whoever holds the run's role `discover`.
8. A queue whose gate is closed gives nothing to send, hides nothing and owns nothing; when it opens it holds only what its plan holds.
9. Nothing is stuck: when everybody is dead and every lease has run out, one undisturbed run of each migration leaves nothing to send.
"""

from __future__ import annotations

from vod_migrate.results.actions import Actions
from vod_migrate.results.books import Books
from vod_migrate.results.claims import Claims
from vod_migrate.results.corrections import Corrections
from vod_migrate.results.counts import Counts
from vod_migrate.results.diagnoses import Diagnoses
from vod_migrate.results.exports import Exports
from vod_migrate.results.facts import Facts
from vod_migrate.results.first import Firsts
from vod_migrate.results.listed_ranges import ListedRanges
from vod_migrate.results.plans import Plans
from vod_migrate.results.rates import Rates
from vod_migrate.results.recorder import RecorderQueries
from vod_migrate.results.repairs import Repairs
from vod_migrate.results.scans import Scans
from vod_migrate.results.verifications import Verifications


class Store(
    Actions,
    Plans,
    Scans,
    Claims,
    RecorderQueries,
    Counts,
    Facts,
    Books,
    Repairs,
    Corrections,
    Diagnoses,
    Exports,
    Verifications,
    Firsts,
    ListedRanges,
    Rates,
):
    """Facts, work, runs, scans, leases, calls, plans and quotas in one Postgres database."""
