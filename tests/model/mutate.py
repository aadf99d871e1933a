#!/usr/bin/env python3
"""Weakens every order and drops re-checks of the lock-free code, one at a time; a case of the schedule explorer must fail for each.

mutate.py BUILD [-j JOBS] [-p PERCENT] [--all] [REGEX]

BUILD is tests/model of a build tree with the case programs. Orders are weakened while the programs run (--weaken), one step at a
time and to relaxed, at every atomic operation of the runtime that a case reaches: no list to keep. What survives must stand in
KEPT below with the reason why it is there all the same; those are tried with --all only. Re-checks are dropped in a copy of the source (TEXT), which is compiled
and linked into the case. Exit 1: something survived that is not listed.
"""
import argparse
import concurrent.futures
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

PROGRAMS = ["deque", "ready_queue", "graph_ring", "summary", "versions", "pipeline_gate", "pipeline_source", "sequence", "depot", "inbox", "record_pool", "watch", "park", "join", "group", "room", "seat", "loop", "graph", "future"]  # the cheap ones first
WORLD = {"watch", "park", "join", "group", "room", "seat", "loop", "graph", "future", "sequence"}
ROOT = pathlib.Path(__file__).resolve().parents[2]

# What survives, and why it is kept: (mutants as a regular expression, reason). "Order by ..." names the edge that does the work in C11
# as well; the order here is defence, and tells the reader which edge is meant.
KEPT = [
    (r"scheduler/park.h:wf_signal_take_until:.* acquire->relaxed", "order by what the sleeper looks at again after its sleep; the signal's "
     "is defence for sleepers that would not"),
    (r"scheduler/park.h:wf_search_begin:.*", "order by the parked bit's claim before it, or none: who begins has nothing to hand over"),
    (r"scheduler/park.h:wf_park_claim:.*", "order by the read-modify-writes of the parked word, which all read the newest"),
    (r"scheduler/(park.h:wf_park_idle|join.c:(wf_answer_request|offer_public|owner_sleeps)):.*", "a request that is answered late costs "
     "help and time, never a task; the cases see only what is lost"),
    (r"scheduler/join.c:slot_announce:.*", "the end is seen by the read-modify-write itself; the order serves hints for help only"),
    (r"scheduler/broadcast.c:(share_stolen:store|is_claimable:load|wf_broadcast_wake_more:load).*",
     "a sleeper that is not told of stolen units costs help: who stole them runs them"),
    (r"scheduler/(group.c:wf_group_end:.*|search.c:wf_run_stolen:.*#2) acq_rel->release", "who ends the count reads nothing of the others': the acquire half is defence"),
    (r"(scheduler/group.c|parallel/future_wait.c):wait_outside:.* acq_rel->acquire", "order by the lock of waiters.c: the sleeper's words were handed over before"),
    (r"scheduler/deque.h:wf_deque_steal:cas.* acquire->relaxed", "order by the look before it where that reads the publish; found "
     "only when the look reads a word that was published later"),
    (r"scheduler/group.c:(wait_announce|wf_group_list):.*", "order by the mutex of the group's list, which both sides take in between"),
    (r"scheduler/ready_queue.h:wf_ready_queue_has_work:load\(&queue->first\).*", "an old `first` shows work that is gone, never hides any"),
    (r"scheduler/pool.c:(close_and_drain:(fetch_or.*->acquire|load.*)|wf_pool_admit:.*|wf_pool_release:.*->release|wf_pool_leave:.*|wf_pool_end_workers:.*)|scheduler/worker.c:(find_(any|work|leftover)|search_on|sleep_(idle|resting)):"
     r"load\(&(worker->)?pool->stop\).*", "order by the waker's signal, the parked words and the join of all workers, which lie in between"),
    (r"scheduler/seat.c:wf_seat_leave:load\(&pool->resting.*", "who rests and sleeps as an idle worker passes on what it is woken for"),
    (r"scheduler/worker.c:rests:load.*", "order by the seq_cst looks that follow: the model runs those in one order, C11 would let them "
     "come before this load"),
    (r"scheduler/ready_queue.h:wf_ready_queue_(room:load\(&queue->first\)|(take|steal):(cas|load)\(&queue->first\)).*", "they keep a take "
     "from reading what is put later (load buffering), which the memory model does not show; entries are ordered by `last`"),
    (r"scheduler/(search.c:wf_run_stolen:fetch_or\(wf_slot_state\(slot\)\)|join.c:thief_of:load\(wf_slot_state\(slot\)\)) .*", "the steal "
     "compares with the newest word, and a stranger's task in it was published after DONE, which is looked at in between"),
    (r"scheduler/(broadcast.c:offer_resting_parts:load\(&pool->resting\[word\]\)|pool.c:wf_pool_retire:fetch_or).*", "the proof in worker.h "
     "asks for it: the bit or the live loop is seen by one of the two; loop/retire_placed killed it before parts were claimed from "
     "outside a slot, and no case does now"),
    (r"parallel/graph_ring.h:(wf_graph_ring_add:(load|cas)\(&ring->word\) .*acquire->relaxed|wf_graph_ring_steal:cas\(&ring->word\) acq_rel->.*)",
     "a thief's release and the owner's acquire keep a thief from reading what is added later (load buffering), which the memory model does "
     "not show; its acquire half comes after the look, which has it"),
    (r"parallel/graph_ring.h:wf_graph_ring_newest:.*", "the owner reads its own entries; the acquire is for `busy`, which is a hint"),
    (r"parallel/graph_run.c:(leave:load\(&graph->(busy|invited)\)|run_nodes:fetch_sub\(&graph->busy\)).*", "`busy` tells who searches that it is in "
     "vain; the run ends by its group. An invitation that is seen too late is begun by somebody else"),
    (r"parallel/graph_run.c:(any_ready|steal|spill|unspill):(load|store)\(&(runner->)?graph->spilled\).*", "nodes are spilled only over a full ring: who "
     "looks at the ring afterwards is told, and the rest is run by who spilled it"),
    (r"parallel/(graph.c:wf_graph_runs|graph_run.c:begin):.*", "for threads that begin one run at the same time, which no case does"),
    (r"parallel/graph_run.c:(invite:(exchange|load)\(&graph->invited\)|join_run:store\(&graph->invited\)).*", "who reads `searching` as 0 before the "
     "invited one counts is seen by its looks, and after it has left has acquired its store; who reads too late that somebody is invited "
     "invites one more"),
    (r"parallel/graph_run.c:(join_run|run_nodes):fetch_add\(&graph->searching\).*", "who begins to search has nothing to hand over; the order that "
     "matters is that of leaving"),
]  # fmt: skip

# (name, file below runtime/, text that occurs once, what replaces it, program)
TEXT = [
    ("a reader does not look again what is current", "array/versions.h", "if (WF_LIKELY(wf_load(&versions->current, WF_SEQ_CST) == slot))", "if (wf_load(&versions->current, WF_SEQ_CST) < WF_VERSIONS)", "versions"),
    ("a version is given back without a look at its readers", "array/versions.h", "if (ordered && !wf_version_is_read(versions, slot))", "if (ordered)", "versions"),
    ("readers are looked at without a membarrier", "array/versions.h", "(versions->fenced || wf_membarrier())", "true", "versions"),
    ("a worker that reads does not look again what is current", "array/versions.h", "if (WF_LIKELY(wf_load(&versions->current, WF_ACQUIRE) == slot))", "if (wf_load(&versions->current, WF_ACQUIRE) < WF_VERSIONS)", "versions"),
    ("a source that stalls does not look for a wake", "parallel/pipeline_source.h",
     "    if (wf_load(wakes, WF_RELAXED) != begun)\n        wf_fetch_and(source, ~WF_SOURCE_STALLED, WF_RELAXED);\n", "    (void)wakes, (void)begun;\n", "pipeline_source"),
    ("a part does not wait for the step before", "parallel/sequence.h", "if (sequence->steps[*at - sequence->first].barrier &&", "if (false &&", "sequence"),
    ("a member sleeps without the last look at the words", "parallel/sequence.c", "if (!announce(member, &signal) && !wait_help(NULL, member))", "if (!announce(member, &signal))", "sequence"),
    ("who ends a step wakes nobody", "parallel/sequence.h", "        wf_waiters_wake(sequence);\n", "        return;\n", "sequence"),
    ("the watch sleeps without the last look at work", "scheduler/watch.c", "    if (!all_idle())\n        wf_watch_wake();\n", "", "watch"),
    ("who is woken wakes no watch", "scheduler/worker.c", "    wf_watch_stir();\n}", "}", "watch"),
    ("who stays awake wakes no watch", "scheduler/worker.c", "        wf_watch_stir();\n        return;", "        return;", "watch"),
    ("a caller wakes no watch", "scheduler/seat.c", "    wf_watch_stir();\n", "", "watch"),
    ("sleep without the last look for work", "scheduler/worker.c", " || wf_search_would_find(worker, true);", ";", "park"),
    ("sleep without the last look at stop", "scheduler/worker.c", "wf_load(&pool->stop, WF_SEQ_CST) || wf_search", "wf_search", "park"),
    ("the last searcher wakes nobody", "scheduler/worker.c", "    if (wf_search_end(parking))\n        wf_search_pass_on(worker);\n    return true;",
     "    wf_search_end(parking);\n    return true;", "park"),
    ("an offer passes over the other nodes", "scheduler/park.c",
     "        if (offer_on(pool, home->others[i].node))\n            return true;\n", "        (void)home;\n", "park"),
    ("a woken worker is not counted", "scheduler/park.c", "    wf_search_begin(parking);\n", "    (void)parking;\n", "park"),
    ("stay awake without the own bit", "scheduler/worker.c", "stay && wf_park_claim(parking, worker->id)", "stay", "park"),
    ("the last piece of work does not wake the end", "scheduler/pool.c", "(&home->outstanding, 1, WF_ACQ_REL) == (WF_CLOSED | 1)",
     "(&home->outstanding, 1, WF_ACQ_REL) == 0x7fffffff", "loop"),
    ("refused work keeps its admission", "scheduler/pool.c",
     "    wf_pool_release(pool, node);\n    return wf_fail(WEFT_ECLOSED", "    return wf_fail(WEFT_ECLOSED", "loop"),
    ("stealing wakes no waiting owner", "scheduler/search.c",
     "if (wf_fetch_or(wf_slot_state(slot), WF_SLOT_DONE, WF_ACQ_REL) & WF_SLOT_WAITING)",
     "wf_fetch_or(wf_slot_state(slot), WF_SLOT_DONE, WF_ACQ_REL); if (0)", "join"),
    ("leapfrog without the second look at the slot", "scheduler/join.c", "    if (slot_done(wait->slot))\n        return false;\n", "", "join"),
    ("sleep in a task without the last look for help", "scheduler/join.c", " && !wait->help(worker, wait->what)", "", "group"),
    ("sleep in a task without the last look for static parts", "scheduler/join.c", " && !wf_broadcast_any(worker, false)", "", "loop"),
    ("sleep in a task that is over", "scheduler/join.c", "if (!over && !wf_b", "if (!wf_b", "join"),
    ("a listed task wakes no sleeper of the group", "scheduler/group.c",
     "    if (wake)\n        wf_waiters_wake(group); /* by address: the group may be gone */\n", "", "group"),
    ("who is about to sleep for a group lists nothing", "scheduler/group.c", "    wf_tasks_list(worker);\n    return false;", "    return false;", "group"),
    ("what moves while somebody sleeps for groups is not listed", "scheduler/submit.c",
     "    if (WF_UNLIKELY(wf_load(&worker->pool->group_waiters, WF_SEQ_CST)))\n        list_queue(worker, worker);\n", "", "group"),
    ("a task from outside wakes nobody who sleeps for its group", "scheduler/submit.c",
     "    if (task->group && WF_UNLIKELY(wf_load(&pool->group_waiters, WF_SEQ_CST)))\n        wf_waiters_wake(task->group); /* by address: the group may be gone */\n", "", "group"),
    ("a task of a group is claimed by both sides", "scheduler/group.c", "    return !wf_exchange(&record->claimed, 1, WF_ACQ_REL);",
     "    wf_exchange(&record->claimed, 1, WF_ACQ_REL);\n    return true;", "group"),
    ("the list is left without its lock", "scheduler/group.c",
     "    pthread_mutex_lock(&group->lock);\n    unlink_between(group, record->group_prev, record->group_next);\n    pthread_mutex_unlock(&group->lock);\n",
     "    unlink_between(group, record->group_prev, record->group_next);\n", "group"),
    ("who runs out of work wakes nobody who closes", "scheduler/submit.c", "if (WF_UNLIKELY(wf_load(&worker->pool->closed, WF_SEQ_CST)))", "if (0)", "group"),
    ("tasks that have ended are summed after those that were made", "scheduler/submit.c", "    return made == ended;",
     "    ended = 0;\n    for (unsigned i = 0; i < pool->worker_count; i++)\n        ended += wf_load(&pool->workers[i]->ended, WF_SEQ_CST);\n    return made == ended;", "group"),
    ("a task counts as made after it can be found", "scheduler/submit.c",
     "    add_to_count(&worker->made, 1);\n    wf_group_add(task->group, 1);\n    wf_group_list(task->group, record);\n    weft_status status = place(worker, node, &(struct wf_task){.arg = record, .group = task->group});\n",
     "    wf_group_add(task->group, 1);\n    wf_group_list(task->group, record);\n    weft_status status = place(worker, node, &(struct wf_task){.arg = record, .group = task->group});\n    add_to_count(&worker->made, 1);\n", "group"),
    ("room that somebody waits for wakes nobody", "scheduler/room.c", "    wf_fetch_and(&room->state, ~WF_ROOM_SLEEPER, WF_RELAXED);\n    wf_waiters_wake(room);\n", "", "room"),
    ("the mark of sleepers is cleared after the wake", "scheduler/room.c", "    wf_fetch_and(&room->state, ~WF_ROOM_SLEEPER, WF_RELAXED);\n    wf_waiters_wake(room);\n",
     "    wf_waiters_wake(room);\n    wf_fetch_and(&room->state, ~WF_ROOM_SLEEPER, WF_RELAXED);\n", "room"),
    ("closing wakes nobody who waits for room", "scheduler/room.c", "    wf_fetch_or(&room->state, WF_ROOM_CLOSED, WF_RELAXED);\n    wf_waiters_wake(room);\n",
     "    wf_fetch_or(&room->state, WF_ROOM_CLOSED, WF_RELAXED);\n", "room"),
    ("a closed room takes tasks", "scheduler/room.c", "        if (state & WF_ROOM_CLOSED)\n            return WEFT_ECLOSED;\n", "", "room"),
    ("who sleeps for room leaves no mark", "scheduler/room.c", "state + count * WF_ROOM_ONE : state | mark;", "state + count * WF_ROOM_ONE : state;", "room"),
    ("who sleeps for room enters the table after its mark", "scheduler/room.c", "    wf_waiters_add(&waiter);\n    while ((status = take_or_mark(wait->room, wait->count, wait->limit, WF_ROOM_SLEEPER)) == WEFT_EAGAIN)\n",
     "    status = take_or_mark(wait->room, wait->count, wait->limit, WF_ROOM_SLEEPER);\n    wf_waiters_add(&waiter);\n    for (; status == WEFT_EAGAIN; status = take_or_mark(wait->room, wait->count, wait->limit, WF_ROOM_SLEEPER))\n", "room"),
    ("a task that was refused keeps its room", "scheduler/submit.c", "        wf_room_give(pool, node, count);\n", "        (void)status;\n", "room"),
    ("a taker of room does not compare", "scheduler/room.c", "while (!wf_cas(&room->state, &state, next, WF_RELAXED, WF_RELAXED));", "while (wf_store(&room->state, next, WF_RELAXED), 0);", "room"),
    ("a chunk that is used up is not the last it was known by", "scheduler/inbox.c", "        tail = tail->next = next;\n        used = 0;", "        tail->next = next;\n        used = 0;", "inbox"),
    ("a closed lane takes tasks", "scheduler/inbox.c", "    bool closed = word & WF_LANE_CLOSED;", "    bool closed = false;", "inbox"),
    ("a waiter leaves the table without its lock", "scheduler/waiters.c",
     "    struct shard *shard = shard_of(waiter->key);\n    pthread_mutex_lock(&shard->lock);\n    struct wf_waiter **link = &shard->first;\n"
     "    while (*link != waiter)\n        link = &(*link)->next;\n    *link = waiter->next;\n    pthread_mutex_unlock(&shard->lock);\n",
     "    struct wf_waiter **link = &shard_of(waiter->key)->first;\n    while (*link != waiter)\n        link = &(*link)->next;\n"
     "    *link = waiter->next;\n", "group"),
    ("the group is touched after its end", "scheduler/group.c", "    return before - ended >= WF_GROUP_ONE;",
     "    return wf_load(&group->state, WF_RELAXED) >= WF_GROUP_ONE;", "group"),
    ("stolen units are put away while lines are filled", "scheduler/broadcast.c",
     " || !(wf_load(&worker->pool->broadcasts.live, WF_ACQUIRE) & bit_of(slot))", "", "loop"),
    ("stolen units are put over the own part", "scheduler/broadcast.c",
     " ||\n        wf_units_open(wf_load(&own->word, WF_RELAXED))", "", "loop"),
    ("a static part is not noted as served", "scheduler/broadcast.c",
     "        wf_store(&worker->served[slot], word, WF_RELAXED); /* read by others as a hint */\n", "", "loop"),
    ("an offer hints no waiting owner", "scheduler/broadcast.c", "    hint_waiting_owners(pool, slot);\n", "", "loop"),
    ("an offer wakes nobody", "scheduler/broadcast.c", "    wake_owners(pool, slot, 2);\n    hint", "    hint", "loop"),
    ("who is to rest offers nothing on", "scheduler/worker.c",
     "    wf_search_pass_on(worker); /* somebody may have relied on this one */\n", "", "loop"),
    ("a part whose worker rests is offered to nobody", "scheduler/broadcast.c", "    offer_resting_parts(pool, slot);\n", "", "loop"),
    ("who rests sleeps without a look at static parts", "scheduler/worker.c", " && !wf_broadcast_any(worker, false)) {", ") {", "loop"),
    ("who rests leaves its own queue alone", "scheduler/worker.c", "        if (wf_search_leftover(worker, found))\n            return true;\n", "", "loop"),
    ("the end wakes nobody who rests", "scheduler/pool.c", "            wf_signal_set(&pool->workers[i]->signal, WF_SIGNAL_HINT); /* it may rest */\n", "            ;\n", "park"),
    ("who is roused is not woken", "scheduler/pool.c", "    wf_signal_set(&pool->workers[worker]->signal, WF_SIGNAL_HINT);\n}", "}", "park"),
    ("a claim that does not compare", "scheduler/broadcast.c",
     "if (!wf_cas(own, &word, wf_units_pack(rest), WF_ACQUIRE, WF_RELAXED))",
     "if (wf_store(own, wf_units_pack(rest), WF_RELAXED), 0)", "loop"),
    ("stolen tasks do not change the epoch", "scheduler/search.c",
     "WF_RELAXED));\n    wf_deque_new_epoch(&worker->deque);\n", "WF_RELAXED));\n", "join"),
    ("a reclaim that does not compare", "scheduler/deque.h",
     "if (!wf_cas(&deque->word, &word, wf_deque_word_with(word, tail, middle), WF_RELAXED, WF_RELAXED))",
     "if (wf_store(&deque->word, wf_deque_word_with(word, tail, middle), WF_RELAXED), 0)", "deque"),
    ("force without a membarrier", "scheduler/deque.h", "if (wf_membarrier() && wf_load(wf_deque_guard", "if (wf_load(wf_deque_guard", "deque"),
    ("force without the second look at guard", "scheduler/deque.h",
     "wf_membarrier() && wf_load(wf_deque_guard(deque), WF_RELAXED) == WF_DEQUE_ALL)", "wf_membarrier())", "deque"),
    ("force does not close the guard", "scheduler/deque.h",
     "    wf_store(wf_deque_guard(deque), WF_DEQUE_ALL, WF_RELAXED);\n    if (wf_membarrier() && wf_load(wf_deque_guard(deque), WF_RELAXED) == WF_DEQUE_ALL)",
     "    if (wf_membarrier())", "deque"),
    ("open without the second look at the word", "scheduler/deque.h", "if (!((now ^ word) & ~WF_DEQUE_INDEX_MASK))", "if (now || !now)", "deque"),
    ("open leaves force in the word", "scheduler/deque.h", "        if (word & WF_DEQUE_FORCE) { /* the thief", "        if (0) { /* the thief", "deque"),
    ("a word without force has the same epoch", "scheduler/deque.h", "        epoch += WF_DEQUE_EPOCH;", "        ;", "deque"),
    ("a public slot is popped", "scheduler/deque.h", "if (wf_deque_open(deque, head - 1) < head) {", "if (wf_deque_open(deque, head - 1) <= head) {", "deque"),
    ("a dropped slot stays stolen", "scheduler/deque.h", "    wf_store(wf_slot_state(slot), 0, WF_RELAXED);\n", "", "deque"),
    ("a summary is cleared without a second look", "scheduler/summary.h", "        wf_fetch_or(&summary->bits[i / 64], bit, WF_SEQ_CST);\n", "        ;\n", "summary"),
    ("a take that does not compare", "scheduler/ready_queue.h", "if (wf_cas(&queue->first, &first, first + 1, WF_ACQ_REL, WF_ACQUIRE))",
     "if (wf_store(&queue->first, first + 1, WF_RELEASE), 1)", "ready_queue"),
    ("a put without a look for room", "scheduler/ready_queue.h", "return WF_READY_CAPACITY - (wf", "return WF_READY_CAPACITY + 1 - (wf",
     "ready_queue"),
    ("a graph's nodes are stolen without a tag", "parallel/graph_ring.h", "((before >> 32) + 1) << 32 |", "before >> 32 << 32 |", "graph_ring"),
    ("a node is taken without a compare", "parallel/graph_ring.h", "if (wf_cas(&ring->word, &word, wf_graph_ring_word(word, first, count - 1), WF_ACQUIRE, WF_ACQUIRE))",
     "if (wf_store(&ring->word, wf_graph_ring_word(word, first, count - 1), WF_RELEASE), 1)", "graph_ring"),
    ("nodes are added without a look for room", "parallel/graph_ring.h", "    count = count < room ? count : room;\n", "    (void)room;\n", "graph_ring"),
    ("who adds nodes invites nobody", "parallel/graph_run.c", "    if (WF_UNLIKELY(added < count))\n        spill(runner->graph, level, nodes + added, count - added);\n    invite(runner);\n",
     "    if (WF_UNLIKELY(added < count))\n        spill(runner->graph, level, nodes + added, count - added);\n", "graph"),
    ("who stops searching does not look again", "parallel/graph_run.c", "    if (node == WF_GRAPH_NONE && !stopped(graph))\n        node = steal(runner);\n", "", "graph"),
    ("the end of a graph leaves its invitation", "parallel/graph_run.c", "        wf_group_help(runner->worker, graph->group);\n", "        ;\n", "graph"),
    ("a stopped run leaves its nodes in the rings", "parallel/graph_run.c", "|| stopped(graph))\n        clean(graph);", ")\n        clean(graph);", "graph"),
    ("what did not fit is left", "parallel/graph_run.c", "while (!stopped(graph) && unspill(runner));", "while (0);", "graph"),
    ("a future that is done does not fire its links", "parallel/future.c", "    return oldest;", "    return NULL;", "future"),
    ("what follows a future that is done is not fired", "parallel/future.c", "        if (first == &closed) {", "        if (0) {", "future"),
    ("a future that is done wakes nobody outside", "parallel/future.c", "        wf_waiters_wake(future);\n", "        ;\n", "future"),
    ("a future that is done wakes no task", "parallel/future.c", "        wf_waiters_wake(&pool->future_waiters);\n", "        ;\n", "future"),
    ("a function runs although somebody has begun it", "parallel/future.c", "    if (wf_future_claim(future))\n        wf_future_run(future);", "    wf_future_claim(future);\n    wf_future_run(future);", "future"),
    ("a source is read without a reference", "parallel/future.c", "weft_future_retain(future->links[index].source)", "(future->links[index].source ? wf_fetch_add(&future->references, 0, WF_RELAXED), future->links[index].source : NULL)", "future"),
    ("a future that is set keeps no reference of its own", "parallel/future.c", "        weft_future_retain(future); /* who sees the result may release it */\n", "", "future"),
    ("a magazine comes back with the same tag", "memory/depot.h", "next = ((word >> 32) + 1) << 32 |", "next = word >> 32 << 32 |", "depot"),
    ("a pop that does not compare", "memory/depot.h", "while (!wf_cas(stack, &word, next, WF_RELAXED, WF_RELAXED));", "while (wf_store(stack, next, WF_RELAXED), 0);", "depot"),
    ("a push that does not compare", "memory/depot.h", "while (!wf_cas(stack, &word, next, WF_RELEASE, WF_RELAXED));", "while (wf_store(stack, next, WF_RELEASE), 0);", "depot"),
    ("a node that is not linked yet is taken", "memory/record_pool.c", "if (next == CDS_WFS_WOULDBLOCK)", "if (0)", "record_pool"),
]

KINDS = {"load": {"seq_cst": ["acquire", "relaxed"], "acquire": ["relaxed"]},
         "store": {"seq_cst": ["release", "relaxed"], "release": ["relaxed"]},
         "change": {"seq_cst": ["acq_rel", "relaxed"], "acq_rel": ["acquire", "release", "relaxed"], "acquire": ["relaxed"],
                    "release": ["relaxed"]}}  # fmt: skip


def run(program, *arguments):
    done = subprocess.run([program, "--fixed", *arguments], capture_output=True, text=True, timeout=300)
    if done.returncode not in (0, 1):
        return done.returncode, f"died with {done.returncode}: {done.stderr.strip()[-200:]}"
    return done.returncode, done.stdout


def places_of(build, program):
    """(name, key, order, fail) of the runtime's operations that a program reaches; the key outlives changes of line numbers."""
    _, text = run(build / f"model_{program}", "--places", "--percent", "10")
    found = sorted({tuple(line.split(" ", 1)[1].rsplit(" ", 3)) for line in text.splitlines() if line.startswith("place ")},
                   key=lambda place: int(place[0].split(":")[1]))  # fmt: skip
    number, keys = {}, []
    for name, function, order, fail in found:
        file, _, operation = name.split(":", 2)
        if not (ROOT / "runtime" / file).exists() or function == "wf_count":
            continue
        key = f"{file}:{function}:{operation}"
        number[key] = number.get(key, 0) + 1
        keys.append((name, key if number[key] == 1 else f"{key}#{number[key]}", order, fail))
    return keys


def weakenings(operation, order, fail):
    kind = operation if operation in ("load", "store") else "change"
    for weaker in KINDS[kind].get(order, []):
        yield "--weaken", f"{order}->{weaker}", weaker
    if operation == "cas":
        for weaker in KINDS["load"].get(fail, []):
            yield "--weaken-fail", f"failing {fail}->{weaker}", weaker


def verdict(output):
    match = re.search(r"^FAILED (\S+) after (\d+) schedules, [^:]*: (.*)", output, re.M)
    return (match[1], match[2], match[3]) if match else None


def order_mutants(build):
    """{key and change: [(program, arguments), ...]}; the program that bears the file's name is tried first."""
    mutants = {}
    for program in PROGRAMS:
        for name, key, order, fail in places_of(build, program):
            operation = key.split(":")[2].split("(")[0]
            for option, change, weaker in weakenings(operation, order, fail):
                mutants.setdefault(f"{key} {change}", []).append((program, [option, f"{name}={weaker}"]))
    for key, tries in mutants.items():
        tries.sort(key=lambda one: pathlib.Path(key.split(":")[0]).stem != one[0])
    return mutants


def try_orders(build, percent, tries):
    for program, arguments in tries:
        code, output = run(build / f"model_{program}", "--percent", str(percent), *arguments)
        if code:
            return verdict(output) or (program, "?", output)
    return None


def compiled(build, commands, source, folder, mutated):
    """Compile one file of the tree as the build does, with the mutated file in its place; the new object."""
    for command in commands:  # its object lies with the explorer's; generators write that path from different folders
        words = shlex.split(command["command"])
        made = pathlib.Path(command["directory"], words[words.index("-o") + 1])
        if command["file"] == str(source) and "tests/model/CMakeFiles" in str(made):
            break
    else:
        raise SystemExit(f"{build}/compile_commands.json does not say how {source} is compiled for the explorer")
    out = folder / (source.name + ".o")
    words[words.index("-o") + 1] = str(out)
    words[words.index(str(source))] = str(folder / mutated) if source == ROOT / "runtime" / mutated else str(source)
    words = [words[0], f"-I{folder}", "-w", *(word for word in words[1:] if word not in ("-MD", "-Werror"))]
    subprocess.run(words, check=True, cwd=command["directory"])
    return out


def try_text(build, commands, percent, mutant):
    _, file, old, new, program = mutant
    text = (ROOT / "runtime" / file).read_text(encoding="utf-8")
    if text.count(old) != 1:
        return "gone", f"the text occurs {text.count(old)} times in {file}"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / file).parent.mkdir()
        (folder / file).write_text(text.replace(old, new), encoding="utf-8")
        targets = {f"model_{program}", "model_world" if program in WORLD else f"model_{program}"}
        objects = [path for target in targets for path in build.glob(f"CMakeFiles/{target}.dir/**/*.o")]
        case = ROOT / "tests/model" / f"{program}.c"
        own = {"worker.c": ROOT / "tests/model/world.c", "pool.c": ROOT / "tests/model/world.c",
               "watch.c": ROOT / "tests/model/watch.c", "sequence.h": ROOT / "runtime/parallel/sequence.c"}.get(
            pathlib.Path(file).name, case if file.endswith(".h") else ROOT / "runtime" / file)
        replaced = compiled(build, commands, own, folder, file)
        links = [str(replaced), *(str(path) for path in objects if not is_object_of(path, own))]
        libraries = [str(build / "libmodel_explorer.a"), str(build.parents[1] / "runtime/libweft.a")]
        hwloc = subprocess.run(["pkg-config", "--libs", "hwloc"], capture_output=True, text=True, check=True).stdout.split()
        linker = shlex.split(commands[0]["command"])[0]
        subprocess.run([linker, "-o", str(folder / "case"), *links, *libraries, *hwloc, "-lpthread"], check=True)
        code, output = run(folder / "case", "--percent", str(percent))
        return ("killed", verdict(output) or (program, "?", output)) if code else ("survived", None)


def is_object_of(path, source):
    tail = "/".join(source.parts[-2:])
    return str(path).endswith(f".dir/{source.name}.o" if source.parent.name == "model" else f"/{tail}.o")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("-p", "--percent", type=int, default=20)
    parser.add_argument("--all", action="store_true", help="try what is kept as well")
    parser.add_argument("regex", nargs="?", default="")
    options = parser.parse_intermixed_args()
    build = options.build.resolve()
    commands = json.loads((build.parents[1] / "compile_commands.json").read_text())
    orders = order_mutants(build)
    kept = {key: next((why for pattern, why in KEPT if re.fullmatch(pattern, key)), None) for key in orders}
    wrong = [f"listed as kept and not reached: {pattern}" for pattern, _ in KEPT
             if not any(re.fullmatch(pattern, key) for key in orders)]  # fmt: skip
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        chosen = [key for key in sorted(orders) if re.search(options.regex, key) and (options.all or not kept[key])]
        texts = [mutant for mutant in TEXT if re.search(options.regex, mutant[0])]
        jobs = [pool.submit(try_text, build, commands, options.percent, mutant) for mutant in texts]
        kills = [pool.submit(try_orders, build, options.percent, orders[key]) for key in chosen]
        for mutant, job in zip(texts, jobs):
            result, detail = job.result()
            if result == "killed":
                print(f"killed    {mutant[1]}: {mutant[0]}: {detail[0]} after {detail[1]}: {detail[2][:100]}", flush=True)
            else:
                wrong.append(f"{result}: {mutant[1]}: {mutant[0]} {detail or ''}")
        for key, job in zip(chosen, kills):
            killed = job.result()
            if killed:
                print(f"killed    {key}: {killed[0]} after {killed[1]}: {killed[2][:100]}", flush=True)
            elif not kept[key]:
                wrong.append(f"survived: {key}")
        for key in sorted(orders):
            if kept[key] and not options.regex:
                print(f"kept      {key}: {kept[key]}")
    print("\n".join(wrong) or f"{len(texts) + len(chosen)} mutants tried: killed or kept; {sum(map(bool, kept.values()))} kept for a reason")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
