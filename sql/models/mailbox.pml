/* The mailbox: events and waits of one name and key find each other, in whatever order they come (sql/functions/events.sql, and the
   statements of the fold in Sources/RunStore/ChangeSet+Events.swift).

   Two runs that wait, each for an event of its own, though both events match both waits: what a run is handed and does not want it leaves to
   the other. Two publishers, two matchers, the runs' folds, and the chore that frees what was with a run that has ended. Nobody reads what
   is not committed, so a transaction writes when it commits, and holds its locks before. All rows of skein.match are one bit: there is one. What can
   go wrong, two at most: a transaction is rolled back; the wait of run 1 times out, and the run ends; run 0 is set aside (quarantined).

   mutant EVENT_LEAVES_NO_ROW    stuck      an event leaves no row for the matcher
   mutant WAIT_LEAVES_NO_ROW     stuck      a wait leaves none
   mutant ROW_COMES_FIRST        stuck      an event's row is committed before the event
   mutant ROW_GOES_FIRST         stuck      the matcher's delete of the rows is committed before it has looked
   mutant LEFT_LEAVES_NO_ROW     stuck      an event that a run did not want is free again without a row
   mutant NO_SECOND_LOOK         stuck      the matcher leaves no row when there is more to hand out
   mutant NO_CHORE               stuck      nobody frees what was with a run that has ended
   mutant NO_KEY_LOCK            assertion  two matchers look at one key at the same time
   mutant LOOKS_BEFORE_LOCK      assertion  the matcher goes by what it read before it had the key's lock
   mutant HANDED_AGAIN           cycle      a wait is handed again what it did not want */

#ifndef FAULTS
#define FAULTS 2
#endif
#define nobody 255
#define none   2

mtype = { unsent, buffered, offered, consumed };
mtype = { unborn, waiting, ended };

mtype event[2] = unsent, wait[2] = unborn;
byte with[2] = none;                           /* the run that an event is with */
byte inbox[2] = none;                          /* the event that a run has to decide about; at most one for a wait */
bool handed[4];                                /* skein.event_delivery, by 2 * event + run */
bool match;
byte key_holder = nobody, run_holder[2] = nobody, shares[2];
bool aside;                                    /* run 0 is quarantined */
byte faults = FAULTS;

proctype Publisher(byte e) {
#ifdef ROW_COMES_FIRST
  match = true;
  event[e] = buffered
#else
  atomic {
    event[e] = buffered;
#ifndef EVENT_LEAVES_NO_ROW
    match = true
#endif
  }
#endif
}

#ifdef HANDED_AGAIN
#define is_open(e, r) (event[e] == buffered && wait[r] == waiting && locked[r] && inbox[r] == none)
#else
#define is_open(e, r) (event[e] == buffered && wait[r] == waiting && locked[r] && inbox[r] == none && !handed[2 * e + r])
#endif
#define is_left(e, r) (event[e] == buffered && to[e] == none && wait[r] == waiting && inbox[r] == none && to[0] != r && to[1] != r && !handed[2 * e + r])

/* One statement: to each wait its oldest event, and of those that are for one only, to one of the waits. */
inline look() {
  atomic {
    for (r : 0 .. 1) {
      if
      :: is_open(0, r) -> first[r] = 0
      :: !is_open(0, r) && is_open(1, r) -> first[r] = 1
      :: else
      fi
    }
    if
    :: first[0] != none -> to[first[0]] = 0; if :: first[1] != none && first[1] != first[0] -> to[first[1]] = 1 :: else fi
    :: first[1] != none -> to[first[1]] = 1; if :: first[0] != none && first[0] != first[1] -> to[first[0]] = 0 :: else fi
    :: first[0] == none && first[1] == none
    fi
  }
}

inline share(r) {
  if
  :: sees[r] ->
     atomic { run_holder[r] == nobody -> if :: wait[r] != ended -> shares[r]++; locked[r] = true :: else fi }
  :: else
  fi
}

proctype Matcher() {
  bool sees[2], locked[2];
  byte first[2] = none, to[2] = none, e, r;
end:
  do
  :: atomic { match -> match = false }                        /* skip locked */
#ifdef LOOKS_BEFORE_LOCK
     locked[0] = true; locked[1] = true; look();
#endif
#ifndef NO_KEY_LOCK
     atomic { key_holder == nobody -> key_holder = _pid }
#endif
     atomic { sees[0] = (wait[0] == waiting); sees[1] = (wait[1] == waiting) }
     share(0); share(1);
#ifndef LOOKS_BEFORE_LOCK
     look();
#endif
     atomic {
       if
       :: faults > 0 -> faults--;
#ifndef ROW_GOES_FIRST
          match = true
#endif
       :: true ->
#ifndef NO_SECOND_LOOK
          if
          :: (to[0] != none || to[1] != none) && (is_left(0, 0) || is_left(0, 1) || is_left(1, 0) || is_left(1, 1)) -> match = true
          :: else
          fi;
#endif
          for (e : 0 .. 1) {
            if
            :: to[e] != none ->
               assert(event[e] == buffered);                  /* it is with one run at a time */
               event[e] = offered; with[e] = to[e]; handed[2 * e + to[e]] = true; inbox[to[e]] = e
            :: else
            fi
          }
       fi;
       for (r : 0 .. 1) {
         if :: locked[r] && shares[r] > 0 -> shares[r]-- :: else fi;
         sees[r] = false; locked[r] = false; first[r] = none; to[r] = none
       }
       if :: key_holder == _pid -> key_holder = nobody :: else fi;
       e = 0; r = 0
     }
  od
}

#define is_unlocked(r) (run_holder[r] == nobody && shares[r] == 0)

proctype Fold(byte r) {
  byte e;
end:
  do
  :: atomic { wait[r] == unborn && is_unlocked(r) -> run_holder[r] = _pid }
     atomic {
       if
       :: faults > 0 -> faults--
       :: true -> wait[r] = waiting;
#ifndef WAIT_LEAVES_NO_ROW
          match = true
#endif
       fi;
       run_holder[r] = nobody
     }
  :: atomic { wait[r] == waiting && inbox[r] != none && is_unlocked(r) -> run_holder[r] = _pid; e = inbox[r] }
     atomic {
       if
       :: faults > 0 -> faults--
       :: true ->
          assert(event[e] == offered && with[e] == r);
          inbox[r] = none;
          if
          :: e == r -> event[e] = consumed; wait[r] = ended
          :: else -> event[e] = buffered; with[e] = none
          fi;
#ifndef LEFT_LEAVES_NO_ROW
          match = true
#endif
       fi;
       run_holder[r] = nobody; e = 0
     }
  :: atomic { r == 1 && wait[r] == waiting && is_unlocked(r) && faults > 0 -> faults--; run_holder[r] = _pid }
     atomic { wait[r] = ended; inbox[r] = none; run_holder[r] = nobody }
  :: atomic { r == 0 && wait[r] == waiting && is_unlocked(r) && faults > 0 -> faults--; aside = true; break }
  :: wait[r] == ended -> break
  od
}

#ifndef NO_CHORE
proctype Chore() {
end:
  do
  :: atomic { event[0] == offered && with[0] == 1 && wait[1] == ended -> event[0] = buffered; with[0] = none; match = true }
  :: atomic { event[1] == offered && with[1] == 1 && wait[1] == ended -> event[1] = buffered; with[1] = none; match = true }
  od
}
#endif

init {
  atomic {
    run Publisher(0); run Publisher(1); run Matcher(); run Matcher(); run Fold(0); run Fold(1);
#ifndef NO_CHORE
    run Chore()
#endif
  };
  /* Nothing can happen any more before this: a run is stuck. What is with a run that is set aside, others have to do without. */
  wait[1] == ended && (wait[0] == ended || aside) || aside && event[1] == offered && with[1] == 0
}
