/* Reaper and pause: a run is paused and resumed while its tasks are claimed, settled, reaped and folded (sql/functions/orders.sql, reap.sql,
   claim.sql, fold.sql).

   Two worker sessions that take and settle what they can get at once, a reaper, one coordinator that folds, an operator. The run's first step has
   two successors: its fold moves the row of its task on to one of them, and inserts a row for the other. The rows are read and locked as
   in lease.pml. What can go wrong, two at most: session 0 is declared dead, and its worker goes on, or not; a transaction is rolled back.

   mutant REAPER_FREES         assertion  the reaper makes tasks ready, held when it reads that their run is paused
   mutant PAUSE_HOLDS_NOTHING  assertion  a pause does not hold the tasks that wait
   mutant PAUSE_WITHOUT_LOCK   assertion  a pause does not lock the run
   mutant PAUSE_PASSES_OVER    assertion  a pause does not wait for tasks that somebody has locked
   mutant FOLD_WITHOUT_LOCK    assertion  the fold does not lock the run
   mutant FOLD_LOOKS_FIRST     assertion  the fold does not ask again whether the run is paused when it has the run's lock
   mutant CLAIM_TAKES_HELD     assertion  a claim does not ask whether a task is held
   mutant RESUME_FREES_NOTHING stuck      a resume leaves the tasks held
   mutant SETTLE_IN_ANY_ORDER  stuck      a settle locks its tasks in another order than a pause does
   variant REAPER_FREES_UNDER_LOCK        the reaper makes tasks ready as above, but locks the run, or leaves the task alone when it cannot */

#ifndef FAULTS
#define FAULTS 2
#endif
#define nobody 255

mtype = { absent, ready, leased, settled };

typedef Row { byte state, session; bool held, lost };

Row was[2], now[2];                            /* the tasks */
byte holder[2] = nobody, run_holder = nobody;
bool paused, over;                             /* the run */
byte unsettled = 3;
bool dead, claiming[2];                        /* session 0 */
byte faults = FAULTS;

inline copy(to, from) { d_step { to.state = from.state; to.session = from.session; to.held = from.held; to.lost = from.lost } }
inline commit_row(r)  { if :: holder[r] == _pid -> copy(was[r], now[r]); holder[r] = nobody :: else fi }
inline undo_row(r)    { if :: holder[r] == _pid -> copy(now[r], was[r]); holder[r] = nobody :: else fi }
inline end_run_lock() { if :: run_holder == _pid -> run_holder = nobody :: else fi }
inline commit()       { commit_row(0); commit_row(1); end_run_lock() }
inline undo()         { undo_row(0); undo_row(1); end_run_lock() }

#define is_own(r)     (was[r].state == leased && was[r].session == s)
#ifdef CLAIM_TAKES_HELD
#define is_free(r)    (was[r].state == ready && holder[r] == nobody)
#else
#define is_free(r)    (was[r].state == ready && holder[r] == nobody && !was[r].held)
#endif

inline take(r) {
  if
  :: is_free(r) -> holder[r] = _pid; now[r].state = leased; now[r].session = s
  :: else
  fi
}
inline settle(r) {
  atomic {
    !is_own(r) || holder[r] == nobody ->                      /* waits for the row's lock, and looks again */
    if
    :: is_own(r) -> holder[r] = _pid; now[r].state = settled
    :: else
    fi
  }
}

proctype Worker(byte s) {
end:
  do
  :: over || s == 0 && dead -> break                          /* what it holds it never reports */
  :: atomic { !(s == 0 && dead) && (is_free(0) || is_free(1)) -> claiming[s] = true; take(0); take(1) }
     atomic {
       if
       :: assert(!paused); commit()                           /* whoever pauses has waited for us */
       :: faults > 0 -> faults--; undo()
       fi;
       claiming[s] = false
     }
  :: is_own(0) || is_own(1) ->
#ifdef SETTLE_IN_ANY_ORDER
     settle(1); settle(0);
#else
     settle(0); settle(1);
#endif
     atomic {
       if
       :: commit()
       :: faults > 0 -> faults--; undo()
       fi
     }
  od
}

#if defined(REAPER_FREES) || defined(REAPER_FREES_UNDER_LOCK)
#define settle_lost(r) now[r].state = ready; now[r].held = was_paused
#else
#define settle_lost(r) now[r].state = settled; now[r].lost = true
#endif
#define is_orphan(r) (was[r].state == leased && was[r].session == 0)

inline reap(r) {
  is_orphan(r);
#ifdef REAPER_FREES_UNDER_LOCK
  atomic { run_holder == nobody -> run_holder = _pid };
#endif
#if defined(REAPER_FREES) || defined(REAPER_FREES_UNDER_LOCK)
  was_paused = paused;
#endif
  atomic {                                                    /* skip locked: asks until it is free, or another's */
    if
    :: is_orphan(r) && holder[r] == nobody -> holder[r] = _pid; settle_lost(r)
    :: !is_orphan(r)
    fi
  }
  atomic {
    if
    :: commit_row(r)
    :: faults > 0 -> faults--; undo_row(r)
    fi;
#ifdef REAPER_FREES_UNDER_LOCK
    end_run_lock()
#endif
  }
}

proctype Reaper() {
  bool was_paused;
end:
  atomic { faults > 0 && !claiming[0] -> faults--; dead = true };
end_of_reaping:
  do
  :: reap(0)
  :: reap(1)
  od
}

inline write(r) {
  atomic {
    holder[r] == nobody -> holder[r] = _pid;
    if
    :: now[r].lost || unsettled == 3 -> now[r].state = ready
    :: else -> now[r].state = absent
    fi;
    now[r].session = 0; now[r].lost = false
  }
}

#define is_due(r) (was[r].state == settled && !was[r].held)

proctype Fold() {
  bool done, forks;
  byte r;
end:
  do
  :: atomic {
       !paused && (is_due(0) || is_due(1)) ->
       if
       :: is_due(0) -> r = 0
       :: is_due(1) -> r = 1
       fi
     }
#ifndef FOLD_WITHOUT_LOCK
     atomic { run_holder == nobody -> run_holder = _pid }     /* skip locked: asks until it is free */
#endif
#ifdef FOLD_LOOKS_FIRST
#define is_moot (was[r].state != settled)
#else
#define is_moot (was[r].state != settled || paused)
#endif
     if
     :: is_moot -> goto next                                  /* folded, or paused, before it had the lock */
     :: else
     fi;
     done = !was[r].lost; forks = done && unsettled == 3;
     write(r);
     if
     :: forks -> atomic { holder[1] = _pid; now[1].state = ready; now[1].held = false }
     :: else
     fi;
     atomic {
       if
       :: commit(); unsettled = unsettled - done; over = (unsettled == 0)
       :: faults > 0 -> faults--; undo()
       fi;
next:  end_run_lock();
       done = false; forks = false; r = 0
     }
  od
}

inline hold(r, value) {
  if
  :: was[r].state == absent
  :: was[r].state != absent ->
     atomic { holder[r] == nobody || holder[r] == _pid -> holder[r] = _pid; now[r].held = value }
#ifdef PAUSE_PASSES_OVER
  :: value && holder[r] != nobody
#endif
  fi
}

proctype Operator() {
#ifndef PAUSE_WITHOUT_LOCK
  atomic { run_holder == nobody -> run_holder = _pid };
#endif
#ifndef PAUSE_HOLDS_NOTHING
  hold(0, true); hold(1, true);
#endif
  atomic {
    if
    :: commit(); paused = true
    :: faults > 0 -> faults--; undo(); goto end
    fi
  }
  atomic { run_holder == nobody -> run_holder = _pid };
#ifndef RESUME_FREES_NOTHING
  hold(0, false); hold(1, false);
#endif
  atomic { commit(); paused = false };
end:
  skip
}

init {
  atomic {
    was[0].state = ready; now[0].state = ready; was[1].state = absent; now[1].state = absent;
    run Worker(0); run Worker(1); run Reaper(); run Fold(); run Fold(); run Operator()
  };
  over                                                        /* nothing can happen any more before this: the run is stuck */
}
