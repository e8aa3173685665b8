/* Lease and fence: claim, settle, heartbeat, death, reaping and fold of one task (sql/functions/claim.sql, session.sql, reap.sql, fold.sql).

   Two worker sessions, a reaper, two coordinators that fold, a run of one step. A row has the version that is committed (`was`) and the
   newest one (`now`), which whoever holds the row's lock may have written. Reading without a lock sees `was`. An atomic block is a statement, or
   a commit. What can go wrong, two at most: the lease of session 0 runs out, and its worker goes on, or not; its connection is cut while the
   server carries out what was asked, at once or much later; its attempt fails; a transaction is rolled back.

   mutant NO_FENCE             assertion  a settle names its session, and no fence
   mutant NO_FENCE_NO_SESSION  assertion  a settle names neither
   mutant REAP_WITHOUT_LOCK    assertion  the reaper does not lock the tasks that it picks
   mutant FOLD_WITHOUT_LOCK    assertion  the fold does not lock the run
   mutant FOLD_READS_FIRST     assertion  the fold goes by what it read before it had the run's lock
   mutant CLAIM_WITHOUT_SHARE  stuck      a claim does not share the lock of its session's row
   mutant DEAD_MAY_CLAIM       stuck      a claim does not ask whether its session is dead
   mutant NO_REAPER            stuck      nobody settles the tasks of dead sessions
   mutant NO_STRAYS            stuck      nobody gives back what a session holds without knowing it
   mutant ONE_LOOK             stuck      a worker looks for such tasks once after a cut, and not again */

#ifndef FAULTS
#define FAULTS 2
#endif
#define nobody 255

mtype = { ready, leased, settled, over };
mtype = { nothing, succeeded, failed, released, lost };
mtype = { idle, asked, taken, undone, refused };

typedef Row { mtype state; byte session; byte fence; byte outcome, call };
typedef Session { bool ran_out, crashed, dead, reaped, locked; byte shares };
typedef Connection { byte answer, call, outcome, given; bool claims, kept, cut };

Row was, now;                                 /* the task */
byte holder = nobody, run_holder = nobody;    /* the processes that hold the locks of the task and of the run */
Session session[2];
Connection connection[3];                     /* session 0 has a second one, for after a cut */
byte fences, granted;                         /* the sequence; the newest fence that was committed */
byte result, confirmed;                       /* the call whose result is in the history; the one whose worker knows that it was taken */
bool folded[8];
byte faults = FAULTS;

inline copy(to, from) {
  d_step {
    to.state = from.state; to.session = from.session; to.fence = from.fence; to.outcome = from.outcome; to.call = from.call
  }
}
inline commit() { if :: holder == _pid -> copy(was, now); holder = nobody :: else fi }
inline undo()   { if :: holder == _pid -> copy(now, was); holder = nobody :: else fi }
inline settle_as(word, from) { holder = _pid; now.state = settled; now.outcome = word; now.call = from }

/* Whether a settle of the call f of session s means this version of the row. */
#if defined(NO_FENCE_NO_SESSION)
#define is_own(row) (row.state == leased)
#elif defined(NO_FENCE)
#define is_own(row) (row.state == leased && row.session == s)
#else
#define is_own(row) (row.state == leased && row.session == s && row.fence == connection[c].call)
#endif

/* What the server does at one connection for its worker, in one transaction: settles a call, claims. It goes on when the worker has gone. */
proctype Backend(byte s; byte c) {
  byte given, answer = taken;
  bool kept;
end:
  do
  :: atomic {
       connection[c].answer == asked && (holder == nobody || !is_own(was)) ->
       if                                                     /* the settle has waited for the row's lock, and looks again */
       :: connection[c].call != 0 && is_own(was) -> settle_as(connection[c].outcome, connection[c].call); kept = true
       :: else
       fi
     }
     if
     :: connection[c].claims ->
        atomic {
          !session[s].locked ->
          if
#ifndef DEAD_MAY_CLAIM
          :: session[s].dead -> undo(); kept = false; answer = refused; goto reply
#endif
          :: else
          fi;
#ifndef CLAIM_WITHOUT_SHARE
          session[s].shares++
#endif
        }
        atomic {
          if
          :: was.state == ready && holder == nobody ->        /* skip locked: asks until it is free, or another's */
             fences++; given = fences;
             holder = _pid; now.state = leased; now.session = s; now.fence = given
          :: was.state != ready
          fi
        }
     :: else
     fi;
     atomic {
       if
       :: commit(); if :: given != 0 -> granted = given :: else fi
       :: s == 0 && faults > 0 -> faults--; undo(); kept = false; given = 0; answer = undone
       fi;
#ifndef CLAIM_WITHOUT_SHARE
       if :: connection[c].claims -> session[s].shares-- :: else fi
#endif
     }
reply:
     atomic {
       connection[c].call = 0; connection[c].outcome = 0; connection[c].claims = false;
       if
       :: connection[c].cut -> connection[c].answer = idle
       :: else -> connection[c].answer = answer; connection[c].kept = kept; connection[c].given = given
       fi;
       given = 0; kept = false; answer = taken
     }
  od
}

#ifdef ONE_LOOK
#define looks_first looks
#else
#define looks_first false
#endif

proctype Worker(byte s) {
  byte c = 2 * s;
  byte call;                                                  /* the fence of the call that is under way, or is to be reported */
  byte outcome = nothing;
  bool looks, told_dead;
end:
  do
  :: session[s].crashed || was.state == over -> break
  :: atomic { session[s].ran_out && !session[s].crashed && !session[s].dead && !session[s].locked -> session[s].ran_out = false }
#ifndef NO_STRAYS
  :: atomic {                                                 /* what it holds without knowing it */
       looks && !session[s].crashed && holder == nobody && was.state == leased && was.session == s && was.fence != call ->
       settle_as(released, 0)
     }
     atomic { commit() }
#endif
#ifdef ONE_LOOK
  :: looks -> looks = false
#endif
  :: atomic {
       !session[s].crashed && !looks_first && (call != 0 || was.state == ready && !told_dead) ->
       if
       :: call != 0 && outcome == nothing -> outcome = succeeded
       :: call != 0 && outcome == nothing && s == 0 && faults > 0 -> faults--; outcome = failed
       :: call == 0 || outcome != nothing
       fi;
       connection[c].call = call; connection[c].outcome = outcome; connection[c].claims = !told_dead; connection[c].answer = asked
     }
     atomic {
       if
       :: connection[c].answer == taken ->
          if
          :: connection[c].kept && outcome == succeeded -> assert(confirmed == 0); confirmed = call
          :: else
          fi;
          call = connection[c].given; outcome = nothing
       :: connection[c].answer == undone
       :: connection[c].answer == refused -> told_dead = true /* what it has left it may report without a claim */
       :: connection[c].answer == asked && c == 0 && faults > 0 -> faults--; connection[c].cut = true; c = 1; looks = true; goto next
       :: session[s].crashed -> connection[c].cut = true; break
       fi;
       connection[c].answer = idle; connection[c].kept = false; connection[c].given = 0;
next:  skip
     }
  od
}

/* Time, which a worker does not feel. */
proctype Clock() {
end:
  if
  :: true
  :: atomic { faults > 0 -> faults--; session[0].ran_out = true };
     if
     :: true
     :: atomic { session[0].ran_out -> session[0].crashed = true }
     fi
  fi
}

proctype Reaper() {
end:
  do
  :: atomic {
       session[0].ran_out && !session[0].dead && !session[0].locked && session[0].shares == 0 -> session[0].locked = true
     }
     atomic { session[0].dead = true; session[0].locked = false }
#ifndef NO_REAPER
  :: session[0].dead && !session[0].reaped ->
#ifdef REAP_WITHOUT_LOCK
     if
     :: was.state != leased || was.session != 0
     :: was.state == leased && was.session == 0 -> atomic { holder == nobody -> settle_as(lost, 0) }
     fi;
#else
     atomic {                                                 /* skip locked: asks until it is free, or another's */
       if
       :: was.state != leased || was.session != 0
       :: was.state == leased && was.session == 0 && holder == nobody -> settle_as(lost, 0)
       fi
     }
#endif
     atomic { commit(); session[0].reaped = true }
#endif
  od
}

proctype Fold() {
  Row seen;
end:
  do
  :: was.state == settled ->
#ifdef FOLD_READS_FIRST
     copy(seen, was);
#endif
#ifndef FOLD_WITHOUT_LOCK
     atomic { run_holder == nobody -> run_holder = _pid }
#endif
     atomic {
#ifndef FOLD_READS_FIRST
       copy(seen, was);                                       /* somebody else may have folded it meanwhile */
#endif
       if
       :: seen.state != settled -> goto done
       :: else
       fi
     }
     atomic {
       holder == nobody -> holder = _pid;
       if
       :: seen.outcome == succeeded -> now.state = over
       :: else -> now.state = ready
       fi;
       now.session = 0; now.fence = 0; now.outcome = nothing; now.call = 0
     }
     atomic {
       if
       :: faults > 0 -> faults--; undo()
       :: commit();
          assert(!folded[seen.fence]); folded[seen.fence] = true;
          assert(seen.call == seen.fence || seen.call == 0);
          assert(confirmed != seen.fence || seen.outcome == succeeded);
          if
          :: seen.outcome == succeeded ->
             assert(result == 0); result = seen.call;
             assert(seen.fence == granted);
             assert(confirmed == 0 || confirmed == result)
          :: else
          fi
       fi;
done:  if :: run_holder == _pid -> run_holder = nobody :: else fi;
       seen.state = 0; seen.session = 0; seen.fence = 0; seen.outcome = 0; seen.call = 0
     }
  od
}

init {
  atomic {
    was.state = ready; now.state = ready;
    run Backend(0, 0); run Backend(0, 1); run Backend(1, 2); run Worker(0); run Worker(1);
    run Reaper(); run Fold(); run Fold(); run Clock()
  };
  was.state == over                                           /* nothing can happen any more before this: the run is stuck */
}
